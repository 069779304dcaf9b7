"""Keeping the history's file small: what is too old goes, and the oldest when it is too large."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

CHUNK = 1000
"""How many rows are deleted in one transaction: a large one would be written twice."""
SHARE = 10
"""What part of a file that is too large is deleted: a tenth."""
_OLDEST = {
    "commands": "SELECT id FROM commands WHERE begun <= ? ORDER BY begun LIMIT ?",
    "events": "SELECT id FROM events WHERE at <= ? ORDER BY at LIMIT ?",
}
_TIMES = {"commands": "begun", "events": "at"}


def until(db: sqlite3.Connection, moment: float, stop: Callable[[], bool]) -> None:
    """Delete what happened up to a moment (seconds since 1970), unless told to stop.

    Raises:
        sqlite3.Error: it cannot be deleted.
    """
    for table, oldest in _OLDEST.items():
        while not stop():
            with db:
                found = db.execute(oldest, (moment, CHUNK)).fetchall()
                if table == "commands":
                    db.executemany("DELETE FROM verdicts WHERE command = ?", found)
                db.executemany(f"DELETE FROM {table} WHERE id = ?", found)  # noqa: S608
            if len(found) < CHUNK:
                break


def to_size(db: sqlite3.Connection, size: int, stop: Callable[[], bool]) -> None:
    """Delete the oldest until the rest needs `size` bytes at most, unless told to stop.

    The file does not shrink; what is free in it is used again.

    Raises:
        sqlite3.Error: it cannot be deleted.
    """
    while not stop() and _used(db) > size:
        counts = {
            table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
            for table in _TIMES
        }
        table = max(counts, key=lambda name: counts[name])
        time = _TIMES[table]
        moment = db.execute(
            f"SELECT {time} FROM {table} ORDER BY {time} LIMIT 1 OFFSET ?",  # noqa: S608
            (counts[table] // SHARE,),
        ).fetchone()
        if moment is None:
            return
        until(db, moment[0], stop)


def _used(db: sqlite3.Connection) -> int:
    """How many bytes of the file are in use."""
    pages, free, size = (
        db.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)
