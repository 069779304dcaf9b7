"""A real manager with simulated cameras as its processes, in one folder."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import yaml

from fliswarm.client import Client

MARK = "FLIS_SOAK"
"""Environment variable that the manager and its cameras carry; its value is the folder."""
TIMEOUTS = {
    "ping": 0.5, "connect": 1.0, "engine": 2.0, "ready": 25.0, "silence": 3.0, "probe": 2.0,
}  # fmt: skip
FLISWARM = Path(sys.executable).with_name("fliswarm")
INSIDE = Path(__file__).with_name("inside")


class Fleet:
    """Cameras cam01, cam02, … and their manager.

    Args:
        folder: for everything; its name is in the environment of every process.
        count: how many cameras.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self.folder = folder
        self.names = [f"cam{number:02d}" for number in range(1, count + 1)]
        self.state = folder / "state"
        self.file = folder / "soak.yaml"
        ports = _free_ports(count + 1)
        self.port = ports[-1]
        self.ports = dict(zip(self.names, ports, strict=False))
        nodes = {
            name: {"host": "127.0.0.1", "port": port, "docker-client": "process://"}
            for name, port in self.ports.items()
        }
        content = {
            "actor": {"host": "127.0.0.1", "port": self.port},
            "state_dir": str(self.state),
            "timeouts": TIMEOUTS,
            "defaults": {
                "command": [
                    "{python}", "-m", "fliswarm.simcamera", "--name", "{node}",
                    "--port", "{port}", "--size", "64", "--readout-time", "0.05",
                ],
                "environment": {"SIMCAMERA_DATA": str(folder / "data" / "{node}")},
            },
            "nodes": nodes,
        }  # fmt: skip
        self.file.write_text(yaml.safe_dump(content, sort_keys=False))

    # the manager

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join([str(INSIDE), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        return subprocess.run(
            [str(FLISWARM), "-c", str(self.file), *words],
            capture_output=True, text=True, timeout=60, check=False,
            env={**os.environ, MARK: str(self.folder), "PYTHONPATH": path},
        )  # fmt: skip

    async def start(self) -> None:
        done = await asyncio.to_thread(self.run, "start")
        if done.returncode:
            raise RuntimeError(f"the manager does not start: {done.stdout}{done.stderr}")

    async def stop(self) -> None:
        done = await asyncio.to_thread(self.run, "stop")
        if done.returncode:
            raise RuntimeError(f"the manager does not stop: {done.stdout}{done.stderr}")

    @property
    def pid(self) -> int:
        return int((self.state / "fliswarm.pid").read_text())

    async def kill_manager(self) -> None:
        """As the kernel does it when memory is short."""
        pid = self.pid
        os.kill(pid, signal.SIGKILL)
        await wait(lambda: not Path(f"/proc/{pid}").exists(), 10, "the killed manager is gone")

    async def send(self, command: str, limit: float = 60) -> list:  # type: ignore[type-arg]
        async with asyncio.timeout(limit), Client("127.0.0.1", self.port) as client:
            return await client.ask(command)

    # a camera

    def camera_pid(self, name: str) -> int | None:
        """The process of a camera by the manager's own records; None when there is none."""
        for path in self.state.rglob("*.json"):
            try:
                record = json.loads(path.read_text())
            except (OSError, ValueError):
                continue
            if isinstance(record, dict) and record.get("name") == f"flicamera-{name}":
                pid = record.get("pid")
                return pid if pid and _lives(pid) else None
        return None

    async def tell(self, name: str, command: str, limit: float = 2.0) -> str:
        """One command to the camera itself, past the manager; its last line, empty if none."""
        line = b""
        try:
            async with asyncio.timeout(limit):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.ports[name])
                try:
                    writer.write(f"7 {command}\n".encode())
                    while b'"message_code": ":"' not in line and b'"f"' not in line:
                        line = await reader.readuntil()
                finally:
                    writer.close()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return ""
        return line.decode("utf-8", "replace")

    # the end

    def processes(self) -> list[psutil.Process]:
        """Our processes that live."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARK) == str(self.folder) and _lives(process.pid):
                    found.append(process)
            except (psutil.Error, OSError):
                continue
        return found

    def sweep(self) -> None:
        """End whatever of ours is left."""
        for process in self.processes():
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


async def wait(condition: Callable[[], bool], limit: float, what: str) -> float:
    """Wait until something is so; returns the seconds it took.

    Raises:
        TimeoutError: it is not so after `limit` seconds.
    """
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > limit:
            raise TimeoutError(f"not so after {limit:g} s: {what}")
        await asyncio.sleep(0.05)
    return time.monotonic() - began
