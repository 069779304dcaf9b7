"""The log of a Docker container as it is written, read on the event loop.

The SDK reads a stream in a thread of its own, which is too much for five hundred logs that
mostly say nothing. So this is the one request that we make ourselves: `GET
/containers/ID/logs?follow=1` over HTTP/1.1. Each line comes as a frame: a byte for stdout
or stderr, three of nothing, four for the length, then the time and the text (Engine API,
"Attach to a container", stream format). The end is true only when the last chunk says so: an
engine that dies breaks off in the middle.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import datetime

from .logline import TEXT_MOST, LogLine, iso, make_line

Dial = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]

_READ = 1 << 16
_FRAME_MOST = 1 << 20
_HEAD_MOST = 1 << 16
_HEADER = struct.Struct(">B3xL")
_STREAMS = ("out", "out", "err")


class LogRefused(Exception):
    """The engine answered with an error of its own; `status` is that of HTTP."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


class LogBroken(ConnectionError):
    """The stream ended before the log did."""


def path(version: str, container_id: str, since: str) -> str:
    """The request's path; `since` as a line bears its time, or empty."""
    query = "stdout=1&stderr=1&timestamps=1&follow=1"
    if since:
        query += f"&since={datetime.fromisoformat(since).timestamp():.3f}"
    return f"/v{version}/containers/{container_id}/logs?{query}"


async def read(dial: Dial, request: str, timeout: float) -> AsyncGenerator[list[LogLine]]:
    """The lines of a log, in batches, until the engine says that it is over.

    `dial` and the head of the answer may take `timeout` seconds; the lines come when they
    come.

    Raises:
        LogRefused: the engine's answer is an error.
        LogBroken: the stream ended before the log did.
        OSError, TimeoutError, ValueError: no connection, no answer, or not the Engine API's.
    """
    async with asyncio.timeout(timeout):
        reader, writer = await dial()
    try:
        async with asyncio.timeout(timeout):
            writer.write(f"GET {request} HTTP/1.1\r\nHost: engine\r\n\r\n".encode())
            body = await _head(reader)
        frames = Frames()
        while not body.over:
            data = await reader.read(_READ)
            lines = frames.feed(body.feed(data))
            if lines:
                yield lines
            if not data and not body.over:
                raise LogBroken("the log's stream broke off")
        if lines := frames.rest():
            yield lines
    finally:
        writer.close()
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await writer.wait_closed()


