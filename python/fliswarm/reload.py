"""Another configuration taken while everything runs: only what is different is touched.

First what touches no container, which is quick; then, where it is asked for, the containers,
each node by itself. The configuration of a node in force is the node's own (`Node.config`), so
what was refused or put off is different again at the next reload.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from . import config
from .changes import Changes, Kind, NodeChange, compare
from .config import SwarmConfig
from .container import Tell
from .errors import ConfigError, EngineError, NodeError, Problem
from .node import Node
from .outcome import Outcome, fan_out
from .swarm import Swarm

READ = 20.0
"""How long the file may take to be read, in seconds: its disk may be a server's that is away."""
NO_NODES = "there are none; that is a file half written rather than all cameras removed"
REMOVED = "the node was removed from the configuration"
MOVED = "the configuration has another place for the node"


def read(old: SwarmConfig) -> tuple[SwarmConfig, Changes]:
    """Read the file of a configuration again, and in what it differs. It may take seconds.

    Raises:
        ConfigError: the file is wrong, every problem is in it; or it has no node any more.
    """
    new = config.load(None if old.file == config.INTERNAL else old.file, old.observatory)
    if old.nodes and not new.nodes:
        raise ConfigError([Problem(new.file, 0, "nodes", NO_NODES)])
    return new, compare(old, new)


