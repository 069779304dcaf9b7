"""An actor in this process over wild cameras and faulty engines, and its users."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import yaml
from sdsstools import get_logger

from fliswarm import config
from fliswarm.actor import SwarmActor
from fliswarm.client import ActorReply, parse_reply

from .cameras import WildCamera
from .engines import FaultyEngine

QUICK = {
    "ping": 0.3, "connect": 0.5, "engine": 0.6, "pull": 1.0, "ready": 3.0, "silence": 1.5,
    "probe": 0.5,
}  # fmt: skip
"""Deadlines in seconds that make a test short."""


class User:
    """One connection to the actor's port; keeps every line with the time it came."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.heard: list[tuple[float, ActorReply]] = []
        self._next = 0

    @classmethod
    async def come(cls, port: int) -> Self:
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=8 << 20))

    async def leave(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()

    async def hear(self) -> ActorReply:
        """The next line."""
        while True:
            line = await self.reader.readuntil()
            reply = parse_reply(line.decode().rstrip("\r\n"))
            if reply is not None:
                self.heard.append((time.monotonic(), reply))
                return reply

    def say(self, command: str) -> int:
        """Send a command; returns its id."""
        self._next += 1
        self.writer.write(f"{self._next} {command}\n".encode())
        return self._next

    async def end_of(self, command_id: int, limit: float) -> list[ActorReply]:
        """All replies to a command; the last is its end."""
        replies = [r for _, r in self.heard if r.command_id == command_id]
        async with asyncio.timeout(limit):
            while not (replies and replies[-1].is_final):
                reply = await self.hear()
                if reply.command_id == command_id:
                    replies.append(reply)
        return replies

    async def ask(self, command: str, limit: float = 8.0) -> list[ActorReply]:
        return await self.end_of(self.say(command), limit)

    async def until(self, name: str, *values: str, limit: float) -> tuple[ActorReply, float]:
        """Wait for a keyword with these first values; returns it and the seconds it took."""
        began = time.monotonic()
        async with asyncio.timeout(limit):
            while True:
                reply = await self.hear()
                if reply.keywords.get(name, [])[: len(values)] == list(values):
                    return reply, time.monotonic() - began

    async def nothing_of(self, name: str, *values: str, during: float) -> None:
        """Fail if a keyword with these first values comes within this time (seconds)."""
        with contextlib.suppress(TimeoutError):
            reply, _ = await self.until(name, *values, limit=during)
            raise AssertionError(f"told: {reply.raw}")


@dataclass
class House:
    """The actor with its nodes; make it with `house()`."""

    actor: SwarmActor
    cameras: dict[str, WildCamera] = field(default_factory=dict)
    engines: dict[str, FaultyEngine] = field(default_factory=dict)

    @property
    def port(self) -> int:
        return int(self.actor.port)

    def state(self, name: str) -> str:
        return str(self.actor.swarm.nodes[name].status.state)

    def container(self, name: str) -> dict[str, Any]:
        engine = self.engines[name]
        return next(c for c in engine.containers.values() if c["Name"] == f"/flicamera-{name}")

    @contextlib.asynccontextmanager
    async def user(self) -> AsyncIterator[User]:
        user = await User.come(self.port)
        try:
            yield user
        finally:
            await user.leave()


@contextlib.asynccontextmanager
async def house(
    folder: Path, *names: str, timeouts: dict[str, float] | None = None, **more: Any
) -> AsyncIterator[House]:
    """Nodes with a running camera each, all READY when it is given out."""
    cameras = {name: WildCamera(name) for name in names}
    engines = {name: FaultyEngine() for name in names}
    for node in (*cameras.values(), *engines.values()):
        await node.start()
    nodes = {
        name: {"host": "127.0.0.1", "port": cameras[name].port, "docker-client": e.address}
        for name, e in engines.items()
    }
    made = House(make_actor(folder, nodes, timeouts, **more), cameras, engines)
    for name, engine in engines.items():
        owner = made.actor.swarm.nodes[name].life.owner
        engine.follow(cameras[name])
        engine.add_container(f"flicamera-{name}", labels=owner.labels)
    await made.actor.start()
    try:
        for name in names:
            await wait(lambda name=name: made.state(name) == "READY", 5, f"{name} is READY")
        yield made
    finally:
        for engine in engines.values():
            engine.be("well")
        for camera in cameras.values():
            for writer in list(camera.writers):
                writer.transport.abort()  # what is not over ends now
        await made.actor.stop()
        for engine in engines.values():
            await engine.stop()
        for camera in cameras.values():
            if camera.server is not None:
                await camera.stop()


def make_actor(
    folder: Path, nodes: dict[str, Any], timeouts: dict[str, float] | None = None, **more: Any
) -> SwarmActor:
    """An actor over these nodes, not started, on a port of the system's choice."""
    content = {
        "actor": {"host": "127.0.0.1", "port": 0},
        "state_dir": str(folder / "state"),
        "timeouts": {**QUICK, **(timeouts or {})},
        "nodes": nodes,
        **more,
    }
    file = folder / "fliswarm.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    log = get_logger("fliswarm.clu", capture_exceptions=False, capture_warnings=False)
    log.removeHandler(log.sh)
    return SwarmActor(config.load(file), log)


def verdicts(replies: list[ActorReply]) -> dict[str, tuple[str, float]]:
    """Verdict and seconds of each node, in the order they came."""
    found = [r.keywords["verdict"] for r in replies if "verdict" in r.keywords]
    return {v[0]: (v[1], float(v[2])) for v in found}


def words(replies: list[ActorReply], name: str, node: str | None = None) -> list[list[str]]:
    """The values of a keyword, of one node or of all."""
    found = [r.keywords[name] for r in replies if name in r.keywords]
    return [v for v in found if node is None or v[:1] == [node]]


async def wait(condition: Callable[[], bool], limit: float, what: str) -> float:
    """Wait until something is so; returns the seconds it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < limit, f"not so after {limit} s: {what}"
        await asyncio.sleep(0.01)
    return time.monotonic() - began


def reset(port: int) -> None:
    """A user who is gone before anybody looks: connects and resets the connection."""
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        one.connect(("127.0.0.1", port))
