"""The files with the cameras' output: one line's form, and reading them, newest or oldest first.

A line is a time, a stream and the text: ``2026-11-21T02:10:03.123Z out exposing``. Lines of
our own have the stream ``===``: where a container started and ended, and what is missing.
`gfa1.log` is the newest file, `gfa1.log.1` the one before it, and so on.

Nothing here needs the manager: `fliswarm logs` and `fliswarm report` read while it is down.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections import deque
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from .engine import LogLine, iso

MARK = "==="
"""The stream of the lines that are not the camera's."""
_BLOCK = 1 << 16
_LINE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (out|err|===) (.*)")
_COLOURS = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")


def path_of(folder: Path, node: str) -> Path:
    """The newest file of a node."""
    return folder / f"{node}.log"


def clean(text: str) -> str:
    """A text without colours and other control characters: a camera cannot forge a line."""
    if text.isprintable():
        return text
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", _COLOURS.sub("", text))


def form(line: LogLine) -> str:
    """A line as it stands in the file, without its end."""
    return f"{line.time} {line.stream} {line.text}"


def parse(text: str) -> LogLine | None:
    """A line of a file; None for what is none."""
    found = _LINE.fullmatch(text)
    return LogLine(found[1], found[2], found[3]) if found else None


def shift(time: str, **by: float) -> str:
    """A line's time, moved: `milliseconds=1`."""
    return iso(datetime.fromisoformat(time) + timedelta(**by))


def last_lines(folder: Path, node: str, count: int) -> list[LogLine]:
    """The last lines of a node, oldest first; none where nothing was kept.

    Raises:
        OSError: a file is there and cannot be read.
    """
    found: deque[LogLine] = deque()
    for block in blocks_backwards(folder, node):
        for line in reversed(parse_all(block)):
            if len(found) == count:
                return list(found)
            found.appendleft(line)
    return list(found)


def lines_since(folder: Path, node: str, since: str = "") -> Iterator[LogLine]:
    """The lines of a node from a time on, oldest first; all of them without one.

    Raises:
        OSError: a file is there and cannot be read.
    """
    start = datetime.fromisoformat(since).timestamp() if since else 0.0
    for path in reversed(list(files(path_of(folder, node)))):
        try:
            with path.open("rb") as file:
                if os.fstat(file.fileno()).st_mtime < start:
                    continue
                for raw in file:
                    line = parse(raw.decode("utf-8", "replace").rstrip("\n"))
                    if line is not None and line.time >= since:
                        yield line
        except FileNotFoundError:
            continue  # rotated away meanwhile


def files(path: Path) -> Iterator[Path]:
    """The files of a node that are there, the newest first."""
    number = 0
    while path.exists() or number == 0:
        yield path
        number += 1
        path = path.with_name(f"{path.name.removesuffix(f'.{number - 1}')}.{number}")


def blocks_backwards(folder: Path, node: str) -> Iterator[bytes]:
    """Whole lines in blocks of some ten kilobytes, from the end of the newest file on."""
    for path in files(path_of(folder, node)):
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
            at = file.seek(0, os.SEEK_END)
            rest = b""
            while at > 0:
                size = min(_BLOCK, at)
                at -= size
                file.seek(at)
                data = file.read(size) + rest
                begin = data.find(b"\n") + 1 if at > 0 else 0
                rest = data[:begin]
                if begin < len(data):
                    yield data[begin:]


def parse_all(block: bytes) -> list[LogLine]:
    """The lines of a block."""
    parsed = map(parse, block.decode("utf-8", "replace").split("\n"))
    return [line for line in parsed if line is not None]
