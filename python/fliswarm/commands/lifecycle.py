"""reconnect, stop, start, restart: the containers of the selected nodes, each by itself."""

from __future__ import annotations

from typing import Any

import click
from clu.command import Command
from clu.parsers.click import command_parser as parser

from ..node import Node
from ..outcome import fan_out
from .common import (
    category_option,
    choose,
    end,
    guarded,
    names_option,
    write_drained,
    write_node,
    write_unsaved,
    write_verdicts,
)

force_option = click.option("-f", "--force", is_flag=True, help="Interrupt a busy camera.")


@parser.command()  # type: ignore[untyped-decorator]
@names_option
@category_option
@click.option(
    "-f",
    "--force",
    is_flag=True,
    help="Make volumes anew, interrupt a busy camera, take over a foreign container.",
)
@guarded
async def reconnect(command: Command, names: str | None, category: str | None, force: bool) -> Any:
    """Replaces the containers of the nodes and connects to their cameras."""
    nodes = choose(command, names, category)

    async def act(node: Node) -> None:
        await node.reconnect(lambda code, words: command.write(code, words), force)
        write_node(command, node)

    outcomes = await fan_out(nodes, act)
    write_verdicts(command, outcomes)
    write_drained(command, names, category)
    write_unsaved(command)
    return end(command, outcomes, "reconnect")


@parser.command()  # type: ignore[untyped-decorator]
@names_option
@category_option
@force_option
@guarded
async def stop(command: Command, names: str | None, category: str | None, force: bool) -> Any:
    """Stops the containers of the nodes; they stay stopped until started again."""

    async def act(node: Node) -> None:
        if not await node.stop(force):
            command.warning(text=f"{node.name}: no container was running.")

    outcomes = await fan_out(choose(command, names, category), act)
    write_verdicts(command, outcomes)
    write_drained(command, names, category)
    write_unsaved(command)
    return end(command, outcomes, "stop")


@parser.command()  # type: ignore[untyped-decorator]
@names_option
@category_option
@guarded
async def start(command: Command, names: str | None, category: str | None) -> Any:
    """Starts the stopped containers of the nodes and connects to their cameras."""

    async def act(node: Node) -> None:
        await node.start()

    outcomes = await fan_out(choose(command, names, category), act)
    write_verdicts(command, outcomes)
    write_drained(command, names, category)
    write_unsaved(command)
    return end(command, outcomes, "start")


@parser.command()  # type: ignore[untyped-decorator]
@names_option
@category_option
@force_option
@guarded
async def restart(command: Command, names: str | None, category: str | None, force: bool) -> Any:
    """Stops and starts the containers of the nodes, without a pull and without new ones."""

    async def act(node: Node) -> None:
        await node.restart(force)

    outcomes = await fan_out(choose(command, names, category), act)
    write_verdicts(command, outcomes)
    write_drained(command, names, category)
    write_unsaved(command)
    return end(command, outcomes, "restart")
