"""In what two configurations differ, and what that asks for: nothing, a container, a restart.

Pure. `fliswarm config diff` and the actor's `reload` show the same lines.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from pathlib import PurePath
from typing import Any

from pydantic import BaseModel

from .config import NodeConfig, SwarmConfig, redact
from .spec import spec_hash

NOT_SET = "not set"
WIDTH = 70
"""How much of a value is shown, in characters."""
RESTART = ("name", "host", "port", "tron_host", "tron_port", "log_dir")
"""What of the `actor` block takes a new manager."""
TAKEN = ("file", "nodes", "enabled", "timeouts", "registry", "observatory")
"""What of the configuration takes none, or has its effect through the nodes."""
ELSEWHERE = ("address", "tls", "ssh", "container")
"""What of a node says where its container is, and how one comes there: another container, maybe."""


class Kind(StrEnum):
    """What becomes of a node."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Difference:
    """A key of the configuration and its two values, as they may be shown (no secrets)."""

    key: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.key}: {self.old} -> {self.new}"


@dataclass(frozen=True, slots=True)
class NodeChange:
    """What is different about one node.

    Attributes:
        old: its configuration until now; None for one that is added.
        new: its configuration from now on; None for one that is removed.
        fields: what is different, for one that is changed.
        recreate: whether it asks for another container.
        enabled: what `enabled_nodes` says of it now, where that is different; else None.
    """

    name: str
    kind: Kind
    old: NodeConfig | None = None
    new: NodeConfig | None = None
    fields: tuple[Difference, ...] = ()
    recreate: bool = False
    enabled: bool | None = None

    @property
    def elsewhere(self) -> bool:
        """Whether its container is looked for at another engine or under another name."""
        return _any_differs(self.old, self.new, ELSEWHERE)

    @property
    def port_moves(self) -> bool:
        """Whether its camera is looked for at another host or port."""
        return _any_differs(self.old, self.new, ("host", "port"))

    def __str__(self) -> str:
        if self.new is not None and self.kind is Kind.ADDED:
            place = f"{self.new.host}:{self.new.port}, engine {self.new.address}"
            return f"added {self.name}: {place}" + ("" if self.enabled else ", not enabled")
        if self.kind is Kind.REMOVED:
            return f"removed {self.name}"
        what = "; ".join(map(str, self.fields))
        asks = " (another container)" if self.recreate else " (elsewhere)" if self.elsewhere else ""
        return f"changed {self.name}: {what}{asks}"


@dataclass(frozen=True, slots=True)
class Changes:
    """In what two configurations differ.

    Attributes:
        nodes: in the order of the new configuration; those removed last.
        common: what counts for all nodes.
        restart: what takes a new manager.
    """

    nodes: tuple[NodeChange, ...]
    common: tuple[Difference, ...]
    restart: tuple[Difference, ...]

    @property
    def empty(self) -> bool:
        """Whether nothing is different."""
        return not (self.nodes or self.common or self.restart)

    def lines(self) -> list[str]:
        """What a running manager can take, in words, a line each."""
        return [*map(str, self.nodes), *(f"changed {difference}" for difference in self.common)]

    def restart_lines(self) -> list[str]:
        """What it cannot take."""
        return [f"changed {one} (needs a restart of the manager)" for one in self.restart]


def compare(old: SwarmConfig, new: SwarmConfig) -> Changes:
    """In what `new` differs from `old`."""
    nodes = [change for name in new.nodes if (change := _node(name, old, new)) is not None]
    nodes += [
        NodeChange(name, Kind.REMOVED, old=node)
        for name, node in old.nodes.items()
        if name not in new.nodes
    ]
    both = [[name for name in a.nodes if name in b.nodes] for a, b in ((old, new), (new, old))]
    order = [] if both[0] == both[1] else [_shown("order", *(", ".join(names) for names in both))]
    return Changes(
        tuple(nodes),
        (*_differences(old.timeouts, new.timeouts, "timeouts."), *order),
        _differences(_of_manager(old), _of_manager(new)),
    )


def _of_manager(config: SwarmConfig) -> dict[str, Any]:
    """What takes a new manager, as plain data."""
    found = {f.name: getattr(config, f.name) for f in fields(config) if f.name not in TAKEN}
    return {**found, "actor": {key: getattr(config.actor, key) for key in RESTART}}


def _node(name: str, old: SwarmConfig, new: SwarmConfig) -> NodeChange | None:
    """What is different about a node of the new configuration; None if nothing is."""
    after, enabled = new.nodes[name], name in new.enabled
    before = old.nodes.get(name)
    if before is None:
        return NodeChange(name, Kind.ADDED, new=after, enabled=enabled)
    found = _differences(before, after) if before != after else ()
    was = name in old.enabled
    if was != enabled:
        found = (*found, _shown("enabled", *("yes" if on else "no" for on in (was, enabled))))
    if not found:
        return None
    other = spec_hash(before) != spec_hash(after)
    switched = enabled if was != enabled else None
    return NodeChange(name, Kind.CHANGED, before, after, found, other, switched)


def _any_differs(old: NodeConfig | None, new: NodeConfig | None, keys: tuple[str, ...]) -> bool:
    return (
        old is not None
        and new is not None
        and any(getattr(old, key) != getattr(new, key) for key in keys)
    )


def _differences(old: Any, new: Any, prefix: str = "") -> tuple[Difference, ...]:
    """The keys whose values differ. A secret of the one is hidden in the other as well."""
    plain = {"old": _plain(old), "new": _plain(new)}
    shown = redact.redact(plain)
    values = [dict(_flat(plain[side])) for side in ("old", "new")]
    texts = [dict(_flat(shown[side])) for side in ("old", "new")]
    return tuple(
        _shown(f"{prefix}{key}", *(text.get(key, NOT_SET) for text in texts))
        for key in dict.fromkeys([*values[0], *values[1]])
        if values[0].get(key, NOT_SET) != values[1].get(key, NOT_SET)
    )


def _plain(value: Any) -> Any:
    """Models and dataclasses as plain data; a list of what has names (volumes) by these."""
    if isinstance(value, BaseModel):
        return value.model_dump()
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        items = [_plain(item) for item in value]
        if items and all(isinstance(item, dict) and "name" in item for item in items):
            return {item["name"]: item for item in items}
        return items
    return str(value) if isinstance(value, PurePath) else value


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Each value under its dotted path."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _flat(item, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def _shown(key: str, old: Any, new: Any) -> Difference:
    return Difference(key, _short(old), _short(new))


def _short(value: Any) -> str:
    if value is None:
        return NOT_SET
    text = value if isinstance(value, str) else json.dumps(value)
    text = repr(text) if text != text.strip() or "\n" in text or not text else text
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 1]}…"