async def connect(
    host: str,
    port: int,
    options: list[tuple[int, int, int]],
    context: ssl.SSLContext | None = None,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A TCP connection with these socket options, over TLS where there is a context."""
    # One that does not say goodbye over TLS must not hold up whoever closes.
    bye = 1.0 if context is not None else None
    reader, writer = await asyncio.open_connection(
        host, port, ssl=context, ssl_shutdown_timeout=bye
    )
    tune(writer, options)
    return reader, writer


def tune(writer: asyncio.StreamWriter, options: list[tuple[int, int, int]]) -> None:
    """Set socket options, so that a computer that is gone is noticed."""
    plug: socket.socket = writer.get_extra_info("socket")
    for option in options:
        plug.setsockopt(*option)


async def _head(reader: asyncio.StreamReader) -> Body:
    """Status and headers; an error of the engine is raised with its words."""
    head = await _lines(reader)
    status = int(head[0].split()[1])
    fields = dict(line.lower().split(": ", 1) for line in head[1:] if ": " in line)
    length = int(fields["content-length"]) if "content-length" in fields else None
    body = Body("chunked" in fields.get("transfer-encoding", ""), length)
    if status == 200:
        return body
    text = b""
    while not body.over and len(text) < _HEAD_MOST and (data := await reader.read(_READ)):
        text += body.feed(data)
    words = text.decode("utf-8", "replace").strip()
    with contextlib.suppress(ValueError, KeyError, TypeError):
        words = str(json.loads(text)["message"])
    raise LogRefused(status, words or f"HTTP status {status}")


async def _lines(reader: asyncio.StreamReader) -> list[str]:
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        raw = b""
    except asyncio.LimitOverrunError as error:
        raise ValueError("a head without an end") from error
    if not raw:
        raise LogBroken("the engine ended the connection without an answer")
    lines = raw.decode("latin-1").split("\r\n")
    if not lines[0].startswith("HTTP/1."):
        raise ValueError(f"no HTTP: {lines[0][:60]!r}")
    return lines


class Body:
    """The body of an answer: in chunks, of a known length, or up to the end of the stream."""

    __slots__ = ("_chunked", "_left", "_rest", "over")

    def __init__(self, chunked: bool, length: int | None) -> None:
        self._chunked = chunked
        self._left = length
        self._rest = b""
        self.over = not chunked and length == 0

    def feed(self, data: bytes) -> bytes:
        """What of the body is in these bytes; sets `over` at its end."""
        if self._chunked:
            return self._unpack(self._rest + data)
        if self._left is None:
            self.over = not data
            return data
        self._left -= len(data)
        self.over = self._left <= 0
        return data

    def _unpack(self, data: bytes) -> bytes:
        found, at = [], 0
        while not self.over:
            end = data.find(b"\r\n", at)
            if end < 0:
                if len(data) - at > 64:
                    raise ValueError("a chunk without a length")
                break
            size = int(data[at:end].partition(b";")[0], 16)
            if size > _FRAME_MOST:
                raise ValueError(f"a chunk of {size} bytes")
            begin = end + 2
            if len(data) < begin + size + 2:
                break
            self.over = size == 0
            found.append(data[begin : begin + size])
            at = begin + size + 2
        self._rest = data[at:]
        return b"".join(found)


class Frames:
    """Bytes of a log to lines. A container with a terminal has lines without frames."""

    __slots__ = ("_framed", "_half", "_rest")

    def __init__(self) -> None:
        self._framed: bool | None = None
        self._rest = b""
        self._half: dict[str, tuple[str, bytes, int]] = {}

    def feed(self, data: bytes) -> list[LogLine]:
        """The lines that are whole now.

        Raises:
            LogBroken: the engine cannot read its own log; its words.
            ValueError: this is no log of an engine.
        """
        rest = self._rest + data
        if self._framed is None and rest:
            self._framed = rest[0] <= 3
        lines: list[LogLine] = []
        at = self._frames(rest, lines) if self._framed else self._plain(rest, lines)
        self._rest = rest[at:]
        if len(self._rest) > _FRAME_MOST + _HEADER.size:
            raise ValueError("a line without an end")
        return lines

    def rest(self) -> list[LogLine]:
        """What was begun and never got its end of line."""
        halves, self._half = self._half, {}
        return [make_line(time, stream, raw, over) for stream, (time, raw, over) in halves.items()]

    def _frames(self, data: bytes, lines: list[LogLine]) -> int:
        at = 0
        while len(data) - at >= _HEADER.size:
            kind, size = _HEADER.unpack_from(data, at)
            if kind > 3 or size > _FRAME_MOST:
                raise ValueError(f"no frame of a log: kind {kind}, {size} bytes")
            begin = at + _HEADER.size
            if len(data) - begin < size:
                break
            at = begin + size
            if kind == 3:
                words = data[begin:at].decode("utf-8", "replace").strip()
                raise LogBroken(f"the engine cannot read the log: {words}")
            self._add(_STREAMS[kind], data[begin:at], lines)
        return at

    def _plain(self, data: bytes, lines: list[LogLine]) -> int:
        at = 0
        while (end := data.find(b"\n", at)) >= 0:
            self._add("out", data[at : end + 1], lines)
            at = end + 1
        return at

    def _add(self, stream: str, payload: bytes, lines: list[LogLine]) -> None:
        """One message; a long line comes as several, of which only the last has an end."""
        stamp, _, raw = payload.partition(b" ")
        half = self._half.pop(stream, None) if self._half else None
        whole = raw.endswith(b"\n")
        raw = raw.removesuffix(b"\n")
        if half is None and whole:
            lines.append(make_line(_time(stamp), stream, raw))
            return
        time, before, over = half or (_time(stamp), b"", 0)
        raw = before + raw
        over += max(0, len(raw) - TEXT_MOST)
        if whole:
            lines.append(make_line(time, stream, raw[:TEXT_MOST], over))
        else:
            self._half[stream] = (time, raw[:TEXT_MOST], over)


def _time(stamp: bytes) -> str:
    """``2026-11-21T02:10:03.123456789Z`` to milliseconds; other zones to UTC."""
    text = stamp.decode("ascii")
    if len(text) == 30 and text[-1] == "Z":
        return f"{text[:23]}Z"
    return iso(datetime.fromisoformat(text))
