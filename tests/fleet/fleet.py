"""Nodes of a stub engine and a stub camera each: the camera is there while its container runs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from .camera import StubCamera
from .engine import StubEngine
from .hub import StubHub


@dataclass
class StubNode:
    """One node: an engine with one container, and the camera in it."""

    camera: StubCamera
    engine: StubEngine
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def follow(self) -> None:
        """Let the camera come and go with its container."""
        async with self.lock:
            if self.engine.running and self.camera.server is None:
                await self.camera.start()
            elif not self.engine.running and self.camera.server is not None:
                await self.camera.stop()


@dataclass
class StubFleet:
    """Nodes and a hub on one address; use it as a context.

    Args:
        names: the cameras.
        host: the address that all listen on.
        ports: a camera's and an engine's port for each name, then the hub's; None lets the
            system choose.
    """

    names: Sequence[str]
    host: str = "127.0.0.1"
    ports: Sequence[int] | None = None
    nodes: dict[str, StubNode] = field(default_factory=dict)
    hub: StubHub = field(default_factory=StubHub)

    async def __aenter__(self) -> StubFleet:
        ports = iter(self.ports or [0] * (2 * len(self.names) + 1))
        for name in self.names:
            camera = StubCamera(name, self.host, next(ports))
            engine = await StubEngine(self.host, next(ports)).start()
            self.nodes[name] = node = StubNode(await camera.start(), engine)
            engine.changed = node.follow
        self.hub = await StubHub(self.host, next(ports)).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for node in self.nodes.values():
            await node.engine.stop()
            if node.camera.server is not None:
                await node.camera.stop()
        await self.hub.stop()
        await asyncio.sleep(0)
