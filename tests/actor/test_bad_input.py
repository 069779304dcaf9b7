"""Lines that are no commands: each has exactly one failed answer, and the connection lives."""

from __future__ import annotations

import asyncio
import time

import pytest

from fliswarm.client import BadCommand, Client

from .conftest import Swarm
from .running import User, using

MEGABYTE = b"x" * ((1 << 20) + 1)


async def answers(user: User, line: bytes) -> list[str]:
    """All that comes for a line, until a ping after it is answered."""
    user.writer.write(line + b"\n9999 ping\n")
    lines: list[str] = []
    while not lines or " 9999 :" not in lines[-1]:
        lines.append(await user.line())
    mine = [one for one in lines if " 9999 " not in one and not one.startswith("0 0 ")]
    return [one for one in mine if not one.rstrip().endswith(">")]


@pytest.mark.parametrize(
    ("line", "command_id", "words"),
    [
        (b"12 talk 'x", 12, "the command cannot be read: no closing quotation"),
        (b'12 talk "x', 12, "the command cannot be read: no closing quotation"),
        (b"12 talk x\\", 12, "the command cannot be read: no escaped character"),
        (b"12 frobnicate", 12, "no such command 'frobnicate'"),
        (b"12 STATUS", 12, "no such command 'STATUS'"),
        (b"12 ''", 12, "no such command ''"),
        (b"12 status extra", 12, "unexpected extra argument"),
        (b"12 reconnect gfa1", 12, "unexpected extra argument"),
        (b"12 reconnect --farce", 12, "farce"),
        (b"12 -x", 12, "no such option"),
        (b"", 0, "the command is empty; try help"),
        (b"   \t ", 0, "the command is empty; try help"),
        (b"\r", 0, "the command is empty; try help"),
        (b"12", 12, "the command is empty; try help"),
        (b"  12  ", 12, "the command is empty; try help"),
        (b"12 7", 12, ""),
        (b"APO.Jose 12", 12, "the command is empty; try help"),
        (b"12 caf\xe9", 12, "the command is not UTF-8 text"),
        (b"\xff\xfe\xfd", 0, "the command is not UTF-8 text"),
        (b"12 \0", 12, "no such command"),
        (b"12 talk a\0b", 12, "control character"),
        (b"12 \x1b[2J", 12, "no such command"),
        (MEGABYTE, 0, "a command of more than 100000 bytes is not taken"),
        (MEGABYTE * 5, 0, "a command of more than 100000 bytes is not taken"),
        (b"12 talk " + b"x" * 70_000, 12, "the command is longer than"),
        ("12 talk --need ½ x".encode(), 12, "is not any, all or a number"),
        (b"{}", 0, "no such command '{}'"),
        (b"GET / HTTP/1.1", 0, "no such command 'GET'"),
        (b"99999999999 status", 0, "no such command"),
        (b"-1 status", 0, "no such option"),
        (b"12; status", 0, "no such command"),
    ],
    ids=lambda value: repr(value[:24]) if isinstance(value, bytes) else None,
)
async def test_each_bad_line_has_one_failed_answer(
    line: bytes, command_id: int, words: str, swarm: Swarm
) -> None:
    (answer,) = await answers(swarm.user, line)
    assert answer.startswith(f"1 {command_id} f error=fliswarm,"), answer
    assert words in answer
    assert "internal" not in answer
    assert len(answer) < 1000
    assert swarm.told("gfa1") == []


@pytest.mark.parametrize(
    ("line", "start"),
    [
        (b"12 ping", "1 12 : "),
        (b"ping", "1 0 : "),
        (b"  12   ping  \r", "1 12 : "),
        (b"APO.Jose 12 ping", "1 12 : "),
        (b".Jose 12 ping", "1 12 : "),
        (b"APO.Jose.gfa_1 12 ping", "1 12 : "),
        (b"APO.Jose 12 1 ping", "1 12 : "),
        (b"APO.Jose ping", "1 0 : "),
        (b"12 34 ping", "1 12 : "),
        (b"000000012 ping", "1 12 : "),
    ],
)
async def test_a_command_with_a_hubs_header_is_answered_under_its_number(
    line: bytes, start: str, swarm: Swarm
) -> None:
    (answer,) = await answers(swarm.user, line)
    assert answer.startswith(start)


async def test_the_hub_asks_for_a_status(swarm: Swarm) -> None:
    swarm.user.writer.write(b"APO.Jose 12 status\n")
    lines = [await swarm.user.line()]
    while not lines[-1].startswith("1 12 :"):
        lines.append(await swarm.user.line())
    assert lines[0] == "1 12 > "
    assert lines[1] == "1 12 i enabledNodes=gfa1,gfa2,fvc"
    assert sum("nodeState" in line for line in lines) == 3


async def test_ten_thousand_commands_at_once_are_all_answered(swarm: Swarm) -> None:
    swarm.user.writer.write(b"".join(b"%d ping\n" % n for n in range(1, 10_001)))
    ended: list[int] = []
    while len(ended) < 10_000:
        line = await swarm.user.line()
        if " : " in line:
            ended.append(int(line.split(" ")[1]))
    assert ended == list(range(1, 10_001))


async def test_a_flood_of_commands_does_not_starve_another_user(swarm: Swarm) -> None:
    async with using(swarm.actor) as other:
        swarm.user.writer.write(b"".join(b"%d status\n" % n for n in range(1, 2_001)))
        await swarm.user.line()
        started = time.monotonic()
        assert await other.ask("ping") == [">", ": text=Pong."]
        assert time.monotonic() - started < 2.0
        reading = asyncio.create_task(swarm.user.reader.read())
        swarm.user.writer.close()
        await reading


async def test_a_flood_of_bad_lines_is_answered_too(swarm: Swarm) -> None:
    swarm.user.writer.write(b"'\n" * 2_000 + b"\n" * 2_000 + b"\xff\n" * 2_000)
    failed = 0
    while failed < 6_000:
        failed += " f error=" in await swarm.user.line()
    assert (await swarm.user.ask("ping"))[-1] == ": text=Pong."


async def test_a_line_in_pieces_is_one_command(swarm: Swarm) -> None:
    for byte in b"12 ping\n":
        swarm.user.writer.write(bytes([byte]))
        await swarm.user.writer.drain()
        await asyncio.sleep(0)
    assert (await swarm.user.line()).startswith("1 12 >")
    assert (await swarm.user.line()).startswith("1 12 :")


async def test_our_own_client_hears_the_end_of_a_command_that_is_too_long(swarm: Swarm) -> None:
    async with Client("127.0.0.1", swarm.actor.port) as client:
        async with asyncio.timeout(3):
            replies = await client.ask("talk " + "x" * (2 << 20))
        assert replies[-1].code == "f"


async def test_our_own_client_sends_one_command_only(swarm: Swarm) -> None:
    async with Client("127.0.0.1", swarm.actor.port) as client:
        with pytest.raises(BadCommand, match="line break"):
            await client.ask("ping\ndisable --all")
        await client.ask("ping")
    assert len(swarm.actor.swarm.enabled) == 3
