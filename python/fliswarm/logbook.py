"""Writing the cameras' output: buffered, in one thread for all nodes, into rotated files.

The event loop only puts lines into a list. A disk that is full or hangs costs lines of the
copies, which is said in the log and in the files; it does not hold up a camera or a command.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from .config import CameraLogs, NodeConfig
from .config.redact import find_secrets, redact_text
from .engine import LogLine
from .engine.threads import NodeThreads
from .errors import os_reason
from .logfiles import (
    MARK,
    blocks_backwards,
    clean,
    files,
    form,
    last_lines,
    parse_all,
    path_of,
    shift,
)

GATHER = 0.25
"""How long lines are gathered before they are written, in seconds."""
WAITING_MOST = 1 << 20
"""How much of a node may wait for a disk that hangs, in characters."""
OVERLAP = 10
"""How much is read again after a break, in milliseconds: stdout and stderr may be swapped."""
_CONTAINER = re.compile(r"container ([0-9a-f]{12}) (?:(started)|goes on, started (\S+)|.*)")

log = logging.getLogger(__name__)


class Point(NamedTuple):
    """How far the file of a node goes.

    Attributes:
        container: the first twelve characters of the container's id.
        started: when it last started; empty if it has ended since.
        ended: when it ended, if all of its log was read; empty otherwise.
        after: when an earlier run of it ended, if nothing came since; empty for none.
        last: the time of its last line since then; empty if there is none.
        seen: times and streams of its lines in the last `OVERLAP` ms before that, counted.
    """

    container: str
    started: str
    ended: str
    after: str
    last: str
    seen: Counter[tuple[str, str]]


class Logbooks:
    """The files of all nodes.

    Args:
        folder: where they are; made when something is written.
        config: how long they get, and how many are kept.
        nodes: gives the nodes' configurations, whose secrets must not be in the files.
    """

    def __init__(
        self,
        folder: Path,
        config: CameraLogs,
        nodes: Callable[[], Mapping[str, NodeConfig]] = dict,
    ) -> None:
        self.folder = folder
        self.config = config
        self._nodes = nodes
        self._secrets: dict[str, tuple[NodeConfig | None, tuple[str, ...]]] = {}
        self._waiting: dict[str, list[LogLine]] = {}
        self._sizes: Counter[str] = Counter()
        self._lost: Counter[str] = Counter()
        self._marking: dict[str, int] = {}
        self._why = ""
        self._something = asyncio.Event()
        self._threads = NodeThreads("camera-logs", most=1)
        self._flushing = asyncio.Lock()

    def write(self, node: str, lines: list[LogLine]) -> None:
        """Write these lines soon."""
        self._sizes[node] += sum(len(line.text) + 40 for line in lines)
        if self._sizes[node] > WAITING_MOST:
            self._lost[node] += len(lines)
            return
        self._waiting.setdefault(node, []).extend(lines)
        self._something.set()

    async def run(self) -> None:
        """Write until cancelled, and then what is left."""
        try:
            while True:
                await self._something.wait()
                self._something.clear()
                await asyncio.sleep(GATHER)
                await self.flush()
        finally:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(2):
                    await self.flush()

    async def flush(self) -> None:
        """Write what waits, and return when it is written."""
        async with self._flushing:
            waiting, self._waiting = self._waiting, {}
            if not waiting:
                return
            marked = {node: self._marked(node, lines) for node, lines in waiting.items()}
            failed = await self._threads.call(lambda: self._write_all(marked), None)
            for node, lines in waiting.items():
                self._sizes[node] = 0
                if node in failed:
                    self._lost[node] += len(lines)
                else:
                    self._lost[node] -= self._marking.pop(node, 0)
            self._say(next(iter(failed.values()), ""))

    def _marked(self, node: str, lines: list[LogLine]) -> list[LogLine]:
        """The lines, and before them what was lost."""
        lost = self._marking[node] = self._lost[node]
        if not lost:
            return lines
        words = f"{lost:,} lines left out: {self._why or 'the disk is too slow'}"
        return [LogLine(lines[0].time, MARK, words), *lines]

    async def point(self, node: str, container: str = "") -> Point | None:
        """How far a node's file goes: of its last container, or of a certain one.

        Raises:
            OSError: the file cannot be read.
        """
        await self.flush()
        return await self._threads.call(lambda: find_point(self.folder, node, container), None)

    async def last(self, node: str, count: int) -> list[LogLine]:
        """The last lines of a node, with those that are not written yet.

        Raises:
            OSError: the file cannot be read.
        """
        await self.flush()
        return await self._threads.call(lambda: last_lines(self.folder, node, count), None)

    def _say(self, why: str) -> None:
        """A change is logged once."""
        if why and not self._why:
            log.error("cannot write the camera logs in %s: %s; left out meanwhile",
                      self.folder, why)  # fmt: skip
        elif self._why and not why:
            log.warning("the camera logs in %s are written again", self.folder)
        self._why = why

    # in the thread

    def _write_all(self, waiting: dict[str, list[LogLine]]) -> dict[str, str]:
        """Write; the reason for each node where it failed."""
        failed = {}
        for node, lines in waiting.items():
            secrets = self._find_secrets(node)
            try:
                self._append(node, [form(_safe(line, secrets)) for line in lines])
            except OSError as error:
                failed[node] = os_reason(error)
        return failed

    def _find_secrets(self, node: str) -> tuple[str, ...]:
        """The secrets that a node's camera knows; searched for when its configuration is new."""
        config = self._nodes().get(node)
        known = self._secrets.get(node)
        if known is None or known[0] is not config:
            known = self._secrets[node] = (config, find_secrets(config) if config else ())
        return known[1]

    def _append(self, node: str, lines: list[str]) -> None:
        """Append whole lines, or nothing; the file is rotated before when it is full."""
        path = path_of(self.folder, node)
        data = "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")
        self.folder.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_size + len(data) > self.config.size:
                data = self._rotate(node, path, lines[0][:24]) + data
        with path.open("ab", buffering=0) as file:
            size = file.tell()
            try:
                rest = memoryview(data)
                while rest:
                    rest = rest[file.write(rest) or 0 :]
            except OSError:
                os.ftruncate(file.fileno(), size)
                raise

    def _rotate(self, node: str, path: Path, now: str) -> bytes:
        """Move each file on by one; returns the first line of the new one."""
        point = find_point(self.folder, node)
        there = list(files(path))
        for number in range(len(there), 0, -1):
            old = there[number - 1]
            if number > self.config.keep:
                old.unlink(missing_ok=True)
            else:
                old.replace(path.with_name(f"{path.name}.{number}"))
        if point is None:
            return b""
        how = "ended before" if point.ended else f"goes on, started {point.started}"
        time = point.ended or now
        return f"{time} {MARK} container {point.container} {how}\n".encode()


def _safe(line: LogLine, secrets: tuple[str, ...]) -> LogLine:
    return line._replace(text=redact_text(clean(line.text), secrets))


def find_point(folder: Path, node: str, container: str = "") -> Point | None:
    """How far a node's file goes: of its last container, or of a certain one."""
    started, last, earliest = "", "", ""
    seen: Counter[tuple[str, str]] = Counter()
    for block in blocks_backwards(folder, node):
        if last and f" {MARK} container ".encode() not in block:
            continue
        for line in reversed(parse_all(block)):
            if line.stream != MARK:
                if not last:
                    last, earliest = line.time, shift(line.time, milliseconds=-OVERLAP)
                if line.time >= earliest:
                    seen[line.time, line.stream] += 1
                continue
            found = _CONTAINER.fullmatch(line.text)
            if found is None:
                continue
            container = container or found[1]
            if container != found[1]:  # what comes behind this was another's
                last = ""
                seen.clear()
                continue
            began = found[3] or (line.time if found[2] else "")
            if not began:
                ended = "" if started or last else line.time
                return Point(container, started, ended, line.time, last, seen)
            started = started or began
            if last:
                return Point(container, started, "", "", last, seen)
    return Point(container, started, "", "", last, seen) if started else None
