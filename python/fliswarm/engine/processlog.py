"""The log of a process: a file that the process writes itself, without times.

The times are ours: when the file is seen to have grown, its time of change is noted beside it
with the length that it has then. So a line has the same time whenever it is read again, also
by a manager that starts later.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from .logline import LogLine, iso, make_line

POLL = 0.5
"""How often a log is looked at, in seconds."""
_READ = 1 << 16
_NOTES_MOST = 1 << 16
"""How long the notes may get, in bytes, before the older half is forgotten."""


class ProcessLog:
    """The log of one process and the notes on its times.

    Args:
        path: the log; the notes are beside it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notes = path.with_suffix(".times")

    def remove(self) -> None:
        """Remove both files."""
        self.path.unlink(missing_ok=True)
        self.notes.unlink(missing_ok=True)

    async def follow(
        self,
        is_over: Callable[[], bool],
        take: Callable[[list[LogLine]], Awaitable[None]],
        since: str,
    ) -> None:
        """Read the log until the process is over; see `Engine.follow`.

        Raises:
            OSError: the file cannot be read.
        """
        noted = self._read_notes()
        last, at = max(((t, a) for t, a in noted if t < since), default=noted[0])
        for time, end in noted:
            if time > last and (raw := self._read(at, end - at)):
                await take(_cut(time, raw))
                at = end
        last, at = max(noted)
        while True:
            # Asked first: what is there afterwards are its last words.
            over = is_over()
            raw = self._read(at, _READ)
            if not over or len(raw) == _READ:
                raw = raw[: raw.rfind(b"\n") + 1 or (len(raw) if len(raw) == _READ else 0)]
            if raw:
                last, at = max(last, self._changed()), at + len(raw)
                self._note(last, at)
                await take(_cut(last, raw))
            elif over:
                return
            else:
                await asyncio.sleep(POLL)

    def _changed(self) -> str:
        return iso(datetime.fromtimestamp(self.path.stat().st_mtime, UTC))

    def _read(self, at: int, most: int) -> bytes:
        try:
            with self.path.open("rb") as file:
                file.seek(at)
                return file.read(most)
        except FileNotFoundError:
            return b""

    def _read_notes(self) -> list[tuple[str, int]]:
        """Times and lengths, oldest first; the first is where the notes begin."""
        found = []
        with contextlib.suppress(FileNotFoundError):
            for line in self.notes.read_text().splitlines():
                time, _, length = line.partition(" ")
                with contextlib.suppress(ValueError):
                    found.append((time, int(length)))
        return found or [("", 0)]

    def _note(self, time: str, length: int) -> None:
        with self.notes.open("a") as file:
            if file.tell() == 0:
                file.write(" 0\n")
            file.write(f"{time} {length}\n")
            size = file.tell()
        if size > _NOTES_MOST:
            kept = self._read_notes()
            part = self.notes.with_suffix(".part")
            part.write_text("".join(f"{t} {n}\n" for t, n in kept[len(kept) // 2 :]))
            part.replace(self.notes)


def _cut(time: str, raw: bytes) -> list[LogLine]:
    """Bytes of the file as lines; a part without an end of line is one too."""
    lines = raw.removesuffix(b"\n").split(b"\n")
    return [make_line(time, "out", line) for line in lines]
