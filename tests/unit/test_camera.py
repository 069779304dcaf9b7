"""The connection to one camera: who is told what, and that nothing waits without end."""

from __future__ import annotations

import asyncio
import itertools
import time
from contextlib import suppress

import pytest

from fliswarm.camera import Camera
from fliswarm.connection import PIECE
from fliswarm.errors import (
    CameraBroken,
    CameraClosed,
    CameraError,
    CameraLost,
    CameraTimeout,
    CameraUnreachable,
)
from fliswarm.protocol import Code, Reply
from fliswarm.unreadable import EACH
from tests.unit.cameras import Heard, blackhole, connected, wild

SILENCE = 0.4


async def failure(work: asyncio.Task[Reply]) -> CameraError:
    async with asyncio.timeout(5):
        (result,) = await asyncio.gather(work, return_exceptions=True)
    assert isinstance(result, CameraError), result
    return result


def begin(camera: Camera, command: str = "never") -> asyncio.Task[Reply]:
    return asyncio.create_task(camera.ask(command))


# asking


async def test_the_last_reply_is_returned_and_the_others_are_told_in_order() -> None:
    async with wild() as stub, connected(stub.port) as camera:
        told: list[Reply] = []
        last = await camera.ask("expose 0.1", told.append)
        assert (last.code, last.data) == (Code.DONE, {})
        assert [reply.code.value for reply in told] == list(">iiiii")
        assert [next(iter(r.data), "") for r in told] == [
            "", "text", "exposure_state", "exposure_state", "exposure_state", "filename",
        ]  # fmt: skip
        assert camera.pending == 0


async def test_a_failed_command_is_a_reply_not_an_error() -> None:
    async with wild() as stub, connected(stub.port) as camera:
        last = await camera.ask("fail")
        assert (last.code, last.data) == (Code.FAILED, {"error": "failed to fail"})


async def test_commands_at_once_are_told_apart() -> None:
    async with wild() as stub, connected(stub.port) as camera:
        commands = ["version", "list", "status", "fail", "help"] * 20
        told: dict[int, list[str]] = {number: [] for number in range(len(commands))}

        async def ask(number: int) -> Reply:
            return await camera.ask(commands[number], lambda reply: told[number].extend(reply.data))

        ends = await asyncio.gather(*(ask(number) for number in told))
        assert [next(iter(end.data), None) for end in ends[:5]] == [
            "version", "list", None, "error", "help",
        ]  # fmt: skip
        assert all(told[number] == ["status"] for number in told if commands[number] == "status")


async def test_without_a_connection_nothing_is_asked() -> None:
    camera = Camera("gfa1", "127.0.0.1", 1, connect_timeout=1, silence=1)
    with pytest.raises(CameraUnreachable, match="not connected"):
        await camera.ask("ping")
    assert not camera.connected


@pytest.mark.parametrize("command", ["", "a\nb", "a\0"])
async def test_what_cannot_be_sent_is_refused_and_leaves_nothing(command: str) -> None:
    async with wild() as stub, connected(stub.port) as camera:
        with pytest.raises(ValueError, match="the command"):
            await camera.ask(command)
        assert camera.pending == 0


async def test_a_cancelled_command_leaves_nothing_behind() -> None:
    async with wild() as stub, connected(stub.port) as camera:
        work = begin(camera)
        await stub.heard.wait()
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work
        assert camera.pending == 0
        assert (await camera.ask("version")).code is Code.DONE


async def test_a_command_ends_at_its_limit_and_the_connection_goes_on() -> None:
    async with wild() as stub, connected(stub.port) as camera:
        started = time.monotonic()
        with pytest.raises(CameraTimeout) as caught:
            await camera.ask("never", limit=0.2)
        assert 0.2 <= time.monotonic() - started < 1
        assert caught.value.cause == "never: not finished within the limit after 0.2 s"
        assert camera.pending == 0
        assert (await camera.ask("version")).code is Code.DONE


# connecting


async def test_a_refused_connection_says_so_at_once() -> None:
    async with wild() as stub:
        port = stub.port
    with pytest.raises(CameraUnreachable) as caught:
        async with connected(port):
            pass
    assert caught.value.cause == f"connect to 127.0.0.1:{port}: connection refused"


