"""Starting the fleet, the bare client and the two programs; a user of an actor's port."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import yaml

from ..beside.configuration import OBSERVATORY, documented, layout_07
from ..beside.record import free_ports
from .fleetside import MANAGER

ROOT = Path(__file__).parents[2]
OURS = str(Path(sys.executable).with_name("fliswarm"))
START = 60.0
ANSWER = 60.0
"""Deadlines in seconds for a start and for one command, far beyond what either needs."""


class BenchError(Exception):
    """A measurement cannot be made; its text says why."""


def raise_limits() -> None:
    """As many open files as the system allows; all that is started here inherits it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class _Module:
    """One of our own modules as a process with lines of JSON."""

    def __init__(self, name: str, *words: str) -> None:
        self.name = name
        command = [sys.executable, "-m", f"tests.bench.{name}", *words]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def hear(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise BenchError(f"{self.name} has ended")
        return json.loads(line)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


class Fleet(_Module):
    """The stub fleet."""

    def __init__(self, count: int) -> None:
        # An address of its own: managers of other tests on this machine go on knocking at
        # the ports that they once knew.
        host = f"127.{random.randint(80, 250)}.{random.randint(1, 250)}.1"
        super().__init__("fleetside", str(count), host)
        said = self.hear()
        self.host = host
        self.ports: dict[str, tuple[int, int]] = said["ports"]
        self.names = list(self.ports)
        self.hub = said["hub"]

    @property
    def facts(self) -> Any:
        """What the layouts of tests/beside want to know of a fleet."""
        nodes = {
            name: SimpleNamespace(
                camera=SimpleNamespace(port=camera),
                engine=SimpleNamespace(address=f"tcp://{self.host}:{engine}"),
            )
            for name, (camera, engine) in self.ports.items()
        }
        hub = SimpleNamespace(port=self.hub)
        return SimpleNamespace(host=self.host, names=self.names, nodes=nodes, hub=hub)

    def die(self, name: str) -> None:
        """Let a node's container die."""
        self.tell(f"die {name}")


class Bare(_Module):
    """The bare client, connected to every camera of a fleet."""

    def __init__(self, fleet: Fleet) -> None:
        super().__init__("bare")
        ports = [camera for camera, _ in fleet.ports.values()]
        self.tell(json.dumps({"host": fleet.host, "ports": ports}))
        self.hear()

    def ask(self, count: int, command: str) -> list[float]:
        """Seconds of each of `count` times."""
        self.tell(f"{count} {command}")
        found: list[float] = self.hear()
        return found


class User:
    """A connection to an actor's port. It blocks, and does as little as can be done."""

    def __init__(self, host: str, port: int) -> None:
        self.socket = socket.create_connection((host, port), 5)
        self.socket.settimeout(ANSWER)
        self.number = 0
        self.rest = b""

    def ask(self, command: str) -> tuple[float, bytes]:
        """Send a command; seconds until its end has come, and all that came."""
        self.number += 1
        last = re.compile(rb"(?:^|\n)\d+ %d [:f](?: [^\n]*)?\n" % self.number)
        parts, tail = [], b""
        began = time.monotonic()
        self.socket.sendall(b"%d %s\n" % (self.number, command.encode()))
        while True:
            part = self.socket.recv(1 << 18)
            if not part:
                raise BenchError("the actor closed the connection")
            parts.append(part)
            if last.search(tail + part):
                return time.monotonic() - began, b"".join(parts)
            tail = (tail + part)[-1000:]

    def wait(self, pattern: bytes, limit: float) -> float:
        """The moment at which a line with this pattern has come."""
        until = time.monotonic() + limit
        wanted = re.compile(pattern)
        while time.monotonic() < until:
            self.socket.settimeout(max(0.001, until - time.monotonic()))
            with contextlib.suppress(TimeoutError):
                self.rest += self.socket.recv(1 << 18)
            found = wanted.search(self.rest)
            *_, self.rest = self.rest.rpartition(b"\n")
            if found:
                self.socket.settimeout(ANSWER)
                return time.monotonic()
        raise BenchError(f"no line with {pattern!r} in {limit:g} s")

    def close(self) -> None:
        self.socket.close()


@dataclass
class Running:
    """A program that runs: its process, its port, and how long it took to listen."""

    is_old: bool
    process: psutil.Process
    host: str
    port: int
    ready: float
    began: float

    @contextlib.contextmanager
    def user(self) -> Iterator[User]:
        user = User(self.host, self.port)
        try:
            yield user
        finally:
            user.close()


@contextlib.contextmanager
def running(fleet: Fleet, old: list[str] | None = None) -> Iterator[Running]:
    """One of the programs over a fleet: sdss-fliswarm if `old` starts it, else ours."""
    (port,) = free_ports(1)
    with tempfile.TemporaryDirectory(prefix="fliswarm-bench-") as folder:
        file = Path(folder) / "swarm.yaml"
        file.write_text(_configuration(fleet, port, Path(folder), old is not None))
        with launched(file, fleet.host, port, old) as program:
            yield program


@contextlib.contextmanager
def launched(file: Path, host: str, port: int, old: list[str] | None = None) -> Iterator[Running]:
    """One of the programs with a configuration file, whose folder is its home."""
    words = ["actor", "start", "--debug"] if old else ["start", "--debug"]
    command = [*(old or [OURS]), "-c", str(file), *words]
    env = {"PATH": os.environ["PATH"], "HOME": str(file.parent), "OBSERVATORY": OBSERVATORY}
    output = file.with_suffix(".output")
    began = time.monotonic()
    with output.open("wb") as words_of_it:
        popen = subprocess.Popen(
            command, env=env, cwd=file.parent, stdout=words_of_it, stderr=subprocess.STDOUT
        )
    try:
        ready = _listens(popen, host, port, output) - began
        process = psutil.Process(popen.pid)
        yield Running(old is not None, process, host, port, ready, began)
    finally:
        _end(popen)


def _configuration(fleet: Fleet, port: int, home: Path, is_old: bool) -> str:
    """The same swarm for both; our own manager finds that the containers are its own."""
    if is_old:
        return yaml.safe_dump(layout_07(fleet.facts, port), sort_keys=False)
    state = home / "state"
    state.mkdir()
    intents = {"manager": MANAGER, "configured": sorted(fleet.names)}
    (state / "intents.json").write_text(json.dumps(intents))
    data = {**documented(fleet.facts, port), "state_dir": str(state)}
    return yaml.safe_dump(data, sort_keys=False)


def _listens(popen: subprocess.Popen[bytes], host: str, port: int, output: Path) -> float:
    until = time.monotonic() + START
    while popen.poll() is None and time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection((host, port), 1):
            return time.monotonic()
        time.sleep(0.01)
    raise BenchError(f"it does not listen; it said:\n{output.read_text()[-3000:]}")


def _end(popen: subprocess.Popen[bytes]) -> None:
    popen.send_signal(signal.SIGINT)
    try:
        popen.wait(10)
    except subprocess.TimeoutExpired:
        popen.kill()
        popen.wait()
