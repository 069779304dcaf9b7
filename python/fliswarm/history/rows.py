"""The tables of the history: one description gives the SQL, the reference page and the rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

FILE = "history.sqlite"
"""Its name in the state folder."""
VERSION = 1
"""Kept in the file as `PRAGMA user_version`."""
UNKNOWN = "unknown"
"""The code of a command whose end no manager has seen."""

TABLES: dict[str, dict[str, tuple[str, str]]] = {
    "commands": {
        "id": ("INTEGER PRIMARY KEY", "A number; later commands have higher ones."),
        "begun": ("REAL NOT NULL", "When it began, in seconds since 1970 (UTC)."),
        "who": ("TEXT NOT NULL", "The commander as the hub names it, or `user 3`."),
        "origin": (
            "TEXT NOT NULL",
            "The address and port that it came from; after `hub` when that is the hub's "
            "computer and the line names a commander.",
        ),
        "words": ("TEXT NOT NULL", "The command, without secrets, 2,000 characters at most."),
        "nodes": (
            "TEXT NOT NULL",
            "The nodes that it was for, with commas between them; empty for a command that "
            "does nothing to a node, such as `status`.",
        ),
        "seconds": ("REAL", "How long it took; NULL while it runs or where nobody knows."),
        "code": (
            "TEXT NOT NULL",
            "`:` done, `f` failed; empty while it runs; `unknown` when the manager was killed "
            "meanwhile.",
        ),
        "error": ("TEXT NOT NULL", "Why it failed."),
    },
    "verdicts": {
        "command": ("INTEGER NOT NULL", "The command's `id`."),
        "node": ("TEXT NOT NULL", "The node."),
        "verdict": ("TEXT NOT NULL", "How it ended there, as in the keyword `verdict`."),
        "seconds": ("REAL NOT NULL", "How long that took."),
        "reason": ("TEXT NOT NULL", "Why, where it is not `ok`."),
    },
    "events": {
        "id": ("INTEGER PRIMARY KEY", "A number; later events have higher ones."),
        "at": ("REAL NOT NULL", "When, in seconds since 1970 (UTC)."),
        "node": ("TEXT NOT NULL", "The node; empty where it is about the manager."),
        "kind": (
            "TEXT NOT NULL",
            "`state`: the state, its layer or its cause changed. `died`: the container ended "
            "unasked. `ended`: it was stopped by command or by hand. `restart`: it is started "
            "again. `manager`: the manager started or stopped. `lost`: something could not be "
            "written down.",
        ),
        "old": ("TEXT NOT NULL", "The state before."),
        "new": ("TEXT NOT NULL", "The state now; for `manager`: started, stopped, was killed."),
        "layer": ("TEXT NOT NULL", "The lowest layer that fails."),
        "cause": ("TEXT NOT NULL", "Why, in words."),
        "container": ("TEXT NOT NULL", "The short id of the container that died or ended."),
        "exit_code": ("INTEGER", "What it ended with."),
        "oom": ("INTEGER", "1 when the kernel killed it for its memory."),
        "attempt": ("INTEGER", "Which start in a row it is, from 1."),
    },
}
_MORE = {
    "commands": (")", "CREATE INDEX commands_begun ON commands (begun)"),
    "verdicts": (", PRIMARY KEY (command, node)) WITHOUT ROWID",),
    "events": (")", "CREATE INDEX events_at ON events (at)"),
}


def schema() -> list[str]:
    """The SQL statements that make the tables."""
    made = []
    for table, columns in TABLES.items():
        first, *more = _MORE[table]
        inside = ", ".join(f"{name} {kind}" for name, (kind, _) in columns.items())
        made += [f"CREATE TABLE {table} ({inside}{first}", *more]
    return [*made, f"PRAGMA user_version = {VERSION}"]


def reference() -> str:
    """The tables and their columns, in Markdown."""
    parts = []
    for table, columns in TABLES.items():
        rows = [f"## {table}", "", "| column | type | meaning |", "| --- | --- | --- |"]
        for name, (kind, meaning) in columns.items():
            rows.append(f"| `{name}` | {kind.split()[0]} | {meaning} |")
        parts.append("\n".join(rows))
    return "\n\n".join(parts) + "\n"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a command ended on a node; `seconds` is how long that took."""

    node: str
    verdict: str
    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class CommandRow:
    """A command as the history has it; times in UTC, `seconds` None where nobody knows."""

    id: int
    begun: datetime
    who: str
    origin: str
    words: str
    nodes: tuple[str, ...]
    seconds: float | None
    code: str
    error: str
    verdicts: tuple[Verdict, ...] = ()

    def concerns(self, node: str) -> bool:
        """Whether it was for this node."""
        return node in self.nodes


@dataclass(frozen=True, slots=True)
class EventRow:
    """Something that happened to a node or the manager; see `TABLES`."""

    id: int
    at: datetime
    node: str
    kind: str
    old: str
    new: str
    layer: str
    cause: str
    container: str
    exit_code: int | None
    oom: bool
    attempt: int | None

    def concerns(self, node: str) -> bool:
        """Whether it happened to this node."""
        return node == self.node
