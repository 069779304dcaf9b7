"""What the tests of the process engine share."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from fliswarm.engine import ContainerSpec, Event, Found, ProcessEngine

SLEEP = ("sleep", "1000")


def ids(folder: Path) -> list[str]:
    return [json.loads(path.read_text())["id"] for path in folder.glob("*.json")]


async def run(engine: ProcessEngine, *command: str, name: str = "cam-gfa1") -> Found:
    container_id = await engine.create(ContainerSpec(name, "image", command))
    await engine.start(container_id)
    return await look(engine, container_id)


async def look(engine: ProcessEngine, container_id: str) -> Found:
    found = await engine.inspect(container_id)
    assert found is not None
    return found


async def until(condition: Callable[[], bool], limit: float = 10.0) -> None:
    async with asyncio.timeout(limit):
        while not condition():
            await asyncio.sleep(0.01)


def pid_of(folder: Path, found: Found) -> int:
    return int(json.loads((folder / f"{found.short_id}.json").read_text())["pid"])


def sleep_until_dead(pid: int) -> None:
    """Without a turn of the event loop."""
    with contextlib.suppress(ChildProcessError):
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


async def ended(engine: ProcessEngine, found: Found) -> Found:
    async with asyncio.timeout(10):
        while (seen := await look(engine, found.id)).running:
            await asyncio.sleep(0.01)
    return seen


@contextlib.asynccontextmanager
async def watching(engine: ProcessEngine, name: str) -> AsyncIterator[list[Event]]:
    events: list[Event] = []
    opened = asyncio.Event()
    task = asyncio.create_task(engine.watch(name, events.append, opened.set))
    await opened.wait()
    try:
        yield events
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
