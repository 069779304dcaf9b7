"""Users who do what users do not."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.actor.running import break_off
from tests.soak.strike import BAD_INPUT

from .house import House, User, house, reset, verdicts, wait

BURST = 3000
"""Lines; a socket hands over 256 KiB at once, five times as many."""


@pytest.fixture
async def it(tmp_path: Path) -> AsyncIterator[House]:
    """One node; a log as terse as a daemon's is not, for it is not the log that is measured."""
    logger = logging.getLogger("fliswarm")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        async with house(tmp_path, "gfa1", timeouts={"silence": 3}) as it:
            yield it
    finally:
        logger.setLevel(level)


@pytest.fixture
async def user(it: House) -> AsyncIterator[User]:
    async with it.user() as user:
        yield user


async def quick(user: User) -> float:
    """A talk is well; the seconds it took."""
    began = time.monotonic()
    assert verdicts(await user.ask("talk ping", 25))["gfa1"][0] == "ok"
    return time.monotonic() - began


async def test_users_who_are_gone_before_they_are_greeted_harm_nobody(it: House) -> None:
    for _ in range(20):
        reset(it.port)
    await asyncio.sleep(0)
    async with it.user() as user:
        assert await quick(user) < 1
    await wait(lambda: len(it.actor.transports) <= 1, 2, "they are forgotten")


async def test_a_burst_of_lines_does_not_stop_the_others(it: House, user: User) -> None:
    async with it.user() as bad:
        bad.writer.write(b"1 nosuchcommand\n" * BURST)
        await asyncio.sleep(0)
        assert await quick(user) < 0.25


async def test_every_line_of_a_burst_of_bad_input_is_refused(it: House, user: User) -> None:
    async with it.user() as bad:
        for part in BAD_INPUT:
            bad.writer.write(part)
        wanted = sum(part.count(b"\n") for part in BAD_INPUT)
        async with asyncio.timeout(15):
            while sum(reply.code == "f" for _, reply in bad.heard) < wanted:
                await bad.hear()
    assert await quick(user) < 1
    assert it.state("gfa1") == "READY"


async def test_a_user_who_leaves_in_mid_command_does_not_end_it(it: House, user: User) -> None:
    leaver = await User.come(it.port)
    leaver.say("talk -n gfa1 -- never")
    camera = it.cameras["gfa1"]
    await wait(lambda: "never" in camera.commands, 2, "the command is there")
    break_off(leaver.writer)
    await wait(lambda: len(it.actor.transports) == 1, 2, "the user is forgotten")
    assert len(it.actor.running) == 1, "what the camera does goes on"
    assert await quick(user) < 1
    camera.writers.copy().pop().transport.abort()
    await wait(lambda: not it.actor.running, 2, "the command is over")


async def test_a_user_who_asks_and_does_not_read_is_dropped(it: House, user: User) -> None:
    """24 MB of a camera's lines: 16 MiB may wait for a user."""
    slow = await User.come(it.port)
    slow.writer.transport.pause_reading()  # type: ignore[attr-defined]
    try:
        slow.writer.write(b"1 talk -n gfa1 -- burst 60000 400\n")
        await wait(lambda: len(it.actor.transports) == 1, 20, "the slow user is dropped")
        assert await quick(user) < 5
    finally:
        await slow.leave()