class Reload:
    """Takes the changes of a configuration.

    Args:
        swarm: the nodes.
        new: the configuration to take.
        changes: in what it differs.
        tell: hears of each step, with a message code and keywords.
        containers: whether containers may be made, replaced and removed.
        force: whether a busy camera is interrupted.
    """

    def __init__(
        self,
        swarm: Swarm,
        new: SwarmConfig,
        changes: Changes,
        tell: Tell,
        containers: bool,
        force: bool,
    ) -> None:
        self.swarm = swarm
        self.new = new
        self.tell = tell
        self.containers = containers
        self.force = force
        self.changes = {change.name: change for change in changes.nodes}
        swarm.config = replace(swarm.config, timeouts=new.timeouts)
        # All that can fail in making a node fails here, before anything is changed.
        self.fresh = {
            change.name: swarm.make(change.new)
            for change in changes.nodes
            if change.new is not None and (change.kind is Kind.ADDED or change.elsewhere)
        }

    async def run(self) -> list[Outcome]:
        """Take it all; one outcome for each node that was touched or refused, in order."""
        for node in self.swarm.nodes.values():
            if node.timeouts != self.new.timeouts:
                node.configure(node.config, self.new.timeouts)
            if node.name not in self.changes:
                node.deferred = ""  # the file is as it was
        touched = [
            self.fresh[name] if change.kind is Kind.ADDED else self.swarm.nodes[name]
            for name, change in self.changes.items()
        ]
        outcomes = {one.node.name: one for one in await fan_out(touched, self._take, True)}
        self._arrange(outcomes)
        if self.containers:
            good = [one.node for one in outcomes.values() if one.ok]
            later = await self._select(good)
            outcomes |= {one.node.name: one for one in await fan_out(later, self._renew, True)}
            self._arrange(outcomes)
        order = [*self.new.nodes, *(n for n in outcomes if n not in self.new.nodes)]
        return [
            outcomes[name]
            for name in order
            if name in outcomes and not (outcomes[name].ok and outcomes[name].node.deferred)
        ]

    def _arrange(self, outcomes: dict[str, Outcome]) -> None:
        """The order of the file; who was refused stays as enabled as he was."""
        refused = {name for name, one in outcomes.items() if not one.ok}
        before = self.swarm.config.enabled
        enabled = {*self.new.enabled} - refused | {*before} & refused
        self.swarm.arrange(replace(self.new, enabled=tuple(n for n in self.swarm.nodes
                                                           if n in enabled)))  # fmt: skip

    # what touches no container

    async def _take(self, node: Node) -> None:
        change = self.changes[node.name]
        if change.kind is Kind.ADDED:
            self.swarm.add(node)
        elif change.kind is Kind.REMOVED:
            if not self.containers:
                await self._remove(node)
            return
        else:
            node = await self._change(node, change)
        if change.enabled is not None:
            (node.enable if change.enabled else node.disable)()

    async def _remove(self, node: Node) -> None:
        node.refuse_busy(self.force)
        found = node.status.facts.container
        if found is not None and found.running:
            self._say(node, f"removed; its container {found.name} goes on ({node.config.address})")
        del self.swarm.nodes[node.name]
        await self.swarm.end(node, REMOVED)

    async def _change(self, node: Node, change: NodeChange) -> Node:
        """Change a node in place, or put it off; returns the node that stands now."""
        if change.new is None:
            return node
        if change.enabled is False:
            node.refuse_busy(self.force)
        if change.elsewhere:
            return await self._look_elsewhere(node, change)
        if change.port_moves and change.recreate:
            self._put_off(node, change)
            return node
        if change.port_moves:
            node.refuse_busy(self.force)
        node.configure(change.new, self.new.timeouts)
        node.deferred = ""
        return node

    async def _look_elsewhere(self, node: Node, change: NodeChange) -> Node:
        """Take the new address where it is the old engine, with the same container."""
        fresh = self.fresh[node.name]
        self._put_off(node, change)
        try:
            there = await fresh.engine.find(fresh.config.container)
        finally:
            fresh.engine.close()
        here = node.status.facts.container
        if there is not None and here is not None and there.id == here.id:
            node.refuse_busy(self.force)
            await self._swap(node, fresh)
            return fresh
        return node

    async def _swap(self, node: Node, fresh: Node) -> None:
        """Put another node object in the place of one; it finds out itself what there is."""
        enabled, node.picture.on_change = node.enabled, lambda old, new: None
        node.deferred = ""
        self.swarm.nodes[node.name] = fresh
        if enabled:
            fresh.enable()
        await self.swarm.end(node, MOVED)
        self.swarm.add(fresh)

    def _put_off(self, node: Node, change: NodeChange) -> None:
        fields = "; ".join(str(field) for field in change.fields)
        node.deferred = f"the configuration has it elsewhere ({fields}); reload --apply moves it"

    # the containers

    async def _select(self, nodes: Sequence[Node]) -> list[Node]:
        """The nodes whose containers are to be made, replaced or removed."""
        touched = (node for node in self.swarm.nodes.values() if node.name in self.changes)
        await asyncio.gather(*(node.known() for node in touched))
        known = {node.name for node in nodes}
        removed = [node for node in nodes if self.changes[node.name].kind is Kind.REMOVED]
        return [
            *(n for n in self.swarm.nodes.values() if n not in removed
              and (n.name in known or n.name not in self.changes)
              and self._wants(n) and not self._is_left(n)),
            *removed,
        ]  # fmt: skip

    def _wants(self, node: Node) -> bool:
        """Whether its container is another than the configuration asks for."""
        change, facts = self.changes.get(node.name), node.status.facts
        if node.deferred or (change is not None and change.kind is Kind.ADDED):
            return True
        if facts.engine_ok:
            return bool(node.differs)
        return change is not None and change.recreate

    def _is_left(self, node: Node) -> bool:
        """Whether the operator has said that its container is to be left alone."""
        drain = self.swarm.drained.get(node.name)
        if not node.enabled:
            why = "disabled"
        elif drain is not None:
            why = f"drained ({drain.reason})"
        elif node.status.facts.stopped:
            why = "stopped by command or by hand"
        else:
            return False
        self._say(node, f"{why}: its container is left as it is")
        return True

    async def _renew(self, node: Node) -> None:
        change = self.changes.get(node.name)
        if change is not None and change.kind is Kind.REMOVED:
            try:
                await self._discard(node)
            except EngineError:
                self._say(node, "stays until its container is removed; reload alone lets it go")
                raise
            await self._remove(node)
        elif node.deferred and change is not None and change.new is not None:
            if change.elsewhere:
                await self._move(node, self.fresh[node.name])
            else:
                await self._move_port(node, change)
        else:
            await node.reconnect(self.tell, self.force)

    async def _discard(self, node: Node) -> None:
        """Stop and remove a container of ours; what is left is said."""
        if node.name in self.swarm.drained:
            return
        left = await node.discard(self.force)
        if left:
            self._say(node, left)

    async def _move_port(self, node: Node, change: NodeChange) -> None:
        """The same container's name at the same engine, but its camera at another port."""
        old, put_off = node.config, node.deferred
        if change.new is not None:
            node.refuse_busy(self.force)
            node.configure(change.new, self.new.timeouts)
            node.deferred = ""
        try:
            await node.reconnect(self.tell, self.force)
        except NodeError:
            node.configure(old, self.new.timeouts)
            node.deferred = put_off
            raise

    async def _move(self, node: Node, fresh: Node) -> None:
        """To another engine or name: the old container goes when the new one can be made."""
        node.refuse_busy(self.force)
        try:
            await fresh.engine.check()
            await fresh.life.pull(self.tell)
        except EngineError:
            fresh.engine.close()
            raise
        try:
            await self._discard(node)
        except EngineError as error:
            self._say(node, f"its container at {node.config.address} may run on: {error.cause}")
        await self._swap(node, fresh)
        await fresh.reconnect(self.tell, self.force)

    def _say(self, node: Node, words: str) -> None:
        self.tell("w", {"text": f"{node.name}: {words}"})
