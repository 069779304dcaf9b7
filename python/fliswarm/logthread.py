"""The log written by a thread: a disk that hangs, or a terminal that is stopped, stops nobody.

Lines are given to a queue; a thread takes them out some times a second and hands them to the
handlers that write. What waits is bounded; what was dropped is counted and said.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Sequence

GATHER = 0.05
"""How long lines are gathered before they are written, in seconds; a kill may cost these."""
LIMIT = 50_000
"""How many lines may wait (some 20 MB); a manager of 500 nodes writes a few a second."""
CLOSE = 2.0
"""How long the end of the manager may wait for the log's disk, in seconds."""

_PLAIN = logging.Formatter()


class LogThread(logging.Handler):
    """A handler that gives its lines to others, which may take their time.

    Args:
        handlers: what writes the lines.
    """

    def __init__(self, handlers: Sequence[logging.Handler]) -> None:
        super().__init__()
        self._handlers = handlers
        self._lines: deque[logging.LogRecord] = deque()
        self._dropped = 0
        self._wake, self._ending = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Let a line wait for the thread; returns at once."""
        if len(self._lines) >= LIMIT:
            self._dropped += 1
            return
        # What the line speaks of may be another by the time it is written.
        record.msg, record.args = record.getMessage(), None
        if record.exc_info:
            record.exc_text = _PLAIN.formatException(record.exc_info)
            record.exc_info = None
        self._lines.append(record)
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
        self._write(
            logging.makeLogRecord(
                {
                    "name": __name__,
                    "levelno": logging.WARNING,
                    "levelname": "WARNING",
                    "msg": f"{dropped} lines are lost: the log could not be written fast enough",
                }
            )
        )

    def _write(self, record: logging.LogRecord) -> None:
        for handler in self._handlers:
            handler.handle(record)
