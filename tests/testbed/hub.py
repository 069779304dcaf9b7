"""The real Tron hub (sdss-tron) in an environment of its own, and a client of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO

from . import cache
from .configuration import ACTOR_PORT
from .machine import Service, TestbedError, claim, demand_free, kill, marked, run

ROLE = "hub"
HOST = "127.0.0.1"
CLIENT_PORT = 6093
LISTENER_PORT = 6095
VERSION = "5.0.0"
USER = "APO.Jose"
START_SECONDS = 30.0
FINAL = (":", "f", "F", "!")
"""The message codes that end a command, of the actors and of the hub itself."""


class Hub:
    """One hub on this machine's ports 6093 (commands) and 6095 (listeners). Needs no root.

    Args:
        root: folder for its logs and its configuration.
        actor_port: where it looks for the actor `fliswarm` on this machine.
    """

    def __init__(self, root: Path, actor_port: int = ACTOR_PORT) -> None:
        self.root = root.resolve()
        self.actor_port = actor_port
        self.log = self.root / "hub.log"
        self.service = Service(ROLE, self.log)
        self._claim: IO[str] | None = None

    def __enter__(self) -> Hub:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, patience: float = 0) -> None:
        """Start it and wait until it answers; a hub that a killed run left is ended first.

        Args:
            patience: seconds to wait for another process whose hub is running.

        Raises:
            TestbedError: its ports are taken, or it did not start.
        """
        if self.service.running:
            return
        self._claim = self._claim or claim("hub", patience)
        try:
            kill(marked(ROLE))
            for port in (CLIENT_PORT, LISTENER_PORT):
                demand_free("", port, "the hub")
            self._launch()
            self.wait_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it; its connections to the actor and to clients break."""
        self.service.stop(signal.SIGTERM, 3)
        if self._claim is not None:
            self._claim.close()
            self._claim = None

    def restart(self) -> None:
        """End it and start it again, as an observer does who restarts the hub."""
        self.service.stop(signal.SIGTERM, 3)
        self.start()

    def wait_ready(self, seconds: float = START_SECONDS) -> None:
        """Wait until it answers a command.

        Raises:
            TestbedError: it ended, or `seconds` passed.
        """
        self.service.wait_ready(self._answers, seconds)

    def ask(self, command: str, seconds: float = 10) -> list[str]:
        """Send one command and return the lines of its answer; not inside an event loop.

        Args:
            command: with its actor, for instance ``fliswarm status``.
            seconds: the deadline.

        Raises:
            TimeoutError: the command did not end in time.
        """

        async def answer() -> list[str]:
            async with self.client() as client:
                return [line async for line in client.send(command, seconds)]

        return asyncio.run(answer())

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[HubClient]:
        """A connection to port 6093; the hub takes a second to accept it."""
        reader, writer = await asyncio.open_connection(HOST, CLIENT_PORT)
        try:
            yield HubClient(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):  # the hub was ended first
                await writer.wait_closed()

    def _answers(self) -> bool:
        try:
            return bool(self.ask("hub status", seconds=5))
        except (OSError, TimeoutError):
            return False

    def _launch(self) -> None:
        package = environment()
        environ = {
            "OBSERVATORY": "LOCAL",
            "TRON_LOG_DIR": str(self.root / "hub"),
            "TRON_DIR": str(package),
            "TRON_PACKAGE_DIR": str(package),
            "CONFIG_DIR": str(self._configure(package)),
        }
        python = package.parents[3] / "bin" / "python"
        self.service.start(python, "runhub.py", cwd=package, env=environ)

    def _configure(self, package: Path) -> Path:
        """Its own LOCAL configuration, less the actors that are not here."""
        folder = self.root / "hub" / "config"
        shutil.copytree(package / "config", folder, dirs_exist_ok=True)
        local = json.loads((folder / "local.json").read_text())
        local["nubs"] = ["client", "nclient", "fliswarm"]
        local["actors"]["fliswarm"].update(host=HOST, port=self.actor_port)
        (folder / "local.json").write_text(json.dumps(local))
        return folder


class HubClient:
    """A program that commands actors by way of the hub."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._number = 0

    async def send(self, command: str, seconds: float = 10) -> AsyncIterator[str]:
        """Send ``APO.Jose N COMMAND`` and give each line of its answer, the last included.

        Raises:
            TimeoutError: the command did not end within `seconds`.
            ConnectionError: the hub closed the connection.
        """
        self._number += 1
        number = str(self._number)
        self._writer.write(f"{USER} {number} {command}\n".encode())
        async with asyncio.timeout(seconds):
            async for line in self.lines():
                words = line.split(" ", 4)
                if words[1:2] != [number] or not words[0].startswith(USER):
                    continue
                yield line
                if len(words) > 3 and words[3] in FINAL:
                    return

    async def lines(self) -> AsyncIterator[str]:
        """Every line that the hub sends from now on, broadcasts too.

        Raises:
            ConnectionError: the hub closed the connection.
        """
        while line := await self._reader.readline():
            yield line.decode(errors="replace").rstrip("\r\n")
        raise ConnectionResetError("the hub closed the connection")


def environment() -> Path:
    """The folder of the `tron` package in a virtual environment made once (about 15 s).

    Raises:
        TestbedError: it could not be installed.
    """

    def make(made: Path) -> None:
        print("installing the hub (about 15 s, once)", flush=True)
        run(sys.executable, "-m", "venv", made)
        run(
            made / "bin" / "python",
            "-m",
            "pip",
            "install",
            f"sdss-tron=={VERSION}",
            seconds=300,
        )

    with cache.locked():
        folder = cache.entry("hub", cache.digest(VERSION, sys.version), make)
    found = list(folder.glob("lib/python*/site-packages/tron"))
    if not found:
        raise TestbedError(f"no package `tron` in {folder}")
    return found[0]
