"""All runs of both programs: each on a fresh fleet, all at the same time where they may be."""

from __future__ import annotations

import asyncio
import random
import re
import socket
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ..fleet.fleet import StubFleet
from ..fleet.wire import Request
from .configuration import IMAGE, documented, layout_07
from .script import NAMES, SCRIPTS
from .session import running

OURS = str(Path(sys.executable).with_name("fliswarm"))


@dataclass
class Record:
    """What one program did.

    Attributes:
        steps: step to the lines that came for us alone, as they came.
        everybody: the lines for all users, of the whole session.
        requests: node to the requests that its engine had.
        hub: what the hub was told.
        connections: how many connections the hub had at the end.
        cameras: camera to the commands that it had.
    """

    steps: dict[str, list[str]]
    everybody: list[str]
    requests: dict[str, list[Request]]
    hub: list[str]
    connections: int
    cameras: dict[str, list[str]]


@dataclass
class Pair:
    """What the old program and ours did in one script."""

    script: str
    old: Record
    ours: Record


def free_ports(count: int) -> list[int]:
    """Ports that are free on all of loopback, below those that the system hands out."""
    found: list[int] = []
    for port in random.sample(range(20000, 30000), 2000):
        with socket.socket() as probe:
            try:
                probe.bind(("", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise AssertionError("no free ports")


class Recorder:
    """Runs the programs.

    Args:
        old: what starts sdss-fliswarm.
        folder: for configurations, homes and the files of simulate.
    """

    def __init__(self, old: list[str], folder: Path) -> None:
        self.folder = folder
        self.ports = free_ports(2 * len(NAMES) + 2)
        self.files = folder / "files"
        self.files.mkdir()
        for name in ("image", *(f"gimg-{name}" for name in NAMES)):
            (self.files / f"{name}-0001.fits").touch()
        start = ["start", "--debug"]
        self.old = Program(old, ["actor", *start], layout_07, is_old=True)
        self.same = Program([OURS], ["actor", *start], layout_07)
        self.documented = Program([OURS], start, documented)

    async def all(self) -> dict[str, Pair]:
        """Everything: what shares an address runs one after another, the rest at once.

        Returns:
            `same file` and `documented` (layout) for the main script, and one for each other.
        """
        async with asyncio.TaskGroup() as group:
            main = group.create_task(self._same_file())
            ours = group.create_task(self.run(self.documented, "127.0.0.2", "main"))
            others = {
                script: [
                    group.create_task(self.run(self.old, f"127.0.0.{10 * number}", script)),
                    group.create_task(
                        self.run(self.documented, f"127.0.0.{10 * number + 1}", script)
                    ),
                ]
                for number, script in enumerate(("foreign", "power"), 1)
            }
        pair = main.result()
        pairs = {script: Pair(script, *(t.result() for t in two)) for script, two in others.items()}
        return {"same file": pair, "documented": Pair("main", pair.old, ours.result()), **pairs}

    async def _same_file(self) -> Pair:
        """Ours takes the very file of the old program, unchanged."""
        old = await self.run(self.old, "127.0.0.1", "main")
        text = self._file("127.0.0.1").read_bytes()
        ours = await self.run(self.same, "127.0.0.1", "main")
        assert self._file("127.0.0.1").read_bytes() == text
        return Pair("main", old, ours)

    async def run(self, program: Program, address: str, script: str) -> Record:
        """One program on a fleet of its own, through all steps of a script."""
        steps = SCRIPTS[script](self.files)
        *ports, port = self.ports
        home = Path(tempfile.mkdtemp(dir=self.folder, prefix="home-"))
        async with StubFleet(NAMES, address, ports) as fleet:
            _furnish(fleet)
            file = self._file(address)
            _write(file, program.layout(fleet, port))
            command = [*program.command, "-c", str(file), *program.words]
            async with running(command, address, port, home, program.is_old) as session:
                said = {step.name: await step.act(session, fleet) for step in steps}
                everything, connections = session.lines, len(fleet.hub.writers)
        nodes = fleet.nodes
        return Record(
            {name: _plain(lines, address, "[^0]") for name, lines in said.items()},
            _plain(everything, address, "0"),
            {name: node.engine.requests for name, node in nodes.items()},
            fleet.hub.commands,
            connections,
            {name: node.camera.commands for name, node in nodes.items()},
        )

    def _file(self, address: str) -> Path:
        return self.folder / f"{address}.yaml"


@dataclass(frozen=True)
class Program:
    """What starts a program, the words after the configuration file, and the file's layout."""

    command: list[str]
    words: list[str]
    layout: Callable[[StubFleet, int], dict[str, Any]]
    is_old: bool = False


def _plain(lines: list[str], address: str, user: str) -> list[str]:
    """The lines of a user, whatever the address was that the fleet stood on."""
    return [line.replace(address, "127.0.0.1") for line in lines if re.match(user, line)]


def _write(file: Path, data: dict[str, Any]) -> None:
    file.write_text(yaml.safe_dump(data, sort_keys=False))


def _furnish(fleet: StubFleet) -> None:
    """A container on each node, made by hand."""
    for name, node in fleet.nodes.items():
        node.engine.add_container(f"flicamera-{name}", IMAGE)
