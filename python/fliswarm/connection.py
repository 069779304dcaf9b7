"""One TCP connection to a camera actor: lines in, commands out, and when it is silent."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol, cast

from .errors import CameraBroken, CameraError, CameraLost, CameraSilent, CameraUnreachable
from .protocol import MAX_LINE, BadLine, Code, Reply, encode_command, glean_end, parse
from .unreadable import Unreadable

OnReply = Callable[[Reply], None]

PIECE = 16 << 10
"""How many bytes are read at once (16 KiB): about 100 lines, some 2 ms of work.

A camera with a long story must not keep the others waiting; the rest stays with the system
until all have had their turn.
"""


class End(Protocol):
    """Who waits for the end of a command; a future of a reply is one."""

    def done(self) -> bool:
        """Whether it waits no longer."""

    def set_result(self, reply: Reply, /) -> None:
        """The last reply has come."""

    def set_exception(self, error: CameraError, /) -> None:
        """None will come."""


@dataclass(slots=True)
class Pending:
    """A command that has not ended yet; a pulse is a ping of ours, not a user's command."""

    command: str
    on_reply: OnReply | None
    end: End
    pulse: bool = False
    sent: float = 0.0
    noticed: bool = False

    @property
    def tried(self) -> str:
        """The command in words; all pulses are one, or a cause would change with each."""
        return "ping" if self.pulse else self.command


class Asked(NamedTuple):
    """A command that was sent; to be left when nobody waits for its end any more."""

    connection: Connection
    command_id: int

    def leave(self) -> None:
        """Wait for it no longer; nothing happens if it has ended."""
        self.connection.leave(self.command_id)


