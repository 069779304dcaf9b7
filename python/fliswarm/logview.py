"""How `fliswarm logs` shows what the cameras have printed: all nodes in the order of time.

It reads the files, so it works while the manager is down.
"""

from __future__ import annotations

import heapq
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, NamedTuple

from rich.console import Console
from rich.text import Text

from .config import NodeConfig
from .engine import LogLine, iso
from .errors import SelectionError
from .logfiles import MARK, files, last_lines, lines_since, parse_all, path_of
from .since import parse_since
from .swarm import say_unknown

TICK = 0.3
"""How often the files are looked at for more, in seconds."""
LINES = 100
"""How many lines are shown where nothing is said."""
COLOURS = ("cyan", "green", "magenta", "yellow", "blue", "bright_cyan", "bright_green",
           "bright_magenta", "bright_yellow", "bright_blue")  # fmt: skip


def choose(nodes: Mapping[str, NodeConfig], names: str | None, category: str | None) -> list[str]:
    """The nodes of these names and this category, in configuration order; by default all.

    Raises:
        SelectionError: a name or the category does not exist.
    """
    wanted = [name.strip() for name in (names or "").split(",") if name.strip()]
    if unknown := [name for name in wanted if name not in nodes]:
        raise SelectionError(say_unknown(unknown, list(nodes)))
    if names is None and category is None:
        return list(nodes)
    known = sorted({node.category for node in nodes.values()} - {""})
    if category is not None and category not in known:
        raise SelectionError(
            f"no node is of category {category!r}; known: {', '.join(known) or 'none'}"
        )
    return [
        name
        for name, node in nodes.items()
        if name in wanted or (category is not None and node.category == category)
    ]


class Choice(NamedTuple):
    """Which lines are shown.

    Attributes:
        nodes: of these nodes.
        since: from this time on (as a line bears it); empty for any.
        pattern: with this in their text; None for all.
        lines: the last so many of them; None for all.
    """

    nodes: Sequence[str]
    since: str = ""
    pattern: re.Pattern[str] | None = None
    lines: int | None = None

    def fits(self, line: LogLine) -> bool:
        """Whether the pattern is in a line."""
        return self.pattern is None or self.pattern.search(line.text) is not None


def choice(nodes: Sequence[str], since: str | None, grep: str | None, lines: int | None) -> Choice:
    """The choice that a user makes; without a time and a number the last `LINES` lines.

    Raises:
        ValueError: the time or the pattern cannot be read; the words are for the user.
    """
    start = iso(parse_since(since, datetime.now(UTC))) if since else ""
    try:
        pattern = re.compile(grep) if grep else None
    except re.error as error:
        raise ValueError(f"--grep {grep!r} is no regular expression: {error}") from error
    return Choice(nodes, start, pattern, LINES if lines is None and not since else lines)


class View:
    """Shows lines on a console.

    Args:
        folder: where the files are.
        choice: which lines.
        console: where to show them; without colours when it is no terminal.
    """

    def __init__(self, folder: Path, choice: Choice, console: Console | None = None) -> None:
        self.folder = folder
        self.choice = choice
        self.console = console or Console()
        self._width = max(map(len, choice.nodes), default=0)
        self._styles = {
            node: COLOURS[number % len(COLOURS)] for number, node in enumerate(choice.nodes)
        }

    def show(self) -> int:
        """Show what there is; returns how many lines."""
        found = [pair for pair in self._past() if self.choice.fits(pair[1])]
        if self.choice.lines is not None:
            found = found[-self.choice.lines :] if self.choice.lines else []
        self._print(found)
        return len(found)

    def follow(self) -> None:
        """Show what there is, and then what comes, until interrupted."""
        tails = {node: Tail(self.folder, node) for node in self.choice.nodes}
        try:
            self.show()
            while True:
                fresh = {node: tail.read() for node, tail in tails.items()}
                self._print([pair for pair in merge(fresh) if self.choice.fits(pair[1])])
                time.sleep(TICK)
        finally:
            for tail in tails.values():
                tail.close()

    def _past(self) -> Iterator[tuple[str, LogLine]]:
        choice = self.choice
        if choice.lines is not None and not choice.since and choice.pattern is None:
            count = choice.lines
            return merge({node: last_lines(self.folder, node, count) for node in choice.nodes})
        return merge({node: lines_since(self.folder, node, choice.since) for node in choice.nodes})

    def _print(self, pairs: Sequence[tuple[str, LogLine]]) -> None:
        if self.console.is_terminal:
            for node, line in pairs:
                self.console.print(self._coloured(node, line), soft_wrap=True, highlight=False)
        elif pairs:
            rows = [f"{line.time} {node:{self._width}} {line.stream} {line.text}\n"
                    for node, line in pairs]  # fmt: skip
            self.console.file.write("".join(rows))
            self.console.file.flush()

    def _coloured(self, node: str, line: LogLine) -> Text:
        style = {MARK: "dim", "err": "red"}.get(line.stream, "")
        return Text.assemble(
            (line.time, "dim"),
            (f" {node:{self._width}} ", self._styles[node]),
            (f"{line.stream} ", "dim"),
            (line.text, style),
        )


def merge(
    nodes: Mapping[str, Iterable[LogLine]],
) -> Iterator[tuple[str, LogLine]]:
    """The lines of several nodes in the order of time; those of one node keep theirs."""
    ways = (_timed(number, node, lines) for number, (node, lines) in enumerate(nodes.items()))
    return ((node, line) for _, _, _, node, line in heapq.merge(*ways))


def _timed(
    number: int, node: str, lines: Iterable[LogLine]
) -> Iterator[tuple[str, int, int, str, LogLine]]:
    """Lines with a key that never goes back, though their clock may."""
    latest = ""
    for count, line in enumerate(lines):
        latest = max(latest, line.time)
        yield latest, number, count, node, line


class Tail:
    """The end of a node's file, over rotations; begins with what is written from now on."""

    def __init__(self, folder: Path, node: str) -> None:
        self._path = path_of(folder, node)
        self._rest = b""
        self._file: IO[bytes] | None = None
        self._open(self._path)
        if self._file is not None:
            self._file.seek(0, os.SEEK_END)

    def read(self) -> list[LogLine]:
        """The lines that have come since."""
        lines: list[LogLine] = []
        while True:
            if self._file is None and not self._open(self._path):
                return lines
            lines += self._read()
            newer = self._newer()
            if newer is None:
                return lines
            lines += self._read()  # written between the two looks
            self.close()
            self._open(newer)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self, path: Path) -> bool:
        try:
            self._file = path.open("rb")
        except FileNotFoundError:
            self._file = None
        return self._file is not None

    def _read(self) -> list[LogLine]:
        if self._file is None:
            return []
        data = self._rest + self._file.read()
        end = data.rfind(b"\n") + 1
        self._rest = data[end:]
        return parse_all(data[:end])

    def _newer(self) -> Path | None:
        """The file after ours, when ours has been rotated; None when it is the newest."""
        ours = os.fstat(self._file.fileno()).st_ino if self._file is not None else -1
        before = None
        for path in files(self._path):
            try:
                if path.stat().st_ino == ours:
                    return before
            except FileNotFoundError:
                return None  # in the middle of a rotation; the next look tells
            before = path
        return before  # ours is gone: the oldest that is there
