"""Engines over ssh, as far as no sshd is needed: the real ssh, and a port that says nothing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from fliswarm.config import ssh_parts
from fliswarm.engine import DockerEngine, ssh
from fliswarm.errors import EngineTimeout, EngineUnreachable

needs_ssh = pytest.mark.skipif(shutil.which("ssh") is None, reason="there is no ssh here")


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of somebody who accepts connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files are made."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def of_ssh() -> list[psutil.Process]:
    return [c for c in psutil.Process(os.getpid()).children() if "ssh" in c.name()]


@needs_ssh
async def test_an_ssh_that_hangs_has_a_deadline_and_is_ended(silent: int) -> None:
    engine = DockerEngine("gfa1", f"ssh://observer@127.0.0.1:{silent}", 0.6)
    began = time.monotonic()
    try:
        with pytest.raises(EngineTimeout) as caught:
            await engine.check()
        assert time.monotonic() - began < 2
        assert caught.value.cause == "ssh observer@127.0.0.1: no connection after 0.6 s"
    finally:
        engine.close()
    assert [p for p in of_ssh() if p.status() != psutil.STATUS_ZOMBIE] == []


@needs_ssh
async def test_those_who_wait_for_an_ssh_that_hangs_wait_once(silent: int) -> None:
    engine = DockerEngine("gfa1", f"ssh://127.0.0.1:{silent}", 0.6)
    began = time.monotonic()
    found = await asyncio.gather(*(engine.check() for _ in range(4)), return_exceptions=True)
    engine.close()
    assert [type(error) for error in found] == [EngineTimeout] * 4
    assert time.monotonic() - began < 2


@needs_ssh
async def test_the_end_of_the_manager_ends_an_ssh_that_hangs(silent: int, folder: Path) -> None:
    engine = DockerEngine("gfa1", f"ssh://127.0.0.1:{silent}", 20)
    asking = asyncio.create_task(engine.check())
    async with asyncio.timeout(5):
        while not of_ssh():
            await asyncio.sleep(0.02)
    (process,) = of_ssh()
    words = process.cmdline()
    assert {"BatchMode=yes", "StrictHostKeyChecking=yes", "ConnectTimeout=20"} <= set(words)
    assert words[-3:] == ["--", "127.0.0.1", "cat"]
    engine.close()
    async with asyncio.timeout(2):
        with pytest.raises(EngineUnreachable):
            await asking
    with contextlib.suppress(psutil.NoSuchProcess):
        assert process.status() == psutil.STATUS_ZOMBIE
    assert os.listdir(folder) == []
    with pytest.raises(EngineUnreachable):
        await engine.check()


def test_only_what_killed_managers_left_is_removed(folder: Path) -> None:
    old = time.time() - 2 * ssh.YOUNG
    made = {name: folder / f"{ssh.FOLDER}{name:_<8}" for name in ("left", "held", "other", "young")}
    for path in made.values():
        path.mkdir(mode=0o700)
        (path / "s").touch()
    (made["other"] / "data").touch()
    for name in ("left", "held", "other"):
        os.utime(made[name], (old, old))
    hold = ssh._hold(made["held"])
    assert hold is not None
    ssh.clear_left()
    assert set(folder.iterdir()) == {made["held"], made["other"], made["young"]}
    os.close(hold)
    ssh.clear_left()
    assert set(folder.iterdir()) == {made["other"], made["young"]}


async def test_a_manager_without_ssh_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    engine = DockerEngine("gfa1", "ssh://gfa1", 1)
    with pytest.raises(EngineUnreachable, match="cannot run ssh: no such file or directory"):
        await engine.check()
    engine.close()


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("ssh://gfa1", (None, "gfa1", None, "/var/run/docker.sock")),
        ("ssh://observer@gfa1.apo", ("observer", "gfa1.apo", None, "/var/run/docker.sock")),
        ("ssh://o.b-s@10.1.1.11:2222", ("o.b-s", "10.1.1.11", 2222, "/var/run/docker.sock")),
        ("ssh://o@[fd00::1]:22/run/d.sock", ("o", "fd00::1", 22, "/run/d.sock")),
    ],
)
def test_the_parts_of_an_address(address: str, parts: tuple[object, ...]) -> None:
    assert ssh_parts(address) == parts
