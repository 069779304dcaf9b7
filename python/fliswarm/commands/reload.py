"""reload: the configuration file read again while everything runs."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import click
from clu.command import Command
from clu.parsers.click import command_parser as parser

from ..errors import ConfigError, SelectionError
from ..reload import READ, Reload, read
from .common import end, guarded, write_unsaved, write_verdicts

log = logging.getLogger(__name__)


@parser.command(name="reload")  # type: ignore[untyped-decorator]
@click.option("--dry-run", is_flag=True, help="Only show what is different.")
@click.option(
    "--apply",
    "containers",
    is_flag=True,
    help="Also make, replace and remove the containers that the changes ask for.",
)
@click.option(
    "-f",
    "--force",
    is_flag=True,
    help="Interrupt a busy camera; with --apply make volumes anew, take over foreign containers.",
)
@guarded
async def reload_command(command: Command, dry_run: bool, containers: bool, force: bool) -> Any:
    """Reads the configuration file again and takes what has changed."""
    swarm = command.actor.swarm
    if swarm.reloading.locked():
        raise SelectionError("a reload is under way already")
    async with swarm.reloading:
        try:
            new, changes = await swarm.reading.call(lambda: read(swarm.config), READ)
        except TimeoutError:
            reason = f"{swarm.config.file}: not read after {READ:g} s; is its disk there?"
            return command.fail(error=f"{reason} Nothing was changed")
        except ConfigError as error:
            for problem in error.problems:
                command.warning(error=[command.actor.name, str(problem)])
            count = f"{len(error.problems)} error{'s' if len(error.problems) > 1 else ''}"
            return command.fail(error=f"{count} in {swarm.config.file}; nothing was changed")
        for line in changes.lines():
            log.info("%sreload: %s", "dry " if dry_run else "", line)
            command.info(text=line)
        for line in changes.restart_lines():
            command.warning(text=line)
        if changes.empty:
            command.info(text="nothing is different")
        if dry_run:
            _write_differing(command)
            return command.finish()
        enabled = [node.name for node in swarm.enabled]
        command.actor.audit.aimed(command, (change.name for change in changes.nodes))
        await asyncio.to_thread(command.actor.audit.learn, new)
        work = Reload(swarm, new, changes, command.write, containers, force)
        outcomes = await work.run()
    write_verdicts(command, outcomes)
    write_unsaved(command)
    if enabled != [node.name for node in swarm.enabled]:
        command.info(enabledNodes=[node.name for node in swarm.enabled])
    _write_differing(command)
    return end(command, outcomes, "reload")


def _write_differing(command: Command) -> None:
    """The nodes that still are not as the configuration has them."""
    for node in command.actor.swarm.nodes.values():
        if node.differs:
            command.warning(configDiffers=[node.name, node.differs])
