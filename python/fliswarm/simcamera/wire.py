"""The lines that go to the clients, spoiled by the faults that are on.

Order of the faults: `silent` swallows a line, `unknown-id` changes its header, `garbage` and
`long-line` send something before it, `cut` half of it, `flood` much before the last one, and
`late` holds all of that back. Replies to the command ``fault`` are never spoiled: it is how
a fault is switched off.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any, Protocol

from fliswarm.protocol import Code
from fliswarm.simcamera.faults import Faults

ID_OFFSET = 1_000_000
"""What `unknown-id` adds to a command's id."""

UNSPOILED = "fault"
"""The command whose replies no fault touches."""

PATIENT = (UNSPOILED, "ping")
"""The commands that never use up a fault that happens once: a manager pings all the time."""


class Transport(Protocol):
    """What we need of a client's connection."""

    def write(self, data: bytes) -> None:
        """Send bytes."""

    def close(self) -> None:
        """Send what is waiting, then close."""

    def is_closing(self) -> bool:
        """Whether nothing can be sent any more."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the actor before any fault.

    Attributes:
        header: of the reply.
        data: keyword to value.
        code: the reply's message code, also in the header.
        verb: the first word of the command; empty for a line that answers none.
        is_first: whether it is the command's first after the '>'.
        indented: whether the client wants it over many lines (``multiline``).
    """

    header: dict[str, Any]
    data: dict[str, Any]
    code: Code
    verb: str = ""
    is_first: bool = False
    indented: bool = False

    @property
    def is_reply(self) -> bool:
        """Whether it answers a command that a client sent with an id."""
        return bool(self.verb and self.header.get("command_id"))


class Wire:
    """Sends lines to the clients."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._last_due = 0.0

    def greet(self, transport: Transport) -> None:
        """Send what a new connection gets before it asks; nothing without the fault."""
        if "greeting" in self._faults and "silent" not in self._faults:
            self._put(transport, _encoded({}, {}))

    def send(self, transport: Transport, line: Line) -> None:
        """Send one line to one client, or what the faults make of it."""
        if line.verb == UNSPOILED:
            _write(transport, _encoded(line.header, line.data, line.indented), close=False)
            return
        if "silent" in self._faults:
            return
        header = line.header
        if line.is_reply and "unknown-id" in self._faults:
            header = header | {"command_id": header["command_id"] + ID_OFFSET}
        if line.is_reply:
            self._put(transport, self._before(line, header))
        encoded = _encoded(header, line.data, line.indented)
        if line.is_first and self._takes_cut(line):
            self._put(transport, encoded[: len(encoded) // 2], close=True)
        else:
            self._put(transport, encoded)

    def _takes_cut(self, line: Line) -> bool:
        if self._faults.value("cut") is not None and line.verb in PATIENT:
            return False
        return line.is_reply and self._faults.use_up("cut")

    def _before(self, line: Line, header: dict[str, Any]) -> bytes:
        """What the faults send before a line."""
        sent = b""
        if line.is_first and "garbage" in self._faults:
            sent += _garbage(header)
        if line.verb in PATIENT:
            return sent
        information = header | {"message_code": Code.INFO.value}
        if line.is_first and (size := self._faults.take("long-line")) is not None:
            sent += _long_line(information, int(size))
        if line.code.is_final and (count := self._faults.take("flood")) is not None:
            sent += b"".join(
                _encoded(information, {"text": f"line {number} of {count:.0f}"})
                for number in range(1, int(count) + 1)
            )
        return sent

    def _put(self, transport: Transport, data: bytes, *, close: bool = False) -> None:
        """Write now, or later when a fault says so; in order in any case."""
        if not data:
            return
        loop = asyncio.get_running_loop()
        delay = self._faults.value("late") or 0.0
        due = loop.time() + delay
        if not delay and due > self._last_due:
            _write(transport, data, close=close)
            return
        # Strictly one after another, so that none overtakes another in the loop's heap.
        self._last_due = max(due, self._last_due + 1e-6)
        loop.call_at(self._last_due, lambda: _write(transport, data, close=close))


def _write(transport: Transport, data: bytes, *, close: bool) -> None:
    if transport.is_closing():
        return
    transport.write(data)
    if close:
        transport.close()


def _encoded(header: dict[str, Any], data: dict[str, Any], indented: bool = False) -> bytes:
    message = {"header": header, "data": data}
    return json.dumps(message, indent=4 if indented else None).encode() + b"\n"


def _long_line(header: dict[str, Any], size: int) -> bytes:
    """An honest reply of so many bytes without its newline; no fewer than an empty one has."""
    bare = len(_encoded(header, {"text": ""})) - 1
    return _encoded(header, {"text": "x" * max(0, size - bare)})


def _garbage(header: dict[str, Any]) -> bytes:
    """One of each: broken JSON, not UTF-8, no object, no header."""
    broken = json.dumps({"header": header})[:-1].encode()
    latin = b'{"header": {"message_code": "i"}, "data": {"text": "caf\xe9"}}'
    no_object = b"[1, 2, 3]"
    no_header = b'{"data": {"text": "no header"}}'
    return b"\n".join((broken, latin, no_object, no_header)) + b"\n"
