"""What happens at the same time, and what nobody would do."""

from __future__ import annotations

import asyncio
import os
import random
import re
import signal
import time
from pathlib import Path

import pytest

from fliswarm.state import State

from .conftest import Swarm
from .running import managing, ready, sim_config, until, using
from .test_failures import Cameras


async def test_our_own_pulse_never_makes_a_camera_busy(swarm: Swarm) -> None:
    nodes = list(swarm.actor.swarm.nodes.values())
    seen = set()
    end = time.monotonic() + 3
    while time.monotonic() < end and seen <= {0}:
        seen |= {node.camera.unfinished for node in nodes}
        await asyncio.sleep(0)
    assert seen == {0}


async def test_a_node_disabled_in_a_reconnect_is_not_connected_afterwards(swarm: Swarm) -> None:
    node = swarm.actor.swarm.nodes["gfa1"]
    number = swarm.user.send("reconnect -n gfa1")
    async with using(swarm.actor) as other:
        await until(lambda: node.status.facts.operation)
        await other.ask("disable gfa1")
    await swarm.user.answer(number)
    await asyncio.sleep(0.5)
    assert node.status.state is State.DISABLED
    assert not swarm.camera("gfa1").writers


@pytest.mark.parametrize("command", ["talk -n {} status", "enable {}"])
async def test_a_list_of_wrong_names_without_end_holds_nobody_up(
    command: str, swarm: Swarm
) -> None:
    names = ",".join(f"x{number}" for number in range(14_000))
    started = time.monotonic()
    lines = await swarm.user.ask(command.format(names))
    assert lines[-1].startswith("f error=")
    assert time.monotonic() - started < 2
    assert "and 13995 more; known: gfa1" in lines[1]
    assert len("".join(lines)) < 1_000


async def test_enabling_and_disabling_in_a_row_ends_as_the_last_one_says(swarm: Swarm) -> None:
    for _ in range(20):
        swarm.user.send("disable gfa1")
        swarm.user.send("enable gfa1")
    assert (await swarm.user.ask("talk -n gfa1 version"))[-1] == ":"
    await ready(swarm.actor)
    assert len(swarm.camera("gfa1").writers) == 1


async def test_a_talk_to_a_node_that_is_disabled_meanwhile_is_lost(swarm: Swarm) -> None:
    swarm.camera("gfa1").do_version = lambda say, args: None  # type: ignore[method-assign]
    number = swarm.user.send("talk --need all version")
    await until(lambda: swarm.told("gfa1"))
    async with using(swarm.actor) as other:
        await other.ask("disable gfa1")
    lines = await swarm.user.answer(number)
    assert any("verdict=gfa1,lost" in line and "disabled" in line for line in lines)
    assert lines[-1].startswith("f ")


async def test_a_camera_that_is_never_to_be_restarted_stays_dead(folder: Path) -> None:
    config = sim_config(folder, ["gfa1"])
    config["defaults"]["restart"] = "never"
    async with managing(config) as actor, using(actor) as user:
        assert (await user.ask("reconnect"))[-1] == ":"
        os.kill(Cameras(actor, user).pid("gfa1"), signal.SIGKILL)
        await ready(actor, state=State.FAILED)
        await asyncio.sleep(1.5)
        assert actor.swarm.nodes["gfa1"].status.state is State.FAILED
        assert "exit code 137" in actor.swarm.nodes["gfa1"].status.cause


# commands at random: each has one end, whatever it is

WORDS = [
    "talk", "status", "reconnect", "stop", "start", "restart", "enable", "disable", "help",
    "ping", "version", "keyword", "get_schema", "-n", "gfa1", "gfa2,fvc", "gfa9", "-c", "gfa",
    "--", "--help", "-h", "--need", "all", "any", "2", "--timeout", "0.5", "1e999", "-f", "-a",
    "--all", "expose", "0.1", "fail", "odd", "forged", "'", '"', "\\", "''", '"a b"', "é", "\t",
    "=", ";", "raw=1", "\x7f", "\u2028", "-1", ".", "..", "a.b", "APO.x", "#", "$(x)", "%s", "{}",
]  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
async def test_any_words_have_one_end(seed: int, swarm: Swarm) -> None:
    dice = random.Random(seed)
    commands = {}
    for _ in range(150):
        words = " ".join(dice.choices(WORDS, k=dice.randint(1, 7)))
        commands[swarm.user.send(words)] = words
    ended: dict[int, list[str]] = {number: [] for number in commands}
    while not all(ended.values()):
        line = await swarm.user.line()
        match = re.match(r"\d+ (\d+) ([:f])", line)
        if match and int(match[1]) in ended:
            ended[int(match[1])].append(line)
            assert "internal" not in line, commands[int(match[1])]
    await swarm.user.greeted()
    late = [re.match(r"\d+ (\d+) ([:f])", line) for line in swarm.user.unasked]
    assert not [match for match in late if match and int(match[1]) in ended]
    assert all(len(lines) == 1 for lines in ended.values())