async def test_a_blackhole_is_given_up_at_the_deadline() -> None:
    with blackhole() as port:
        camera = Camera("gfa1", "127.0.0.1", port, connect_timeout=0.3, silence=1)
        started = time.monotonic()
        with pytest.raises(CameraUnreachable, match="no answer"):
            await camera.connect()
        assert 0.3 <= time.monotonic() - started < 1


async def test_a_host_that_does_not_exist_says_so() -> None:
    camera = Camera("gfa1", "no-such-host.invalid", 1, connect_timeout=5, silence=1)
    with pytest.raises(CameraUnreachable):
        await camera.connect()


@pytest.mark.parametrize("host", ["gfa1..example", "a" * 64])
async def test_a_host_that_is_no_name_is_an_error_of_ours(host: str) -> None:
    camera = Camera("gfa1", host, 1, connect_timeout=5, silence=1)
    with pytest.raises(CameraUnreachable):
        await camera.connect()


async def test_a_second_connect_changes_nothing() -> None:
    async with wild() as stub, connected(stub.port) as camera:
        await camera.connect()
        await camera.ping()
        assert len(stub.writers) == 1


async def test_two_connects_at_once_make_one_connection() -> None:
    async with wild() as stub:
        camera = Camera("gfa1", "127.0.0.1", stub.port, connect_timeout=2, silence=1)
        await asyncio.gather(camera.connect(), camera.connect())
        await camera.ping()
        connections = len(stub.writers)
        camera.close("done")
        assert connections == 1


async def test_a_close_while_connecting_leaves_no_connection() -> None:
    async with wild() as stub:
        camera = Camera("gfa1", "127.0.0.1", stub.port, connect_timeout=2, silence=1)
        work = asyncio.create_task(camera.connect())
        await asyncio.sleep(0)
        camera.close("disabled meanwhile")
        await asyncio.gather(work, return_exceptions=True)
        was_connected = camera.connected
        camera.close("done")
        assert not was_connected


async def test_a_lost_connection_can_be_made_again() -> None:
    async with wild() as stub, connected(stub.port) as camera:
        work = begin(camera)
        await stub.heard.wait()
        await stub.stop()
        assert isinstance(await failure(work), CameraLost)
        await stub.start()
        await camera.connect()
        assert (await camera.ask("version")).code is Code.DONE


# the end of a connection


async def test_the_end_of_the_stream_fails_all_that_is_pending_at_once() -> None:
    heard = Heard()
    async with wild() as stub, connected(stub.port, heard=heard) as camera:
        work = [begin(camera) for _ in range(5)]
        await stub.heard.wait()
        for writer in stub.writers:
            writer.write(b'{"header": {"command_id": 1, "mess')
            writer.close()
        errors = [await failure(one) for one in work]
        assert all(isinstance(error, CameraLost) for error in errors)
        assert errors[0].cause == "never: the camera actor closed the connection"
        assert (len(heard.losses), camera.connected, camera.pending) == (1, False, 0)


async def test_a_long_story_is_heard_to_its_end_and_leaves_the_others_their_turns() -> None:
    heard = Heard()
    line = b'{"header": {"command_id": 0, "message_code": "i"}, "data": {"text": %d}}\n'
    numbers = range(100_000, 105_000)
    async with wild() as stub, connected(stub.port, heard=heard) as camera:
        work = begin(camera)
        await stub.heard.wait()
        for writer in stub.writers:
            writer.write(b"".join(line % number for number in numbers))
            writer.close()
        told = [0]
        async with asyncio.timeout(5):
            while not work.done():
                await asyncio.sleep(0)
                told.append(len(heard.broadcasts))
        assert isinstance(await failure(work), CameraLost)
    assert [reply.data["text"] for reply in heard.broadcasts] == list(numbers)
    most = max(after - before for before, after in itertools.pairwise(told))
    assert most <= PIECE / len(line) + 1


async def test_our_own_close_fails_what_is_pending_with_its_reason_and_is_no_loss() -> None:
    heard = Heard()
    async with wild() as stub, connected(stub.port, heard=heard) as camera:
        work = begin(camera)
        await stub.heard.wait()
        camera.close("the node was disabled")
        error = await failure(work)
        assert isinstance(error, CameraClosed)
        assert error.reason == "the node was disabled"
        assert (heard.losses, camera.connected) == ([], False)


