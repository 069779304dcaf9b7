"""Words through click once: the same meaning, the same mistakes, no word of one for another."""

from __future__ import annotations

import asyncio
from typing import Any

import click
import pytest
from clu.parsers.click import CluCommand

from fliswarm.parsed import KEPT, LONG, Parsed, UnreadableError


class Counting(CluCommand):  # type: ignore[misc]
    """A command that counts how often click reads its words."""

    count = 0

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        Counting.count += 1
        return super().parse_args(ctx, args)  # type: ignore[no-any-return]


@pytest.fixture
def said() -> list[Any]:
    Counting.count = 0
    return []


@pytest.fixture
def parsed(said: list[Any]) -> Parsed:
    group = click.Group()

    @group.command("expose", cls=Counting)
    @click.option("-n", "--number", type=int, default=1)
    @click.argument("seconds", type=float)
    async def expose(command: object, number: int, seconds: float) -> None:
        said.append((command, number, seconds))

    return Parsed(group, "cameras")


class Asked:
    context: Any = None


async def run(parsed: Parsed, body: str) -> Asked:
    command = Asked()
    parsed.run(body, {"parser_args": [command]})
    while asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.sleep(0)
    return command


async def test_the_same_words_are_read_once_and_run_each_time(
    parsed: Parsed, said: list[Any]
) -> None:
    first = await run(parsed, "expose -n 2 1.5")
    second = await run(parsed, "expose -n 2 1.5")
    other = await run(parsed, "expose 1.5")
    assert said == [(first, 2, 1.5), (second, 2, 1.5), (other, 1, 1.5)]
    assert Counting.count == 2
    assert first.context is not second.context


async def test_a_mistake_is_one_each_time(parsed: Parsed, said: list[Any]) -> None:
    for _ in range(2):
        with pytest.raises(click.BadParameter, match="'x' is not a valid float"):
            await run(parsed, "expose x")
        with pytest.raises(UnreadableError, match="No closing quotation"):
            await run(parsed, "expose '1")
        with pytest.raises(click.UsageError, match="No such command 'look'"):
            await run(parsed, "look")
    assert said == []


async def test_what_is_remembered_is_bounded(parsed: Parsed, said: list[Any]) -> None:
    for number in range(KEPT + 1):
        await run(parsed, f"expose {number}")
    await run(parsed, f"expose {KEPT}")
    assert Counting.count == KEPT + 1
    await run(parsed, "expose 0")
    assert Counting.count == KEPT + 2, "the oldest is forgotten"
    for _ in range(2):
        await run(parsed, f"expose {'0' * LONG}")
    assert Counting.count == KEPT + 4, "a long one is not kept"
