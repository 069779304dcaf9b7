"""How `fliswarm history` shows what happened: one table in time order, or JSON lines."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from . import history
from .config import SwarmConfig
from .display import STATES
from .errors import SelectionError
from .history import CommandRow, EventRow

LINES = 50
"""How many entries are shown where nothing says how many, nor since when."""
MOST = 10_000
"""How many are shown at most where only `--since` is given."""

PIPE_WIDTH = 200
"""How wide the table is where no terminal says so, in characters."""
Entry = CommandRow | EventRow


def tell(
    config: SwarmConfig,
    node: str | None,
    since: datetime | None,
    kinds: str,
    lines: int | None,
    in_json: bool,
) -> None:
    """Print the history of a manager; see `entries`.

    Raises:
        HistoryError: there is no history, or it cannot be read.
        SelectionError: there is no such node, and never was.
    """
    most = lines or (LINES if since is None else MOST)
    file = config.state_dir / history.FILE
    found, more = entries(file, node, since, kinds, most)
    if node is not None and node not in config.nodes and not any(e.concerns(node) for e in found):
        raise SelectionError(f"unknown node {node!r}; known: {', '.join(config.nodes) or 'none'}")
    console = Console()
    if in_json:
        for entry in found:
            console.out(as_json(entry), highlight=False)
        return
    if not console.is_terminal:
        console = Console(width=PIPE_WIDTH)
    if more:
        console.print(f"The last {most}; --lines shows more.", style="dim")
    show(found, console)


def entries(
    file: Path, node: str | None, since: datetime | None, kinds: str, lines: int
) -> tuple[list[Entry], bool]:
    """The last `lines` entries in time order, and whether older ones were left out.

    Args:
        file: the history.
        node: only what concerns this node (and the manager).
        since: not what was before.
        kinds: ``commands``, ``events`` or ``both``.
        lines: how many at most.

    Raises:
        HistoryError: there is no history, or it cannot be read.
    """
    found: list[Entry] = []
    if kinds != "events":
        found += history.commands(file, node, since, lines + 1)
    if kinds != "commands":
        found += history.events(file, node, since, lines + 1)
    found.sort(key=_at)
    return found[-lines:], len(found) > lines


def show(found: Sequence[Entry], console: Console) -> None:
    """Print entries as a table; times in UTC."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("UTC", "NODE"):
        table.add_column(name, no_wrap=True)
    for name in ("WHAT", "WHAT BECAME OF IT", "BY"):
        table.add_column(name, overflow="fold")
    for entry in found:
        row = _of_command(entry) if isinstance(entry, CommandRow) else _of_event(entry)
        table.add_row(_at(entry).strftime("%Y-%m-%d %H:%M:%S"), *row)
    console.print(table)


def as_json(entry: Entry) -> str:
    """An entry as one JSON object: the columns of its table, `kind` being ``command``."""
    row: dict[str, Any] = dataclasses.asdict(entry)
    if isinstance(entry, CommandRow):
        row = {"kind": "command", **row}
    for name, value in row.items():
        if isinstance(value, datetime):
            row[name] = value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps(row)


def _at(entry: Entry) -> datetime:
    return entry.begun if isinstance(entry, CommandRow) else entry.at


def _of_command(row: CommandRow) -> tuple[str, str, Text, str]:
    end = Text()
    took = f" after {row.seconds:.1f} s" if row.seconds is not None else ""
    if row.code == ":":
        end.append("done", "green").append(took)
    elif row.code == "f":
        end.append("failed", "bold red").append(f"{took}: {row.error}")
    elif row.code:
        end.append("unknown: the manager was killed meanwhile", "bold red")
    else:
        end.append("is running", "cyan")
    for one in row.verdicts:
        if one.verdict != "ok" and one.reason not in row.error:
            end.append(f"\n{one.node} ", "bold").append(one.verdict, "bold red")
            end.append(f" after {one.seconds:.1f} s: {one.reason}")
    by = f"{row.who}, hub" if row.origin.startswith("hub ") else f"{row.who}, {row.origin}"
    return _few(row.nodes), row.words, end, by


def _few(nodes: Sequence[str]) -> str:
    """The names of a few nodes; of many, the first and how many more."""
    return ",".join(nodes) if len(nodes) <= 3 else f"{nodes[0]} and {len(nodes) - 1} more"


def _of_event(row: EventRow) -> tuple[str, Text, Text, str]:
    what, became = Text(), Text(row.cause)
    if row.kind == "state":
        what.append(f"{row.old} -> " if row.old != row.new else "")
        what.append(row.new, STATES.get(row.new, "bold red"))
        if row.layer:
            became = Text(f"[{row.layer}] {row.cause}")
    elif row.kind in ("died", "ended"):
        what.append(f"container {row.kind}", "bold red" if row.kind == "died" else "yellow")
        code = "unknown" if row.exit_code is None else row.exit_code
        became = Text("out of memory" if row.oom else f"exit code {code}")  # the state says more
    elif row.kind == "restart":
        what.append("container is started again", "cyan")
        became = Text(f"attempt {row.attempt}")
    elif row.kind == "manager":
        what.append(f"manager {row.new}", "cyan")
    else:
        what.append("not all is here", "yellow")
    return row.node, what, became, ""
