"""The connection against a real simulated camera with each of its faults."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from fliswarm.camera import Camera
from fliswarm.errors import CameraBroken, CameraError, CameraLost, CameraSilent
from fliswarm.protocol import Code, Reply
from tests.unit.cameras import Heard, connected, simulated

SILENCE = 0.8


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with simulated(tmp_path_factory.mktemp("data"), "--readout-time", "0.1") as port:
        yield port


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
async def camera(port: int, heard: Heard) -> AsyncIterator[Camera]:
    """A connection to the one camera of this file, which has no fault afterwards."""
    async with connected(port, SILENCE, heard) as camera:
        yield camera
    async with connected(port, 20.0) as patient:
        await patient.ask("fault --clear")
        while (await patient.ask("expose 0")).code is not Code.DONE:
            await asyncio.sleep(0.1)  # an exposure goes on when its connection is cut


async def fault(camera: Camera, text: str) -> None:
    assert (await camera.ask(f"fault {text}")).code is Code.DONE


async def error_of(camera: Camera, command: str, limit: float | None = None) -> CameraError:
    with pytest.raises(CameraError) as caught:
        await camera.ask(command, limit=limit)
    return caught.value


async def test_a_long_exposure_is_no_silence(camera: Camera) -> None:
    started = time.monotonic()
    assert (await camera.ask("expose 1.7")).code is Code.DONE
    assert time.monotonic() - started > 2 * SILENCE


async def test_a_late_camera_is_waited_for(camera: Camera) -> None:
    await fault(camera, "late=0.4")
    started = time.monotonic()
    assert (await camera.ask("status")).code is Code.DONE
    assert time.monotonic() - started > 0.3


async def test_a_camera_later_than_the_deadline_is_silent(camera: Camera) -> None:
    await fault(camera, "late=1.5")
    assert isinstance(await error_of(camera, "status"), CameraSilent)


async def test_a_silent_camera_is_found_in_time(camera: Camera) -> None:
    await fault(camera, "silent")
    started = time.monotonic()
    error = await error_of(camera, "status")
    assert isinstance(error, CameraSilent)
    assert SILENCE <= time.monotonic() - started < SILENCE + 0.4


async def test_a_stuck_camera_is_found_in_time(camera: Camera) -> None:
    await fault(camera, "stuck=2")
    started = time.monotonic()
    assert isinstance(await error_of(camera, "status"), CameraSilent)
    assert SILENCE <= time.monotonic() - started < SILENCE + 0.4


async def test_a_connection_cut_in_mid_reply_fails_all_that_is_pending(
    camera: Camera, heard: Heard
) -> None:
    exposure = asyncio.create_task(camera.ask("expose 1.0"))
    await asyncio.sleep(0)
    await fault(camera, "cut=1")
    started = time.monotonic()
    errors = await asyncio.gather(camera.ask("status"), exposure, return_exceptions=True)
    assert [type(error) for error in errors] == [CameraLost, CameraLost]
    assert time.monotonic() - started < 0.7
    assert [type(error) for error in heard.losses] == [CameraLost]


async def test_ten_megabytes_without_an_end_are_refused_at_once(camera: Camera) -> None:
    await fault(camera, "long-line=10000000")
    started = time.monotonic()
    assert isinstance(await error_of(camera, "status"), CameraBroken)
    assert time.monotonic() - started < SILENCE


async def test_garbage_is_told_and_the_command_ends_well(camera: Camera, heard: Heard) -> None:
    await fault(camera, "garbage")
    assert (await camera.ask("status")).code is Code.DONE
    words = [str(reply.data["text"]) for reply in heard.broadcasts]
    assert [text.split(":")[1].strip() for text in words] == [
        "not JSON", "not UTF-8", "not a JSON object", "no header",
    ]  # fmt: skip


async def test_a_flood_is_heard_whole_and_in_order(camera: Camera) -> None:
    await fault(camera, "flood=20000")
    told: list[Reply] = []
    started = time.monotonic()
    assert (await camera.ask("status", told.append)).code is Code.DONE
    lines = [reply.data["text"] for reply in told if "text" in reply.data]
    assert lines == [f"line {number} of 20000" for number in range(1, 20001)]
    assert time.monotonic() - started < 10


async def test_answers_under_other_ids_are_broadcasts_and_end_nothing(
    camera: Camera, heard: Heard
) -> None:
    await fault(camera, "unknown-id")
    # It talks, but answers nobody: that is silence.
    assert isinstance(await error_of(camera, "status", limit=20.0), CameraSilent)
    assert any("status" in reply.data for reply in heard.broadcasts)
    assert camera.pending == 0


async def test_a_refused_exposure_is_a_failure_with_its_reason(camera: Camera) -> None:
    await fault(camera, "refuse-expose")
    told: list[Reply] = []
    assert (await camera.ask("expose 0.1", told.append)).code is Code.FAILED
    (error,) = [reply.data["error"] for reply in told if reply.code is Code.ERROR]
    assert error["camera"] == "gfa1"


async def test_a_greeting_is_not_told(camera: Camera, port: int) -> None:
    await fault(camera, "greeting")
    heard = Heard()
    async with connected(port, SILENCE, heard) as second:
        await second.ping()
    assert heard.broadcasts == []


async def test_a_crash_in_an_exposure_is_a_loss(tmp_path_factory: pytest.TempPathFactory) -> None:
    with simulated(tmp_path_factory.mktemp("crash")) as port:
        async with connected(port, 5.0) as camera:
            await fault(camera, "crash=3")
            started = time.monotonic()
            assert isinstance(await error_of(camera, "expose 0.6"), CameraLost)
            assert time.monotonic() - started < 2


async def test_a_command_too_long_for_the_camera_costs_nobody_else_anything(
    camera: Camera,
) -> None:
    exposure = asyncio.create_task(camera.ask("expose 1"))
    await asyncio.sleep(0)
    ends = await asyncio.gather(
        camera.ask("status " + "x" * 200_000, limit=5), exposure, return_exceptions=True
    )
    assert isinstance(ends[1], Reply)
