"""One TCP connection to the manager: commands out, each one's replies to the one who asked."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import socket
import time
from collections import deque
from collections.abc import Callable

from ..errors import os_reason
from ..protocol import MAX_LINE
from .errors import ClientError, ConnectError, ConnectionEnded, NotAnActor, ReaderTooSlow
from .replies import ActorReply, parse_reply

CONNECT = 5.0
"""For opening the connection, in seconds."""
SILENCE = 20.0
"""How long a manager may say nothing while a command of ours runs, in seconds; it is pinged
meanwhile, and one that is well answers within a fraction of a second."""
ANSWER = 60.0
"""How long a command that no camera works at may take by default, in seconds."""
BUFFER = 16 << 20
"""How many bytes of replies wait for one who does not read them (16 MiB)."""
LONGEST = 4 * MAX_LINE
"""The longest line of a manager, in bytes: a camera's line of 1 MiB, with all of it escaped."""
CLOSE = 1.0
"""How long the closing of a connection may take, in seconds."""
PAUSE = 0.2
"""Between two attempts to connect anew, in seconds."""
TURN = 100
"""After how many lines in a row those who read them have a turn."""

OnReply = Callable[[ActorReply], None]

log = logging.getLogger(__name__)


class Inbox:
    """Replies that wait for one reader, `limit` bytes of them at most."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._replies: deque[ActorReply] = deque()
        self._error: ClientError | None = None
        self._news = asyncio.Event()

    def put(self, reply: ActorReply) -> None:
        """Add a reply. Over the limit the reader gets those it has, and then an error."""
        if self._error is None and self._size + len(reply.raw) > self._limit:
            self.fail(ReaderTooSlow(f"more than {self._limit} bytes of replies were not read"))
        elif self._error is None:
            self._size += len(reply.raw)
            self._replies.append(reply)
            self._news.set()

    def fail(self, error: ClientError) -> None:
        """No more will come."""
        if self._error is None:
            # One of its own for each reader, since an error keeps where it was raised.
            self._error = type(error)(str(error))
            self._news.set()

    async def get(self) -> ActorReply:
        """The next reply.

        Raises:
            ClientError: there is none, and none will come.
        """
        while not self._replies:
            if self._error is not None:
                raise self._error
            self._news.clear()
            await self._news.wait()
        reply = self._replies.popleft()
        self._size -= len(reply.raw)
        return reply


class Link:
    """An open connection.

    Args:
        place: host and port, for errors.
        reader: what comes in.
        writer: what goes out.
        silence: how long the manager may say nothing while a command runs, not even to a
            ping, in seconds.
        on_broadcast: hears the lines that answer no command.
    """

    def __init__(
        self,
        place: str,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        silence: float,
        on_broadcast: OnReply | None,
    ) -> None:
        self.ended: ClientError | None = None
        self.listeners: set[Inbox] = set()
        self._place = place
        self._reader = reader
        self._writer = writer
        self._silence = silence
        self._on_broadcast = on_broadcast
        self._ids = itertools.count(1)
        self._pending: dict[int, Inbox] = {}
        self._heard = time.monotonic()
        self._tasks = (
            asyncio.create_task(self._read(), name=f"replies of {place}"),
            asyncio.create_task(self._watch(), name=f"silence of {place}"),
        )

    def send(self, command: bytes, inbox: Inbox) -> int:
        """Send a command whose replies go to `inbox`; returns its number.

        Raises:
            ConnectionEnded: the connection has ended; nothing is sent.
        """
        if self.ended is not None:
            raise type(self.ended)(str(self.ended))
        if not self._pending:
            self._heard = time.monotonic()
        number = next(self._ids)
        self._pending[number] = inbox
        self._writer.write(b"%d %b\n" % (number, command))
        return number

    def forget(self, number: int) -> None:
        """Nobody waits for this command any more; it goes on in the manager."""
        self._pending.pop(number, None)

    async def close(self) -> None:
        """End the connection and all that belongs to it."""
        self._end(ConnectionEnded("the connection was closed by the client"))
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(CLOSE):
                await self._writer.wait_closed()
        self._writer.transport.abort()

    def _end(self, error: ClientError) -> None:
        """Fail all that waits, once."""
        if self.ended is not None:
            return
        self.ended = error
        self._writer.close()
        for inbox in {*self._pending.values(), *self.listeners}:
            inbox.fail(error)
        self._pending.clear()
        self.listeners.clear()

    async def _read(self) -> None:
        for count in itertools.count(1):
            try:
                line = await self._reader.readuntil()
            except asyncio.LimitOverrunError:
                words = f"{self._place} sent a line of more than {LONGEST} bytes"
                self._end(NotAnActor(words))
            except (asyncio.IncompleteReadError, OSError):
                self._end(ConnectionEnded("the actor closed the connection before the end"))
            else:
                self._hear(line)
            if self.ended is not None:
                return
            if count % TURN == 0:
                await asyncio.sleep(0)

    def _hear(self, line: bytes) -> None:
        self._heard = time.monotonic()
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        reply = parse_reply(text)
        if reply is None:
            if text.strip():
                shown = ascii(text[:80])
                words = f"{self._place} sends what is no reply: {shown}; is a fliswarm there?"
                self._end(NotAnActor(words))
            return
        if reply.command_id:
            inbox = self._pending.get(reply.command_id)
            if inbox is not None:
                inbox.put(reply)
            return
        for listener in self.listeners:
            listener.put(reply)
        if self._on_broadcast is not None:
            try:
                self._on_broadcast(reply)
            except Exception:
                log.exception("a broadcast cannot be handled: %s", text[:200])

    async def _watch(self) -> None:
        """Ping a manager that says nothing to a command, and give it up at last."""
        pause = self._silence / 3
        while self.ended is None:
            due = time.monotonic() + pause
            await asyncio.sleep(pause)
            if not self._pending or time.monotonic() - due > pause:
                # Nothing to wait for, or it was us who did not listen.
                self._heard = time.monotonic()
            quiet = time.monotonic() - self._heard
            if quiet >= self._silence:
                words = f"{self._place} has said nothing for {quiet:.0f} s, not even to a ping"
                self._end(ConnectionEnded(words))
            elif quiet >= pause * 0.9:
                self._writer.write(b"%d ping\n" % next(self._ids))


async def open_link(
    host: str,
    port: int,
    timeout: float,
    silence: float,
    on_broadcast: OnReply | None,
    again: bool,
) -> Link:
    """Connect to a manager, `timeout` seconds at most.

    With `again` it was there before, and may be starting anew: a refusal is not the end.

    Raises:
        ConnectError: nobody answers there.
    """
    place = f"{host}:{port}"
    refused = ""
    try:
        async with asyncio.timeout(timeout):
            while True:
                try:
                    reader, writer = await asyncio.open_connection(host, port, limit=LONGEST)
                    break
                except OSError as error:
                    refused = os_reason(error)
                    if not again:
                        raise
                await asyncio.sleep(PAUSE)
    except (OSError, TimeoutError) as error:
        reason = refused or f"no answer after {timeout:g} s"
        raise ConnectError(
            f"no actor at {place} ({reason}); start it with: fliswarm start"
        ) from error
    _keep_alive(writer.get_extra_info("socket"))
    return Link(place, reader, writer, silence, on_broadcast)


def _keep_alive(one: socket.socket) -> None:
    """Have the system notice within 25 s that the other computer is gone."""
    one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, name):
            one.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
