"""Cameras for the tests: a stub that misbehaves as told, and the simulated one as a process."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fliswarm.camera import Camera
from fliswarm.errors import CameraError
from fliswarm.protocol import Reply
from tests.fleet.camera import Say, StubCamera
from tests.simcamera.support import LISTENING, command_line, environment


@dataclass
class WildCamera(StubCamera):
    """A stub that can be silent, and knows ``never`` (no end) and ``raw`` (says `noise`)."""

    silent: bool = False
    noise: bytes = b""
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    def answer(self, line: str, writer: asyncio.StreamWriter) -> None:
        self.heard.set()
        if self.silent:
            self.commands.append(line.strip().partition(" ")[2])
            return
        super().answer(line, writer)
        if line.split()[1] == "raw":
            writer.write(self.noise.replace(b"ID", line.split(maxsplit=1)[0].encode()))

    def do_never(self, say: Say, args: list[str]) -> None:
        say("i", text="I have begun")

    def do_raw(self, say: Say, args: list[str]) -> None:
        say("i", text="here it comes")


@dataclass
class Heard:
    """What a camera connection tells unasked."""

    broadcasts: list[Reply] = field(default_factory=list)
    losses: list[CameraError] = field(default_factory=list)


@contextlib.asynccontextmanager
async def connected(
    port: int, silence: float = 10.0, heard: Heard | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[Camera]:
    """A connection of ours to the camera at a port."""
    heard = heard or Heard()
    camera = Camera(
        "gfa1", host, port, connect_timeout=2.0, silence=silence,
        on_broadcast=heard.broadcasts.append, on_lost=heard.losses.append,
    )  # fmt: skip
    await camera.connect()
    try:
        yield camera
    finally:
        camera.close("the test is over")


@contextlib.asynccontextmanager
async def wild(**options: Any) -> AsyncIterator[WildCamera]:
    """A wild camera that listens."""
    camera = WildCamera("gfa1", **options)
    await camera.start()
    try:
        yield camera
    finally:
        await camera.stop()


@contextlib.contextmanager
def simulated(folder: Path, *options: str) -> Iterator[int]:
    """The port of a simulated camera; its process is ended."""
    process = subprocess.Popen(
        command_line("--port", "0", "--name", "gfa1", "--data", str(folder), "--size", "64",
                     *options),
        stderr=subprocess.PIPE, text=True, env=environment(),
    )  # fmt: skip
    with process:
        try:
            assert process.stderr is not None
            match = LISTENING.fullmatch(process.stderr.readline())
            assert match
            yield int(match[2])
        finally:
            process.kill()


@contextlib.contextmanager
def blackhole() -> Iterator[int]:
    """A port of this computer where connections are neither made nor refused."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(3):  # the queue of those to be accepted is full, further ones wait
            guest = stack.enter_context(socket.socket())
            guest.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                guest.connect(server.getsockname())
        yield int(server.getsockname()[1])
