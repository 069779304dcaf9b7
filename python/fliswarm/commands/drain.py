"""drain and undrain: nodes that somebody works at, left out of what goes to all."""

from __future__ import annotations

from typing import Any

import click
from clu.command import Command
from clu.parsers.click import command_parser as parser

from ..errors import SelectionError
from ..node import Node
from .common import drained, guarded, who, write_unsaved

nodes_argument = click.argument("nodes", metavar="NODE…", nargs=-1, required=True)


def _named(command: Command, words: tuple[str, ...]) -> list[Node]:
    """The nodes named, by spaces or commas.

    Raises:
        SelectionError: a name is unknown; nothing is done then.
    """
    nodes = command.actor.swarm.named([name for word in words for name in word.split(",") if name])
    if not nodes:
        raise SelectionError("name nodes")
    command.actor.audit.aimed(command, (node.name for node in nodes))
    return list(nodes)


def _tell(command: Command, code: str, node: Node) -> None:
    """Tell the one who asked and everybody else: others must know what is left out."""
    words = drained(node.name, command.actor.swarm.drained.get(node.name))
    command.write(code, words)
    for user, transport in list(command.actor.transports.items()):
        if transport is not command.transport:
            command.actor.write(code, words, user_id=user, write_to_log=False)


@parser.command()  # type: ignore[untyped-decorator]
@nodes_argument
@click.option("-r", "--reason", required=True, metavar="WORDS", help="Why, for the others.")
@guarded
async def drain(command: Command, nodes: tuple[str, ...], reason: str) -> Any:
    """Leaves NODES out of commands to all or to a category; they keep running."""
    words = " ".join(reason.split())
    if not words:
        raise SelectionError('give a reason, for instance --reason "shutter swap"')
    for node in _named(command, nodes):
        command.actor.swarm.intents.drain(node.name, words, who(command))
        _tell(command, "w", node)
    write_unsaved(command)
    return command.finish()


@parser.command()  # type: ignore[untyped-decorator]
@nodes_argument
@guarded
async def undrain(command: Command, nodes: tuple[str, ...]) -> Any:
    """Lets drained NODES take commands to all again."""
    for node in _named(command, nodes):
        if command.actor.swarm.intents.undrain(node.name):
            _tell(command, "i", node)
        else:
            command.warning(text=f"{node.name} is not drained.")
    write_unsaved(command)
    return command.finish()