async def test_a_line_without_end_breaks_the_connection() -> None:
    async with wild(noise=b"x" * 3_000_000) as stub, connected(stub.port) as camera:
        error = await failure(begin(camera, "raw"))
        assert isinstance(error, CameraBroken)
        assert "the longest allowed is 1048576" in error.reason


async def test_a_last_line_that_cannot_be_read_ends_its_command_only() -> None:
    noise = b'{"header": {"command_id": ID, "message_code": ":"}, "data": \xff}\n'
    async with wild(noise=noise) as stub, connected(stub.port) as camera:
        other = begin(camera)
        error = await failure(begin(camera, "raw"))
        assert isinstance(error, CameraBroken)
        assert "perhaps its last: not UTF-8" in error.reason
        assert not other.done()
        camera.close("done")
        await failure(other)


async def test_a_fault_of_a_listener_costs_nobody_the_connection() -> None:
    async with wild() as stub, connected(stub.port) as camera:
        other = begin(camera)

        def fault(reply: Reply) -> None:
            raise RuntimeError("a fault of ours")

        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        with suppress(CameraError):
            await camera.ask("status", fault)
        was_connected = camera.connected
        camera.close("done")
        await failure(other)
        assert was_connected


# broadcasts


async def test_lines_that_answer_nothing_are_broadcasts_and_greetings_are_not() -> None:
    heard = Heard()
    async with wild() as stub, connected(stub.port, heard=heard) as camera:
        await camera.ping()
        assert heard.broadcasts == []
        stub.broadcast({"text": "a camera was plugged in"})
        for writer in stub.writers:
            writer.write(stub.line(987, "w", {"text": "for somebody else"}) + b"\n\r\n  \n")
        await camera.ping()
        assert [reply.data["text"] for reply in heard.broadcasts] == [
            "a camera was plugged in", "for somebody else",
        ]  # fmt: skip


async def test_a_bad_line_is_told_and_costs_nothing() -> None:
    heard = Heard()
    async with wild() as stub, connected(stub.port, heard=heard) as camera:
        for writer in stub.writers:
            writer.write(b"[1]\n\xff\n{\n")
        await camera.ping()
        assert [reply.code for reply in heard.broadcasts] == [Code.WARNING] * 3
        assert heard.broadcasts[0].data["text"].startswith("cannot read a line: not a JSON object")


async def test_a_flood_of_bad_lines_is_told_as_a_number_and_none_is_lost() -> None:
    heard = Heard()
    async with wild() as stub, connected(stub.port, heard=heard) as camera:
        flood = b"".join(b"noise %d\n" % number for number in range(5000))
        for writer in stub.writers:
            writer.write(flood)
        await camera.ping()
        texts = [reply.data["text"] for reply in heard.broadcasts]
        assert len(texts) == EACH
        assert texts[-1].startswith("cannot read a line: not JSON: 'noise 9'")
        async with asyncio.timeout(5):
            while len(heard.broadcasts) == EACH:
                await asyncio.sleep(0.02)
        (summed,) = heard.broadcasts[EACH:]
        assert summed.data["text"].startswith(f"cannot read {5000 - EACH} more, the last: ")
        assert "noise 4999" in summed.data["text"]
        for writer in stub.writers:
            writer.write(b"more\nof it\n")
        await camera.ping()
        assert len(heard.broadcasts) == EACH + 1, "while it goes on only numbers are told"
        camera.close("done")
        assert (
            "cannot read 2 more, the last: not JSON: 'of it'" in (heard.broadcasts[-1].data["text"])
        )


async def test_after_a_quiet_time_bad_lines_are_told_one_by_one_again() -> None:
    heard = Heard()
    async with wild() as stub, connected(stub.port, heard=heard) as camera:
        for writer in stub.writers:
            writer.write(b"noise\n" * (EACH + 1))
        await camera.ping()
        assert len(heard.broadcasts) == EACH
        connection = camera._connection
        assert connection is not None
        unreadable = connection._unreadable
        assert unreadable is not None
        async with asyncio.timeout(5):
            while unreadable._timer is not None:
                await asyncio.sleep(0.02)
        assert len(heard.broadcasts) == EACH + 1
        for writer in stub.writers:
            writer.write(b"noise\n")
        await camera.ping()
        assert heard.broadcasts[-1].data["text"] == "cannot read a line: not JSON: 'noise'"
