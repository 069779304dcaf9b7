"""A replacement on an engine that refuses one step of it: the old container is never lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from fliswarm import config
from fliswarm.config import Timeouts
from fliswarm.container import Lifecycle
from fliswarm.engine import DockerEngine, Owner
from fliswarm.errors import EngineError, EngineRefused
from tests.fleet.engine import Refused, StubEngine
from tests.fleet.wire import Request

NAME = "flicamera-gfa1"
OURS = Owner("fliswarm", "here-1234", "gfa1")


@dataclass
class Refuser(StubEngine):
    """A stub engine that refuses the steps whose path ends so, a number of times each."""

    refusals: dict[str, int] = field(default_factory=dict)

    def _route(self, r: Request, parts: list[str]) -> tuple[int, Any]:
        for ending in self.refusals:
            if r.method == "POST" and r.path.endswith(ending) and self.refusals[ending] > 0:
                self.refusals[ending] -= 1
                raise Refused(500, "no space left on device")
        return super()._route(r, parts)


async def free() -> None:
    """Nobody is at the camera's port."""


class Place:
    def __init__(self, stub: Refuser) -> None:
        self.stub = stub
        self.engine = DockerEngine("gfa1", stub.address, 5.0)
        text = "volumes: {data: {opts: {device: ':/data'}}}\nnodes: {gfa1: {host: h}}"
        self.life = Lifecycle(
            config.loads(text).nodes["gfa1"], OURS, self.engine, Timeouts(pull=5.0)
        )
        self.told: list[str] = []
        self.old = stub.add_container(NAME, labels=OURS.labels)
        self.ready: list[str] = []

    async def replace(self, force: bool = False) -> None:
        async def wait(container_id: str) -> None:
            self.ready.append(container_id)

        def tell(code: str, words: dict[str, Any]) -> None:
            self.told += [f"{code} {text}" for text in words.values()]

        await self.life.replace(tell, force, wait, lambda: None, free)

    def names(self) -> dict[str, str]:
        return {c["Name"][1:]: c["State"]["Status"] for c in self.stub.containers.values()}


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    stub = Refuser()
    await stub.start()
    place = Place(stub)
    yield place
    place.engine.close()
    await stub.stop()


async def test_the_new_one_is_made_before_the_old_one_is_touched(place: Place) -> None:
    await place.replace()
    paths = [r.path.rpartition("/")[2] for r in place.stub.requests if r.method == "POST"]
    assert paths == ["create", "create", "create", "stop", "rename", "rename", "start"]
    assert place.names() == {NAME: "running"}
    assert [c["Id"] for c in place.stub.containers.values()] == place.ready


@pytest.mark.parametrize("step", ["/volumes/create", "/containers/create"])
async def test_a_new_one_that_cannot_be_made_leaves_the_old_one_untouched(
    step: str, place: Place
) -> None:
    place.stub.refusals[step] = 1
    with pytest.raises(EngineRefused, match="no space left on device"):
        await place.replace()
    assert place.names() == {NAME: "running"}
    assert not [r for r in place.stub.requests if r.path.endswith(("/stop", "/rename"))]


@pytest.mark.parametrize("step", ["/stop", "/rename", "/start"])
async def test_a_step_that_is_refused_brings_the_old_one_back(step: str, place: Place) -> None:
    place.stub.refusals[step] = 1
    with pytest.raises(EngineRefused, match=r"no space left.*the old container runs again"):
        await place.replace()
    assert list(place.stub.containers) == [place.old]
    assert place.names() == {NAME: "running"}


async def test_an_old_one_that_cannot_come_back_is_said(place: Place) -> None:
    place.stub.refusals["/start"] = 2
    with pytest.raises(EngineRefused, match="putting the old container back failed too"):
        await place.replace()
    assert place.names() == {NAME: "exited"}


async def test_an_engine_that_goes_away_in_the_middle_is_said(place: Place) -> None:
    async def gone(container_id: str) -> None:
        await place.stub.stop()
        await place.engine.start(container_id)

    try:
        with pytest.raises(EngineError, match="putting the old container back failed too"):
            await place.life.replace(lambda code, words: None, False, gone, lambda: None, free)
    finally:
        await place.stub.start()
    assert place.names() == {NAME: "running", f"{NAME}.old": "exited"}
    await place.replace()
    assert place.names() == {NAME: "running"}


async def test_an_image_that_cannot_be_pulled_is_taken_from_the_node(place: Place) -> None:
    place.stub.refusals["/images/create"] = 1
    await place.replace()
    (warning,) = [text for text in place.told if text.startswith("w ")]
    assert "cannot pull, using the image that the node has: pull flicamera:latest" in warning
    assert place.names() == {NAME: "running"}


async def test_an_image_that_is_nowhere_leaves_the_old_one_untouched(place: Place) -> None:
    place.stub.refusals["/images/create"] = 1
    place.stub.images.clear()
    with pytest.raises(EngineRefused, match="no space left"):
        await place.replace()
    assert place.names() == {NAME: "running"}


async def test_a_volume_that_differs_is_kept_and_said(place: Place) -> None:
    volume = {"Name": "data", "Driver": "local", "Options": {"device": ":/other"}}
    place.stub.volumes["data"] = volume
    await place.replace()
    assert any("volume data differs from the configuration (device is" in t for t in place.told)
    assert place.stub.volumes["data"] is volume


async def test_force_makes_the_volumes_anew(place: Place) -> None:
    place.stub.volumes["data"] = {"Name": "data", "Driver": "local", "Options": {}}
    await place.replace(force=True)
    assert place.stub.volumes["data"]["Options"] == {"device": ":/data"}
    assert "w gfa1: recreating existing volume data." in place.told
    assert place.names() == {NAME: "running"}
