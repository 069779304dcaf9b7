"""Which nodes a command is for, and how many of them must do it."""

from __future__ import annotations

import pytest

from fliswarm.state import State

from .conftest import Swarm
from .running import ready, until


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ("", ["gfa1", "gfa2", "fvc"]),
        ("-n gfa1", ["gfa1"]),
        ("-n fvc,gfa1", ["gfa1", "fvc"]),
        ("--names gfa1,gfa1", ["gfa1"]),
        ("-n 'gfa1, gfa2'", ["gfa1", "gfa2"]),
        ("-n gfa1,", ["gfa1"]),
        ("-c gfa", ["gfa1", "gfa2"]),
        ("--category fvc", ["fvc"]),
        ("-n fvc -c gfa", ["gfa1", "gfa2", "fvc"]),
        ("-n gfa2 --", ["gfa2"]),
    ],
)
async def test_the_nodes_that_are_selected_in_the_order_of_the_file(
    options: str, names: list[str], swarm: Swarm
) -> None:
    lines = await swarm.user.ask(f"talk {options} version")
    verdicts = [line.split("=")[1].split(",")[0] for line in lines if "verdict=" in line]
    assert verdicts == names
    assert lines[-1] == ":"
    assert [name for name in swarm.fleet.nodes if swarm.told(name)] == names


@pytest.mark.parametrize("verb", ["talk {} version", "reconnect {}", "stop {}", "start {}",
                                  "restart {}", "reboot {}"])  # fmt: skip
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("-n gfa1,gfa11", "unknown node 'gfa11' (did you mean 'gfa1'?); known: gfa1, gfa2, fvc"),
        ("-n zzz,yyy", "unknown node 'zzz', 'yyy'; known: gfa1, gfa2, fvc"),
        ("-n GFA1", "unknown node 'GFA1'"),
        ("-c gfb", "no node is of category 'gfb'; known: fvc, gfa"),
        ("-n ,", "no enabled node is selected"),
        ("-n", "requires an argument"),
    ],
)
async def test_a_wrong_selection_fails_and_does_nothing(
    verb: str, options: str, words: str, swarm: Swarm
) -> None:
    lines = await swarm.user.ask(verb.format(options))
    assert len(lines) == 2
    assert lines[1].startswith("f error=fliswarm,")
    assert words in lines[1] or (options == "-n" and verb.startswith("talk"))
    assert swarm.told("gfa1") == []
    assert all(node.engine.running for node in swarm.fleet.nodes.values())


async def test_without_a_camera_command_there_is_nothing_to_talk_about(swarm: Swarm) -> None:
    assert (await swarm.user.ask("talk -n gfa1"))[-1] == (
        'f error=fliswarm,"there is no camera command; for instance: talk status"'
    )


# disabling


async def test_a_disabled_node_takes_no_part(swarm: Swarm) -> None:
    assert await swarm.user.ask("disable gfa1") == [">", "i enabledNodes=gfa2,fvc", ":"]
    assert await swarm.user.hears("DISABLED")
    lines = await swarm.user.ask("talk version")
    assert [line for line in lines if "gfa1" in line] == []
    assert lines[-1] == ":"
    status = await swarm.user.ask("status")
    assert status[1] == "i enabledNodes=gfa2,fvc"
    assert not any("gfa1" in line for line in status)
    assert swarm.fleet.nodes["gfa1"].engine.running
    await until(lambda: not swarm.camera("gfa1").writers)


@pytest.mark.parametrize("command", ["talk -n gfa1 version", "reconnect -n gfa1", "stop -n gfa1"])
async def test_a_disabled_node_that_is_named_is_told_so(command: str, swarm: Swarm) -> None:
    await swarm.user.ask("disable gfa1")
    lines = await swarm.user.ask(command)
    assert any("gfa1" in line and "disabled" in line for line in lines)
    assert lines[-1].startswith("f error=fliswarm,")
    assert swarm.told("gfa1") == []
    assert swarm.fleet.nodes["gfa1"].engine.running


async def test_an_enabled_node_is_ready_again(swarm: Swarm) -> None:
    await swarm.user.ask("disable gfa1 fvc")
    await ready(swarm.actor, "gfa1", "fvc", state=State.DISABLED)
    lines = await swarm.user.ask("enable gfa1,fvc")
    assert lines == [">", "i enabledNodes=gfa1,gfa2,fvc", ":"]
    await ready(swarm.actor)
    assert (await swarm.user.ask("talk --need all version"))[-1] == ":"


async def test_a_command_right_after_enable_waits_for_the_node(swarm: Swarm) -> None:
    await swarm.user.ask("disable gfa1")
    swarm.user.send("enable gfa1")
    assert (await swarm.user.ask("talk -n gfa1 version"))[-1] == ":"


async def test_all_nodes_can_be_disabled_and_enabled(swarm: Swarm) -> None:
    assert await swarm.user.ask("disable --all") == [">", "i enabledNodes", ":"]
    for command in ("talk version", "reconnect", "talk -c gfa version"):
        assert "no enabled node is selected" in (await swarm.user.ask(command))[-1]
    assert await swarm.user.ask("status") == [">", "i enabledNodes", ":"]
    assert await swarm.user.ask("enable -a") == [">", "i enabledNodes=gfa1,gfa2,fvc", ":"]


@pytest.mark.parametrize("verb", ["enable", "disable"])
async def test_unknown_names_are_warned_of_and_none_at_all_fail(verb: str, swarm: Swarm) -> None:
    lines = await swarm.user.ask(f"{verb} gfa2 gfa11")
    assert lines[1].startswith("w text=\"unknown node 'gfa11' (did you mean 'gfa1'?)")
    assert lines[-1] == ":"
    lines = await swarm.user.ask(f"{verb} gfa9 gfa8")
    assert lines[-1] == 'f error=fliswarm,"no node of those names"'
    assert (await swarm.user.ask(verb))[-1] == ('f error=fliswarm,"name nodes or give --all"')


# how many must do it


@pytest.fixture
async def two_of_three(swarm: Swarm) -> Swarm:
    """The third camera has no version."""
    swarm.camera("fvc").do_version = None  # type: ignore[assignment]
    return swarm


@pytest.mark.parametrize(
    ("need", "end"),
    [
        ("", ":"), ("--need any", ":"), ("--need 1", ":"), ("--need 2", ":"),
        ("--need 3", 'f error=fliswarm,"2 of 3 cameras did it, 3 needed (failed)"'),
        ("--need all", 'f error=fliswarm,"2 of 3 cameras did it, 3 needed (failed)"'),
        ("--need 4", 'f error=fliswarm,"2 of 3 cameras did it, 4 needed (failed)"'),
    ],
)  # fmt: skip
async def test_how_many_must_succeed(need: str, end: str, two_of_three: Swarm) -> None:
    lines = await two_of_three.user.ask(f"talk {need} version")
    assert lines[-1] == end
    assert sum(line.startswith("i verdict=") for line in lines) == 2


@pytest.mark.parametrize(
    "option",
    [
        "--need 0", "--need -1", "--need some", "--need 1.5", "--timeout 0", "--timeout -1",
        "--timeout soon", "--need ²", "--timeout nan", "--timeout inf",
    ],
)  # fmt: skip
async def test_a_number_that_is_none_fails_before_anything_is_sent(
    option: str, swarm: Swarm
) -> None:
    lines = await swarm.user.ask(f"talk {option} version")
    assert lines[-1].startswith("f error=fliswarm,")
    assert "try help" in lines[-1]
    assert swarm.told("gfa1") == []
