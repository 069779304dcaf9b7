"""drain: somebody works at a camera, and what goes to all leaves it alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fliswarm.client import parse_reply
from fliswarm.display import pretty
from fliswarm.state import State

from .conftest import Swarm
from .running import keep_intents, managing, ready, stub_config, stub_fleet, using

LEFT_OUT = 'w text="drained, left out: gfa2 (shutter swap)"'


def seen(lines: list[str]) -> list[str]:
    return [line.split("=")[1].split(",")[0] for line in lines if "verdict=" in line]


def keyword(lines: list[str], name: str = "drained") -> list[str]:
    return [line for line in lines if f" {name}=" in line]


@pytest.mark.parametrize(
    ("options", "names", "words"),
    [
        ("", ["gfa1", "fvc"], [LEFT_OUT]),
        ("-c gfa", ["gfa1"], [LEFT_OUT]),
        ("-n fvc -c gfa", ["gfa1", "fvc"], [LEFT_OUT]),
        ("-c fvc", ["fvc"], []),
        ("-n gfa1", ["gfa1"], []),
        ("-n gfa1,gfa2", ["gfa1", "gfa2"], ['w text="drained, but named: gfa2 (shutter swap)"']),
        ("-n gfa2 -c gfa", ["gfa1", "gfa2"], ['w text="drained, but named: gfa2 (shutter swap)"']),
    ],
)
async def test_what_goes_to_all_leaves_it_out_and_says_so(
    options: str, names: list[str], words: list[str], swarm: Swarm
) -> None:
    assert (await swarm.user.ask('drain gfa2 --reason "shutter swap"'))[-1] == ":"
    lines = await swarm.user.ask(f"talk {options} version")
    assert lines[-1] == ":"
    assert seen(lines) == names
    assert [name for name in swarm.fleet.nodes if swarm.told(name)] == names
    assert [line for line in lines if "drained" in line] == words
    assert lines[-1 - len(words) : -1] == words


@pytest.mark.parametrize("verb", ["reconnect", "stop", "restart"])
async def test_its_container_is_left_alone_by_commands_to_all(verb: str, swarm: Swarm) -> None:
    await swarm.user.ask('drain gfa2 --reason "shutter swap"')
    engine = swarm.fleet.nodes["gfa2"].engine
    before = json.dumps(list(engine.containers.values()))
    lines = await swarm.user.ask(f"{verb} --force")
    assert "gfa2" not in seen(lines)
    assert LEFT_OUT in lines
    assert json.dumps(list(engine.containers.values())) == before
    assert swarm.actor.swarm.nodes["gfa2"].status.state is State.READY


async def test_it_is_watched_and_shown_with_reason_who_and_when(swarm: Swarm) -> None:
    async with using(swarm.actor) as other:
        lines = await swarm.user.ask("drain gfa2,fvc --reason 'shutter  swap'")
        assert [line.split(",20")[0] for line in keyword(lines)] == [
            'w drained=gfa2,"shutter swap",127.0.0.1', 'w drained=fvc,"shutter swap",127.0.0.1',
        ]  # fmt: skip
        assert await other.hears('drained=gfa2,"shutter swap",127.0.0.1')
        await swarm.user.ask("ping")
        assert not any("drained" in line for line in swarm.user.unasked)
    status = await swarm.user.ask("status")
    assert status[1] == "i enabledNodes=gfa1,gfa2,fvc"
    assert len(keyword(status)) == 2
    assert [line.split("=")[1].split(",")[1] for line in keyword(status, "nodeState")] == (
        ["READY"] * 3
    )
    reply = parse_reply(f"1 2 {keyword(status)[0]}")
    assert reply is not None
    assert str(pretty(reply)).startswith("w gfa2 drained: shutter swap (by 127.0.0.1 since 20")


async def test_who_drained_it_is_the_hubs_commander(swarm: Swarm) -> None:
    swarm.user.writer.write(b"APO.Jose 7 drain gfa1 --reason wiring\n")
    assert (await swarm.user.answer(7))[-1] == ":"
    assert swarm.actor.swarm.drained["gfa1"].by == "APO.Jose"


async def test_draining_again_changes_the_reason_and_undrain_ends_it(swarm: Swarm) -> None:
    await swarm.user.ask('drain gfa2 --reason "shutter swap"')
    await swarm.user.ask("drain gfa2 --reason wiring")
    assert swarm.actor.swarm.drained["gfa2"].reason == "wiring"
    lines = await swarm.user.ask("undrain gfa2 gfa1")
    assert lines[1:] == ['w text="gfa1 is not drained."', 'i drained=gfa2,"","",""', ":"]
    assert seen(await swarm.user.ask("talk version")) == ["gfa1", "gfa2", "fvc"]
    reply = parse_reply('1 2 i drained=gfa2,"","",""')
    assert reply is not None
    assert str(pretty(reply)) == "i gfa2 drained no longer"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("drain --reason x", "missing argument"),
        ("drain , --reason x", "name nodes"),
        ("drain gfa2", "missing option '-r' / '--reason'"),
        ("drain gfa2 --reason ' '", "give a reason"),
        ("drain gfa2 gfa9 --reason x", "unknown node 'gfa9'"),
        ("undrain gfa2 gfa9", "unknown node 'gfa9'"),
        ("undrain", "missing argument"),
    ],
)
async def test_what_is_wrong_is_one_error_and_does_nothing(
    command: str, words: str, swarm: Swarm
) -> None:
    lines = await swarm.user.ask(command)
    assert len(lines) == 2
    assert lines[1].startswith("f error=fliswarm,")
    assert words in lines[1]
    assert swarm.actor.swarm.drained == {}


async def test_where_all_are_drained_a_command_to_all_says_so(swarm: Swarm) -> None:
    await swarm.user.ask("drain gfa1 gfa2 --reason wiring")
    assert (await swarm.user.ask("talk -c gfa version"))[-1] == (
        'f error=fliswarm,"no enabled node is selected; drained: gfa1 (wiring), gfa2 (wiring)"'
    )


async def test_it_outlives_the_manager(tmp_path: Path) -> None:
    async with stub_fleet(tmp_path, ["gfa1", "gfa2"]) as fleet:
        config = stub_config(fleet, tmp_path)
        async with managing(config) as actor, using(actor) as user:
            await user.ask('drain gfa2 --reason "shutter swap"')
            drain = actor.swarm.drained["gfa2"]
        async with managing(config) as actor, using(actor) as user:
            await ready(actor)
            assert actor.swarm.drained == {"gfa2": drain}
            assert seen(await user.ask("talk version")) == ["gfa1"]


@pytest.mark.parametrize("kept", [5, [1], {"gfa2": 5}, {"gfa2": {"reason": [1]}}])
async def test_a_broken_file_does_not_keep_the_manager_from_starting(
    kept: Any, tmp_path: Path
) -> None:
    async with stub_fleet(tmp_path, ["gfa1", "gfa2"]) as fleet:
        keep_intents(tmp_path)
        file = tmp_path / "intents.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), "drained": kept}))
        async with managing(stub_config(fleet, tmp_path)) as actor, using(actor) as user:
            assert (await user.ask("status"))[-1] == ":"
