"""Engines that die at one step of reconnect, a full disk, a taken port: on real engines.

Cut, paused and frozen ones, foreign containers of our name and a registry that is away are in
tests/engines.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engines.conftest import MakeManager, make_manager
from tests.engines.manager import Manager, keyword
from tests.testbed.machine import TestbedError, run
from tests.testbed.testbed import Testbed

__all__ = ["make_manager"]
pytestmark = pytest.mark.testbed
TIMEOUTS = {"engine": 3, "ready": 15, "silence": 3, "pull": 15}
LIMIT = 30.0
"""Seconds within which a reconnect of a node whose engine dies is over."""


@pytest.fixture
def quick(make_manager: MakeManager) -> Manager:
    return make_manager(timeouts=TIMEOUTS)


def on_event(testbed: Testbed, node: str, wanted: dict[str, str], act: Callable[[], None]) -> Any:
    """Do something in the moment of an engine's event; returns the thread."""
    api = testbed.client(node).api
    stream = api.events(filters=wanted, decode=True)

    def listen() -> None:
        with contextlib.suppress(Exception):
            next(iter(stream))
            act()

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    return thread


async def fails_on_gfa1_only(manager: Manager) -> str:
    """Reconnect all: gfa1 fails within the limit, naming node and layer, the others do not."""
    began = time.monotonic()
    replies = await manager.send("reconnect")
    assert time.monotonic() - began < LIMIT
    assert replies[-1].code == "f", [r.raw for r in replies]
    found = {v[0]: (v[1], float(v[2])) for v in keyword(replies, "verdict")}
    assert [found[node][0] for node in ("gfa2", "fvc")] == ["ok", "ok"]
    assert max(found[node][1] for node in ("gfa2", "fvc")) < 15
    words = replies[-1].keywords["error"][1]
    assert words.startswith("reconnect failed on 1 of 3: gfa1: ")
    return words


async def works_again(manager: Manager, testbed: Testbed) -> None:
    """After the engine's return a reconnect works, and nothing is left aside."""
    await asyncio.to_thread(testbed.start_engine, "gfa1")
    until = time.monotonic() + 20
    while (replies := await manager.send("reconnect -n gfa1"))[-1].code != ":":
        assert time.monotonic() < until, replies[-1].raw
    assert (await manager.send("talk ping"))[-1].code == ":"
    assert [c["Names"] for c in testbed.containers("gfa1")] == [["/flicamera-gfa1"]]


@pytest.mark.parametrize("step", ["create", "start"])
async def test_an_engine_killed_during(quick: Manager, testbed: Testbed, step: str) -> None:
    assert (await quick.send("reconnect"))[-1].code == ":"
    wanted = {"type": "container", "event": step}
    thread = on_event(testbed, "gfa1", wanted, lambda: testbed.kill_engine("gfa1"))
    words = await fails_on_gfa1_only(quick)
    assert "gfa1: engine:" in words or "gfa1: actor:" in words, words
    await asyncio.to_thread(thread.join, 5)
    await works_again(quick, testbed)


async def test_an_engine_killed_during_pull(quick: Manager, testbed: Testbed) -> None:
    """The registry is stopped in its tracks, so that the pull lasts until the engine dies."""
    assert (await quick.send("reconnect"))[-1].code == ":"
    registry = testbed.registry.service.process
    assert registry is not None
    run("kill", "-STOP", str(registry.pid))
    try:
        sending = asyncio.create_task(quick.send("reconnect -n gfa1"))
        await asyncio.sleep(1)
        assert not sending.done(), "the pull is under way"
        began = time.monotonic()
        testbed.kill_engine("gfa1")
        replies = await sending
        assert time.monotonic() - began < LIMIT
    finally:
        run("kill", "-CONT", str(registry.pid))
    assert replies[-1].code == "f"
    assert "gfa1: engine:" in replies[-1].keywords["error"][1]
    await works_again(quick, testbed)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of 24 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    try:
        run("mount", "-t", "tmpfs", "-o", "size=24m", "flis-testbed", folder)
    except TestbedError as error:
        pytest.skip(f"no tmpfs here: {error}")
    try:
        yield folder
    finally:
        run("umount", "-l", folder)


async def test_a_disk_full_on_pull_is_said_and_the_others_go_on(
    make_manager: MakeManager, clean_testbed: Testbed, small_disk: Path
) -> None:
    testbed = clean_testbed
    engine = testbed.engine("gfa1")
    folder = engine.folder
    await asyncio.to_thread(testbed.stop_engine, "gfa1")
    engine.folder = small_disk
    try:
        await asyncio.to_thread(testbed.start_engine, "gfa1")
        manager = make_manager(timeouts={**TIMEOUTS, "pull": 60})
        words = await fails_on_gfa1_only(manager)
        assert "gfa1: engine: pull" in words
        assert "no space left" in words
        assert testbed.containers("gfa1") == []
        manager.stop()
    finally:
        await asyncio.to_thread(testbed.stop_engine, "gfa1")
        engine.folder = folder
        await asyncio.to_thread(testbed.start_engine, "gfa1")


STRANGER = """
import json, socket, sys, threading, time
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
for _ in range(60000):
    try:
        server.bind(("", 19995))
        break
    except OSError:
        time.sleep(0.001)
server.listen()
def serve(one):
    for line in one.makefile():
        if sys.argv[1] == "answers":
            header = {"command_id": int(line.split()[0]), "message_code": ":"}
            one.sendall(json.dumps({"header": header, "data": {}}).encode() + b"\\n")
while True:
    threading.Thread(target=serve, args=server.accept()[:1], daemon=True).start()
"""
"""Takes the camera's port in the moment that nobody has it."""


@pytest.mark.parametrize("manners", ["mute", "answers"])
async def test_the_cameras_port_taken_by_a_foreign_container(
    make_manager: MakeManager, testbed: Testbed, manners: str
) -> None:
    """Host network: reconnect says why it fails, and the old one is in its place again."""
    manager = make_manager(timeouts=TIMEOUTS)
    first = await manager.send("reconnect -n gfa1")
    assert first[-1].code == ":", [r.raw for r in first]
    engine = testbed.client("gfa1")
    before = engine.containers.get("flicamera-gfa1")
    stranger = engine.containers.run(
        testbed.image, ["python3", "-c", STRANGER, manners], name="stranger",
        network_mode="host", detach=True,
    )  # fmt: skip
    began = time.monotonic()
    replies = await manager.send("reconnect -n gfa1")
    assert time.monotonic() - began < LIMIT
    assert replies[-1].code == "f", [r.raw for r in replies]
    words = replies[-1].keywords["error"][1]
    assert "gfa1: container:" in words
    assert "19995" in words
    assert engine.containers.get("flicamera-gfa1").id == before.id
    stranger.remove(force=True)
    await manager.wait_state("gfa1", "READY", 20)
    assert (await manager.send("talk -n gfa1 ping"))[-1].code == ":"
    names = [c["Names"] for c in testbed.containers("gfa1")]
    assert names == [["/flicamera-gfa1"]]
