"""help, get-command-model and tron-reconnect, in place of sdss-clu's own.

sdss-clu's take the click context on top of a stack, which is the command line's `start` when
the actor was started by it, and grow that stack with every command.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import click
from clu.command import Command
from clu.parsers.click import CluCommand
from clu.parsers.click import command_parser as parser
from unclick.core import command_to_json

RECONNECT = 15.0
"""How long the hub may take to be connected again, in seconds."""


class HelpAsked(Exception):
    """Somebody wrote ``--help``; `lines` are the help. click's own way prints and exits."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        super().__init__("help is asked for")


def _ask_help(context: click.Context, _option: click.Parameter, asked: bool) -> None:
    if asked and not context.resilient_parsing:
        raise HelpAsked(context.get_help().splitlines())


def give_help(found: click.Command) -> None:
    """Let a command's ``--help`` raise `HelpAsked`; that of a group also in its commands."""
    found.add_help_option = False
    found.params.append(
        click.Option(["--help"], is_flag=True, is_eager=True, expose_value=False,
                     callback=_ask_help, help="Show this message and exit.")
    )  # fmt: skip
    for one in found.commands.values() if isinstance(found, click.Group) else ():
        give_help(one)


def say_help(command: Command, lines: list[str]) -> None:
    """Answer a command with help, and end it."""
    for line in lines:
        command.warning(help=line, write_to_log=False)
    command.finish()


def _find(words: tuple[str, ...]) -> click.Command | None:
    """The command of these words; the whole parser for none."""
    found: click.Command | None = parser
    for word in words:
        found = found.commands.get(word) if isinstance(found, click.Group) else None
    return found


@parser.command(name="help")  # type: ignore[untyped-decorator]
@click.argument("words", metavar="[COMMAND]", nargs=-1)
async def help_command(command: Command, words: tuple[str, ...]) -> Any:
    """Shows the commands, or how to use one."""
    found = _find(words)
    if found is None:
        return command.fail(error=f"command {' '.join(words)} not found; try help")
    with click.Context(found, info_name=" ".join((command.actor.name, *words))) as context:
        lines = found.get_help(context).splitlines()
    return say_help(command, lines)


@parser.command(name="get-command-model")  # type: ignore[untyped-decorator]
@click.argument("name", metavar="[COMMAND]", required=False)
async def get_command_model(command: Command, name: str | None) -> Any:
    """Returns a command, or all of them, as JSON for programs."""
    found = _find((name,) if name else ())
    if found is None:
        return command.fail(error=f"command {name} not found; try help")
    return command.finish(command_model=command_to_json(found), write_to_log=False)


@click.command(cls=CluCommand, name="tron-reconnect")
async def tron_reconnect(command: Command) -> Any:
    """Closes the connection to the hub and waits until it is made again."""
    hub = command.actor.tron
    hub.stop()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(RECONNECT):
            while hub.connected():
                await asyncio.sleep(0.05)
            while not hub.connected():
                await asyncio.sleep(0.05)
            return command.finish()
    return command.fail(error=f"the hub is not connected again after {RECONNECT:g} s")
