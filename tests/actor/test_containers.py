"""reconnect, stop, start, restart: each node by itself, and no answer that is not true."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from fliswarm.state import State

from .running import User, free_ports, managing, ready, sim_config, until, using
from .test_failures import Cameras, verdict


@pytest.fixture
async def cameras(folder: Path) -> AsyncIterator[Cameras]:
    config = sim_config(folder, ["gfa1", "gfa2"])
    async with managing(config) as actor, using(actor) as user:
        assert (await user.ask("reconnect"))[-1] == ":"
        await ready(actor)
        yield Cameras(actor, user)


async def containers(user: User) -> dict[str, str]:
    lines = await user.ask("status")
    rows = [line[len("d container=") :].split(",") for line in lines if "container=" in line]
    return {row[0]: row[1] for row in rows}


async def test_a_first_reconnect_says_what_it_does(folder: Path) -> None:
    async with managing(sim_config(folder, ["gfa1"])) as actor, using(actor) as user:
        assert (await containers(user)) == {"gfa1": "NA"}
        lines = await user.ask("reconnect")
        assert lines[-1] == ":"
        assert verdict(lines, "gfa1") == ["i", "ok", ""]
        assert any(line.startswith('i text="gfa1: running flicamera-gfa1') for line in lines)
        (state,) = [line for line in lines if "nodeState=" in line]
        assert state.startswith('i nodeState=gfa1,READY,"",""')
        assert not any("factAge=gfa1" in line and "nan" in line for line in lines)
        (container,) = [line for line in lines if "container=" in line]
        assert (await containers(user)) == {"gfa1": container.split(",")[1]}


async def test_a_reconnect_makes_a_new_container(cameras: Cameras) -> None:
    before = await containers(cameras.user)
    lines = await cameras.user.ask("reconnect -n gfa1")
    assert lines[-1] == ":"
    after = await containers(cameras.user)
    assert after["gfa1"] not in (before["gfa1"], "NA")
    assert after["gfa2"] == before["gfa2"]
    assert (await cameras.user.ask("talk --need all status"))[-1] == ":"


async def test_stop_start_and_restart_keep_the_container(cameras: Cameras) -> None:
    before = await containers(cameras.user)
    lines = await cameras.user.ask("stop -n gfa1")
    assert verdict(lines, "gfa1")[1] == "ok"
    await ready(cameras.actor, "gfa1", state=State.STOPPED)
    assert await containers(cameras.user) == {**before, "gfa1": "NA"}
    lines = await cameras.user.ask("stop -n gfa1")
    assert any("gfa1: no container was running" in line for line in lines)
    assert (await cameras.user.ask("start -n gfa1"))[-1] == ":"
    assert await containers(cameras.user) == before
    pid = cameras.pid("gfa1")
    assert (await cameras.user.ask("restart -n gfa1"))[-1] == ":"
    assert await containers(cameras.user) == before
    assert cameras.pid("gfa1") != pid
    await ready(cameras.actor)


async def test_a_start_without_a_container_says_what_makes_one(folder: Path) -> None:
    async with managing(sim_config(folder, ["gfa1"])) as actor, using(actor) as user:
        for verb in ("start", "restart"):
            lines = await user.ask(verb)
            assert "there is no container; reconnect makes one" in lines[-1]
            assert lines[-1].startswith(f'f error=fliswarm,"{verb} failed on 1 of 1: gfa1: ')


async def test_what_was_stopped_by_command_stays_stopped(cameras: Cameras) -> None:
    await cameras.user.ask("stop -n gfa1")
    await asyncio.sleep(1.5)  # longer than a dead one would wait to be started again
    assert cameras.actor.swarm.nodes["gfa1"].status.state is State.STOPPED


async def test_a_busy_camera_is_not_interrupted_without_force(cameras: Cameras) -> None:
    number = cameras.user.send("talk -n gfa1 expose 3")
    await cameras.begun("gfa1")
    async with using(cameras.actor) as other:
        for verb in ("reconnect", "stop", "restart"):
            lines = await other.ask(f"{verb} -n gfa1")
            assert verdict(lines, "gfa1")[:2] == ["w", "busy"]
            assert "--force interrupts" in lines[-1]
        assert (await other.ask("reconnect -n gfa1 --force"))[-1] == ":"
    lines = await cameras.user.answer(number)
    assert verdict(lines, "gfa1")[1] == "lost"
    assert lines[-1].startswith("f ")


async def test_of_two_reconnects_at_once_one_is_told_to_wait(cameras: Cameras) -> None:
    async with using(cameras.actor) as other:
        ends = await asyncio.gather(
            cameras.user.ask("reconnect -n gfa1"), other.ask("reconnect -n gfa1")
        )
    assert sorted(lines[-1][0] for lines in ends) == [":", "f"]
    (refused,) = [lines for lines in ends if lines[-1][0] == "f"]
    assert verdict(refused, "gfa1") == ["w", "busy", "reconnect is under way already"]
    await ready(cameras.actor)


async def test_a_talk_in_a_reconnect_is_told_so_at_once(cameras: Cameras) -> None:
    number = cameras.user.send("reconnect -n gfa1")
    node = cameras.actor.swarm.nodes["gfa1"]
    await until(lambda: node.status.facts.operation)
    async with using(cameras.actor) as other:
        started = time.monotonic()
        lines = await other.ask("talk -n gfa1 status")
        assert time.monotonic() - started < 0.5
        assert verdict(lines, "gfa1") == ["w", "busy", "reconnect is under way"]
    assert (await cameras.user.answer(number))[-1] == ":"


async def test_one_that_crashes_at_its_start_fails_by_name_and_the_others_are_ready(
    folder: Path,
) -> None:
    config = sim_config(folder, ["gfa1", "gfa2", "gfa3"])
    config["nodes"]["gfa2"]["environment"] = {"SIMCAMERA_FAULTS": "crash-at-start=3"}
    async with managing(config) as actor, using(actor) as user:
        lines = await user.ask("reconnect")
        assert lines[-1].startswith(
            'f error=fliswarm,"reconnect failed on 1 of 3: gfa2: container: '
            "the container died: exit code 3; last log lines: "
        )
        assert "FLIOpen: no device found for the camera 'gfa2'" in lines[-1]
        assert [verdict(lines, name)[1] for name in ("gfa1", "gfa2", "gfa3")] == [
            "ok", "failed", "ok",
        ]  # fmt: skip
        await ready(actor, "gfa1", "gfa3")
        assert actor.swarm.nodes["gfa2"].status.state is State.STOPPED
        assert (await user.ask("talk --need 2 status"))[-1] == ":"


async def test_nodes_that_fail_for_the_same_reason_are_named_together(folder: Path) -> None:
    config = sim_config(folder, ["gfa1", "gfa2", "gfa3"])
    for name in ("gfa1", "gfa3"):
        config["nodes"][name]["docker-client"] = "tcp://127.0.0.1:1"
    async with managing(config) as actor, using(actor) as user:
        lines = await user.ask("reconnect")
        assert lines[-1].startswith('f error=fliswarm,"reconnect failed on 2 of 3: gfa1, gfa3: ')
        assert lines[-1].count("connection refused") == 1
        assert [verdict(lines, name)[1] for name in ("gfa1", "gfa2", "gfa3")] == [
            "unreachable", "ok", "unreachable",
        ]  # fmt: skip


async def test_a_fault_of_ours_on_one_node_leaves_the_others_their_verdict(
    folder: Path,
) -> None:
    config = sim_config(folder, ["gfa1", "gfa2"])
    async with managing(config) as actor, using(actor) as user:
        # The state folder of one node is a file: its records cannot be written.
        processes = actor.settings.state_dir / "processes"
        make_file(processes / "gfa1")
        lines = await user.ask("reconnect")
        assert lines[-1].startswith("f ")
        assert verdict(lines, "gfa1")[:2] == ["w", "failed"]
        assert verdict(lines, "gfa2")[:2] == ["i", "ok"]
        await ready(actor, "gfa2")


def make_file(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_text("")


async def test_a_stranger_on_the_port_is_not_taken_for_the_new_camera(folder: Path) -> None:
    config = sim_config(folder, ["gfa1"])
    port = config["nodes"]["gfa1"]["port"]
    stranger = simulate("stranger", port, folder)
    try:
        async with managing(config) as actor, using(actor) as user:
            lines = await user.ask("reconnect")
            assert lines[-1].startswith("f "), lines
            assert actor.swarm.nodes["gfa1"].status.state is not State.READY
    finally:
        stranger.kill()
        stranger.wait()


def simulate(name: str, port: int, folder: Path) -> subprocess.Popen[str]:
    """A camera that was started by hand."""
    from tests.simcamera.support import command_line, environment

    process = subprocess.Popen(
        command_line("--name", name, "--port", str(port), "--data", str(folder)),
        stderr=subprocess.PIPE, text=True, env=environment(),
    )  # fmt: skip
    assert process.stderr is not None
    with process.stderr:
        assert "listening" in process.stderr.readline()
    return process


# a manager that starts again


async def test_a_second_manager_adopts_what_runs(folder: Path) -> None:
    config = sim_config(folder, ["gfa1", "gfa2"])
    async with managing(config) as actor, using(actor) as user:
        await user.ask("reconnect")
        before = await containers(user)
        pids = [Cameras(actor, user).pid(name) for name in ("gfa1", "gfa2")]
    assert all(psutil.pid_exists(pid) for pid in pids)
    async with managing(config) as actor, using(actor) as user:
        await ready(actor)
        assert await containers(user) == before
        assert (await user.ask("talk --need all expose 0.1"))[-1] == ":"
        assert [Cameras(actor, user).pid(name) for name in ("gfa1", "gfa2")] == pids
        assert (await user.ask("stop"))[-1] == ":"


async def test_what_the_operator_wanted_outlives_the_manager(folder: Path) -> None:
    config = sim_config(folder, ["gfa1", "gfa2"])
    async with managing(config) as actor, using(actor) as user:
        await user.ask("reconnect")
        await user.ask("stop -n gfa1")
        await user.ask("disable gfa2")
    async with managing(config) as actor, using(actor) as user:
        assert (await user.ask("status"))[1] == "i enabledNodes=gfa1"
        assert actor.swarm.nodes["gfa1"].status.state is State.STOPPED
        assert actor.swarm.nodes["gfa2"].status.state is State.DISABLED
        assert (await user.ask("enable gfa2"))[1] == "i enabledNodes=gfa1,gfa2"
        await ready(actor, "gfa2")
        assert (await user.ask("start -n gfa1"))[-1] == ":"
        await user.ask("stop --force")


@pytest.mark.parametrize(
    "kept",
    [
        "", "{", "null", "[1]", "5", '{"manager": 5}', '{"configured": 5}',
        '{"stopped": 5}',
        '{"stopped": [[1]]}',
        '{"switched": [1]}',
        '{"switched": "x"}',
    ],
)  # fmt: skip
async def test_a_broken_file_of_intents_does_not_keep_the_manager_from_starting(
    kept: str, folder: Path
) -> None:
    config = sim_config(folder, ["gfa1"])
    if kept.startswith('{"'):  # as written by the same configuration
        kept = json.dumps({"configured": ["gfa1"], **json.loads(kept)})
    make_file(folder / "state" / "intents.json")
    (folder / "state" / "intents.json").write_text(kept)
    async with managing(config) as actor, using(actor) as user:
        assert (await user.ask("status"))[-1] == ":"


def test_free_ports_are_free() -> None:
    assert len(set(free_ports(5))) == 5
