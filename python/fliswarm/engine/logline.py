"""A line of a container's output, and how its time is written."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

TEXT_MOST = 8192
"""The longest text of a line that is kept, in bytes."""


class LogLine(NamedTuple):
    """A line of a container's output.

    Attributes:
        time: when it was written by the engine's clock: ``2026-11-21T02:10:03.123Z``.
        stream: ``out`` or ``err``.
        text: without the end of line, cut at 8 KiB; what is not UTF-8 is replaced.
    """

    time: str
    stream: str
    text: str


def make_line(time: str, stream: str, raw: bytes, over: int = 0) -> LogLine:
    """A line of bytes; `over` bytes of it have been left out already."""
    if len(raw) > TEXT_MOST:
        over += len(raw) - TEXT_MOST
        raw = raw[:TEXT_MOST]
    text = raw.decode("utf-8", "replace").rstrip("\r\n")
    return LogLine(time, stream, f"{text}… ({over:,} bytes left out)" if over else text)


def iso(moment: datetime) -> str:
    """A time as lines bear it: UTC with milliseconds, ``2026-11-21T02:10:03.123Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
