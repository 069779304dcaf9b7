"""A simulated camera as a real process, and a client on a real socket."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

from fliswarm.protocol import Code, Reply, encode_command, parse

DEADLINE = 20.0
"""Seconds that anything may take; far more than it does."""

LISTENING = re.compile(r"simcamera (\S+): listening on \S+:(\d+), files in (.*), faults: .*\n")


def command_line(*options: str) -> list[str]:
    return [sys.executable, "-m", "fliswarm.simcamera", *options]


def environment(**variables: str) -> dict[str, str]:
    """Ours without what would change a camera, and with what is asked for."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("FLISWARM_", "SIMCAMERA_")) and name != "OBSERVATORY"
    }
    return kept | variables


class Sim:
    """A camera that runs; its stderr after the first line is in `ended`'s answer."""

    def __init__(self, process: asyncio.subprocess.Process, line: str) -> None:
        match = LISTENING.fullmatch(line)
        assert match, line
        self.process = process
        self.line = line
        self.port = int(match[2])
        self.folder = Path(match[3])

    @classmethod
    async def start(cls, *options: str, **variables: str) -> Self:
        process = await asyncio.create_subprocess_exec(
            *command_line("--port", "0", *options),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(**variables),
        )
        try:
            assert process.stderr
            async with asyncio.timeout(DEADLINE):
                return cls(process, (await process.stderr.readline()).decode())
        except BaseException:
            process.kill()
            await process.communicate()
            raise

    async def ended(self) -> tuple[int, str]:
        """Wait for the end: the exit code and what was said on stderr since the start."""
        async with asyncio.timeout(DEADLINE):
            _, errors = await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode, errors.decode()

    async def kill(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.communicate()


class Client:
    """One connection; every wait has the deadline."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._last_id = 0

    @classmethod
    async def connect(cls, port: int) -> Self:
        async with asyncio.timeout(DEADLINE):
            return cls(*await asyncio.open_connection("127.0.0.1", port, limit=1 << 27))

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()

    def send(self, command: str) -> int:
        """Send a command; its id."""
        self._last_id += 1
        self.writer.write(encode_command(self._last_id, command))
        return self._last_id

    async def line(self) -> bytes:
        """The next line without its newline; empty at the end of the stream."""
        async with asyncio.timeout(DEADLINE):
            return (await self.reader.readline()).rstrip(b"\n")

    async def reply(self) -> Reply:
        return parse(await self.line())

    async def replies(self, command_id: int) -> list[Reply]:
        """The replies to a command up to its end; others and broadcasts are passed over."""
        found: list[Reply] = []
        while not (found and found[-1].code.is_final):
            reply = await self.reply()
            if reply.command_id == command_id:
                found.append(reply)
        return found

    async def ask(self, command: str) -> list[Reply]:
        return await self.replies(self.send(command))

    async def data(self, command: str) -> list[dict[str, Any]]:
        """What a command answers, without empty lines; it must not fail."""
        replies = await self.ask(command)
        assert replies[0].code is Code.RUNNING
        assert replies[-1].code is Code.DONE, replies[-1]
        return [reply.data for reply in replies if reply.data]

    async def failure(self, command: str) -> dict[str, Any]:
        """The last line of a command that must fail."""
        last = (await self.ask(command))[-1]
        assert last.code is Code.FAILED, last
        return last.data

    async def filename(self, command: str) -> Path:
        """The file of an exposure."""
        (name,) = values(await self.ask(command), "filename")
        return Path(name["filename"])

    async def filename_of_last(self) -> Path:
        """The file of the exposure that is under way."""
        (name,) = values(await self.replies(self._last_id), "filename")
        return Path(name["filename"])


def values(replies: Iterable[Reply], keyword: str) -> list[Any]:
    return [reply.data[keyword] for reply in replies if keyword in reply.data]
