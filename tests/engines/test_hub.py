"""The same through the real Tron hub, and over its restart."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from tests.testbed.hub import Hub
from tests.testbed.testbed import Testbed

from .conftest import MakeManager
from .manager import Manager

pytestmark = [pytest.mark.testbed, pytest.mark.hub]


def hub_manager(make_manager: MakeManager) -> Manager:
    """A manager at the port where the hub's LOCAL configuration looks for it."""
    return make_manager(actor={"port": 19996, "tron_host": "127.0.0.1", "tron_port": 6093})


async def ask(hub: Hub, command: str, limit: float = 60) -> list[str]:
    """The lines of an answer through the hub, such as ``APO.Jose 1 fliswarm i node=…``."""
    async with asyncio.timeout(limit), hub.client() as client:
        return [line async for line in client.send(f"fliswarm {command}", limit)]


async def wait_answer(hub: Hub, limit: float) -> float:
    """Seconds until fliswarm answers a ping through the hub."""
    began = time.monotonic()
    while True:
        try:
            if (await ask(hub, "ping", 3))[-1].split()[3] == ":":
                return time.monotonic() - began
        except (OSError, TimeoutError, IndexError):
            pass
        assert time.monotonic() - began < limit, f"no answer through the hub in {limit} s"
        await asyncio.sleep(0.2)


async def test_the_main_job_through_the_hub(
    hub: Hub, make_manager: MakeManager, testbed: Testbed
) -> None:
    hub_manager(make_manager)
    await wait_answer(hub, 15)
    lines = await ask(hub, "reconnect")
    assert lines[-1].split()[3] == ":", lines
    lines = await ask(hub, "talk -n gfa1,gfa2,fvc -- expose -n 7 0.3")
    assert lines[-1].split()[3] == ":", lines
    bundle = next(line for line in lines if "filename_bundle=" in line)
    paths = bundle.split("filename_bundle=")[1].split(",")
    assert [Path(p).name for p in paths] == [
        f"gimg-{node}-0007.fits" for node in ("gfa1", "gfa2", "fvc")
    ]
    for path in paths:
        assert (testbed.data / Path(path).relative_to("/data")).exists()
    lines = await ask(hub, "status")
    assert sum(" i node=" in line for line in lines) == 3
    assert sum("nodeState=" in line and "READY" in line for line in lines) == 3


async def test_after_a_hub_restart_it_is_connected_again(
    hub: Hub, make_manager: MakeManager
) -> None:
    hub_manager(make_manager)
    await wait_answer(hub, 15)
    await asyncio.to_thread(hub.restart)
    assert await wait_answer(hub, 15) < 15


async def test_with_the_hub_away_it_starts_and_connects_when_the_hub_comes(
    hub: Hub, make_manager: MakeManager
) -> None:
    await asyncio.to_thread(hub.stop)
    manager = hub_manager(make_manager)
    assert (await manager.send("ping"))[-1].code == ":"
    async with asyncio.timeout(5):
        while "is away" not in manager.log.read_text():
            await asyncio.sleep(0.02)
    await asyncio.to_thread(hub.start)
    await wait_answer(hub, 15)


async def test_bad_words_through_the_hub_cost_no_connection(
    hub: Hub, make_manager: MakeManager
) -> None:
    hub_manager(make_manager)
    await wait_answer(hub, 15)
    for command in ("talk 'x", "nonsense", "talk -n nobody ping"):
        lines = await ask(hub, command, 10)
        assert lines[-1].split()[3] == "f", lines
    assert (await ask(hub, "ping", 10))[-1].split()[3] == ":"
