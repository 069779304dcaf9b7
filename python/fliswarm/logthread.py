"""The log written by a thread: a disk that hangs, or a terminal that is stopped, stops nobody.

Lines are given to a queue; a thread takes them out some times a second and hands them to the
handlers that write. What waits is bounded; what was dropped is counted and said.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence

GATHER = 0.05
"""How long lines are gathered before they are written, in seconds; a kill may cost these."""
LIMIT = 50_000
"""How many lines may wait (some 15 MB); a manager of 500 nodes writes a few a second."""
CLOSE = 2.0
"""How long the end of the manager may wait for the log's disk, in seconds."""

_PLAIN = logging.Formatter()
_Line = tuple[float, float, int, str, str, str | None]
"""When (seconds, and their milliseconds), level, logger, words, and the traceback of an error."""


class LogThread(logging.Handler):
    """A handler that gives its lines to others, which may take their time.

    Args:
        handlers: what writes the lines.
    """

    def __init__(self, handlers: Sequence[logging.Handler]) -> None:
        super().__init__()
        self._handlers = handlers
        self._lines: deque[_Line] = deque()
        self._dropped = 0
        self._wake, self._ending = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Let a line wait for the thread; returns at once."""
        if len(self._lines) >= LIMIT:
            self._dropped += 1
            return
        # What the line speaks of may be another by the time it is written; and a record is ten
        # times as large as its words.
        error = _PLAIN.formatException(record.exc_info) if record.exc_info else None
        self._lines.append(
            (record.created, record.msecs, record.levelno, record.name, record.getMessage(), error)
        )
        if not self._wake.is_set():
            self._wake.set()

    def finish(self) -> bool:
        """Write what waits, `CLOSE` seconds at most; whether all was written."""
        self._ending.set()
        self._wake.set()
        self._thread.join(CLOSE)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while self._lines or not self._ending.is_set():
            self._wake.wait()
            self._ending.wait(GATHER)
            self._wake.clear()
            while self._lines:
                self._write(self._lines.popleft())
            if self._dropped:
                self._say_dropped()

    def _say_dropped(self) -> None:
        dropped, self._dropped = self._dropped, 0
        words = f"{dropped} lines are lost: the log could not be written fast enough"
        now = time.time()
        self._write((now, now % 1 * 1000, logging.WARNING, __name__, words, None))

    def _write(self, line: _Line) -> None:
        created, msecs, level, name, words, error = line
        record = logging.makeLogRecord(
            {
                "created": created,
                "msecs": msecs,
                "levelno": level,
                "levelname": logging.getLevelName(level),
                "name": name,
                "msg": words,
                "exc_text": error,
            }
        )
        for handler in self._handlers:
            handler.handle(record)
