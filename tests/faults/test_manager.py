"""Real managers: what a kill -9 leaves, and memory when a user does not read."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from fliswarm.client import ActorReply
from tests.engines.manager import Manager, keyword

from .cameras import WildCamera
from .house import User, verdicts, wait

LINES, LENGTH = 100_000, 400
"""A burst of 40 MB and more: no socket's buffers hold it."""
SIMCAMERA = ["{python}", "-m", "fliswarm.simcamera", "--name", "{node}", "--port", "{port}",
             "--size", "64"]  # fmt: skip
STAND_IN = ["{python}", "-c", "import time; time.sleep(600)"]
"""A process in the place of a camera whose port is served by the test."""
Make = Callable[..., Manager]


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """A manager over process nodes, not started; afterwards no process of it is left."""
    made: list[Manager] = []

    def make(nodes: dict[str, int], command: list[str], **more: Any) -> Manager:
        port = free_port()
        content = {
            "actor": {"host": "127.0.0.1", "port": port},
            "state_dir": str(tmp_path / "state"),
            "defaults": {
                "command": command,
                "environment": {"SIMCAMERA_DATA": str(tmp_path / "data")},
            },
            "nodes": {
                name: {"host": "127.0.0.1", "port": at, "docker-client": "process://"}
                for name, at in nodes.items()
            },
            **more,
        }
        file = tmp_path / "fliswarm.yaml"
        file.write_text(yaml.safe_dump(content, sort_keys=False))
        made.append(Manager(file, port, tmp_path / "state"))
        return made[-1]

    yield make
    for manager in made:
        if manager.pid_file.exists():
            manager.run("stop")
        _end_cameras(tmp_path / "state")


def _pids(manager: Manager) -> list[int]:
    records = manager.pid_file.parent.glob("processes/*/*.json")
    return [pid for path in records if (pid := json.loads(path.read_text())["pid"])]


def _end_cameras(state: Path) -> None:
    for path in state.glob("processes/*/*.json"):
        record = json.loads(path.read_text())
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(record["pid"] or os.getpid())
            if process.cmdline() == record["command"]:
                process.kill()


async def test_100_000_lines_to_a_user_who_does_not_read(make: Make) -> None:
    camera, calm = WildCamera("gfa1"), WildCamera("gfa2")
    await camera.start()
    await calm.start()
    manager = make({"gfa1": camera.port, "gfa2": calm.port}, STAND_IN)
    await camera.stop()
    await calm.stop()
    await asyncio.to_thread(manager.start)
    slow = await User.come(manager.port)
    slow.writer.transport.pause_reading()  # type: ignore[attr-defined]
    user = await User.come(manager.port)
    try:
        asked = user.say("reconnect")
        await wait(lambda: len(_pids(manager)) == 2, 10, "both processes run")
        await camera.start()
        await calm.start()
        assert (await user.end_of(asked, 20))[-1].code == ":"
        process = psutil.Process(manager.pid)
        before = process.memory_info().rss
        slow.writer.write(f"1 talk -n gfa1 -- burst {LINES} {LENGTH}\n".encode())
        longest, most = 0.0, 0
        until = time.monotonic() + 20
        while "does not read; dropped" not in manager.log.read_text():
            assert time.monotonic() < until
            found = verdicts(await user.ask("talk -n gfa2 status"))["gfa2"]
            assert found[0] == "ok"
            longest = max(longest, found[1])
            most = max(most, process.memory_info().rss - before)
        assert longest < 1, "a healthy camera's replies are not late"
        assert most < 80e6, f"{most / 1e6:.0f} MB more"
        assert (await user.ask("talk ping", 20))[-1].code == ":"
        assert manager.log.read_text().count("does not read; dropped") == 1
    finally:
        await slow.leave()
        await user.leave()
        await asyncio.to_thread(manager.run, "stop")
        _end_cameras(manager.pid_file.parent)
        await camera.stop()
        await calm.stop()


def test_a_killed_manager_finds_cameras_and_those_disabled_or_stopped_as_they_were(
    make: Make,
) -> None:
    ports = {name: free_port() for name in ("gfa1", "gfa2", "gfa3")}
    manager = make(ports, SIMCAMERA)
    manager.start()

    async def before() -> None:
        assert (await manager.send("reconnect"))[-1].code == ":"
        assert (await manager.send("disable gfa2"))[-1].code == ":"
        assert (await manager.send("stop -n gfa3"))[-1].code == ":"
        with contextlib.suppress(TimeoutError):
            await manager.send("talk -n gfa1 -- expose 5", limit=1)

    asyncio.run(before())
    old = manager.run("send", "status").stdout
    manager.kill()
    manager.start()

    async def after() -> None:
        assert (await manager.wait_state("gfa1", "READY", 5))[1] == "READY"
        replies = await manager.send("status")
        assert keyword(replies, "enabledNodes") == [["gfa1", "gfa3"]]
        assert keyword(replies, "container", "gfa1")[0][1] in old, "the same process"
        await manager.wait_state("gfa3", "STOPPED", 5)
        assert (await manager.send("talk -n gfa1 ping"))[-1].code == ":"

    asyncio.run(after())


