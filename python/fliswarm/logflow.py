"""What of a container's output is written down: nothing twice, and not too much."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime

from .engine import LogLine
from .logbook import OVERLAP, Point
from .logfiles import shift

BURST = 16
"""For how many seconds' worth of `camera_logs.rate` a camera may speak at once."""


class Resumed:
    """What a reading that goes on has to leave out, and what it has to find.

    Args:
        point: how far the file has this container; None for not at all.
        restart: when the container was started again, if that is not in the file yet.

    Attributes:
        since: where it begins.
        restart: when the container was started again, if that stands among the lines.
        last: the last line that we have; it must come again, or something is missing.
        seen: the lines of the last milliseconds that we have, by time and stream.
        over: whether the log was read to its end.
    """

    __slots__ = ("last", "over", "restart", "seen", "since")

    def __init__(
        self,
        point: Point | None = None,
        restart: str = "",
    ) -> None:
        self.since = self.last = ""
        self.seen: Counter[tuple[str, str]] | None = None
        self.restart = restart
        self.over = False
        if point is not None and point.last:
            self.since = shift(point.last, milliseconds=-OVERLAP)
            self.last, self.seen = point.last, point.seen
        elif point is not None and point.after:
            self.since = shift(point.after, milliseconds=1)

    def fresh(self, lines: list[LogLine], missing: Callable[[str, str], None]) -> list[LogLine]:
        """The lines that we do not have; `missing` hears of a gap before the first."""
        if self.seen is None:
            return lines
        kept = []
        for line in lines:
            key = (line.time, line.stream)
            if self.seen is not None and line.time > self.last:
                if self.seen[self.last, "out"] + self.seen[self.last, "err"] > 0:
                    missing(self.last, line.time)
                self.seen = None
            if self.seen is not None and self.seen[key] > 0:
                self.seen[key] -= 1
            else:
                kept.append(line)
        return kept


class Budget:
    """How much of a camera's output is kept: so much a second of its own clock.

    The log of a night that is read in one go is not a flood.

    Args:
        rate: in characters a second.
    """

    __slots__ = ("_floor", "_left", "_out", "_second", "rate")

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._left = float(rate * BURST)
        self._second = ""
        self._out = 0
        self._floor = ""

    def begin(self) -> None:
        """A stream begins: its lines may be older than those of the last one."""
        self._floor = ""

    def has(self, line: LogLine) -> bool:
        """Whether a line is kept; it is counted if not.

        Docker 20.10 sends parts of a log again when the log is rotated faster than it is read:
        once there was too much, lines that are older than those before are not kept.
        """
        if self._out or self._left <= 0 or line.time < self._floor:
            self._out += 1
            self._floor = max(self._floor, line.time)
            return False
        self._left -= len(line.text) + 40
        self._floor = self._floor and line.time
        return True

    def words_before(self, line: LogLine) -> str:
        """What is to be said before this line; its second may bring new budget."""
        second = line.time[:19]
        if second == self._second or line.time < self._floor:
            return ""
        passed = _seconds(self._second, second)
        self._second = second
        most = float(self.rate * BURST)
        self._left = min(self._left + max(passed, 1.0) * self.rate, most)
        if self._left == most:
            self._floor = ""
        return self.words_at_end() if self._left > 0 else ""

    def words_at_end(self) -> str:
        """How many lines were left out since the last one that was kept."""
        out, self._out = self._out, 0
        if not out:
            return ""
        return f"… about {out:,} lines left out: more than {self.rate / 1000:,.0f} kB a second"


def _seconds(before: str, after: str) -> float:
    if not before:
        return 0.0
    return (datetime.fromisoformat(after) - datetime.fromisoformat(before)).total_seconds()
