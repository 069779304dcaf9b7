"""logs: what a camera has printed, from the copy on the manager."""

from __future__ import annotations

from typing import Any

import click
from clu.command import Command
from clu.parsers.click import command_parser as parser

from .common import guarded

MOST = 1000


@parser.command()  # type: ignore[untyped-decorator]
@click.argument("node", metavar="NODE")
@click.option(
    "-l",
    "--lines",
    type=click.IntRange(1, MOST),
    default=20,
    show_default=True,
    help="How many lines.",
)
@guarded
async def logs(command: Command, node: str, lines: int) -> Any:
    """Tells the last lines that the camera of NODE has printed."""
    swarm = command.actor.swarm
    (chosen,) = swarm.named([node])
    if swarm.books is None:
        return command.fail(error="nothing is kept: camera_logs.follow is false")
    try:
        found = await swarm.books.last(chosen.name, lines)
    except OSError as error:
        return command.fail(error=f"{chosen.name}: cannot read the log: {error}")
    for line in found:
        words = {"log": [chosen.name, line.time, line.stream, line.text]}
        command.actor.write("i", words, command=command, write_to_log=False)
    if not found:
        command.warning(text=f"{chosen.name}: nothing has been kept yet.")
    return command.finish()
