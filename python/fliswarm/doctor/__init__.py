"""The doctor: every prerequisite of the manager and its nodes, what was found, and the fix."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from .. import history
from ..config import SwarmConfig
from ..engine import Owner
from ..intent import Intents
from . import manager
from .finding import Finding, Result, count, healthy, summary
from .node import WHOLE, Exam

__all__ = ["WHOLE", "Finding", "Result", "count", "examine", "healthy", "restarts", "summary"]


async def examine(
    config: SwarmConfig, names: Sequence[str] | None = None, inside: bool = False
) -> list[Finding]:
    """Look at the manager's computer and at nodes, all at the same time.

    No node waits for another; everything is over within `WHOLE` seconds. Nothing is changed,
    but for a container of ours that is made and removed on each node.

    Args:
        config: the configuration.
        names: the nodes, in any order; None for the enabled ones.
        inside: whether it is the manager itself that asks.

    Returns:
        The manager's findings, then those of the nodes in configuration order, from the
        lowest layer to the highest.
    """
    intents = Intents(config.state_dir, config.enabled)
    nameless = "" if intents.kept else f"no manager's name in {config.state_dir}"
    again = await asyncio.to_thread(restarts, config.state_dir / history.FILE)
    wanted = [n for n in config.nodes if (intents.enabled(n) if names is None else n in names)]
    exams = [
        Exam(
            config.nodes[name],
            Owner(config.actor.name, intents.manager, name),
            config.timeouts,
            config.state_dir,
            name in intents.stopped,
            None if again is None else again[name],
            nameless,
        ).run()
        for name in wanted
    ]
    parts = await asyncio.gather(manager.examine(config, inside), *exams)
    return [finding for part in parts for finding in part]


def restarts(file: Path, since: datetime | None = None) -> Counter[str] | None:
    """How often each node's container was started again, by the history.

    Args:
        file: the history.
        since: a day ago by default.

    Returns:
        A number for each node; None where nobody knows.
    """
    try:
        events = history.events(file, since=since or datetime.now(UTC) - timedelta(days=1))
    except (history.HistoryError, OSError):
        return None
    return Counter(event.node for event in events if event.kind == "restart")
