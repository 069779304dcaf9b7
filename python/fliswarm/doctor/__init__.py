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

__all__ = ["WHOLE", "Finding", "Result", "count", "examine", "healthy", "summary"]


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
    nameless = "" if intents.kept else f"it cannot be read in {config.state_dir}"
    restarts = await asyncio.to_thread(_restarts, config.state_dir / history.FILE)
    wanted = [n for n in config.nodes if (intents.enabled(n) if names is None else n in names)]
    exams = [
        Exam(
            config.nodes[name],
            Owner(config.actor.name, intents.manager, name),
            config.timeouts,
            config.state_dir,
            name in intents.stopped,
            None if restarts is None else restarts[name],
            nameless,
        ).run()
        for name in wanted
    ]
    parts = await asyncio.gather(manager.examine(config, inside), *exams)
    return [finding for part in parts for finding in part]


def _restarts(file: Path) -> Counter[str] | None:
    """How often each node's container was started again in the last day; None if not known."""
    try:
        events = history.events(file, since=datetime.now(UTC) - timedelta(days=1))
    except history.HistoryError:
        return None
    return Counter(event.node for event in events if event.kind == "restart")
