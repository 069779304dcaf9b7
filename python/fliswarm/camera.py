"""The TCP client of one camera actor: one connection, a table of pending commands by id.

Nothing here waits without end. While a command is pending and the camera says nothing, the
camera's actor is pinged on the same connection: an actor answers a ping during the longest
integration, so a 900 s exposure is no silence, and a hung actor is found within
`silence` seconds. The end of the connection fails all that is pending at once.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from .errors import (
    CameraBroken,
    CameraClosed,
    CameraError,
    CameraLost,
    CameraSilent,
    CameraTimeout,
    CameraUnreachable,
    os_reason,
)
from .protocol import MAX_LINE, BadLine, Code, Reply, encode_command, glean_end, parse

OnReply = Callable[[Reply], None]
MAX_ID = 2**31 - 1


@dataclass(slots=True)
class _Pending:
    """A command that has not ended yet."""

    command: str
    on_reply: OnReply | None
    end: asyncio.Future[Reply]


class Camera:
    """One camera actor at `host`:`port`.

    Args:
        node: the node's name, for errors and logs.
        host: the computer.
        port: the camera actor's TCP port.
        connect_timeout: for opening the connection, in seconds.
        silence: how long the actor may say nothing, not even to a ping, in seconds.
        on_broadcast: called with every line that answers no command of ours.
        on_lost: called once with the reason when a connection ends unasked.
    """

    def __init__(
        self,
        node: str,
        host: str,
        port: int,
        *,
        connect_timeout: float,
        silence: float,
        on_broadcast: OnReply = lambda reply: None,
        on_lost: Callable[[CameraError], None] = lambda error: None,
    ) -> None:
        self.node = node
        self.host = host
        self.port = port
        self.connect_timeout = connect_timeout
        self.silence = silence
        self.on_broadcast = on_broadcast
        self.on_lost = on_lost
        self.log = logging.LoggerAdapter(logging.getLogger(__name__), {"node": node})
        self._connection: _Connection | None = None
        self._ids = itertools.count(1)

    @property
    def connected(self) -> bool:
        """Whether a connection stands (it may still be silent)."""
        return self._connection is not None

    @property
    def pending(self) -> int:
        """How many commands have not ended."""
        return len(self._connection.pending) if self._connection else 0

    async def connect(self) -> None:
        """Open the connection; nothing happens when it stands already.

        Raises:
            CameraUnreachable: refused, no such host, or not open within `connect_timeout`.
        """
        if self._connection is not None:
            return
        loop = asyncio.get_running_loop()
        place = f"connect to {self.host}:{self.port}"
        connection = _Connection(self)
        try:
            async with asyncio.timeout(self.connect_timeout):
                await loop.create_connection(lambda: connection, self.host, self.port)
        except TimeoutError:
            raise CameraUnreachable(
                self.node, "no answer", tried=place, seconds=self.connect_timeout
            ) from None
        except OSError as error:
            raise CameraUnreachable(self.node, os_reason(error), tried=place) from error
        if connection.closed is not None:  # closed again before we came back here
            raise connection.closed
        self._connection = connection

    async def ask(
        self, command: str, on_reply: OnReply | None = None, limit: float | None = None
    ) -> Reply:
        """Send a command and wait for its last reply (``:`` or ``f``).

        Args:
            command: the camera's command, one line.
            on_reply: called with each reply but the last, in order.
            limit: a hard limit in seconds; None lets the camera take as long as it answers
                pings.

        Raises:
            CameraUnreachable: there is no connection.
            CameraLost, CameraClosed, CameraSilent, CameraBroken: the connection ended first.
            CameraTimeout: the limit ran out; the camera may still be at it.
            ValueError: the command cannot be sent (see `protocol.encode_command`).
        """
        connection = self._connection
        if connection is None:
            raise CameraUnreachable(self.node, "not connected to the camera actor")
        command_id = next(self._ids)
        if command_id > MAX_ID:  # pragma: no cover - after 68 years at one a second
            self._ids = itertools.count(1)
        line = encode_command(command_id, command)
        end: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        connection.send(command_id, line, _Pending(command, on_reply, end))
        try:
            async with asyncio.timeout(limit):
                return await end
        except TimeoutError:
            raise CameraTimeout(
                self.node, "not finished within the limit", tried=command, seconds=limit
            ) from None
        finally:
            connection.pending.pop(command_id, None)

    async def ping(self, limit: float | None = None) -> None:
        """Ask the actor whether it is there.

        Raises:
            CameraError: as `ask`; also when the answer is a failure.
        """
        reply = await self.ask("ping", limit=limit)
        if reply.code != ":":
            raise CameraBroken(self.node, f"the actor failed a ping: {reply.data}")

    def close(self, reason: str) -> None:
        """Close the connection; pending commands fail with `CameraClosed` and the reason."""
        if self._connection is not None:
            self._connection.end(CameraClosed(self.node, reason))

    def _ended(self, connection: _Connection, error: CameraError) -> None:
        """The connection tells that it is over."""
        if self._connection is not connection:
            return
        self._connection = None
        if not isinstance(error, CameraClosed):
            self.on_lost(error)


class _Connection(asyncio.Protocol):
    """One TCP connection, from its making to its end."""

    def __init__(self, camera: Camera) -> None:
        self.camera = camera
        self.pending: dict[int, _Pending] = {}
        self.closed: CameraError | None = None
        self.heard = 0.0
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._timer: asyncio.TimerHandle | None = None
        self._bad_lines = 0
        self._pings: set[int] = set()

    # what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.heard = time.monotonic()

    def data_received(self, data: bytes) -> None:
        self.heard = time.monotonic()
        buffer = self._buffer
        searched = len(buffer)
        buffer += data
        last = buffer.rfind(b"\n", searched)
        if last >= 0:
            lines = bytes(buffer[:last]).split(b"\n")
            del buffer[: last + 1]
            for line in lines:
                if len(line) > MAX_LINE:
                    self._too_long(len(line))
                if self.closed is not None:
                    return
                self._line(line)
        if len(buffer) > MAX_LINE:
            self._too_long(len(buffer))

    def eof_received(self) -> None:
        self.end(CameraLost(self.camera.node, "the camera actor closed the connection"))

    def connection_lost(self, error: Exception | None) -> None:
        reason = f"the connection broke: {error}" if error else "the connection was closed"
        self.end(CameraLost(self.camera.node, reason))

    # what the camera calls

    def send(self, command_id: int, line: bytes, pending: _Pending) -> None:
        """Write a command and watch for its end."""
        if self._transport is None or self.closed is not None:
            raise self.closed or CameraUnreachable(self.camera.node, "not connected")
        if not self.pending:
            # Silence counts from the first question, not from the last idle word.
            self.heard = time.monotonic()
        self.pending[command_id] = pending
        self._transport.write(line)
        if self._timer is None:
            self._arm()

    def end(self, error: CameraError) -> None:
        """End the connection, once: everything pending fails with `error`."""
        if self.closed is not None:
            return
        self.closed = error
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.abort()
        pending, self.pending = self.pending, {}
        for item in pending.values():
            if not item.end.done():
                item.end.set_exception(_again(error, item.command))
        self._buffer.clear()
        self.camera._ended(self, error)

    # lines

    def _line(self, line: bytes) -> None:
        if not line.strip():
            return
        try:
            reply = parse(line)
        except BadLine as bad:
            self._bad(line, bad)
            return
        item = self.pending.get(reply.command_id)
        if item is None:
            if reply.command_id in self._pings:
                if reply.code.is_final:
                    self._pings.discard(reply.command_id)
            elif reply.data:
                self.camera.on_broadcast(reply)
        elif reply.code.is_final:
            del self.pending[reply.command_id]
            if not item.end.done():
                item.end.set_result(reply)
        elif item.on_reply is not None:
            item.on_reply(reply)

    def _bad(self, line: bytes, bad: BadLine) -> None:
        """Say that a line cannot be read; if it was the end of a command, end that one."""
        self._bad_lines += 1
        if self._bad_lines == 1:
            self.camera.log.warning("a line of the camera cannot be read: %s", bad)
        else:
            self.camera.log.debug("bad line %d: %s", self._bad_lines, bad)
        self.camera.on_broadcast(Reply(0, Code.WARNING, {"text": f"cannot read a line: {bad}"}))
        item = self.pending.pop(glean_end(line), None)
        if item is not None and not item.end.done():
            reason = f"its last reply cannot be read: {bad}"
            item.end.set_exception(CameraBroken(self.camera.node, reason, tried=item.command))

    def _too_long(self, length: int) -> None:
        self.end(
            CameraBroken(
                self.camera.node,
                f"the camera actor sent a line of {length} bytes or more "
                f"(the longest allowed is {MAX_LINE})",
            )
        )

    # silence

    def _arm(self) -> None:
        silence = self.camera.silence
        left = silence - (time.monotonic() - self.heard)
        pause = min(silence / 4, max(left, 0.001))
        self._timer = asyncio.get_running_loop().call_later(pause, self._watch)

    def _watch(self) -> None:
        """All is well, or time to ping, or to give up."""
        self._timer = None
        if not self.pending or self._transport is None:
            return
        quiet = time.monotonic() - self.heard
        silence = self.camera.silence
        if quiet >= silence:
            self.end(
                CameraSilent(
                    self.camera.node,
                    "the camera actor answers nothing, not even a ping",
                    seconds=round(quiet, 1),
                )
            )
            return
        if quiet >= silence / 4:
            ping_id = next(self.camera._ids)
            self._pings.add(ping_id)
            self._transport.write(encode_command(ping_id, "ping"))
        self._arm()


def _again(error: CameraError, command: str) -> CameraError:
    """The connection's error, as that of one command."""
    return type(error)(error.node, error.reason, tried=command, seconds=error.seconds)
