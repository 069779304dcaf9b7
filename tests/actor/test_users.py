"""Users of the port: slow ones, hasty ones, many of them; none disturbs another."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time

import pytest

from fliswarm.server import USER_BUFFER

from .conftest import Swarm
from .running import break_off, until, using


async def test_a_user_who_does_not_read_is_dropped_and_the_others_go_on(swarm: Swarm) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", swarm.actor.port)
    writer.transport.pause_reading()
    await until(lambda: len(swarm.actor.transports) == 2)
    text = "x" * 100_000
    answered = 0
    for _ in range(USER_BUFFER // 100_000 * 2):
        swarm.camera("gfa1").broadcast({"text": text})
        if len(swarm.actor.transports) == 1:
            break
        assert (await swarm.user.ask("ping"))[-1] == ": text=Pong."
        swarm.user.unasked.clear()
        answered += 1
    assert answered > USER_BUFFER // 100_000 // 2  # not dropped for a short pause
    await until(lambda: len(swarm.actor.transports) == 1)
    assert (await swarm.user.ask("talk --need all status"))[-1] == ":"
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def test_users_hear_only_the_answers_to_their_own_commands(swarm: Swarm) -> None:
    async with using(swarm.actor) as other:
        swarm.user.unasked.clear()
        await other.ask("talk status")
        await swarm.user.greeted()
        assert [line for line in swarm.user.unasked if not line.startswith("0 0 ")] == []


async def test_the_same_number_of_two_users_is_two_commands(swarm: Swarm) -> None:
    async with using(swarm.actor) as other:
        other.writer.write(b"7 talk -n gfa1 version\n")
        swarm.user.writer.write(b"7 talk -n gfa2 version\n")
        for user, name in ((other, "gfa1"), (swarm.user, "gfa2")):
            lines = await user.answer(7)
            assert f"i version={name},0.7.0" in lines


async def test_a_user_who_leaves_in_mid_command_costs_nothing(swarm: Swarm) -> None:
    async with using(swarm.actor) as other:
        other.send("talk -n gfa1 status")
        other.writer.transport.abort()
    await until(lambda: swarm.told("gfa1") == ["status"])
    await until(lambda: len(swarm.actor.transports) == 1)
    assert (await swarm.user.ask("talk --need all status"))[-1] == ":"
    await until(lambda: not swarm.actor.running)


async def test_a_new_user_does_not_get_the_answers_of_the_one_before(swarm: Swarm) -> None:
    handler = swarm.camera("gfa1").do_version
    waiting: list[object] = []
    swarm.camera("gfa1").do_version = lambda say, args: waiting.append(say)  # type: ignore[method-assign]
    async with using(swarm.actor) as other:
        other.writer.write(b"7 talk -n gfa1 version\n")
        await until(lambda: waiting)
        break_off(other.writer)
    await until(lambda: len(swarm.actor.transports) == 1)
    async with using(swarm.actor) as new:  # it bears the same number
        handler(waiting[0], [])  # type: ignore[arg-type]
        await until(lambda: not swarm.actor.running)
        await new.greeted()
        assert not any(line.startswith("2 7 ") for line in new.unasked)


def come_and_go(port: int) -> None:
    """A connection that is reset before it is looked at, as a port scanner's."""
    with socket.socket() as one:
        one.connect(("127.0.0.1", port))
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize("count", [1, 50])
async def test_a_connection_that_is_reset_at_once_keeps_nobody_out(
    count: int, swarm: Swarm
) -> None:
    for _ in range(count):
        come_and_go(swarm.actor.port)
    await asyncio.sleep(0.1)
    async with using(swarm.actor) as new:
        assert (await new.ask("status"))[-1] == ":"
        assert any("yourUserID" in line for line in new.unasked)
    await until(lambda: len(swarm.actor.transports) == 1)


async def test_many_users_at_once(swarm: Swarm) -> None:
    async with contextlib.AsyncExitStack() as stack:
        users = [await stack.enter_async_context(using(swarm.actor)) for _ in range(50)]
        started = time.monotonic()
        ends = await asyncio.gather(*(user.ask("talk --need all status") for user in users))
        assert all(lines[-1] == ":" for lines in ends)
        assert time.monotonic() - started < 10


async def test_a_user_who_sends_and_closes_its_half_gets_its_answer(swarm: Swarm) -> None:
    # As in: echo '7 talk status' | nc -N localhost 19996
    reader, writer = await asyncio.open_connection("127.0.0.1", swarm.actor.port)
    writer.write(b"7 talk -n gfa1 status\n")
    writer.write_eof()
    async with asyncio.timeout(5):
        text = (await reader.read()).decode()
    writer.close()
    assert " 7 : " in text


async def test_one_who_has_left_altogether_is_noticed_when_it_is_written_to(swarm: Swarm) -> None:
    handler = swarm.camera("gfa1").do_version
    waiting: list[object] = []
    swarm.camera("gfa1").do_version = lambda say, args: waiting.append(say)  # type: ignore[method-assign]
    _, writer = await asyncio.open_connection("127.0.0.1", swarm.actor.port)
    writer.write(b"7 talk -n gfa1 version\n")
    await until(lambda: waiting)
    writer.close()  # its command runs on
    await writer.wait_closed()

    def is_noticed() -> bool:
        swarm.camera("gfa2").broadcast({"text": "x"})
        return len(swarm.actor.transports) == 1

    await until(is_noticed)
    handler(waiting[0], [])  # type: ignore[arg-type]


async def test_one_who_closes_its_half_and_never_reads_is_let_go(
    swarm: Swarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fliswarm.server.CLOSE", 0.2)
    _, writer = await asyncio.open_connection("127.0.0.1", swarm.actor.port)
    writer.transport.pause_reading()
    await until(lambda: len(swarm.actor.transports) == 2)
    for _ in range(80):
        swarm.camera("gfa1").broadcast({"text": "x" * 100_000})
        await swarm.user.hears("x")
        swarm.user.unasked.clear()
    writer.write_eof()
    await until(lambda: len(swarm.actor.transports) == 1)
    await swarm.user.ask("ping")
    writer.close()
