"""Reading the history: also while a manager writes it, and when none runs."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..errors import FliswarmError
from .rows import VERSION, CommandRow, EventRow, Verdict

MANY = 500
"""For how many commands the verdicts are asked at once; SQLite takes some 30,000 values."""


SELECT_COMMANDS = "SELECT id, begun, who, origin, words, nodes, seconds, code, error FROM commands"


class HistoryError(FliswarmError):
    """The history cannot be read; says why."""


def commands(
    file: Path, node: str | None = None, since: datetime | None = None, limit: int | None = None
) -> list[CommandRow]:
    """The commands (of a node, since a moment; the last `limit`), the oldest first.

    Raises:
        HistoryError: there is no such file, or it cannot be read.
    """
    rows = _select(
        file, SELECT_COMMANDS, "begun", "instr(',' || nodes || ',', ',' || ? || ',')",
        node, since, limit,
    )  # fmt: skip
    verdicts = _verdicts(file, [row[0] for row in rows])
    return [command_row(row, verdicts.get(row[0], {})) for row in rows]


def events(
    file: Path, node: str | None = None, since: datetime | None = None, limit: int | None = None
) -> list[EventRow]:
    """The changes, deaths and restarts (of a node and the manager), the oldest first.

    Raises:
        HistoryError: there is no such file, or it cannot be read.
    """
    rows = _select(
        file, "SELECT id, at, node, kind, old, new, layer, cause, container, exit_code, oom, "
        "attempt FROM events", "at", "node IN (?, '')", node, since, limit,
    )  # fmt: skip
    return [_event_row(row) for row in rows]


def oldest(file: Path) -> datetime | None:
    """How far the history goes back; None when it is empty.

    Raises:
        HistoryError: there is no such file, or it cannot be read.
    """
    with _reading(file) as db:
        rows = db.execute("SELECT min(begun) FROM commands UNION SELECT min(at) FROM events")
        moments = [row[0] for row in rows if row[0] is not None]
    return _moment(min(moments)) if moments else None


def _select(
    file: Path,
    what: str,
    time: str,
    of_node: str,
    node: str | None,
    since: datetime | None,
    limit: int | None,
) -> list[Any]:
    conditions: list[str] = []
    values: list[Any] = []
    if node is not None:
        conditions.append(of_node)
        values.append(node)
    if since is not None:
        conditions.append(f"{time} >= ?")
        values.append(since.timestamp())
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    order = f"{what}{where} ORDER BY {time} DESC, id DESC LIMIT ?"
    with _reading(file) as db:
        return db.execute(order, (*values, -1 if limit is None else limit)).fetchall()[::-1]


def command_row(row: Any, verdicts: dict[str, Verdict]) -> CommandRow:
    """A row of `SELECT_COMMANDS`; the verdicts (by node) in the order of its nodes."""
    nodes = tuple(row[5].split(",")) if row[5] else ()
    told = tuple(verdicts[node] for node in nodes if node in verdicts)
    values: list[Any] = [row[0], _moment(row[1]), *row[2:5], nodes, *row[6:9], told]
    return CommandRow(*values)


def _event_row(row: Any) -> EventRow:
    values: list[Any] = [row[0], _moment(row[1]), *row[2:10], bool(row[10]), row[11]]
    return EventRow(*values)


def _verdicts(file: Path, ids: Sequence[int]) -> dict[int, dict[str, Verdict]]:
    """The verdicts of commands, by command and node."""
    found: dict[int, dict[str, Verdict]] = {}
    with _reading(file) as db:
        for start in range(0, len(ids), MANY):
            some = ids[start : start + MANY]
            marks = ",".join("?" * len(some))
            query = f"SELECT * FROM verdicts WHERE command IN ({marks})"  # noqa: S608 - only ?
            for command, *values in db.execute(query, some):
                found.setdefault(command, {})[values[0]] = Verdict(*values)
    return found


@contextlib.contextmanager
def _reading(file: Path) -> Iterator[sqlite3.Connection]:
    """The file, for reading only.

    Raises:
        HistoryError: it is not there, not ours, or broken.
    """
    if not file.exists():
        raise HistoryError(f"there is no history in {file}: no manager has written it yet")
    db = None
    try:
        db = _connect(file)
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version != VERSION:
            raise HistoryError(_say_version(file, version))
        yield db
    except sqlite3.Error as error:
        raise HistoryError(f"cannot read {file}: {error}") from error
    finally:
        if db is not None:
            db.close()


def _connect(file: Path) -> sqlite3.Connection:
    """Without a right to write in its folder only a file at rest can be read, as it is."""
    uri = f"file:{quote(str(file.absolute()))}?mode=ro"
    db = sqlite3.connect(uri, uri=True, timeout=5)
    try:
        db.execute("SELECT 1 FROM sqlite_master")
    except sqlite3.OperationalError:
        db.close()
        if file.with_name(f"{file.name}-wal").exists():
            raise
        db = sqlite3.connect(f"{uri}&immutable=1", uri=True)
    return db


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _say_version(file: Path, version: int) -> str:
    if version == 0:
        return f"{file} is being made just now; try again"
    return f"{file} is of another fliswarm (version {version})"
