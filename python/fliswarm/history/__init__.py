"""What happened: every command, every change of a node, in one SQLite file that outlives us."""

from __future__ import annotations

from .read import HistoryError, commands, events, oldest
from .records import GIVEN, CommandRecord, EventRecord
from .rows import FILE, CommandRow, EventRow, Verdict, reference
from .write import History

__all__ = [
    "FILE",
    "GIVEN",
    "CommandRecord",
    "CommandRow",
    "EventRecord",
    "EventRow",
    "History",
    "HistoryError",
    "Verdict",
    "commands",
    "events",
    "oldest",
    "reference",
]
