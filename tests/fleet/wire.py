"""Just enough of HTTP/1.1 for the stub engine: requests in, JSON or an event stream out."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from .closing import close

REASONS = {200: "OK", 201: "Created", 204: "No Content", 304: "Not Modified", 404: "Not Found",
           409: "Conflict", 500: "Internal Server Error"}  # fmt: skip


@dataclass
class Request:
    """One request as it came."""

    method: str
    path: str
    query: dict[str, str]
    body: Any

    @property
    def filters(self) -> dict[str, list[str]]:
        """The `filters` of the query: each a list, also in the older form of a mapping."""
        return {
            key: list(values) for key, values in json.loads(self.query.get("filters", "{}")).items()
        }

    def flag(self, name: str) -> bool:
        return self.query.get(name, "").lower() in ("1", "true")


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """The next request of a connection; None at its end."""
    first = await reader.readline()
    if not first:
        return None
    method, target, _ = first.decode().split()
    length = 0
    while line := (await reader.readline()).strip():
        key, _, value = line.decode().partition(":")
        if key.lower() == "content-length":
            length = int(value)
    raw = await reader.readexactly(length) if length else b""
    url = urlsplit(target)
    path = re.sub(r"^/v1\.\d+(?=/)", "", unquote(url.path))
    query = {key: values[0] for key, values in parse_qs(url.query).items()}
    return Request(method, path, query, json.loads(raw) if raw else None)


def response(status: int, body: Any) -> bytes:
    """A whole response; a body of bytes goes as it is, anything else as JSON."""
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = (
        f"HTTP/1.1 {status} {REASONS[status]}\r\nApi-Version: 1.41\r\nOstype: linux\r\n"
        "Server: Docker/20.10.24 (linux)\r\n"
    )
    if status not in (204, 304):
        head += f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n"
    return head.encode() + b"\r\n" + (b"" if status in (204, 304) else payload)


STREAM = (b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Type: application/json\r\n"
          b"Transfer-Encoding: chunked\r\n\r\n")  # fmt: skip


def chunk(row: dict[str, Any]) -> bytes:
    """One JSON object of a stream."""
    line = json.dumps(row).encode() + b"\n"
    return f"{len(line):x}\r\n".encode() + line + b"\r\n"


Answer = Callable[[Request], Awaitable[tuple[int, Any]]]


@dataclass
class Server:
    """Serves `answer` on one port.

    Connections to /events stay open as `listeners`, and those that follow a container's log as
    `followers`.
    """

    host: str
    port: int
    answer: Answer
    listeners: dict[asyncio.StreamWriter, Request] = field(default_factory=dict)
    followers: dict[asyncio.StreamWriter, Request] = field(default_factory=dict)
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        await close(self._server, self._writers)

    async def follow(
        self,
        request: Request,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        running: bool,
    ) -> None:
        """Give an empty log, which goes on while its container runs."""
        writer.write(STREAM)
        self.followers[writer] = request
        if not running:
            self.end_logs(request.path)
        await reader.read()

    def end_logs(self, path: str) -> None:
        """The container of this path has ended, and with it its log."""
        for writer, request in self.followers.items():
            if request.path == path:
                writer.write(b"0\r\n\r\n")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while request := await read_request(reader):
                status, body = await self.answer(request)
                if request.path == "/events":
                    self.listeners[writer] = request
                    writer.write(STREAM)
                    await reader.read()
                    break
                if status == 200 and request.path.endswith("/logs") and request.flag("follow"):
                    await self.follow(request, reader, writer, bool(body))
                    break
                writer.write(response(status, body))
                await writer.drain()
        self.listeners.pop(writer, None)
        self.followers.pop(writer, None)
        self._writers.discard(writer)
        writer.close()
