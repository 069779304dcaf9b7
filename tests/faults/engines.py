"""A Docker engine that misbehaves as told, on a real socket.

A stub of the Engine API (tests/fleet), because a real dockerd cannot be made to answer 500, to
stop in the middle of a reply, or to speak garbage. What a real one can be made to do is done
with a real one, in test_real_engines.py and tests/engines.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.fleet import wire
from tests.fleet.engine import StubEngine

from .cameras import WildCamera

GARBAGE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n\xff{[garba"
)
SHAPES = b'["no", 1, null]'


@dataclass
class FaultyServer(wire.Server):
    """The stub's server with faults.

    Attributes:
        mode: ``well``, ``hang`` (nothing at all), ``hang-middle``, ``500``, ``garbage`` (no
            JSON), ``shape`` (JSON of another shape).
        only: what the mode is for, as a regular expression of "METHOD /path"; all when empty.
        events: ``well``, ``close`` (ends at once), ``garbage`` (bytes without end of line, then
            the end), ``shape`` (JSON that is no event, then the end), ``endless`` (bytes
            without end of line for ever).
        poured: how many bytes ``endless`` has written.
    """

    mode: str = "well"
    only: str = ""
    events: str = "well"
    poured: int = 0
    asked: Counter[str] = field(default_factory=Counter)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while request := await wire.read_request(reader):
                self.asked[request.path] += 1
                fits = re.search(self.only, f"{request.method} {request.path}")
                if fits and self.mode != "well":
                    if not await self._spoil(request, writer):
                        break
                elif request.path == "/events":
                    await self._stream(request, reader, writer)
                    break
                else:
                    status, body = await self.answer(request)
                    if status == 200 and request.path.endswith("/logs") and request.flag("follow"):
                        await self.follow(request, reader, writer, bool(body))
                        break
                    writer.write(wire.response(status, body))
                    await writer.drain()
        self.listeners.pop(writer, None)
        self.followers.pop(writer, None)
        self._writers.discard(writer)
        writer.close()

    async def _spoil(self, request: wire.Request, writer: asyncio.StreamWriter) -> bool:
        """A reply as the mode says; whether the connection goes on."""
        if self.mode == "500":
            writer.write(wire.response(500, {"message": "the engine has a bad day"}))
        elif self.mode == "shape":
            writer.write(wire.response(200, SHAPES))
        elif self.mode == "garbage":
            writer.write(GARBAGE)
        else:
            if self.mode == "hang-middle":
                writer.write(wire.response(200, {"Version": "20.10"})[:-6])
            await self.released.wait()
            return False
        await writer.drain()
        return True

    async def _stream(
        self, request: wire.Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(wire.STREAM)
        if self.events == "garbage":
            part = b"\xff\x00garbage" * 100
            writer.write(f"{len(part):x}\r\n".encode() + part + b"\r\n0\r\n\r\n")
        elif self.events == "shape":
            part = b'[1, 2]\n"three"\n'
            writer.write(f"{len(part):x}\r\n".encode() + part + b"\r\n0\r\n\r\n")
        elif self.events == "endless":
            part = b"x" * 65536
            while True:
                writer.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
                await writer.drain()
                self.poured += len(part)
        elif self.events == "close":
            writer.write(b"0\r\n\r\n")
        else:
            self.listeners[writer] = request
            await reader.read()


@dataclass
class FaultyEngine(StubEngine):
    """One engine; `be()` makes it misbehave."""

    async def start(self) -> FaultyEngine:
        self.server = FaultyServer(self.host, self.port, self._answer)
        await self.server.start()
        self.port = self.server.port
        return self

    @property
    def faulty(self) -> FaultyServer:
        assert isinstance(self.server, FaultyServer)
        return self.server

    def be(self, mode: str, only: str = "") -> None:
        """Misbehave from now on; ``well`` lets go of all that hangs."""
        self.faulty.mode, self.faulty.only = mode, only
        if mode == "well":
            self.faulty.released.set()
            self.faulty.released = asyncio.Event()

    def follow(self, camera: WildCamera) -> None:
        """The camera is there while a container runs."""

        async def changed() -> None:
            if self.running and camera.server is None:
                await camera.start()
            elif not self.running and camera.server is not None:
                await camera.stop()

        self.changed = changed

    def end_events(self) -> None:
        """End the event streams that are open."""
        for writer in list(self.faulty.listeners):
            writer.transport.abort()

    def die(self, container: dict[str, Any]) -> None:
        """A container dies unasked."""
        self._die(container)