def test_a_killed_manager_says_that_what_ran_is_unknown(make: Make) -> None:
    manager = make({"gfa1": free_port()}, SIMCAMERA)
    manager.start()
    assert manager.run("send", "reconnect").returncode == 0

    async def expose() -> None:
        with contextlib.suppress(TimeoutError):
            await manager.send("talk -n gfa1 -- expose 5", limit=1)

    asyncio.run(expose())
    size = manager.log.stat().st_size
    manager.kill()
    manager.start()

    async def come() -> ActorReply:
        user = await User.come(manager.port)
        try:
            async with asyncio.timeout(5):
                while "unknownCommand" not in (reply := await user.hear()).keywords:
                    pass
            return reply
        finally:
            await user.leave()

    told = asyncio.run(come())
    assert told.code == "w"
    assert told.keywords["unknownCommand"][1:3] == ["talk -n gfa1 -- expose 5", "gfa1"]
    unknown = b"what became of it is unknown"
    asyncio.run(wait(lambda: unknown in manager.log.read_bytes()[size:], 5, "the log says it"))
    said = manager.run("history", "--commands", "--node", "gfa1").stdout
    assert re.search("talk -n gfa1 -- expose 5 +unknown: the manager was killed", said), said


def test_a_container_left_aside_by_a_killed_manager_comes_back_unasked(make: Make) -> None:
    manager = make({"gfa1": free_port()}, SIMCAMERA)
    manager.start()
    assert manager.run("send", "reconnect").returncode == 0
    assert manager.run("send", "stop").returncode == 0
    manager.kill()
    # As it is between the two renames of a reconnect.
    (record,) = manager.pid_file.parent.glob("processes/gfa1/*.json")
    content = json.loads(record.read_text())
    record.write_text(json.dumps({**content, "name": "flicamera-gfa1.old"}))
    intents = manager.pid_file.parent / "intents.json"
    intents.write_text(json.dumps({**json.loads(intents.read_text()), "stopped": []}))
    manager.start()
    asyncio.run(manager.wait_state("gfa1", "READY", 6))


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has nothing to do with us."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        # Whoever ends it, it is no zombie: `fliswarm stop` waits until a process is gone.
        reaper = threading.Thread(target=process.wait)
        reaper.start()
        yield process
        process.kill()
        reaper.join()


def test_a_pid_file_of_a_killed_manager_whose_pid_is_anothers_now_does_not_stop_the_start(
    make: Make, stranger: subprocess.Popen[bytes]
) -> None:
    manager = make({"gfa1": free_port()}, SIMCAMERA)
    manager.pid_file.parent.mkdir(parents=True)
    manager.pid_file.write_text(f"{stranger.pid}\n")
    try:
        manager.start()
    finally:
        if manager.pid_file.read_text().strip() == str(stranger.pid):
            manager.pid_file.unlink()


def test_stop_does_not_end_a_stranger_who_has_the_pid_now(
    make: Make, stranger: subprocess.Popen[bytes]
) -> None:
    manager = make({"gfa1": free_port()}, SIMCAMERA)
    manager.pid_file.parent.mkdir(parents=True)
    manager.pid_file.write_text(f"{stranger.pid}\n")
    try:
        manager.run("stop")
        time.sleep(0.2)
        assert stranger.poll() is None
    finally:
        manager.pid_file.unlink(missing_ok=True)


def test_two_kills_in_a_row_leave_one_camera_that_is_still_watched(make: Make) -> None:
    manager = make({"gfa1": free_port()}, SIMCAMERA)
    manager.start()
    assert manager.run("send", "reconnect").returncode == 0
    pid = json.loads(next(manager.pid_file.parent.glob("processes/gfa1/*.json")).read_text())["pid"]
    for _ in range(2):
        manager.kill()
        manager.start()
    asyncio.run(manager.wait_state("gfa1", "READY", 5))
    assert psutil.pid_exists(pid)
    os.kill(pid, signal.SIGKILL)
    asyncio.run(manager.wait_state("gfa1", "FAILED", 2))
    asyncio.run(manager.wait_state("gfa1", "READY", 10))
