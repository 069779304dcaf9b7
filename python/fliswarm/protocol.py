"""The wire format of a camera actor: one JSON line to a frozen `Reply` and back. Pure.

Source of the format: sdss-flicamera 0.7 on sdss-clu's JSON actor. A command is
``<command_id> <command>`` and a newline; each answer is one JSON object on a line with a ``header``
(command id, message code, sender) and ``data`` (keyword to value).
"""

from __future__ import annotations

import json
import re
from enum import StrEnum
from typing import Any, NamedTuple

MAX_COMMAND = 65_000
"""The longest command, in bytes, that is sent to a camera.

The camera actor (sdss-clu 2.6) reads lines of 64 KiB at most and drops the connection at a
longer one, with all that is under way on it.
"""
MAX_LINE = 1 << 20
"""The longest line, in bytes, that a camera or a user may send (1 MiB).

The longest honest line seen is a ``help`` of some kilobytes; a line without end must not
fill the manager's memory.
"""


class Code(StrEnum):
    """What a reply means for its command (the actor protocol's message codes)."""

    RUNNING = ">"
    INFO = "i"
    DEBUG = "d"
    WARNING = "w"
    ERROR = "e"
    CRITICAL = "!"
    FAILED = "f"
    DONE = ":"

    @property
    def is_final(self) -> bool:
        """Whether the command ends with this reply."""
        return self in _FINAL


_FINAL = (Code.DONE, Code.FAILED, Code.CRITICAL)
_CODES = {code.value: code for code in Code}


_JSON = json.JSONDecoder()
_SPACE = " \t\r\n"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class BadLine(ValueError):
    """A line that is no reply; its text says what is wrong and shows how it begins.

    Attributes:
        wrong: what is wrong, in words that are the same for the next line of this kind.
    """

    def __init__(self, wrong: str, line: bytes) -> None:
        super().__init__(f"{wrong}: {_show(line)}")
        self.wrong = wrong


class Reply(NamedTuple):
    """One line of a camera actor.

    Attributes:
        command_id: the id of the command it answers; 0 for a broadcast, which answers none.
        code: the message code.
        data: keyword to value; values are scalars, lists, or dicts in a fixed order.
        sender: the name the camera gives itself; empty when it gives none.
    """

    command_id: int
    code: Code
    data: dict[str, Any]
    sender: str = ""

    @property
    def is_broadcast(self) -> bool:
        """Whether the line answers no command of ours."""
        return self.command_id == 0


def parse(line: bytes) -> Reply:
    """Read one line of a camera, without its newline.

    A header without ``command_id`` is a broadcast; one without ``message_code`` is
    information (a fresh connection greets with ``{"header": {}, "data": {}}``).

    Raises:
        BadLine: the line is not UTF-8, not JSON, not an object, or its parts have other
            types than the format allows.
    """
    try:
        # Decoded here: json itself would guess at UTF-16 and take half characters.
        text = line.decode("utf-8").strip(_SPACE)
        message, end = _JSON.raw_decode(text)
    except UnicodeDecodeError:
        raise BadLine("not UTF-8", line) from None
    except (ValueError, RecursionError):
        raise BadLine("not JSON", line) from None
    if end != len(text):
        raise BadLine("not JSON", line)
    if not isinstance(message, dict):
        raise BadLine("not a JSON object", line)
    header = message.get("header")
    if not isinstance(header, dict):
        raise BadLine("no header", line)
    data = message.get("data")
    if data is None:
        data = {}
    elif not isinstance(data, dict):
        raise BadLine("data is not an object", line)
    code = _CODES.get(_hashable(header.get("message_code", "i")))
    if code is None:
        shown = repr(header.get("message_code"))[:40]
        raise BadLine(f"unknown message code {shown}", line)
    sender = header.get("sender")
    return Reply(
        _command_id(header.get("command_id")),
        code,
        data,
        sender if isinstance(sender, str) else "",
    )


def _hashable(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _command_id(value: Any) -> int:
    """A command id of the wire as a number; whatever is none of ours counts as a broadcast."""
    if isinstance(value, bool):
        return 0
    if isinstance(value, int):
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 10:
        return int(value)
    return 0


_ID = re.compile(rb'"command_id"\s*:\s*"?(\d{1,10})"?\s*[,}]')
_CODE = re.compile(rb'"message_code"\s*:\s*(?:"([^"]*)"|[^"\s])')


def glean_end(line: bytes) -> int:
    """The id of the command that a broken line ended; 0 where that cannot be seen.

    A line cut before its code counts as an end too: if it was the last one, no other comes.
    """
    found = _ID.search(line)
    code = _CODE.search(line)
    if found is None or (code is not None and code[1] not in (b":", b"f", b"!")):
        return 0
    return int(found[1])


def _show(line: bytes) -> str:
    """How a bad line begins, safe to print."""
    text = ascii(line[:80].decode("utf-8", "replace"))
    return text if len(line) <= 80 else f"{text}… ({len(line)} bytes)"


def encode_command(command_id: int, command: str) -> bytes:
    """The bytes to send for a command.

    Raises:
        ValueError: the command has a line break or another control character in it, is
            empty, or is longer than `MAX_COMMAND` bytes.
    """
    text = command.strip()
    if not text:
        raise ValueError("the command is empty")
    if _CONTROL.search(text):
        raise ValueError("the command has a line break or a control character in it")
    line = f"{command_id} {text}\n".encode()
    if len(line) > MAX_COMMAND:
        raise ValueError(f"the command is longer than {MAX_COMMAND} bytes")
    return line


def flatten(value: Any) -> list[Any]:
    """A keyword's value as the flat list of its scalars: dicts and lists in their order."""
    leaves: list[Any] = []
    try:
        _gather(value, leaves)
    except RecursionError:
        return _flatten_deep(value)
    return leaves


def _gather(value: Any, leaves: list[Any]) -> None:
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | tuple):
        leaves.append(value)
        return
    for part in value:
        if isinstance(part, dict | list | tuple):
            _gather(part, leaves)
        else:
            leaves.append(part)


def _flatten_deep(value: Any) -> list[Any]:
    """`flatten` with a stack of its own: JSON may be nested deeper than Python recurses."""
    leaves: list[Any] = []
    stack = [value]
    while stack:
        part = stack.pop()
        if isinstance(part, dict):
            stack.extend(reversed(part.values()))
        elif isinstance(part, list | tuple):
            stack.extend(reversed(part))
        else:
            leaves.append(part)
    return leaves
