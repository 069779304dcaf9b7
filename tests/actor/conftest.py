"""Managers for the tests of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fliswarm.actor import SwarmActor
from tests.fleet.camera import StubCamera
from tests.fleet.fleet import StubFleet

from .running import User, end_processes, managing, ready, stub_config, stub_fleet, using


@dataclass
class Swarm:
    """A manager over stub nodes that are ready, and a user of it."""

    actor: SwarmActor
    fleet: StubFleet
    user: User

    def camera(self, name: str) -> StubCamera:
        return self.fleet.nodes[name].camera

    def told(self, name: str) -> list[str]:
        """What a camera was told, our own questions apart."""
        return [c for c in self.camera(name).commands if c not in ("ping", "list")]


@pytest.fixture
async def swarm(tmp_path: Path) -> AsyncIterator[Swarm]:
    """Two gfa cameras and an fvc camera."""
    async with (
        stub_fleet(tmp_path, ["gfa1", "gfa2", "fvc"]) as fleet,
        managing(stub_config(fleet, tmp_path)) as actor,
        using(actor) as user,
    ):
        await ready(actor)
        await user.greeted()
        user.unasked.clear()
        yield Swarm(actor, fleet, user)


@pytest.fixture
async def folder(tmp_path: Path) -> AsyncIterator[Path]:
    """A folder for simulated cameras, whose processes are ended."""
    yield tmp_path
    end_processes(tmp_path)
