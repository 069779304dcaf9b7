"""When a camera counts as silent, and when not."""

from __future__ import annotations

import asyncio
import time

from fliswarm.errors import CameraSilent
from fliswarm.protocol import Code
from tests.unit.cameras import Heard, connected, wild
from tests.unit.test_camera import begin, failure

SILENCE = 0.4


async def test_a_silent_camera_is_found_at_the_deadline() -> None:
    heard = Heard()
    async with wild(silent=True) as stub, connected(stub.port, SILENCE, heard) as camera:
        started = time.monotonic()
        errors = [await failure(work) for work in (begin(camera), begin(camera))]
        took = time.monotonic() - started
        assert all(isinstance(error, CameraSilent) for error in errors)
        assert SILENCE <= took < SILENCE * 1.3
        assert errors[0].cause == (
            f"never: the camera actor answers nothing, not even a ping after {SILENCE} s"
        )
        assert heard.losses
        assert "ping" in stub.commands


async def test_a_camera_that_falls_silent_in_its_work_is_found() -> None:
    async with wild() as stub, connected(stub.port, SILENCE) as camera:
        work = begin(camera)
        await asyncio.sleep(2 * SILENCE)  # it answers pings all the while
        assert not work.done()
        started = time.monotonic()
        stub.silent = True
        assert isinstance(await failure(work), CameraSilent)
        assert time.monotonic() - started < SILENCE * 1.3


async def test_an_idle_connection_may_be_silent_and_the_first_question_starts_the_clock() -> None:
    async with wild() as stub, connected(stub.port, SILENCE) as camera:
        await asyncio.sleep(1.5 * SILENCE)
        assert (await camera.ask("version")).code is Code.DONE
        assert stub.commands == ["version"]


async def test_a_pause_of_the_manager_is_no_silence_of_the_camera() -> None:
    # As when the computer of the manager is suspended, or busy with something else.
    async with wild() as stub, connected(stub.port, SILENCE) as camera:
        work = begin(camera)
        await stub.heard.wait()
        await asyncio.sleep(0.01)
        time.sleep(1.5 * SILENCE)  # noqa: ASYNC251
        await asyncio.sleep(0.1)
        survived = not work.done()
        camera.close("done")
        await failure(work)
        assert survived
