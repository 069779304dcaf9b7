"""Three in the morning: cameras that find their hardware late, engines away at the wrong moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .house import House, User, house, verdicts, wait, words


@pytest.fixture
async def it(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, "gfa1") as made:
        yield made


@pytest.fixture
async def user(it: House) -> AsyncIterator[User]:
    async with it.user() as one:
        yield one


def told(user: User, name: str) -> list[list[str]]:
    """What everybody was told, beside the answers to commands."""
    return words([reply for _, reply in user.heard if reply.command_id == 0], name)


async def test_a_camera_whose_list_never_ends_stays_ready(it: House, user: User) -> None:
    camera = it.cameras["gfa1"]
    camera.do_list = lambda say, args: None  # type: ignore[method-assign]
    it.actor.swarm.nodes["gfa1"].watch.pulse.camera_spoke()
    await wait(lambda: camera.commands.count("list") >= 2, 3, "it was asked")
    await user.nothing_of("nodeState", "gfa1", during=2.5)
    assert verdicts(await user.ask("talk version"))["gfa1"][0] == "ok"


async def test_a_late_list_is_not_told_to_everybody(it: House, user: User) -> None:
    camera = it.cameras["gfa1"]

    def later(say, args):  # type: ignore[no-untyped-def]
        asyncio.get_running_loop().call_later(2, lambda: say(":", cameras=["gfa1"]))

    camera.do_list = later  # type: ignore[method-assign]
    camera.commands.clear()
    it.actor.swarm.nodes["gfa1"].watch.pulse.camera_spoke()
    await wait(lambda: "list" in camera.commands, 3, "it was asked")
    await user.nothing_of("cameras", "gfa1", during=2.5)
    assert camera.commands.count("list") == 1


async def test_a_camera_found_late_is_starting_until_then(it: House, user: User) -> None:
    camera = it.cameras["gfa1"]
    camera.do_list = lambda say, args: say(":", cameras=[])  # type: ignore[method-assign]
    lines = await user.ask("reconnect")
    assert verdicts(lines)["gfa1"][0] == "ok"
    await asyncio.sleep(2)
    camera.do_list = lambda say, args: say(":", cameras=["gfa1"])  # type: ignore[method-assign]
    await user.until("nodeState", "gfa1", "READY", limit=4)
    assert [row[1] for row in told(user, "nodeState")] == ["STARTING", "STARTING", "READY"]


async def test_a_camera_not_found_at_all_is_told_in_the_end(it: House, user: User) -> None:
    camera = it.cameras["gfa1"]
    camera.do_list = lambda say, args: say(":", cameras=[])  # type: ignore[method-assign]
    await user.ask("reconnect")
    await user.until("nodeState", "gfa1", "FAILED", "camera", limit=8)


async def test_a_hung_camera_is_not_ready_after_a_reconnect_that_failed(
    it: House, user: User
) -> None:
    it.cameras["gfa1"].mute = True
    await user.until("nodeState", "gfa1", "FAILED", limit=8)
    it.engines["gfa1"].be("500", "POST /containers/create")
    user.heard.clear()
    assert verdicts(await user.ask("reconnect"))["gfa1"][0] == "failed"
    await user.nothing_of("nodeState", "gfa1", "READY", during=2)
    assert {row[1] for row in told(user, "nodeState")} == {"STARTING", "FAILED"}


async def test_what_cannot_be_kept_is_said(it: House, user: User, tmp_path: Path) -> None:
    (tmp_path / "state" / "intents.part").mkdir(parents=True)
    for command in ("disable gfa1", "enable gfa1", "drain gfa1 -r x", "undrain gfa1", "stop"):
        replies = await user.ask(command)
        assert any("intents.json" in r.raw for r in replies), command
