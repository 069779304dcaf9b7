"""The log behind a thread: nobody waits for its disk, and what is lost is said."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator

import pytest

from fliswarm import logthread
from fliswarm.logthread import LogThread


class Slow(logging.Handler):
    """Writes into a list, once it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may = threading.Event()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.may.wait(20)
        self.lines.append(self.format(record))


@pytest.fixture
def slow() -> Iterator[Slow]:
    slow = Slow()
    yield slow
    slow.may.set()


@pytest.fixture
def log(slow: Slow) -> Iterator[logging.Logger]:
    log = logging.Logger("a log")
    log.addHandler(LogThread([slow]))
    yield log
    slow.may.set()
    assert finish(log)


def finish(log: logging.Logger) -> bool:
    (thread,) = log.handlers
    assert isinstance(thread, LogThread)
    return thread.finish()


def test_lines_come_in_order_with_their_errors(log: logging.Logger, slow: Slow) -> None:
    slow.may.set()
    things = ["one"]
    log.info("first %s", things)
    things.append("two")
    try:
        raise ValueError("a fault")
    except ValueError:
        log.exception("second")
    assert finish(log)
    assert slow.lines[0] == "first ['one']", "as it was when it was said"
    assert slow.lines[1].startswith("second\nTraceback")
    assert slow.lines[1].endswith("ValueError: a fault")


def test_a_disk_that_hangs_stops_nobody(
    log: logging.Logger, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logthread, "LIMIT", 10)
    monkeypatch.setattr(logthread, "CLOSE", 0.2)
    began = time.monotonic()
    for number in range(100):
        log.info("%d", number)
    assert not finish(log)
    assert time.monotonic() - began < 2
    slow.may.set()
    monkeypatch.setattr(logthread, "CLOSE", 10)
    assert finish(log)
    *kept, last = slow.lines
    lost = 100 - len(kept)
    assert kept == [str(number) for number in range(len(kept))]
    assert last == f"{lost} lines are lost: the log could not be written fast enough"