class Connection(asyncio.BufferedProtocol):
    """One TCP connection, from its making to its end.

    Args:
        node: the node's name, for errors and logs.
        silence: how long the actor may say nothing, not even to a ping, in seconds.
        ids: where command ids come from.
        on_broadcast: called with every line that answers no command of ours.
        on_end: called once with the connection and the reason when it is over.
    """

    def __init__(
        self,
        node: str,
        silence: float,
        ids: Iterator[int],
        on_broadcast: OnReply,
        on_end: Callable[[Connection, CameraError], None],
    ) -> None:
        self.node = node
        self.silence = silence
        self.ids = ids
        self.on_broadcast = on_broadcast
        self.on_end = on_end
        self.log = logging.getLogger(__name__)
        self.pending: dict[int, Pending] = {}
        self.left: set[int] = set()
        self.closed: CameraError | None = None
        self.heard = 0.0
        self._transport: asyncio.Transport | None = None
        self._piece = bytearray()
        self._begun = bytearray()
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._unreadable: Unreadable | None = None
        self._pings: set[int] = set()

    # what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.heard = time.monotonic()

    def get_buffer(self, sizehint: int) -> bytearray:
        self._piece = bytearray(PIECE)
        return self._piece

    def buffer_updated(self, nbytes: int) -> None:
        *ends, begun = bytes(self._piece[:nbytes]).split(b"\n")
        self._piece = bytearray()
        if ends and self._begun:
            ends[0] = bytes(self._begun) + ends[0]
            self._begun.clear()
        for line in ends:
            if len(line) > MAX_LINE:
                self._too_long(len(line))
            if self.closed is not None:
                return
            self._line(line)
        self._begun += begun
        if len(self._begun) > MAX_LINE:
            self._too_long(len(self._begun))

    def eof_received(self) -> None:
        self.end(CameraLost(self.node, "the camera actor closed the connection"))

    def connection_lost(self, error: Exception | None) -> None:
        reason = f"the connection broke: {error}" if error else "the connection was closed"
        self.end(CameraLost(self.node, reason))

    # what the camera calls

    def send(self, command_id: int, line: bytes, pending: Pending) -> None:
        """Write a command and watch for its end."""
        if self._transport is None or self.closed is not None:
            raise self.closed or CameraUnreachable(self.node, "not connected")
        if not self.pending:
            # Silence counts from the first question, not from the last idle word.
            self.heard = time.monotonic()
        pending.sent = time.monotonic()
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
                item.end.set_exception(_again(error, item.tried))
        self._begun.clear()
        if self._unreadable is not None:
            self._unreadable.end()
        self.on_end(self, error)

    def leave(self, command_id: int) -> None:
        """Wait for a command no longer; the camera may still be at it."""
        item = self.pending.pop(command_id, None)
        if item is not None and self.closed is None:
            (self._pings if item.pulse else self.left).add(command_id)

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
            self._unasked(reply)
            return
        # Only an answer is a sign of life: broadcasts come from an actor that hears nobody.
        self.heard = time.monotonic()
        item.noticed = True
        if reply.code.is_final:
            del self.pending[reply.command_id]
            if not item.end.done():
                item.end.set_result(reply)
        elif item.on_reply is not None:
            self._tell(item.on_reply, reply)

    def _unasked(self, reply: Reply) -> None:
        """A line that nobody waits for: of our own ping, of a command given up, or to all."""
        if reply.command_id in self._pings:
            self.heard = time.monotonic()
            if reply.code.is_final:
                self._pings.discard(reply.command_id)
            return
        if reply.command_id in self.left and reply.code.is_final:
            self.left.discard(reply.command_id)
        if reply.data:
            self._tell(self.on_broadcast, reply)

    def _tell(self, listener: OnReply, reply: Reply) -> None:
        """Hand a reply on; a fault of the listener costs nobody the connection."""
        try:
            listener(reply)
        except Exception:
            self.log.exception("%s: a reply cannot be handled: %s", self.node, str(reply)[:200])

    def _bad(self, line: bytes, bad: BadLine) -> None:
        """Say that a line cannot be read; if it was the end of a command, end that one."""
        if self._unreadable is None:
            self._unreadable = Unreadable(self.node, self._warn)
        self._unreadable.add(bad)
        item = self.pending.pop(glean_end(line), None)
        if item is not None and not item.end.done():
            # Without the line: as a node's cause it would be another one each time.
            reason = f"a reply cannot be read, perhaps its last: {bad.wrong}"
            item.end.set_exception(CameraBroken(self.node, reason, tried=item.tried))

    def _warn(self, text: str) -> None:
        self._tell(self.on_broadcast, Reply(0, Code.WARNING, {"text": text}))

    def _too_long(self, length: int) -> None:
        self.end(
            CameraBroken(
                self.node,
                f"the camera actor sent a line of {length} bytes or more "
                f"(the longest allowed is {MAX_LINE})",
            )
        )

    # silence

    def _arm(self) -> None:
        silence = self.silence
        left = silence - (time.monotonic() - self.heard)
        pause = min(silence / 4, max(left, 0.001))
        self._due = time.monotonic() + pause
        self._timer = asyncio.get_running_loop().call_later(pause, self._watch)

    def _watch(self) -> None:
        """All is well, or time to ping, or to give up."""
        self._timer = None
        if not self.pending or self._transport is None:
            return
        if time.monotonic() - self._due > self.silence / 4:
            # It was us who did not listen: a busy loop, or a computer that slept.
            self.heard = time.monotonic()
        quiet = time.monotonic() - self.heard
        silence = self.silence
        if quiet >= silence:
            self.end(
                CameraSilent(
                    self.node,
                    "the camera actor answers nothing, not even a ping",
                    seconds=round(quiet, 1),
                )
            )
            return
        self._give_up_unnoticed()
        if quiet >= silence / 4:
            ping_id = next(self.ids)
            self._pings.add(ping_id)
            self._transport.write(encode_command(ping_id, "ping"))
        self._arm()

    def _give_up_unnoticed(self) -> None:
        """End the commands that the actor took no notice of: it says ``>`` at once to each."""
        now = time.monotonic()
        for command_id, item in list(self.pending.items()):
            waited = now - item.sent
            if not item.noticed and waited >= self.silence and not item.end.done():
                reason = "the camera actor took no notice of the command"
                error = CameraSilent(self.node, reason, tried=item.tried, seconds=round(waited, 1))
                item.end.set_exception(error)
                del self.pending[command_id]


def _again(error: CameraError, command: str) -> CameraError:
    """The connection's error, as that of one command."""
    return type(error)(error.node, error.reason, tried=command, seconds=error.seconds)
