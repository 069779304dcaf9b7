"""Who did what, and what became of it: commands and changes as records of the history."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from . import __version__
from .config import SwarmConfig
from .config.redact import find_secrets
from .engine import Found
from .history import GIVEN, CommandRecord, CommandRow, EventRecord, History
from .hub import Hub
from .outcome import Outcome
from .picture import NodeStatus

FRESH = 60.0
"""How long after its start a manager tells newcomers what its predecessor left, in seconds."""
MANY = 50
"""Of so many commands that were left each is told; of the rest, how many."""
CLOSE = 3.0
"""How long the end of the manager may wait for the history's disk, in seconds."""

log = logging.getLogger(__name__)


class Audit:
    """Writes the history of one manager; without `history.days` it does nothing.

    Args:
        config: the whole configuration.
        tell: called with a keyword (see `unknown_keyword`) for each command that ran when
            the manager before us was killed.
    """

    def __init__(self, config: SwarmConfig, tell: Callable[[dict[str, Any]], None]) -> None:
        self._tell = tell
        self._running: dict[Any, tuple[CommandRecord, float]] = {}
        self._unknown: list[dict[str, Any]] = []
        self._fresh_until = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._history: History | None = None
        if config.history.days:
            self._history = History(
                config.state_dir,
                config.history.days,
                config.history.size,
                functools.partial(find_secrets, config),
                self._found_unknown,
            )

    def start(self) -> None:
        """Begin to write, and tell of what the manager before us left."""
        self._loop = asyncio.get_running_loop()
        self._fresh_until = time.monotonic() + FRESH
        self._put(EventRecord("", "manager", new="started",
                              cause=f"fliswarm {__version__}, pid {os.getpid()}"))  # fmt: skip
        if self._history is not None:
            self._history.start()

    async def close(self) -> None:
        """Write what waits; bounded."""
        if self._history is not None:
            self._put(EventRecord("", "manager", new="stopped"))
            if not await asyncio.to_thread(self._history.close, CLOSE):
                log.error("history: %s hangs; its last records are lost", self._history.file)

    def learn(self, config: SwarmConfig) -> None:
        """The secrets of another configuration, too, shall not be written; for a thread."""
        if self._history is not None:
            self._history.hide(find_secrets(config))

    def _put(self, record: CommandRecord | EventRecord) -> None:
        if self._history is not None:
            self._history.put(record)

    # commands

    def began(self, command: Any, named: bool, hub: Hub | None) -> None:
        """A command has come; `named` says whether its line names a commander."""
        if self._history is None:
            return
        peer = command.transport.get_extra_info("peername")
        by_hub = "hub " if named and peer and hub and hub.address == peer[0] else ""
        origin = f"{by_hub}{peer[0]}:{peer[1]}" if peer else "a signal"
        who = str(command.commander_id) if named else f"user {command.commander_id}"
        who = who if peer else "the manager"
        record = CommandRecord(time.time(), who, origin, command.body[:GIVEN])
        self._running[command] = record, time.monotonic()
        self._history.put(record)

    def aimed(self, command: Any, nodes: Iterable[str]) -> None:
        """A command is for these nodes, and does something to them."""
        if command in self._running:
            self._running[command][0].nodes = tuple(nodes)

    def judged(self, command: Any, outcomes: Sequence[Outcome]) -> None:
        """A command has ended on every node."""
        if command in self._running:
            record = self._running[command][0]
            record.verdicts = tuple(
                (one.node.name, str(one.verdict), round(one.seconds, 3), one.reason[:GIVEN])
                for one in outcomes
            )
            record.nodes = record.nodes or tuple(one.node.name for one in outcomes)

    def failed(self, command: Any, error: Any) -> None:
        """A command fails, for this reason."""
        if command in self._running:
            words = error[-1] if isinstance(error, list | tuple) and error else error
            self._running[command][0].error = str(words)[:GIVEN]

    def ended(self, command: Any) -> None:
        """A command is over."""
        record, started = self._running.pop(command, (None, 0.0))
        if record is not None:
            record.seconds = round(time.monotonic() - started, 3)
            record.code = ":" if command.status.did_succeed else "f"
            self._put(record)

    # nodes

    def changed(self, old: NodeStatus, new: NodeStatus) -> None:
        """A node's status has changed; that all are looked at anew at the start is not said."""
        if self._loop is None or self._history is None:
            return
        name, was, now = new.name, old.facts, new.facts
        found = now.container
        if found is not None and found.state in ("exited", "dead") and _ran(was.container, found):
            kind = "ended" if now.stopped or now.operation else "died"
            self._put(
                EventRecord(
                    name, kind, cause=now.end, container=found.short_id,
                    exit_code=found.exit_code, oom=found.oom_killed,
                )
            )  # fmt: skip
        if now.attempt and now.operation and not was.operation:
            self._put(EventRecord(name, "restart", attempt=now.attempt))
        if (new.state, new.layer, new.cause) != (old.state, old.layer, old.cause):
            self._put(
                EventRecord(
                    name, "state", str(old.state), str(new.state), str(new.layer), new.cause[:GIVEN]
                )
            )

    # what the manager before us left

    def newcomer(self) -> list[dict[str, Any]]:
        """What a user who has just connected is told: in the first minute, what is unknown."""
        return self._unknown if time.monotonic() < self._fresh_until else []

    def _found_unknown(self, rows: list[CommandRow]) -> None:
        """In the history's thread."""
        loop = self._loop
        if loop is None:
            return
        with contextlib.suppress(RuntimeError):  # the loop has ended already
            loop.call_soon_threadsafe(self._tell_unknown, rows)

    def _tell_unknown(self, rows: list[CommandRow]) -> None:
        for row in rows:
            log.warning(
                "%s (%s) had asked for %r on %s at %s UTC; the manager was killed meanwhile: "
                "what became of it is unknown", row.who, row.origin, row.words,
                ",".join(row.nodes), row.begun.strftime("%Y-%m-%d %H:%M:%S"),
            )  # fmt: skip
        self._unknown = [unknown_keyword(row) for row in rows[-MANY:]]
        if len(rows) > MANY:
            words = f"{len(rows) - MANY} more commands are of unknown end; see fliswarm history"
            self._unknown.append({"text": words})
        for keyword in self._unknown:
            self._tell(keyword)


def _ran(before: Found | None, now: Found) -> bool:
    """Whether this very container ran when it was last looked at."""
    return before is not None and before.id == now.id and before.running


def unknown_keyword(row: CommandRow) -> dict[str, Any]:
    """The keyword `unknownCommand` of a command whose end nobody knows."""
    begun = row.begun.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"unknownCommand": [row.who, row.words, ",".join(row.nodes), begun]}
