"""The hub comes and goes and talks nonsense; the manager works all the while."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fliswarm.actor import SwarmActor
from tests.fleet.fleet import StubFleet
from tests.fleet.hub import StubHub

from .running import User, managing, ready, stub_config, stub_fleet, until, using


@dataclass
class Place:
    actor: SwarmActor
    fleet: StubFleet
    user: User
    hub: StubHub = field(default_factory=StubHub)

    async def works(self) -> None:
        assert (await self.user.ask("talk --need all status"))[-1] == ":"


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    """A manager whose hub is away."""
    hub = await StubHub().start()
    await hub.stop()
    hub.met.set()
    async with stub_fleet(tmp_path, ["gfa1"]) as fleet:
        actor = {"port": 0, "tron_host": "127.0.0.1", "tron_port": hub.port}
        async with (
            managing(stub_config(fleet, tmp_path, actor=actor)) as running,
            using(running) as user,
        ):
            await ready(running)
            yield Place(running, fleet, user, hub)
        if hub.server is not None:
            await hub.stop()


async def test_without_a_hub_the_manager_works(place: Place) -> None:
    await place.works()
    assert not place.actor.tron.connected()


async def test_a_hub_that_comes_is_asked_for_its_nub(place: Place) -> None:
    await place.hub.start()
    await until(lambda: place.hub.commands)
    assert place.hub.commands == ["fliswarm.fliswarm hub startNubs fliswarm"]
    await place.works()


async def test_a_hub_that_was_away_is_asked_again(place: Place) -> None:
    await place.hub.start()
    await until(lambda: place.hub.commands)
    await place.hub.stop()
    await place.works()
    await place.hub.start()
    await until(lambda: len(place.hub.commands) == 2)
    await place.works()


async def test_a_reboot_by_power_without_a_hub_fails_and_says_so(place: Place) -> None:
    lines = await place.user.ask("reboot --hard")
    assert lines[-1].startswith("f ")
    assert "internal" not in lines[-1]


NOISE = [
    b"\n" * 10, b"hello\n", b"\xff\xfe\n", b"\0" * 100 + b"\n",
    b".fliswarm 1 hub : \n", b".fliswarm 99999999999999999999 hub : x=1\n",
    b"fliswarm.fliswarm 1 hub f error=\"unbalanced\n", b"APO.Jose 3 gfa i status=,,,;;;=\n",
    b".hub 0 hub i raw=1; raw\n", b"x" * 300_000 + b"\n", b". . . . . .\n",
    "fliswarm.fliswarm 1 hub i text=\"é\u2028\"\n".encode(), b"fliswarm.fliswarm 1 hub",
]  # fmt: skip


async def test_nonsense_of_the_hub_ends_nothing(place: Place) -> None:
    await place.hub.start()
    await until(lambda: place.hub.commands)
    supervision = place.actor._supervision
    camera = place.fleet.nodes["gfa1"].camera
    assert supervision is not None
    for number, noise in enumerate(NOISE):
        for writer in list(place.hub.writers):
            writer.write(noise)
        await place.works()
        await asyncio.sleep(0.02)
        assert not supervision.done(), noise
        camera.broadcast({"text": f"still heard {number}"})
        await place.user.hears(f"still heard {number}")
