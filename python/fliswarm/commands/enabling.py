"""enable and disable: which nodes take part."""

from __future__ import annotations

from typing import Any

import click
from clu.command import Command
from clu.parsers.click import command_parser as parser

from ..errors import SelectionError
from ..node import Node
from .common import guarded, write_unsaved

nodes_argument = click.argument("nodes", nargs=-1, required=False)


def _choose(command: Command, words: tuple[str, ...], everything: bool) -> list[Node]:
    """The nodes named, by spaces or commas; unknown names get a warning. The history has them.

    Raises:
        SelectionError: none was named, or none of those named exists.
    """
    swarm = command.actor.swarm
    if everything:
        return _aimed(command, list(swarm.nodes.values()))
    names = [name for word in words for name in word.split(",") if name]
    if not names:
        raise SelectionError("name nodes or give --all")
    known = [name for name in names if name in swarm.nodes]
    try:
        swarm.named(names)
    except SelectionError as error:
        command.warning(text=str(error))
    if not known:
        raise SelectionError("no node of those names")
    return _aimed(command, list(swarm.named(known)))


def _aimed(command: Command, nodes: list[Node]) -> list[Node]:
    command.actor.audit.aimed(command, (node.name for node in nodes))
    return nodes


@parser.command()  # type: ignore[untyped-decorator]
@nodes_argument
@click.option("-a", "--all", "everything", is_flag=True, help="All nodes of the configuration.")
@guarded
async def enable(command: Command, nodes: tuple[str, ...], everything: bool) -> Any:
    """Lets NODES take part: they are watched, connected and commanded."""
    for node in _choose(command, nodes, everything):
        command.actor.swarm.switch(node, True)
    write_unsaved(command)
    command.info(enabledNodes=[node.name for node in command.actor.swarm.enabled])
    return command.finish()


@parser.command()  # type: ignore[untyped-decorator]
@nodes_argument
@click.option("-a", "--all", "everything", is_flag=True, help="All nodes of the configuration.")
@guarded
async def disable(command: Command, nodes: tuple[str, ...], everything: bool) -> Any:
    """Leaves NODES out; their containers keep running."""
    for node in _choose(command, nodes, everything):
        command.actor.swarm.switch(node, False)
    write_unsaved(command)
    command.info(enabledNodes=[node.name for node in command.actor.swarm.enabled])
    return command.finish()
