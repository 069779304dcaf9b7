"""How one container replaces another: real simulated cameras as processes of this computer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fliswarm import config
from fliswarm.camera import Camera
from fliswarm.config import NodeConfig, Timeouts
from fliswarm.container import Lifecycle
from fliswarm.engine import ContainerSpec, Found, Owner, ProcessEngine
from fliswarm.errors import CameraError, CameraUnreachable, ContainerError, EngineRefused
from fliswarm.spec import wanted
from tests.fleet.camera import StubCamera

NAME = "flicamera-gfa1"
OURS = Owner("fliswarm", "here-1234", "gfa1")
THEIRS = Owner("other", "there-5678", "gfa1")


async def free() -> None:
    """Nobody is at the camera's port."""


class Place:
    """One node with its engine; `camera` is on a port of its own."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder / "processes"
        self.engine = ProcessEngine("gfa1", self.folder)
        self.node: NodeConfig = config.loads(
            f"""
            nodes:
              gfa1:
                host: 127.0.0.1
                port: {port}
                docker-client: process://
                command: ["{{python}}", -m, fliswarm.simcamera]
                environment: {{SIMCAMERA_DATA: "{folder}", SIMCAMERA_SIZE: 64}}
            """
        ).nodes["gfa1"]
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.left = 0

    def life(self, owner: Owner = OURS, **environment: str) -> Lifecycle:
        node = replace(self.node, environment={**self.node.environment, **environment})
        return Lifecycle(node, owner, self.engine, Timeouts())

    async def replace(self, life: Lifecycle | None = None, force: bool = False) -> None:
        life = life or self.life()
        await life.replace(
            lambda code, words: self.told.append((code, words)), force,
            lambda container_id: self.wait(life, container_id), self.leave, free,
        )  # fmt: skip

    def leave(self) -> None:
        self.left += 1

    async def wait(self, life: Lifecycle, container_id: str) -> None:
        """Until the camera answers, as a node does it."""
        while not await self.answers():
            found = await self.engine.inspect(container_id)
            if found is None or not found.running:
                end = await life.post_mortem(container_id)
                raise ContainerError("gfa1", f"the container died: {end}")
            await asyncio.sleep(0.02)

    async def answers(self) -> bool:
        camera = Camera("gfa1", "127.0.0.1", self.node.port, connect_timeout=1, silence=5)
        try:
            await camera.connect()
            await camera.ping()
        except CameraError:
            return False
        finally:
            camera.close("seen")
        return True

    async def found(self) -> Found:
        found = await self.engine.find(NAME)
        assert found is not None
        return found

    def names(self) -> list[str]:
        return sorted(json.loads(path.read_text())["name"] for path in self.folder.glob("*.json"))

    async def make(self, name: str, owner: Owner = OURS, start: bool = False) -> str:
        """A container as an earlier manager left it."""
        spec = wanted(self.node, owner)
        fields = {key: getattr(spec, key) for key in spec.__dataclass_fields__}
        container_id = await self.engine.create(ContainerSpec(**{**fields, "name": name}))
        if start:
            await self.engine.start(container_id)
        return container_id

    async def clean(self) -> None:
        for path in self.folder.glob("*.json"):
            await self.engine.remove(json.loads(path.read_text())["id"])


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    stub = await StubCamera("any").start()
    await stub.stop()  # a port that nobody has just now
    place = Place(tmp_path, stub.port)
    yield place
    await place.clean()


async def test_the_first_container_is_made(place: Place) -> None:
    await place.replace()
    assert (await place.found()).running
    assert place.names() == [NAME]
    assert await place.answers()
    texts = [words["text"] for _, words in place.told]
    assert texts == [
        f"gfa1: running {NAME} from flicamera:latest.",
    ]


async def test_a_new_container_takes_the_place_of_the_old(place: Place) -> None:
    await place.replace()
    old = await place.found()
    await place.replace()
    assert (await place.found()).id != old.id
    assert await place.engine.inspect(old.id) is None
    assert place.names() == [NAME]
    assert await place.answers()


async def test_a_crash_at_the_start_brings_the_old_one_back(place: Place) -> None:
    await place.replace()
    old = await place.found()
    with pytest.raises(ContainerError) as caught:
        await place.replace(place.life(SIMCAMERA_FAULTS="crash-at-start=3"))
    reason = caught.value.reason
    assert "the container died: exit code 3; last log lines: " in reason
    assert "FLIOpen: no device found for the camera 'gfa1'" in reason
    assert reason.endswith("the old container runs again")
    log = [words["text"] for code, words in place.told if code == "w"]
    assert log[0].startswith("gfa1: log: Traceback")
    assert await place.found() == replace(old, started_at=(await place.found()).started_at)
    assert place.names() == [NAME]
    async with asyncio.timeout(10):
        while not await place.answers():
            await asyncio.sleep(0.02)


async def test_a_crash_of_the_first_one_leaves_nothing(place: Place) -> None:
    with pytest.raises(ContainerError, match="exit code 1"):
        await place.replace(place.life(SIMCAMERA_FAULTS="crash-at-start"))
    assert place.names() == []


async def test_an_old_one_that_was_stopped_stays_stopped(place: Place) -> None:
    old = await place.make(NAME)
    with pytest.raises(ContainerError, match="the old container is kept"):
        await place.replace(place.life(SIMCAMERA_FAULTS="crash-at-start"))
    found = await place.found()
    assert (found.id, found.state) == (old, "created")


async def test_a_command_that_cannot_start_brings_the_old_one_back(place: Place) -> None:
    await place.replace()
    old = await place.found()
    place.node = replace(place.node, command=("/no/such/program",))
    with pytest.raises(EngineRefused, match=r"No such file.*the old container runs again"):
        await place.replace(place.life())
    assert (await place.found()).id == old.id
    assert (await place.found()).running


async def test_a_camera_that_never_answers_keeps_kind_and_seconds_of_its_error(
    place: Place,
) -> None:
    await place.make(NAME)

    async def never(container_id: str) -> None:
        raise CameraUnreachable("gfa1", "no answer", tried="wait until ready", seconds=30.0)

    with pytest.raises(CameraUnreachable) as caught:
        await place.life().replace(lambda code, words: None, False, never, place.leave, free)
    assert caught.value.seconds == 30.0
    assert "wait until ready: no answer; the old container is kept" in caught.value.cause


# leftovers of an interrupted replacement


@pytest.mark.parametrize(
    "left",
    [(".new",), (".old",), (".new", ".old"), ("", ".new"), ("", ".old"), ("", ".new", ".old")],
)
async def test_leftovers_are_put_right_by_the_next_replacement(
    left: tuple[str, ...], place: Place
) -> None:
    for ending in left:
        await place.make(NAME + ending, start=ending == "")
    await place.replace()
    assert place.names() == [NAME]
    assert (await place.found()).running
    assert await place.answers()


async def test_the_old_one_set_aside_comes_back_when_the_next_replacement_fails(
    place: Place,
) -> None:
    aside = await place.make(NAME + ".old")
    with pytest.raises(ContainerError, match="the old container is kept"):
        await place.replace(place.life(SIMCAMERA_FAULTS="crash-at-start"))
    assert (await place.found()).id == aside
    assert place.names() == [NAME]


# what is not ours


async def test_a_foreign_container_is_refused_and_goes_on(place: Place) -> None:
    foreign = await place.make(NAME, THEIRS, start=True)
    with pytest.raises(ContainerError, match="of the manager other on there-5678, not ours"):
        await place.replace()
    found = await place.found()
    assert (found.id, found.running, place.left) == (foreign, True, 0)
    assert place.names() == [NAME]


async def test_a_foreign_container_is_taken_over_with_force(place: Place) -> None:
    foreign = await place.make(NAME, THEIRS, start=True)
    await place.replace(force=True)
    found = await place.found()
    assert found.id != foreign
    assert found.is_ours(OURS)
    assert place.names() == [NAME]


@pytest.mark.parametrize("ending", [".new", ".old"])
async def test_foreign_leftovers_are_taken_over_with_force(ending: str, place: Place) -> None:
    await place.make(NAME + ending, THEIRS)
    await place.replace(force=True)
    assert place.names() == [NAME]


async def test_a_foreign_container_is_neither_stopped_nor_started(place: Place) -> None:
    foreign = await place.make(NAME, THEIRS, start=True)
    for verb in (place.life().stop, lambda: place.life().start(free)):
        with pytest.raises(ContainerError, match="not ours"):
            await verb()
    assert (await place.found()).running
    assert (await place.found()).id == foreign


# stop and start


async def test_stop_and_start(place: Place) -> None:
    life = place.life()
    assert await life.stop() is False
    with pytest.raises(ContainerError, match="there is no container; reconnect makes one"):
        await life.start(free)
    made = await place.make(NAME, start=True)
    assert await life.stop() is True
    assert await life.stop() is False
    assert await life.start(free) == made
    assert (await place.found()).running


async def test_the_end_of_a_container_that_is_gone(place: Place) -> None:
    assert await place.life().post_mortem("0" * 64) == "the container was removed"
    assert await place.life().last_words("0" * 64) == []
