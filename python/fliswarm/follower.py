"""Following the output of one node's container, from container to container.

Which container that is, is read from the picture that the watch keeps. What was missed while
nobody read (the engine was away, the manager was down) is read from the engine's own log,
beginning with the last line that we have; where that is not possible, a line says what is
missing and why.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import UTC, datetime

from .describe import describe_end
from .engine import Engine, Found, LogLine, iso
from .errors import EngineError, EngineRefused
from .logbook import Logbooks
from .logfiles import MARK
from .logflow import Budget, Resumed
from .picture import Picture
from .state import Facts

LEAVE = 5.0
"""How long the log of a container that was replaced is read on, in seconds."""
AGAIN = 1.0
"""The first pause before a stream that broke is opened again, in seconds; then twice as long."""
AGAIN_MOST = 60.0
PACE = 4 << 20
"""How fast a log is read, in characters a second: a flood must not take the whole computer."""

log = logging.getLogger(__name__)


class Follower:
    """Follows the output of one node into its file.

    Args:
        name: the node's name.
        engine: its engine.
        picture: what is known of the node; the follower hears of its changes.
        books: where the lines go.
    """

    def __init__(self, name: str, engine: Engine, picture: Picture, books: Logbooks) -> None:
        self.name = name
        self.engine = engine
        self.picture = picture
        self.books = books
        self._container: str | None = None
        self._started = ""
        self._last = ""
        self._ended = ""
        self._before = ""
        self._asked = ""
        self._refused = ""
        self._reading = ""
        self._resumed = Resumed()
        self._budget = Budget(books.config.rate)
        self._changed = asyncio.Event()
        self._done = asyncio.Event()
        self._limit: asyncio.Timeout | None = None
        self._pause = AGAIN
        picture.on_facts = self._heard

    async def run(self) -> None:
        """Follow until cancelled; a fault of ours never ends it."""
        while True:
            self._changed.clear()
            pause: float | None = AGAIN_MOST
            try:
                pause = await self._round()
            except EngineError as error:
                log.debug("%s: the log: %s", self.name, error)
                self._say_refused(error)
                pause, self._pause = self._pause, min(2 * self._pause, AGAIN_MOST)
            except OSError as error:
                log.error("%s: cannot read the camera log: %s", self.name, error)
            except Exception:
                log.exception("%s: a round of following the log failed", self.name)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._changed.wait()

    def _say_refused(self, error: EngineError) -> None:
        """An engine that cannot read a log (another log driver) is noted once in its place."""
        words = f"the log cannot be read: {error.reason}"
        refused = isinstance(error, EngineRefused) and error.status not in (0, 404)
        if refused and words != self._refused:
            self._refused = words
            self._mark(words, _now())

    async def finish(self, container_id: str) -> None:
        """Read what is left of a dead container's log before it is removed (bounded)."""
        short = container_id[:12]
        facts = self.picture.facts
        if self._has_left(short) or not facts.enabled or facts.engine_ok is False:
            return  # nobody reads
        with contextlib.suppress(EngineError, TimeoutError):
            async with asyncio.timeout(LEAVE):
                found = await self.engine.inspect(container_id)
                if found is None or found.running or not found.started_at:
                    return
                self._asked = container_id
                self._heard(self.picture.facts)
                while not self._has_left(short):
                    self._done.clear()
                    await self._done.wait()
        self._asked = ""

    def _has_left(self, short: str) -> bool:
        """Whether all of a container's log was read."""
        return self._before == short or (self._container == short and bool(self._ended))

    def _heard(self, facts: Facts) -> None:
        """The picture has changed: end a reading that has no point any more."""
        self._changed.set()
        if self._limit is None or not self._reading or self._limit.expired():
            return
        now = asyncio.get_running_loop().time()
        if not facts.enabled or facts.engine_ok is False:
            self._limit.reschedule(now)
        elif self._reading != self._wanted(facts):
            # It ends by itself when its container has; what it still has is read.
            when = self._limit.when()
            self._limit.reschedule(min(when or now + LEAVE, now + LEAVE))
        else:
            self._limit.reschedule(None)

    def _wanted(self, facts: Facts) -> str:
        """The short id of the container to read now; empty for none."""
        return self._asked[:12] or (facts.container.short_id if facts.container else "")

    async def _round(self) -> float | None:
        """Read what there is to read; returns how long to wait for a change, in seconds."""
        facts = self.picture.facts
        if not facts.enabled or not facts.engine_ok:
            return None
        if self._container is None:
            point = await self.books.point(self.name)
            self._container = point.container if point else ""
            if point:
                self._started, self._ended, self._last = point.started, point.ended, point.last
        found = facts.container
        if self._asked:
            found = await self.engine.inspect(self._asked) or found
        if self._container and (found is None or found.short_id != self._container):
            await self._leave()
        if found is None or not found.started_at:
            return None
        if found.short_id != self._container:
            await self._take_up(found)
        elif _moment(found.started_at) > (self._ended or self._started):
            self._start_again(found)
        if self._ended:
            return None
        await self._follow(found.id)
        return await self._look_at_end(found.id)

    # beginnings

    async def _take_up(self, found: Found) -> None:
        """Another container than before; one that we had earlier goes on where it ended."""
        known = await self.books.point(self.name, found.short_id)
        self._container, self._started = found.short_id, _moment(found.started_at)
        self._last, self._ended, self._refused = "", "", ""
        self._resumed = Resumed()
        if known is not None and not found.running and self._started <= known.ended:
            self._ended = known.ended
        else:
            self._mark(f"container {self._container} started", self._started)

    def _start_again(self, found: Found) -> None:
        """The same container runs again; its log goes on."""
        was_over, self._started = self._ended, _moment(found.started_at)
        self._ended = ""
        if was_over:
            self._mark(f"container {self._container} started", self._started)
        else:
            self._resumed.restart = self._started  # in its place among the lines

    # reading

    async def _follow(self, container_id: str) -> None:
        """Read until the container's end; raises where it was not read to its end."""
        point = await self.books.point(self.name, container_id[:12])
        self._resumed = Resumed(point, self._resumed.restart)
        self._budget.begin()
        self._reading = container_id[:12]
        try:
            async with asyncio.timeout(None) as self._limit:
                self._heard(self.picture.facts)
                self._changed.clear()
                await self.engine.follow(container_id, self._take, self._resumed.since)
        except TimeoutError as error:
            raise EngineRefused(self.name, "the log is read no more") from error
        finally:
            self._reading, self._limit = "", None
        self._resumed.over = True

    async def _take(self, lines: list[LogLine]) -> None:
        """A batch of lines, without those that we have already and what is too much."""
        kept: list[LogLine] = []
        for line in self._resumed.fresh(lines, self._missing):
            if self._resumed.restart and line.time >= self._resumed.restart:
                self._write(kept)
                kept = []
                self._mark(f"container {self._container} started", self._resumed.restart)
                self._resumed.restart = ""
            if words := self._budget.words_before(line):
                kept.append(LogLine(line.time, MARK, words))
            if self._budget.has(line):
                kept.append(line)
        if kept:
            self._pause = AGAIN
        self._write(kept)
        size = sum(len(line.text) for line in lines)
        if size > PACE >> 8:
            await asyncio.sleep(size / PACE)

    def _missing(self, since: str, until: str) -> None:
        why = "the engine has thrown away that part of its log"
        self._mark(f"gap from {since} to {until}: {why}", until)

    def _write(self, lines: list[LogLine]) -> None:
        if lines:
            self._last = lines[-1].time
            self.books.write(self.name, lines)

    def _mark(self, words: str, time: str) -> None:
        self.books.write(self.name, [LogLine(time, MARK, words)])

    # ends

    async def _look_at_end(self, container_id: str) -> float | None:
        """The log is over: has the container ended, or does it run again?"""
        found = await self.engine.inspect(container_id)
        if found is None:
            self._close("was removed", _now())
        elif not found.running:
            self._close(f"ended: {describe_end(found, [])}", _moment(found.ended_at) or _now())
        elif _moment(found.started_at) > self._started:
            self._close("ended", _moment(found.ended_at) or self._last or self._started)
            self._start_again(found)
            self._changed.set()
        else:
            pause, self._pause = self._pause, min(2 * self._pause, AGAIN_MOST)
            return pause
        return None

    async def _leave(self) -> None:
        """The node has another container now, or none: the rest of the old one's log."""
        if not self._ended:
            await self._read_rest(str(self._container))
        self._before, self._container = str(self._container), ""
        self._done.set()

    async def _read_rest(self, short: str) -> None:
        was_over = self._resumed.over
        until = self._last or self._started
        try:
            await self._follow(short)
            self._close("ended", until)
        except EngineRefused as error:
            if not self.picture.facts.engine_ok:
                raise
            if error.status == 404:
                how, why = "was removed", f"container {short} was removed before its log was read"
            else:
                how, why = "is followed no more", error.cause
            if not was_over and error.status:
                self._mark(f"gap from {until} to {_now()}: {why}", _now())
            self._close(how, until)

    def _close(self, how: str, time: str) -> None:
        """The last words on a container, after the last of its own."""
        if words := self._budget.words_at_end():
            self._mark(words, self._last or time)
        if self._resumed.restart:
            self._mark(f"container {self._container} started", self._resumed.restart)
            self._resumed.restart = ""
        self._ended = max(time, self._last)
        self._mark(f"container {self._container} {how}", self._ended)
        self._pause = AGAIN
        self._done.set()


def _moment(engine_time: str) -> str:
    """An engine's time as lines bear it; empty for none."""
    return iso(datetime.fromisoformat(engine_time)) if engine_time else ""


def _now() -> str:
    return iso(datetime.now(UTC))
