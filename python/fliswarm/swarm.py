"""All nodes in configuration order: selecting, fanning out, owning their tasks."""

from __future__ import annotations

import asyncio
import difflib
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from .config import NodeConfig, SwarmConfig
from .engine.threads import NodeThreads
from .errors import SelectionError
from .intent import Drain, Intents
from .logbook import Logbooks
from .node import Node
from .picture import NodeStatus
from .protocol import Reply

T = TypeVar("T")

UNKNOWN_SHOWN = 5
"""How many unknown names are said, each with the nearest known one; the rest are counted."""

log = logging.getLogger(__name__)


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
        self.reloading = asyncio.Lock()
        self.reading = NodeThreads("reload", most=1)
        self._on_change = on_change
        self._on_broadcast = on_broadcast
        self._group: asyncio.TaskGroup | None = None
        self._watches: dict[Node, asyncio.Task[None]] = {}
        self.books: Logbooks | None = None
        if config.camera_logs.follow:
            self.books = Logbooks(
                config.camera_log_dir, config.camera_logs, lambda: self.config.nodes
            )
        self.nodes = {name: self.make(node) for name, node in config.nodes.items()}
        self.intents.save()
        wanted = self.named(only) if only is not None else list(self.nodes.values())
        for node in wanted:
            if only is not None or self.intents.enabled(node.name):
                node.enable()

    async def run(self) -> None:
        """Keep watch over all nodes until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            if self.books is not None:
                group.create_task(self.books.run(), name="camera logs")
            for node in self.nodes.values():
                self._begin(node)
            await asyncio.Event().wait()

    def _begin(self, node: Node) -> None:
        if self._group is not None:
            task = self._group.create_task(node.run(), name=f"node {node.name}")
            self._watches[node] = task

    # another configuration

    def make(self, node: NodeConfig) -> Node:
        """A node with the deadlines in force; nothing of it runs yet."""
        return Node(
            node,
            self.config.actor.name,
            self.config.timeouts,
            self.config.state_dir,
            self.intents,
            books=self.books,
            on_change=self._on_change,
            on_broadcast=self._on_broadcast,
        )

    def add(self, node: Node) -> None:
        """Begin to keep watch over a node, in the place of one of the same name."""
        self.nodes[node.name] = node
        self._begin(node)

    async def end(self, node: Node, reason: str) -> None:
        """End the watch over a node and close its connections; its container goes on."""
        node.disable(reason)
        watch = self._watches.pop(node, None)
        if watch is not None:
            watch.cancel()
            await asyncio.wait({watch})

    def arrange(self, config: SwarmConfig) -> None:
        """Take the order of the nodes from a configuration, and keep who is enabled by it.

        What a node itself is has come before, by `Node.configure`. A node that is not in the
        configuration comes last.
        """
        order = [*config.nodes, *(name for name in self.nodes if name not in config.nodes)]
        self.nodes = {name: self.nodes[name] for name in order if name in self.nodes}
        self.config = replace(
            self.config,
            timeouts=config.timeouts,
            registry=config.registry,
            enabled=config.enabled,
            nodes={name: node.config for name, node in self.nodes.items()},
        )
        self.intents.configure(config.enabled)

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
            raise SelectionError(say_unknown(unknown, list(self.nodes)))
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


def say_unknown(unknown: Sequence[str], names: Sequence[str]) -> str:
    """The words for names that no node has, with the nearest that there are."""
    parts = []
    for name in unknown[:UNKNOWN_SHOWN]:
        near = difflib.get_close_matches(name, names, 1)
        shown = repr(name if len(name) <= 40 else f"{name[:40]}…")
        parts.append(shown + (f" (did you mean {near[0]!r}?)" if near else ""))
    if len(unknown) > UNKNOWN_SHOWN:
        parts.append(f"and {len(unknown) - UNKNOWN_SHOWN} more")
    known = ", ".join(names) or "none"
    return f"unknown node {', '.join(parts)}; known: {known}"
