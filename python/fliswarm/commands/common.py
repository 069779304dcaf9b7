"""What several commands share: options, and the keywords of a node."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

import click
from clu.command import Command

from ..config.redact import redact_text
from ..errors import FliswarmError
from ..intent import Drain
from ..keywords import format_keyword
from ..node import Node
from ..outcome import Outcome
from ..picture import NodeStatus

names_option = click.option(
    "-n", "--names", metavar="NAMES", help="Comma-separated nodes; all enabled ones by default."
)
category_option = click.option(
    "-c", "--category", metavar="CATEGORY", help="The enabled nodes of this category, such as gfa."
)


class Seconds(click.FloatRange):
    """A time in seconds: a number in a range, and neither ``nan`` nor ``inf``."""

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        """The number."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            return self.fail(f"{value} is not a number of seconds", param, ctx)
        return number


def guarded(function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """A wrong name or an empty selection fails the command with its reason."""

    @wraps(function)
    async def run(command: Command, **options: Any) -> Any:
        try:
            return await function(command, **options)
        except FliswarmError as error:
            return command.fail(error=str(error))

    return run


def choose(command: Command, names: str | None, category: str | None) -> list[Node]:
    """The nodes that a command does something to; the history has them from now on.

    Raises:
        SelectionError: as `Swarm.select`.
    """
    nodes: list[Node] = command.actor.swarm.select(names, category)
    command.actor.audit.aimed(command, (node.name for node in nodes))
    return nodes


def write_node(command: Command, node: Node) -> None:
    """The keywords node, container, volume, factAge and nodeState of one node.

    Volumes are not spoken of while the engine does not answer: nobody knows.
    """
    status, config = node.status, node.config
    facts = status.facts
    engine_ok = bool(facts.engine_ok)
    command.info(node=[status.name, config.host, config.address, status.host_ok, engine_ok])
    command.debug(container=[status.name, status.container_id])
    if engine_ok:
        for volume in config.volumes:
            there = status.volumes.get(volume.name)
            device = redact_text(there.device) if there is not None else "NA"
            command.debug(volume=[status.name, volume.name, there is not None, device])
    ages = [
        math.nan if age is None else round(age, 1) for age in (status.engine_age, status.camera_age)
    ]
    command.debug(factAge=[status.name, *ages])
    command.write("i" if not status.layer else "w", node_state(status))


def who(command: Command) -> str:
    """Who sent a command: a name of the hub (APO.Jose), or the address of a direct user."""
    if isinstance(command.commander_id, str):
        return str(command.commander_id)
    peer = command.transport.get_extra_info("peername") if command.transport else None
    return str(peer[0]) if peer else "the manager"


def drained(name: str, drain: Drain | None) -> dict[str, Any]:
    """The keyword `drained` of a node; None for one that is drained no longer."""
    return {"drained": [name, drain.reason, drain.by, drain.since] if drain else [name, "", "", ""]}


def write_drained(command: Command, names: str | None, category: str | None) -> None:
    """Which drained nodes the command left out, and which took it because they were named."""
    swarm = command.actor.swarm
    out = swarm.left_out(names, category)
    if out:
        command.warning(text=f"drained, left out: {swarm.say_drained(out)}")
    named = [name.strip() for name in (names or "").split(",")]
    reached = [name for name in swarm.drained if name in named]
    if reached:
        command.warning(text=f"drained, but named: {swarm.say_drained(reached)}")


def write_unsaved(command: Command) -> None:
    """Say where what the operator wants would not outlive the manager."""
    unsaved = command.actor.swarm.intents.unsaved
    if unsaved:
        command.warning(text=f"{unsaved}; a restart of the manager forgets it.")


def write_verdicts(command: Command, outcomes: list[Outcome]) -> None:
    """One verdict a node, in configuration order."""
    command.actor.audit.judged(command, outcomes)
    for outcome in outcomes:
        values = [
            outcome.node.name,
            str(outcome.verdict),
            round(outcome.seconds, 3),
            outcome.reason,
        ]
        if outcome.ok:
            command.actor.say(command, "i", format_keyword("verdict", values))
        else:
            command.warning(verdict=values)


def end(command: Command, outcomes: list[Outcome], did: str) -> None:
    """End a command that must succeed on every node: ``f`` if any failed.

    Each that failed is named with its reason; those with the same reason together.
    """
    failed = [outcome for outcome in outcomes if not outcome.ok]
    if not failed:
        command.finish()
        return
    alike: dict[str, list[str]] = {}
    for outcome in failed:
        alike.setdefault(outcome.cause, []).append(outcome.node.name)
    parts = "; ".join(f"{', '.join(names)}: {cause}" for cause, names in alike.items())
    command.fail(error=f"{did} failed on {len(failed)} of {len(outcomes)}: {parts}")


def node_state(status: NodeStatus) -> dict[str, Any]:
    """The keyword `nodeState` of a node."""
    since = status.since.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "nodeState": [
            status.name, str(status.state), str(status.layer), status.cause, since,
        ]
    }  # fmt: skip
