"""The actor's port: bounded lines in, whole turns of lines out."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from clu.protocol import TCPStreamServer

MAX_ASKED = 100_000
"""The longest command of a user, in bytes: the longest for a camera (65,000) with our options.

Splitting a command into words takes longer by the square of the longest word (1 s at 350 kB),
and everybody waits for it.
"""
USER_BUFFER = 16 << 20
"""How many bytes may wait for one user who does not read (16 MiB) before it is dropped."""

HEAD = 64
"""How many bytes of an over-long line are kept: enough for the command's number."""

LINGER = 3600.0
"""How long a user who has closed its half still gets its answers, in seconds.

A long exposure is legal; after that the user hears no more of it.
"""
HOLD = 0.001
"""How long a line may wait for others to go with it, in seconds; the end of a command does not."""
CLOSE = 10.0
"""How long a user may take to read what is left when its connection is closed, in seconds."""

log = logging.getLogger(__name__)


class LineServer(TCPStreamServer):  # type: ignore[misc]
    """sdss-clu's TCP server with bounded lines: of an over-long one the head is handed on.

    Args:
        host: the address to listen on.
        port: the TCP port.
        on_user: called with a transport that has come, and again when it is closing.
        on_line: called with a transport and a `Line`.
        asked: the commands of a transport that have not ended, as futures.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        on_user: Callable[[Any], Any],
        on_line: Callable[[Any, Line], Any],
        asked: Callable[[Any], Collection[asyncio.Future[Any]]],
    ) -> None:
        super().__init__(host, port, connection_callback=on_user, data_received_callback=on_line)
        self._asked = asked

    async def start(self) -> asyncio.Server:
        """Listen."""
        self._server = await asyncio.start_server(
            self.connection_made, self.host, self.port, limit=MAX_ASKED
        )
        return self._server

    async def connection_made(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """One user, from coming to leaving."""
        transport = writer.transport
        self.transports[transport] = writer
        self.connection_callback(transport)
        try:
            while (line := await read_line(reader)).content:
                self.data_received_callback(transport, line)
                # With lines in the buffer a read does not wait: let the others have a turn.
                await asyncio.sleep(0)
            await self._answer_rest(writer)
        except (ConnectionError, TimeoutError):
            pass
        finally:
            self.transports.pop(transport, None)
            writer.close()
            self.connection_callback(transport)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE):
                    await _closed(writer)
            transport.abort()

    async def _answer_rest(self, writer: asyncio.StreamWriter) -> None:
        """Wait for the commands of a user who sends no more, but may still listen.

        As in ``echo 7 status | nc -N localhost 19996``. One who has left altogether
        looks the same until it is written to.
        """
        asked = self._asked(writer.transport)
        if not asked:
            return
        answered = asyncio.create_task(_all_of(asked), name="the rest of a user's answers")
        left = asyncio.create_task(_closed(writer), name="a user who sends no more")
        try:
            await asyncio.wait(
                {answered, left}, timeout=LINGER, return_when=asyncio.FIRST_COMPLETED
            )
            writer.close()
            await asyncio.wait({left}, timeout=CLOSE)
        finally:
            writer.transport.abort()
            answered.cancel()
            await asyncio.wait({answered, left})


async def _all_of(commands: Collection[asyncio.Future[Any]]) -> None:
    await asyncio.wait(commands)


async def _closed(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        await writer.wait_closed()


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a user with its end; empty at the end of the stream.

    Of one over the limit only the first `HEAD` bytes are kept.
    """

    content: bytes
    too_long: bool = False


async def read_line(reader: asyncio.StreamReader) -> Line:
    """Read one line, whatever its length, in bounded memory."""
    head = b""
    while True:
        try:
            line = await reader.readuntil()
        except asyncio.LimitOverrunError as over:
            part = await reader.readexactly(max(1, over.consumed))
            head = head or part[:HEAD]
        except asyncio.IncompleteReadError:
            return Line(b"")
        else:
            return Line(head, too_long=True) if head else Line(line)


class Nobody:
    """The manager as a user of its own: what it is told goes to the log only."""

    user_id = -1

    def get_extra_info(self, _name: str) -> None:
        """It comes from nowhere."""

    def is_closing(self) -> bool:
        """Nothing is sent to it."""
        return True


class Outbox:
    """What goes out to the users: all lines of a millisecond in one write each.

    A line alone costs a system call and wakes the one who reads it. A user who does not read is
    dropped before the memory is full.
    """

    def __init__(self) -> None:
        self._queued: dict[Any, list[bytes]] = {}
        self._later: asyncio.TimerHandle | None = None

    def send(self, transport: Any, line: bytes, at_once: bool = False) -> None:
        """Queue a line for the user of a transport; `at_once` with all that is queued so far."""
        self._queued.setdefault(transport, []).append(line)
        if at_once:
            self.flush()
        elif self._later is None:
            self._later = asyncio.get_running_loop().call_later(HOLD, self.flush)

    def flush(self) -> None:
        """Write all that is queued."""
        if self._later is not None:
            self._later.cancel()
            self._later = None
        queued, self._queued = self._queued, {}
        for transport, lines in queued.items():
            self._push(transport, b"".join(lines))

    def _push(self, transport: Any, content: bytes) -> None:
        if transport.is_closing():
            return
        waiting = transport.get_write_buffer_size()
        if waiting > USER_BUFFER:
            log.warning(
                "user %s does not read; dropped with %d bytes unsent", transport.user_id, waiting
            )
            transport.abort()
            return
        transport.write(content)
