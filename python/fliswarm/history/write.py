"""Writing the history: one thread, in batches, never in the way of a command.

A disk that is full or a file that is broken costs the history and a line in the log, never a
command. What waits for the disk is bounded; what had to be dropped is counted and said.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

from ..config.redact import redact_text
from . import trim
from .read import SELECT_COMMANDS, command_row
from .records import GIVEN, CommandRecord, EventRecord, Record
from .rows import FILE, TABLES, UNKNOWN, VERSION, CommandRow, schema

GATHER = 0.1
"""For how long records are gathered into one batch, in seconds; a kill may cost these."""
LIMIT = 20_000
"""How many rows may wait for the disk (some MB)."""
RETRY = 60.0
"""How long the file is left alone after it could not be written, in seconds."""
TRIM_EVERY = 3600.0
"""How often what is too old is deleted, in seconds."""
TRIM_ROWS = 2000
"""After how many rows the size of the file is looked at."""
LONG = 2000
"""How many characters of a text are kept."""

log = logging.getLogger(__name__)


class History:
    """The history's file and the thread that writes it.

    Args:
        folder: the state folder.
        days: how long things are kept.
        size: how many bytes the file may have.
        secrets: tells what shall not be written, besides what looks like a secret; called
            in the thread.
        on_unknown: called once, in the thread, with the commands whose end the manager before
            us did not see, if there are any.
    """

    def __init__(
        self,
        folder: Path,
        days: int,
        size: int,
        secrets: Callable[[], Iterable[str]] = tuple,
        on_unknown: Callable[[list[CommandRow]], None] = lambda rows: None,
    ) -> None:
        self.file = folder / FILE
        self.days = days
        self.size = size
        self._on_unknown = on_unknown
        self._find_secrets = secrets
        self._secrets: tuple[str, ...] = ()
        self._clean = functools.lru_cache(256)(self._redact)
        self._queue: deque[tuple[int, Record]] = deque()
        self._put, self._taken = 0, 0
        self._dropped, self._dropped_said, self._lost = 0, 0, 0
        self._wake, self._ending = threading.Event(), threading.Event()
        self._db: sqlite3.Connection | None = None
        self._next_row = 1
        self._took_over = False
        self._since_trim = 0
        self._trim_at = 0.0
        self._retry_at: float | None = None
        self._thread = threading.Thread(target=self._run, name="history", daemon=True)

    def start(self) -> None:
        """Begin to write; returns at once."""
        self._thread.start()

    def put(self, record: Record) -> None:
        """Have a record written soon; returns at once. To be called by one thread only."""
        weight = record.weight
        if self._put - self._taken + weight > LIMIT:
            self._dropped += 1
            return
        self._put += weight
        self._queue.append((weight, record))  # a command grows until it is over
        if not self._wake.is_set():
            self._wake.set()

    def hide(self, secrets: Iterable[str]) -> None:
        """Write these secrets no more, either."""
        self._secrets = (*self._secrets, *secrets)
        self._clean.cache_clear()

    def close(self, timeout: float) -> bool:
        """Write what waits, `timeout` seconds at most; whether all was written."""
        self._ending.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    # the thread

    def _run(self) -> None:
        self._secrets = (*self._secrets, *self._find_secrets())
        self._write([])
        while self._queue or not self._ending.is_set():
            try:
                self._round()
            except Exception:
                log.exception("history: internal error")
                self._ending.wait(RETRY)
        self._shut()

    def _round(self) -> None:
        if self._since_trim >= TRIM_ROWS or self._trim_at <= time.monotonic():
            self._trim()
        self._wake.wait(TRIM_EVERY)
        self._ending.wait(GATHER)
        self._wake.clear()
        batch: dict[Record, None] = {}
        with contextlib.suppress(IndexError):
            while True:
                weight, record = self._queue.popleft()
                batch[record] = None
                self._taken += weight
        if batch:
            self._write(batch)

    def _write(self, batch: Iterable[Record]) -> None:
        """Write records in one transaction; what cannot be written is lost, and said once."""
        records = list(batch)
        dropped = self._dropped
        unsaid = self._lost + dropped - self._dropped_said
        if unsaid:
            records.append(EventRecord("", "lost", cause=f"{unsaid} records were not kept"))
        if self._retry_at is not None and time.monotonic() < self._retry_at:
            self._lost += len(records) - bool(unsaid)
            return
        for attempt in (1, 2):
            try:
                db = self._db or self._open()
                with db:
                    self._insert(db, records)
                self._since_trim += sum(record.weight for record in records)
            except sqlite3.Error as error:
                self._shut()
                if attempt == 1 and self._put_aside(error):
                    continue
                self._failed(error, len(records) - bool(unsaid))
            else:
                self._lost, self._dropped_said = 0, dropped
                self._went_well(unsaid)
            return

    def _failed(self, error: sqlite3.Error, count: int) -> None:
        if self._retry_at is None:
            log.error("history: cannot write %s: %s; commands go on, but what happens now is "
                      "not kept until the file can be written", self.file, error)  # fmt: skip
        self._lost += count
        self._retry_at = time.monotonic() + RETRY

    def _went_well(self, unsaid: int) -> None:
        if unsaid:
            log.warning("history: %s is written again; %d records are not in it: it could not "
                        "be written, or not fast enough", self.file, unsaid)  # fmt: skip
        self._retry_at = None

    def _insert(self, db: sqlite3.Connection, records: list[Record]) -> None:
        commands = [record for record in records if isinstance(record, CommandRecord)]
        events = [record for record in records if isinstance(record, EventRecord)]
        clean = self._clean
        rows, verdicts = [], []
        for one in commands:
            if one.row is None:
                one.row, self._next_row = self._next_row, self._next_row + 1
            rows.append((one.row, one.begun, clean(one.who), one.origin, clean(one.words),
                         ",".join(one.nodes), one.seconds, one.code, clean(one.error)))  # fmt: skip
            told = [(node, verdict, seconds, reason and clean(reason))
                    for node, verdict, seconds, reason in one.verdicts]  # fmt: skip
            verdicts += [(one.row, json.dumps(told))] if told else []
        db.executemany(_INSERT["commands"], rows)
        db.executemany(_INSERT_VERDICTS, verdicts)
        db.executemany(_INSERT["events"], [
            (None, e.at, e.node, e.kind, e.old, e.new, e.layer, clean(e.cause), e.container,
             e.exit_code, e.oom, e.attempt)
            for e in events
        ])  # fmt: skip

    def _redact(self, text: str) -> str:
        return redact_text(text[:GIVEN], self._secrets)[:LONG]

    # the file

    def _open(self) -> sqlite3.Connection:
        """Open the file, make it if need be, and ask it what the manager before us left.

        Raises:
            sqlite3.Error: it cannot be made or read, or is not a history.
        """
        with contextlib.suppress(OSError):
            self.file.parent.mkdir(parents=True, exist_ok=True)
        self._db = db = sqlite3.connect(self.file, timeout=5)
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, VERSION):
            raise _WrongVersionError(f"it is of another fliswarm (version {version})")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute(f"PRAGMA journal_size_limit = {4 << 20}")
        if version == 0:
            with db:
                for statement in ("BEGIN", *schema()):
                    db.execute(statement)
        last = db.execute("SELECT max(id) FROM commands").fetchone()[0]
        self._next_row = max(self._next_row, (last or 0) + 1)
        if not self._took_over:
            self._take_over(db)
        return db

    def _take_over(self, db: sqlite3.Connection) -> None:
        """What ran when the manager before us was killed: from now on of unknown end."""
        self._took_over = True
        rows = db.execute(f"{SELECT_COMMANDS} WHERE code = ''").fetchall()
        last = db.execute(_LAST_OF_MANAGER).fetchone()
        with db:
            db.execute("UPDATE commands SET code = ? WHERE code = ''", (UNKNOWN,))
            if last == ("started",):
                (at,) = db.execute(_LAST_MOMENT).fetchone()
                words = "it was killed then or later: this is the moment of its last record"
                killed = EventRecord("", "manager", new="was killed", cause=words, at=at)
                self._insert(db, [killed])
        found = [command_row(row, {}) for row in rows if row[5]]
        if found:
            self._on_unknown(found)

    def _put_aside(self, error: sqlite3.Error) -> bool:
        """Whether the file was broken and is out of the way now."""
        code = getattr(error, "sqlite_errorcode", None)
        broken = code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
        if not broken and not isinstance(error, _WrongVersionError):
            return False
        aside = self.file.with_name(f"{FILE}.broken")
        try:
            self.file.replace(aside)
            for end in ("-wal", "-shm"):
                self.file.with_name(FILE + end).unlink(missing_ok=True)
        except OSError as trouble:
            log.error("history: %s is broken (%s) and cannot be renamed: %s",
                      self.file, error, trouble)  # fmt: skip
            return False
        log.error("history: %s cannot be used (%s); it is %s now, and a new one is begun",
                  self.file, error, aside)  # fmt: skip
        return True

    def _trim(self) -> None:
        """Delete what is too old, and the oldest when the file is too large."""
        self._since_trim, self._trim_at = 0, time.monotonic() + TRIM_EVERY
        try:
            if self._db is not None:
                trim.until(self._db, time.time() - self.days * 86400.0, self._ending.is_set)
                trim.to_size(self._db, self.size, self._ending.is_set)
        except sqlite3.Error as error:
            self._shut()
            if not self._put_aside(error):
                self._failed(error, 0)

    def _shut(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            with contextlib.suppress(sqlite3.Error):
                db.close()


class _WrongVersionError(sqlite3.DatabaseError):
    """The file is of another version."""


_LAST_OF_MANAGER = "SELECT new FROM events WHERE kind = 'manager' ORDER BY id DESC LIMIT 1"
_LAST_MOMENT = (
    "SELECT max((SELECT max(at) FROM events), (SELECT coalesce(max(begun), 0) FROM commands))"
)
# One step for all nodes of a command: between steps the thread fights for the interpreter.
_INSERT_VERDICTS = (
    "INSERT OR REPLACE INTO verdicts SELECT ?, json_extract(value, '$[0]'), "
    "json_extract(value, '$[1]'), json_extract(value, '$[2]'), json_extract(value, '$[3]') "
    "FROM json_each(?)"
)
_INSERT = {
    table: f"INSERT OR REPLACE INTO {table} VALUES ({','.join('?' * len(columns))})"  # noqa: S608
    for table, columns in TABLES.items()
}
