"""reboot: the node's computer, softly over ssh or hard by its power."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import click
from clu.command import Command
from clu.parsers.click import command_parser as parser

from .. import host
from ..errors import EngineError, HostError, HubError
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
    write_verdicts,
)

GOES_DOWN = 60.0
"""How long a computer may take to go down after a soft reboot, in seconds."""


@parser.command()  # type: ignore[untyped-decorator]
@names_option
@category_option
@click.option("-f", "--hard", is_flag=True, help="Switch the power off and on, through the hub.")
@guarded
async def reboot(command: Command, names: str | None, category: str | None, hard: bool) -> Any:
    """Reboots the computers of the nodes and waits for their engines."""

    async def act(node: Node) -> None:
        command.info(text=f"{node.name}: rebooting {node.config.host}.")
        await (_hard if hard else _soft)(command, node)
        await _wait_engine(node, node.timeouts.reboot)
        write_node(command, node)

    outcomes = await fan_out(choose(command, names, category), act)
    write_verdicts(command, outcomes)
    write_drained(command, names, category)
    return end(command, outcomes, "reboot")


async def _soft(command: Command, node: Node) -> None:
    """Reboot over ssh and wait until the engine is gone, so that its old self is not greeted."""
    await host.reboot(node.config, node.timeouts.connect + 30)
    command.debug(text=f"{node.name}: waiting for it to go down.")
    try:
        async with asyncio.timeout(GOES_DOWN):
            while True:
                await node.engine.check()
                await asyncio.sleep(0.5)
    except EngineError:
        return
    except TimeoutError:
        raise HostError(
            node.name, "the engine never went down", tried="reboot", seconds=GOES_DOWN
        ) from None


async def _hard(command: Command, node: Node) -> None:
    power = node.config.power
    if power.actor is None or power.command is None:
        raise HostError(node.name, "the configuration has no power (actor, command) for it")
    hub = command.actor.tron
    if hub is None:
        raise HostError(node.name, "there is no hub to switch the power through (tron_host)")
    try:
        for verb in (power.command.poweroff, power.command.poweron):
            await hub.command(power.actor, f"{verb} {power.device}", node.timeouts.hub)
            command.debug(text=f"{node.name}: sent {power.actor} {verb} {power.device}.")
            if verb is power.command.poweroff:
                await asyncio.sleep(node.timeouts.power_off)
    except HubError as error:
        raise HostError(node.name, str(error), tried="switch the power") from error


async def _wait_engine(node: Node, timeout: float) -> None:
    """Wait until the engine answers, `timeout` seconds at most.

    Raises:
        EngineError: it does not; the last failure.
    """
    until = time.monotonic() + timeout
    while True:
        try:
            await node.engine.check()
        except EngineError:
            if time.monotonic() >= until:
                raise
            await asyncio.sleep(0.5)
        else:
            await node.watch.look(thorough=True)
            return
