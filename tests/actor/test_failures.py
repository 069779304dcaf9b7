"""Cameras that fail in the middle of a talk: each is named, the others go on, nothing hangs."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fliswarm.actor import SwarmActor
from fliswarm.state import State

from .running import QUICK, User, managing, ready, sim_config, until, using

SILENCE = float(QUICK["silence"])


class Cameras:
    """A manager over simulated cameras, and a user of it."""

    def __init__(self, actor: SwarmActor, user: User) -> None:
        self.actor = actor
        self.user = user

    async def fault(self, name: str, text: str) -> None:
        lines = await self.user.ask(f"talk -n {name} fault {text}")
        assert lines[-1] == ":", lines

    def pid(self, name: str) -> int:
        found = self.actor.swarm.nodes[name].status.facts.container
        assert found is not None
        folder = self.actor.settings.state_dir / "processes" / name
        return int(json.loads((folder / f"{found.short_id}.json").read_text())["pid"])

    async def begun(self, *names: str) -> None:
        """Wait until cameras are at a command of ours."""
        nodes = [self.actor.swarm.nodes[name] for name in names]
        await until(lambda: all(n.camera.unfinished for n in nodes))


@pytest.fixture
async def cameras(folder: Path) -> AsyncIterator[Cameras]:
    config = sim_config(folder, ["gfa1", "gfa2"])
    async with managing(config) as actor, using(actor) as user:
        assert (await user.ask("reconnect"))[-1] == ":"
        await ready(actor)
        yield Cameras(actor, user)


def verdict(lines: list[str], name: str) -> list[str]:
    """Code, verdict and reason of a node."""
    (line,) = [line for line in lines if f"verdict={name}," in line]
    _, word, _, reason = line[2:].split(",", 3)
    return [line[0], word, reason.strip('"')]


async def test_a_camera_killed_in_mid_exposure_is_lost_and_the_other_is_unharmed(
    cameras: Cameras,
) -> None:
    number = cameras.user.send("talk expose 1.5")
    await cameras.begun("gfa1", "gfa2")
    os.kill(cameras.pid("gfa1"), signal.SIGKILL)
    started = time.monotonic()
    lines = await cameras.user.answer(number)
    assert time.monotonic() - started > 0.5  # the other one is waited for
    assert verdict(lines, "gfa1")[:2] == ["w", "lost"]
    assert any(line.startswith('w error=gfa1,"lost: actor: expose 1.5:') for line in lines)
    assert verdict(lines, "gfa2") == ["i", "ok", ""]
    (bundle,) = [line for line in lines if "filename_bundle=" in line]
    assert "gfa2" in bundle
    assert "gfa1" not in bundle
    assert lines[-1] == ":"


async def test_a_camera_killed_in_mid_exposure_fails_a_command_that_needs_all(
    cameras: Cameras,
) -> None:
    number = cameras.user.send("talk --need all expose 0.5")
    await cameras.begun("gfa1", "gfa2")
    os.kill(cameras.pid("gfa1"), signal.SIGKILL)
    lines = await cameras.user.answer(number)
    assert lines[-1] == 'f error=fliswarm,"1 of 2 cameras did it, 2 needed (lost)"'
    assert verdict(lines, "gfa2")[1] == "ok"


async def test_a_camera_that_was_killed_is_told_of_and_runs_again(cameras: Cameras) -> None:
    os.kill(cameras.pid("gfa1"), signal.SIGKILL)
    told = await cameras.user.hears("container: the container is exited: exit code 137")
    assert told.startswith("0 0 w error=gfa1,")
    await cameras.user.hears("0 0 w nodeState=gfa1,FAILED,container")
    await ready(cameras.actor)
    assert (await cameras.user.ask("talk --need all status"))[-1] == ":"


async def test_a_silent_camera_is_found_within_the_deadline(cameras: Cameras) -> None:
    await cameras.fault("gfa1", "silent")
    started = time.monotonic()
    lines = await cameras.user.ask("talk status")
    assert time.monotonic() - started < SILENCE + 1.0
    assert verdict(lines, "gfa1") == [
        "w", "silent",
        f"status: the camera actor answers nothing, not even a ping after {SILENCE:g} s",
    ]  # fmt: skip
    assert verdict(lines, "gfa2")[1] == "ok"
    assert lines[-1] == ":"


async def test_a_stuck_camera_is_silent_not_lost_whoever_found_it(cameras: Cameras) -> None:
    await cameras.fault("gfa1", "stuck=30")
    node = cameras.actor.swarm.nodes["gfa1"]
    await until(lambda: node.status.facts.camera_late)  # our own pulse waits already
    started = time.monotonic()
    lines = await cameras.user.ask("talk -n gfa1 status")
    assert time.monotonic() - started < SILENCE + 1.0
    assert verdict(lines, "gfa1")[1] in ("silent", "unreachable")
    assert lines[-1].startswith("f ")


async def test_a_stuck_camera_can_be_reconnected_at_once_and_stays_ready(
    cameras: Cameras,
) -> None:
    await cameras.fault("gfa1", "stuck")
    node = cameras.actor.swarm.nodes["gfa1"]
    await until(lambda: node.status.facts.camera_late)
    cameras.user.unasked.clear()
    lines = await cameras.user.ask("reconnect -n gfa1", limit=25)
    assert lines[-1] == ":", lines
    until_ready = await cameras.user.hears("nodeState=gfa1,READY")
    after = cameras.user.unasked[cameras.user.unasked.index(until_ready) :]
    await asyncio.sleep(1.5)
    await cameras.user.greeted()
    assert not any("FAILED" in line for line in [*after, *cameras.user.unasked]), after
    assert node.status.state is State.READY


async def test_a_camera_that_answers_under_other_numbers_ends_no_command_but_its_time_does(
    cameras: Cameras,
) -> None:
    await cameras.fault("gfa1", "unknown-id")
    lines = await cameras.user.ask("talk -n gfa1 status")
    assert verdict(lines, "gfa1")[1] in ("silent", "lost")


async def test_a_limit_ends_a_talk_and_not_the_exposure(cameras: Cameras) -> None:
    started = time.monotonic()
    lines = await cameras.user.ask("talk -n gfa1 --timeout 0.3 expose 2")
    assert time.monotonic() - started < 1.5
    assert verdict(lines, "gfa1") == [
        "w", "timeout", "expose 2: not finished within the limit after 0.3 s",
    ]  # fmt: skip
    assert lines[-1].startswith("f ")
    assert (await cameras.user.ask("reconnect -n gfa1"))[-1].startswith("f ")  # it is busy
    assert "gimg-gfa1" in await cameras.user.hears("filename=gfa1")


async def test_when_no_camera_can_be_reached_the_command_fails(cameras: Cameras) -> None:
    assert (await cameras.user.ask("stop"))[-1] == ":"
    lines = await cameras.user.ask("talk status")
    for name in ("gfa1", "gfa2"):
        assert verdict(lines, name)[:2] == ["w", "unreachable"]
        assert "stopped by command" in verdict(lines, name)[2]
    assert lines[-1] == 'f error=fliswarm,"0 of 2 cameras did it, 1 needed (unreachable)"'


async def test_a_camera_pulled_out_is_told_with_its_layer_and_back_when_it_is(
    cameras: Cameras,
) -> None:
    """The actor goes on without it: the fifth layer."""
    node = cameras.actor.swarm.nodes["gfa1"]
    await cameras.fault("gfa1", "unplugged")
    told = await cameras.user.hears("nodeState=gfa1,FAILED")
    assert ',camera,"no camera is connected' in told
    lines = await cameras.user.ask("talk --need all status")
    assert verdict(lines, "gfa1") == ["w", "failed", "camera gfa1 is not connected."]
    assert verdict(lines, "gfa2")[1] == "ok"
    await cameras.fault("gfa1", "--clear")
    await ready(cameras.actor)
    assert node.status.cause == ""


async def test_each_fault_ends_the_command_and_spares_the_other_camera(cameras: Cameras) -> None:
    ends = {"late=0.5": ":", "garbage": ":", "cut=1": "f", "long-line": "f",
            "refuse-expose": "f", "flood=20000": ":"}  # fmt: skip
    for fault, end in ends.items():
        await cameras.fault("gfa1", fault)
        lines = await cameras.user.ask("talk --need all expose 0.1")
        assert lines[-1][0] == end, fault
        assert verdict(lines, "gfa2")[1] == "ok"
        if fault == "flood=20000":
            assert sum(line.startswith('i text=gfa1,"line ') for line in lines) == 20000
        await until(lambda: cameras.actor.swarm.nodes["gfa1"].camera.connected)
        await cameras.fault("gfa1", "--clear")
        await ready(cameras.actor)
        await asyncio.sleep(0.3)  # an exposure that was cut off goes on


async def test_a_camera_that_stays_bad_in_one_way_is_told_of_once(cameras: Cameras) -> None:
    await cameras.fault("gfa1", "garbage")
    await cameras.user.hears("nodeState=gfa1,FAILED")
    await asyncio.sleep(3)
    await cameras.user.greeted()
    told = [line for line in cameras.user.unasked if "nodeState=gfa1,FAILED" in line]
    assert len(told) == 1


async def test_a_long_exposure_outlasts_the_silence_and_a_busy_manager(cameras: Cameras) -> None:
    number = cameras.user.send(f"talk --need all expose {SILENCE + 1}")
    await cameras.begun("gfa1", "gfa2")
    async with using(cameras.actor) as other:
        other.writer.write(b"".join(b"%d ping\n" % n for n in range(1, 8_001)))
        lines = await cameras.user.answer(number)
        reading = asyncio.create_task(other.reader.read())
        other.writer.close()
        await reading
    assert lines[-1] == ":", lines


async def test_half_a_character_of_a_camera_costs_nothing(cameras: Cameras) -> None:
    lines = await cameras.user.ask(r"talk -n gfa1 fault \ud800")
    assert verdict(lines, "gfa1")[1] == "failed"
    assert (await cameras.user.ask("talk -n gfa1 status"))[-1] == ":"


async def test_help_of_a_cameras_command_is_the_cameras(cameras: Cameras) -> None:
    lines = await cameras.user.ask("talk -n gfa1 expose --help")
    assert lines[1] in ("i help=gfa1", "d help=gfa1")
    assert any("EXPTIME" in line for line in lines)
    assert lines[-1] == ":"
