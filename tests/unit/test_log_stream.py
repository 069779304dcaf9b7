"""The log of a container over HTTP, as engines send it and as they should not."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator

import pytest

from fliswarm.engine import LogLine
from fliswarm.engine.docker import DockerEngine
from fliswarm.errors import EngineError, EngineRefused, EngineTimeout, EngineUnreachable

STAMP = "2026-11-21T02:10:03.123456789Z"
TIME = "2026-11-21T02:10:03.123Z"
VERSION = b'HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n{"ApiVersion":"1.41"}'
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


def frame(text: str | bytes, kind: int = 1, stamp: str = STAMP) -> bytes:
    raw = text if isinstance(text, bytes) else text.encode()
    payload = f"{stamp} ".encode() + raw
    return struct.pack(">B3xL", kind, len(payload)) + payload


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


@contextlib.asynccontextmanager
async def engine(
    answer: bytes, piece: int = 1 << 20, end: bool = True
) -> AsyncIterator[DockerEngine]:
    """An engine that answers the question for a log with these bytes."""
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            asked = await reader.readuntil(b"\r\n\r\n")
            if b"/logs?" not in asked:
                writer.write(VERSION)
            for at in range(0, len(answer) if b"/logs?" in asked else 0, piece):
                writer.write(answer[at : at + piece])
                await writer.drain()
                await asyncio.sleep(0)
            if b"/logs?" in asked and not end:
                await over.wait()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    made = DockerEngine("gfa1", f"tcp://127.0.0.1:{port}", 0.5)
    try:
        yield made
    finally:
        over.set()
        made.close()
        server.close()


async def read(answer: bytes, piece: int = 1 << 20, end: bool = True) -> list[LogLine]:
    found: list[LogLine] = []

    async def take(lines: list[LogLine]) -> None:
        found.extend(lines)

    async with engine(answer, piece, end) as made:
        await made.follow("0123456789ab", take)
    return found


LOG = b"".join(
    [
        frame("one\n"), frame(b"caf\xc3\xa9 \xff\r\n", 2), frame("\n"), frame("lo"),
        frame("err\n", 2), frame("ng\n"),
        frame("zone\n", 1, "2026-11-21T04:10:03.123456789+02:00"), frame("no end"),
    ]
)  # fmt: skip
LINES = [
    ("out", "one"), ("err", "café \ufffd"), ("out", ""), ("err", "err"), ("out", "long"),
    ("out", "zone"), ("out", "no end"),
]  # fmt: skip


@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
@pytest.mark.parametrize("size", [5, 1000])
async def test_lines_come_whole_however_they_are_cut(piece: int, size: int) -> None:
    chunks = b"".join(chunk(LOG[at : at + size]) for at in range(0, len(LOG), size))
    found = await read(CHUNKED + chunks + END, piece)
    assert found == [LogLine(TIME, stream, text) for stream, text in LINES]


async def test_a_container_with_a_terminal_has_no_frames() -> None:
    raw = f"{STAMP} one\r\n{STAMP} two\r\n".encode()
    assert [line.text for line in await read(CHUNKED + chunk(raw) + END)] == ["one", "two"]


async def test_a_long_line_is_cut_and_counted() -> None:
    (line,) = await read(CHUNKED + chunk(frame("x" * 16000)) + chunk(frame("y" * 400 + "\n")) + END)
    assert line.text == "x" * 8192 + "… (8,208 bytes left out)"


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (CHUNKED + chunk(frame("one\n")), EngineUnreachable, "broke off"),
        (b"", EngineUnreachable, "without an answer"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 28\r\n\r\n"
         b'{"message":"No such thing"}\n', EngineRefused, "No such thing"),
        (b"HTTP/1.1 500 Oops\r\n\r\n<html>", EngineRefused, "<html>"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", EngineRefused, "not the Engine API's"),
        (CHUNKED + b"zz\r\n", EngineRefused, "not the Engine API's"),
        (CHUNKED + b"7fffffff\r\n", EngineRefused, "a chunk of 2147483647 bytes"),
        (CHUNKED + chunk(b"\1\0\0\0\x7f\xff\xff\xff"), EngineRefused, "no frame of a log"),
        (CHUNKED + chunk(b"\1\0\0\0\0\0\0\4oops"), EngineRefused, "not the Engine API's"),
        (CHUNKED + chunk(frame("json: bad\n", 3)) + END, EngineUnreachable, "cannot read the log"),
    ],
)  # fmt: skip
async def test_what_is_no_log_is_an_error(
    answer: bytes, kind: type[EngineError], words: str
) -> None:
    with pytest.raises(kind) as caught:
        await read(answer)
    assert words in str(caught.value)


async def test_an_engine_that_does_not_answer_is_given_up() -> None:
    with pytest.raises(EngineTimeout):
        await read(b"HTTP/1.1 200 OK\r\n", end=False)


async def test_an_error_of_the_reader_is_its_own() -> None:
    async def take(lines: list[LogLine]) -> None:
        raise KeyError("mine")

    async with engine(CHUNKED + chunk(LOG), end=False) as made:
        with pytest.raises(KeyError):
            await made.follow("0123456789ab", take)
