"""simulate: announce files that are on disk as if the cameras wrote them now."""

from __future__ import annotations

import asyncio
import glob as globbing
import random as dice
import re
from pathlib import Path
from typing import Any

import click
from clu.command import Command
from clu.parsers.click import command_parser as parser

from .common import Seconds

_running: set[asyncio.Task[Any]] = set()
"""At most one: the task of the simulation that runs."""


@parser.command()  # type: ignore[untyped-decorator]
@click.argument("pattern", metavar="GLOB", required=False)
@click.option("--delay", type=Seconds(min=0.01), default=15.0, show_default=True,
              help="Seconds between two rounds of files.")  # fmt: skip
@click.option("--random", is_flag=True, help="Shuffle the files.")
@click.option("--stop", is_flag=True, help="End a simulation that runs.")
async def simulate(
    command: Command, pattern: str | None, delay: float, random: bool, stop: bool
) -> Any:
    """Tells of the files that match GLOB, one a camera and round, until stopped."""
    if stop:
        if not _running:
            return command.fail(error="no simulation is running")
        for running in list(_running):
            running.cancel()
        return command.finish()
    if _running:
        return command.fail(error="a simulation is running; end it with simulate --stop")
    task = asyncio.current_task()
    if task is not None:
        _running.add(task)
        task.add_done_callback(_running.discard)
    if not pattern:
        return command.fail(error="a path pattern is needed, for instance '/data/*/gimg-*.fits'")
    files = await asyncio.to_thread(lambda: sorted(globbing.glob(pattern)))
    if not files:
        return command.fail(error=f"no file matches {pattern}")
    if random:
        dice.shuffle(files)
    try:
        await _tell_on(command, files, delay)
    except asyncio.CancelledError:
        return command.finish(text="the simulation was stopped")


async def _tell_on(command: Command, files: list[str], delay: float) -> None:
    """Round after round: the next file of each enabled camera, its own where names show it."""
    names = [node.name for node in command.actor.swarm.enabled]
    own = {name: [f for f in files if _names(name, f)] for name in names}
    turn = 0
    while True:
        for name in names:
            choice = own[name] or files
            command.info(filename=[name, name, choice[turn % len(choice)]])
        turn += 1
        await asyncio.sleep(delay)


def _names(camera: str, path: str) -> bool:
    return (
        re.search(rf"(?<![A-Za-z0-9]){re.escape(camera)}(?![A-Za-z0-9])", Path(path).name)
        is not None
    )
