"""The living picture of one node: its facts, the state computed from them, and who is told."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from .config import VolumeConfig
from .engine import Found
from .errors import Layer
from .state import Facts, State, compute


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """What is known of a node.

    Attributes:
        since: when the state began, UTC.
        engine_age: seconds since the engine was last looked at; None if never.
        camera_age: seconds since the camera actor last answered; None if never.
        volumes: each configured volume and what the engine has of that name.
    """

    name: str
    state: State
    layer: Layer
    cause: str
    since: datetime
    facts: Facts
    volumes: dict[str, VolumeConfig | None]
    engine_age: float | None
    camera_age: float | None

    @property
    def host_ok(self) -> bool:
        """Whether the computer answers: certainly, when its engine or its camera does."""
        facts = self.facts
        camera = facts.camera_ok and not facts.camera_late
        return bool(facts.engine_ok or camera or facts.host_ok)

    @property
    def container_id(self) -> str:
        """The short id of a running container, or ``NA``."""
        found = self.facts.container
        return found.short_id if found is not None and found.running else "NA"


class Picture:
    """What is known of one node, and since when.

    Args:
        name: the node's name.
        ready: how long a container counts as starting, in seconds.
        on_change: called with the old and the new status when state, layer, cause or the
            running container change.
    """

    def __init__(
        self, name: str, ready: float, on_change: Callable[[NodeStatus, NodeStatus], None]
    ) -> None:
        self.name = name
        self.ready = ready
        self.on_change = on_change
        self.on_facts: Callable[[Facts], None] = lambda facts: None
        self.facts = Facts(enabled=False)
        self.volumes: dict[str, VolumeConfig | None] = {}
        self.volumes_at: float | None = None
        self.looked_at: float | None = None
        self.answered_at: float | None = None
        self._running_since: tuple[str, float] = ("", 0.0)
        self._status = self._make(datetime.now(UTC))

    @property
    def status(self) -> NodeStatus:
        """What is known now, with the ages of the facts."""
        return self._make(self._status.since)

    def forget(self) -> None:
        """Begin anew: how long a container has run is not known any more."""
        self._running_since = ("", 0.0)

    def update(self, **changes: Any) -> None:
        """Take new facts; a change that matters is told."""
        known = self.facts
        if not known.starting and all(getattr(known, k) == v for k, v in changes.items()):
            return  # as nearly always; only a start goes on with time
        facts = replace(self.facts, **changes)
        self.facts = replace(facts, starting=self._is_starting(facts.container))
        old = self._status
        new = self._make(old.since)
        if new.state != old.state:
            new = replace(new, since=datetime.now(UTC))
        self._status = new
        if _told(new) != _told(old):
            self.on_change(old, new)
        if changes.keys() & {"container", "enabled", "engine_ok"}:
            self.on_facts(self.facts)

    def _is_starting(self, found: Found | None) -> bool:
        """Whether it runs, as far as seen, for less than `ready` seconds and had no camera yet."""
        if found is None or not found.running:
            return False
        mark = found.id + found.started_at
        if self._running_since[0] != mark:
            self._running_since = (mark, time.monotonic())
        if self.facts.camera_ok and not self.facts.no_camera:
            self._running_since = (mark, -math.inf)
        return time.monotonic() - self._running_since[1] < self.ready

    def _make(self, since: datetime) -> NodeStatus:
        state, layer, cause = compute(self.facts)
        return NodeStatus(
            self.name,
            state,
            layer,
            cause,
            since,
            self.facts,
            self.volumes,
            _age(self.looked_at),
            _age(self.answered_at),
        )


def _told(status: NodeStatus) -> tuple[str, ...]:
    return (status.state, status.layer, status.cause, status.container_id)


def _age(moment: float | None) -> float | None:
    return None if moment is None else time.monotonic() - moment
