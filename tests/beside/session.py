"""A program run as a process, and a user of its actor port who keeps every line."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import re
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from .configuration import OBSERVATORY

START = 30.0
END = 15.0
"""Deadlines in seconds, far beyond what either program needs."""


class Session:
    """A connection to an actor's port; `lines` is all that came, as it came.

    Args:
        is_old: the old program, which tells everybody its status at its start and never ends
            a reboot.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_old: bool
    ) -> None:
        self.lines: list[str] = []
        self.is_old = is_old
        self._reader = reader
        self._writer = writer
        self._ids = itertools.count(1)
        self._came = asyncio.Condition()
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        while line := await self._reader.readline():
            async with self._came:
                self.lines.append(line.decode().rstrip("\n"))
                self._came.notify_all()

    async def close(self) -> None:
        self._writer.close()
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def wait(self, done: Callable[[list[str]], bool], since: int = 0) -> list[str]:
        """Wait until the lines from number `since` on are enough; returns them.

        After the deadline it returns those that came: what is missing shows when they are compared.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END), self._came:
                await self._came.wait_for(lambda: done(self.lines[since:]))
        return self.lines[since:]

    def send(self, command: str) -> int:
        """Send a command and go on; returns its number."""
        number = next(self._ids)
        self._writer.write(f"{number} {command}\n".encode())
        return number

    async def end(self, number: int, since: int) -> list[str]:
        """Wait for the end of a command; returns all lines from number `since` on."""
        last = re.compile(rf"\d+ {number} [:f]")
        return await self.wait(lambda lines: any(last.match(line) for line in lines), since)

    async def ask(self, command: str) -> list[str]:
        """Send a command and return all lines until its end."""
        since = len(self.lines)
        return await self.end(self.send(command), since)


@contextlib.asynccontextmanager
async def running(
    command: Sequence[str], host: str, port: int, home: Path, is_old: bool
) -> AsyncIterator[Session]:
    """Start a program and connect to it; at the end the program is ended.

    Args:
        command: the program with its options.
        host, port: where its actor listens.
        home: its home folder, and where its output goes.
        is_old: see `Session`.
    """
    output = home / "output"
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "OBSERVATORY": OBSERVATORY}
    with output.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *command, env=env, cwd=home, stdout=file, stderr=subprocess.STDOUT
        )
    try:
        session = Session(*await _connect(process, host, port, output), is_old)
        yield session
        await session.close()
    finally:
        await _end(process)


async def _connect(
    process: asyncio.subprocess.Process, host: str, port: int, output: Path
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Try until it listens."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(START):
            while process.returncode is None:
                with contextlib.suppress(OSError):
                    return await asyncio.open_connection(host, port, limit=1 << 20)
                await asyncio.sleep(0.05)
    raise AssertionError(f"it does not listen; its output ends:\n{_last(output)}")


def _last(output: Path) -> str:
    return output.read_text(errors="replace")[-3000:]


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        async with asyncio.timeout(5):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
