"""A manager in this process, users on its port, and cameras: stubs or simulated ones."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import psutil
import yaml
from sdsstools import get_logger

from fliswarm import config
from fliswarm.actor import SwarmActor
from fliswarm.engine import Owner
from fliswarm.state import State
from tests.fleet.fleet import StubFleet

DEADLINE = 20.0
"""Seconds that any answer may take on a busy computer; far more than it does."""
QUICK = {"connect": 2.0, "engine": 5.0, "silence": 2.0, "probe": 0.3, "ping": 0.5}


@contextlib.asynccontextmanager
async def managing(
    content: dict[str, Any], file: Path | None = None, **options: Any
) -> AsyncIterator[SwarmActor]:
    """A manager of this configuration (in a file), on a port that the system chooses."""
    loaded = _load(written(content), file)
    log = get_logger("fliswarm.clu", capture_exceptions=False, capture_warnings=False)
    actor = SwarmActor(loaded, log, **options)
    await actor.start()
    try:
        yield actor
    finally:
        async with asyncio.timeout(DEADLINE):
            await actor.stop()


def _load(text: str, file: Path | None) -> config.SwarmConfig:
    if file is None:
        return config.loads(text, observatory="APO")
    file.write_text(text)
    return config.load(file, observatory="APO")


def written(content: dict[str, Any]) -> str:
    """A configuration as YAML, with quick deadlines."""
    return yaml.safe_dump({"actor": {"port": 0}, "timeouts": QUICK, **content}, sort_keys=False)


class User:
    """One user of the port; `unasked` holds what came besides the answers to its commands."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.unasked: list[str] = []
        self._last = 100

    def send(self, command: str) -> int:
        """Send a command and go on; returns its number."""
        self._last += 1
        self.writer.write(f"{self._last} {command}\n".encode())
        return self._last

    async def line(self, limit: float = DEADLINE) -> str:
        """The next line, whatever it is; empty at the end."""
        async with asyncio.timeout(limit):
            return (await self.reader.readline()).decode().rstrip("\n")

    async def answer(self, number: int, limit: float = DEADLINE) -> list[str]:
        """The lines of a command up to its end: ``i text=…``, without the two ids."""
        lines: list[str] = []
        async with asyncio.timeout(limit):
            while not (lines and lines[-1][0] in ":f"):
                lines += await self._next(number, limit)
        return lines

    async def _next(self, number: int, limit: float) -> list[str]:
        line = await self.line(limit)
        assert line, "the manager has closed the connection"
        _, command_id, rest = line.split(" ", 2)
        if int(command_id) == number:
            return [rest.rstrip()]
        self.unasked.append(line)
        return []

    async def ask(self, command: str, limit: float = DEADLINE) -> list[str]:
        """Send a command and return its lines."""
        return await self.answer(self.send(command), limit)

    async def hears(self, words: str, limit: float = DEADLINE) -> str:
        """Wait for a line that nobody asked for with these words in it."""
        async with asyncio.timeout(limit):
            while not any(words in line for line in self.unasked):
                self.unasked.append(await self.line(limit))
        return next(line for line in self.unasked if words in line)

    async def greeted(self) -> None:
        """Wait until all that a new user is told has come."""
        await self.ask("ping")

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


@contextlib.asynccontextmanager
async def using(actor: SwarmActor) -> AsyncIterator[User]:
    """A user of a manager."""
    user = User(*await asyncio.open_connection("127.0.0.1", actor.port, limit=1 << 26))
    await user.greeted()
    try:
        yield user
    finally:
        await user.close()


async def until(condition: Callable[[], Any], limit: float = DEADLINE) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(limit):
        while not condition():
            await asyncio.sleep(0.01)


async def ready(actor: SwarmActor, *names: str, state: State = State.READY) -> None:
    """Wait until nodes (all of them by default) are in a state."""
    nodes = [actor.swarm.nodes[name] for name in names or actor.swarm.nodes]
    await until(lambda: all(node.status.state is state for node in nodes))


# stubs: an engine and a camera for each node, in this process

MANAGER = "here-1234"


@contextlib.asynccontextmanager
async def stub_fleet(folder: Path, names: Sequence[str]) -> AsyncIterator[StubFleet]:
    """Stub nodes whose containers run and are ours."""
    async with StubFleet(names) as fleet:
        for name, node in fleet.nodes.items():
            labels = Owner("fliswarm", MANAGER, name).labels
            node.engine.add_container(f"flicamera-{name}", labels=labels)
        keep_intents(folder)
        yield fleet


def keep_intents(folder: Path) -> None:
    (folder / "intents.json").write_text(json.dumps({"manager": MANAGER}))


def stub_config(fleet: StubFleet, folder: Path, **more: Any) -> dict[str, Any]:
    nodes = {
        name: {
            "host": "127.0.0.1", "port": node.camera.port, "docker-client": node.engine.address,
            "category": name.rstrip("0123456789"),
        }
        for name, node in fleet.nodes.items()
    }  # fmt: skip
    return {"state_dir": str(folder), "nodes": nodes, **more}


# simulated cameras: processes of this computer


def free_ports(count: int) -> list[int]:
    """Ports that nobody has just now, below those that the system gives to others."""
    found: list[int] = []
    for port in random.sample(range(21_000, 29_000), 8_000):
        with socket.socket() as one, contextlib.suppress(OSError):
            one.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            break
    return found


def sim_config(folder: Path, names: Sequence[str], **environment: Any) -> dict[str, Any]:
    """Nodes that run simulated cameras; further words go to the cameras' environment."""
    nodes = {
        name: {
            "host": "127.0.0.1", "port": port, "docker-client": "process://", "category": "gfa",
        }
        for name, port in zip(names, free_ports(len(names)), strict=True)
    }  # fmt: skip
    return {
        "state_dir": str(folder / "state"),
        "timeouts": {**QUICK, "ready": 15.0},
        "defaults": {
            "stop_timeout": 1,
            "command": ["{python}", "-m", "fliswarm.simcamera"],
            "environment": {
                "SIMCAMERA_DATA": str(folder / "data"), "SIMCAMERA_SIZE": 32,
                "SIMCAMERA_READOUT_TIME": 0.05, **environment,
            },
        },
        "nodes": nodes,
    }  # fmt: skip


def end_processes(folder: Path) -> None:
    """End all cameras that a manager of this folder has started."""
    pids = [json.loads(p.read_text())["pid"] for p in folder.glob("state/processes/*/*.json")]
    ours = [child for child in psutil.Process().children() if child.pid in pids]
    for process in ours:
        process.kill()
    psutil.wait_procs(ours, timeout=5)


def break_off(writer: asyncio.StreamWriter) -> None:
    """Leave so that the other side is told at once."""
    ours = writer.get_extra_info("socket")
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
