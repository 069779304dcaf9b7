"""All nodes in configuration order: selecting, fanning out, owning their tasks."""

from __future__ import annotations

import asyncio
import difflib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from .config import SwarmConfig
from .errors import (
    CameraBusy,
    CameraClosed,
    CameraError,
    CameraLost,
    CameraSilent,
    CameraTimeout,
    CameraUnreachable,
    EngineTimeout,
    EngineUnreachable,
    NodeBusy,
    NodeError,
    SelectionError,
)
from .intent import Drain, Intents
from .node import Node
from .picture import NodeStatus
from .protocol import Code, Reply

T = TypeVar("T")

UNKNOWN_SHOWN = 5
"""How many unknown names are said, each with the nearest known one; the rest are counted."""

log = logging.getLogger(__name__)


class Verdict(StrEnum):
    """How a command ended on one node."""

    OK = "ok"
    FAILED = "failed"
    SILENT = "silent"
    LOST = "lost"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    BUSY = "busy"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a command on one node: its verdict, why, and how long it took (seconds)."""

    node: Node
    verdict: Verdict
    reason: str = ""
    seconds: float = 0.0
    error: NodeError | None = None

    @property
    def ok(self) -> bool:
        """Whether the node did what it was asked."""
        return self.verdict is Verdict.OK


_VERDICTS: tuple[tuple[type[NodeError], Verdict], ...] = (
    (NodeBusy, Verdict.BUSY),
    (CameraBusy, Verdict.BUSY),
    (CameraUnreachable, Verdict.UNREACHABLE),
    (EngineUnreachable, Verdict.UNREACHABLE),
    (EngineTimeout, Verdict.UNREACHABLE),
    (CameraLost, Verdict.LOST),
    (CameraClosed, Verdict.LOST),
    (CameraSilent, Verdict.SILENT),
    (CameraTimeout, Verdict.TIMEOUT),
    (CameraError, Verdict.FAILED),
)


class Swarm:
    """The nodes of a configuration.

    Args:
        config: the whole configuration.
        only: names to enable instead of those of the configuration and of earlier commands.
        on_change: hears of every change of a node's state.
        on_broadcast: hears every line that a camera sends unasked.
    """

    def __init__(
        self,
        config: SwarmConfig,
        only: Sequence[str] | None = None,
        *,
        on_change: Callable[[NodeStatus, NodeStatus], None] = lambda old, new: None,
        on_broadcast: Callable[[str, Reply], None] = lambda name, reply: None,
    ) -> None:
        self.config = config
        self.intents = Intents(config.state_dir, config.enabled)
        self.nodes = {
            name: Node(
                node,
                config.actor.name,
                config.timeouts,
                config.state_dir,
                self.intents,
                on_change=on_change,
                on_broadcast=on_broadcast,
            )
            for name, node in config.nodes.items()
        }
        self.intents.save()
        wanted = self.named(only) if only is not None else list(self.nodes.values())
        for node in wanted:
            if only is not None or self.intents.enabled(node.name):
                node.enable()

    async def run(self) -> None:
        """Keep watch over all nodes until cancelled."""
        async with asyncio.TaskGroup() as group:
            for node in self.nodes.values():
                group.create_task(node.run(), name=f"node {node.name}")

    def switch(self, node: Node, enabled: bool) -> None:
        """Enable or disable a node, and keep it so over a restart of the manager."""
        (node.enable if enabled else node.disable)()
        self.intents.switch(node.name, enabled)

    @property
    def drained(self) -> dict[str, Drain]:
        """The drained nodes, in configuration order, each with its reason."""
        known = self.intents.drained
        return {name: known[name] for name in self.nodes if name in known}

    @property
    def enabled(self) -> list[Node]:
        """The enabled nodes, in configuration order."""
        return [node for node in self.nodes.values() if node.enabled]

    def named(self, names: Sequence[str]) -> list[Node]:
        """The nodes of these names, in configuration order.

        Raises:
            SelectionError: a name is not in the configuration; the nearest is shown.
        """
        unknown = [name for name in names if name not in self.nodes]
        if unknown:
            raise SelectionError(self._say_unknown(unknown))
        wanted = set(names)
        return [node for name, node in self.nodes.items() if name in wanted]

    def select(self, names: str | None = None, category: str | None = None) -> list[Node]:
        """The nodes that a command is for, in configuration order.

        Args:
            names: names, separated by commas; None for all enabled nodes. A disabled node
                that is named is selected: its outcome says that it is disabled. So is a
                drained one, which is left out of all and of its category.
            category: the enabled nodes of exactly this category; with names, those as well
                (as sdss-fliswarm 0.7 takes it).

        Raises:
            SelectionError: a name or the category does not exist, or nothing is selected.
        """
        wanted = [name.strip() for name in (names or "").split(",") if name.strip()]
        named = self.named(wanted)
        if category is not None:
            known = sorted({n.config.category for n in self.nodes.values()} - {""})
            if category not in known:
                raise SelectionError(
                    f"no node is of category {category!r}; known: {', '.join(known) or 'none'}"
                )
        several = names is None or category is not None
        chosen = [
            node
            for node in self.nodes.values()
            if node in named
            or (
                several
                and node.enabled
                and node.name not in self.intents.drained
                and category in (None, node.config.category)
            )
        ]
        if not chosen:
            drained = self.say_drained(self.left_out(names, category))
            raise SelectionError(
                "no enabled node is selected" + (f"; drained: {drained}" if drained else "")
            )
        return chosen

    def left_out(self, names: str | None = None, category: str | None = None) -> list[str]:
        """The enabled nodes that `select` leaves out because they are drained."""
        if names is not None and category is None:
            return []
        named = [name.strip() for name in (names or "").split(",")]
        return [
            name
            for name in self.drained
            if name not in named
            and self.nodes[name].enabled
            and category in (None, self.nodes[name].config.category)
        ]

    def say_drained(self, names: Sequence[str]) -> str:
        """Drained nodes with their reasons, as one text."""
        return ", ".join(f"{name} ({self.intents.drained[name].reason})" for name in names)

    def _say_unknown(self, unknown: Sequence[str]) -> str:
        parts = []
        for name in unknown[:UNKNOWN_SHOWN]:
            near = difflib.get_close_matches(name, self.nodes, 1)
            shown = repr(name if len(name) <= 40 else f"{name[:40]}…")
            parts.append(shown + (f" (did you mean {near[0]!r}?)" if near else ""))
        if len(unknown) > UNKNOWN_SHOWN:
            parts.append(f"and {len(unknown) - UNKNOWN_SHOWN} more")
        known = ", ".join(self.nodes) or "none"
        return f"unknown node {', '.join(parts)}; known: {known}"


async def fan_out(
    nodes: Sequence[Node], act: Callable[[Node], Awaitable[Reply | None]]
) -> list[Outcome]:
    """Do the same on all nodes at once; every node has its outcome, in the order given.

    A node that fails does not disturb the others, and none is waited for longer than its
    own deadlines allow.
    """
    return list(await asyncio.gather(*(_one(node, act) for node in nodes)))


def verdict_of(error: NodeError) -> Verdict:
    """The verdict on a node that failed with this error."""
    return next((v for kind, v in _VERDICTS if isinstance(error, kind)), Verdict.FAILED)


async def _one(node: Node, act: Callable[[Node], Awaitable[Reply | None]]) -> Outcome:
    if not node.enabled:
        return Outcome(node, Verdict.DISABLED, "the node is disabled; enable it first")
    started = time.monotonic()
    try:
        reply = await act(node)
    except NodeError as error:
        return Outcome(node, verdict_of(error), error.cause, time.monotonic() - started, error)
    except Exception as error:
        # A fault of ours on one node is that node's failure, not everybody's.
        log.exception("%s: internal error", node.name)
        reason = f"internal error {type(error).__name__}: {error}; see the log"
        return Outcome(node, Verdict.FAILED, reason, time.monotonic() - started)
    seconds = time.monotonic() - started
    if reply is not None and reply.code is not Code.DONE:
        return Outcome(node, Verdict.FAILED, _words(reply), seconds)
    return Outcome(node, Verdict.OK, "", seconds)


def _words(reply: Reply) -> str:
    """What a camera said when it failed a command."""
    error = reply.data.get("error", reply.data.get("text", ""))
    if isinstance(error, dict):
        error = error.get("error", error)
    return str(error) or "the camera failed the command without a word"
