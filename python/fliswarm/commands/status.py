"""status: what is known of every enabled node."""

from __future__ import annotations

import asyncio
from typing import Any

from clu.command import Command
from clu.parsers.click import command_parser as parser

from .common import drained, write_node


@parser.command()  # type: ignore[untyped-decorator]
async def status(command: Command) -> Any:
    """Tells the state of every enabled node, in configuration order."""
    nodes = command.actor.swarm.enabled
    command.info(enabledNodes=[node.name for node in nodes])
    await asyncio.gather(*(node.known() for node in nodes))
    for node in nodes:
        write_node(command, node)
        if node.differs:
            command.warning(configDiffers=[node.name, node.differs])
        drain = command.actor.swarm.drained.get(node.name)
        if drain is not None:
            command.warning(drained(node.name, drain))
    return command.finish()
