"""The end of the manager: in stages, everybody is told, the cameras go on."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path

import pytest

from fliswarm import actor as actor_module

from .running import managing, ready, sim_config, stub_config, stub_fleet, until, using
from .test_failures import Cameras


async def test_a_short_command_is_let_finish(folder: Path) -> None:
    config = sim_config(folder, ["gfa1"])
    async with managing(config) as actor, using(actor) as user:
        await user.ask("reconnect")
        number = user.send("talk expose 0.6")
        await Cameras(actor, user).begun("gfa1")
        stopping = asyncio.create_task(actor.stop())
        lines = await user.answer(number)
        await stopping
        assert lines[-1] == ":"
        assert any("filename_bundle=" in line for line in lines)
        assert await user.line() == ""


async def test_a_long_command_is_failed_at_the_limit(folder: Path) -> None:
    config = sim_config(folder, ["gfa1"])
    async with managing(config) as actor, using(actor) as user:
        await user.ask("reconnect")
        user.send("simulate --delay 0.05 /etc/hosts")
        number = user.send("talk expose 20")
        await Cameras(actor, user).begun("gfa1")
        started = time.monotonic()
        stopping = asyncio.create_task(actor.stop())
        lines = await user.answer(number)
        await stopping
        assert time.monotonic() - started < actor_module.FINISH + 2
        assert lines[-1].startswith('f error=fliswarm,"the manager is being stopped')
        rest = await user.reader.read()
        assert not re.search(rb"^\d+ %d " % number, rest, re.MULTILINE)  # nothing after its end
        assert not [task for task in asyncio.all_tasks() if "simulate" in str(task)]


async def test_new_commands_are_refused_meanwhile(folder: Path) -> None:
    config = sim_config(folder, ["gfa1"])
    async with managing(config) as actor, using(actor) as user:
        await user.ask("reconnect")
        number = user.send("talk expose 0.6")
        await Cameras(actor, user).begun("gfa1")
        stopping = asyncio.create_task(actor.stop())
        await until(lambda: actor.closing)
        assert await user.ask("status") == ['f error=fliswarm,"the manager is being stopped"']
        await user.answer(number)
        await stopping


async def test_nobody_can_connect_afterwards(tmp_path: Path) -> None:
    async with stub_fleet(tmp_path, ["gfa1"]) as fleet:
        async with managing(stub_config(fleet, tmp_path)) as actor:
            await ready(actor)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", actor.port)
        assert fleet.nodes["gfa1"].engine.running
        await until(lambda: not fleet.nodes["gfa1"].camera.writers)


async def test_a_manager_that_was_just_started_can_be_stopped_at_once(tmp_path: Path) -> None:
    async with stub_fleet(tmp_path, ["gfa1", "gfa2"]) as fleet:
        for turns in range(12):
            async with managing(stub_config(fleet, tmp_path)):
                for _ in range(turns):
                    await asyncio.sleep(0)
