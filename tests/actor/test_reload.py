"""reload: another configuration while everything runs; only what is different is touched."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import os
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fliswarm.actor import SwarmActor
from fliswarm.engine import Owner
from fliswarm.state import State
from tests.fleet.fleet import StubFleet

from .running import (
    MANAGER,
    User,
    end_processes,
    free_ports,
    managing,
    ready,
    sim_config,
    stub_config,
    stub_fleet,
    until,
    using,
    written,
)
from .test_containers import containers
from .test_failures import verdict


@dataclass
class House:
    """A manager, a user of it, and the file that it was started with."""

    actor: SwarmActor
    user: User
    file: Path
    content: dict[str, Any]
    spare: dict[str, Any] = field(default_factory=dict)
    """A node that is not in the file."""
    fleet: StubFleet | None = None

    def write(self) -> None:
        self.file.write_text(written(self.content))

    async def reload(self, options: str = "") -> list[str]:
        self.write()
        return await self.user.ask(f"reload {options}")

    def node(self, name: str) -> Any:
        return self.actor.swarm.nodes[name]


@pytest.fixture
async def stubs(tmp_path: Path) -> AsyncIterator[House]:
    """Three nodes with stub engines; a fourth is there but not in the file."""
    async with stub_fleet(tmp_path, ["gfa1", "gfa2", "gfa3", "fvc"]) as fleet:
        content = stub_config(fleet, tmp_path)
        gfa3 = content["nodes"].pop("gfa3")
        file = tmp_path / "fliswarm.yaml"
        async with managing(content, file) as actor, using(actor) as user:
            await ready(actor)
            await user.greeted()
            yield House(actor, user, file, content, gfa3, fleet)


@pytest.fixture
async def cameras(tmp_path: Path) -> AsyncIterator[House]:
    """Two simulated cameras that run."""
    content = sim_config(tmp_path, ["gfa1", "gfa2"])
    file = tmp_path / "fliswarm.yaml"
    async with managing(content, file) as actor, using(actor) as user:
        assert (await user.ask("reconnect"))[-1] == ":"
        await ready(actor)
        yield House(actor, user, file, content)
    end_processes(tmp_path)


def texts(lines: list[str]) -> list[str]:
    return [line.split("text=", 1)[1].strip('"') for line in lines if " text=" in line]


def differing(lines: list[str]) -> list[str]:
    return [line.split("=", 1)[1].split(",")[0] for line in lines if "configDiffers=" in line]


def verdicts(lines: list[str]) -> list[str]:
    return [line.split("=")[1].split(",")[0] for line in lines if "verdict=" in line]


async def test_nothing_different_is_said_and_nothing_is_done(stubs: House) -> None:
    before = {name: (node, node.camera.made) for name, node in stubs.actor.swarm.nodes.items()}
    assert await stubs.reload() == [">", 'i text="nothing is different"', ":"]
    assert {n: (x, x.camera.made) for n, x in stubs.actor.swarm.nodes.items()} == before


async def test_a_dry_run_shows_and_does_nothing(stubs: House) -> None:
    stubs.content["nodes"]["gfa3"] = stubs.spare
    del stubs.content["nodes"]["fvc"]
    stubs.content["nodes"]["gfa1"]["environment"] = {"GAIN": 2, "DB_PASSWORD": "hunter22"}
    stubs.content["actor"] = {"port": 0, "name": "other"}
    lines = await stubs.reload("--dry-run --apply")
    place = "{host}:{port}, engine {docker-client}".format(**stubs.content["nodes"]["gfa3"])
    assert texts(lines) == [
        "changed gfa1: environment.GAIN: not set -> 2; environment.DB_PASSWORD: not set -> *** "
        "(another container)",
        f"added gfa3: {place}",
        "removed fvc",
        "changed actor.name: fliswarm -> other (needs a restart of the manager)",
    ]
    assert lines[-2][0] == "w"
    assert lines[-1] == ":"
    assert list(stubs.actor.swarm.nodes) == ["gfa1", "gfa2", "fvc"]
    assert "hunter22" not in "".join(lines)


async def test_nodes_come_and_go_in_the_order_of_the_file(stubs: House) -> None:
    nodes = stubs.content["nodes"]
    gone = nodes.pop("gfa2")
    stubs.content["nodes"] = {"fvc": nodes["fvc"], "gfa3": stubs.spare, "gfa1": nodes["gfa1"]}
    lines = await stubs.reload()
    assert "changed order: gfa1, fvc -> fvc, gfa1" in texts(lines)
    place = gone["docker-client"]
    assert f"gfa2: removed; its container flicamera-gfa2 goes on ({place})" in texts(lines)
    assert verdicts(lines) == ["gfa3", "gfa2"]
    assert "i enabledNodes=fvc,gfa3,gfa1" in lines
    assert lines[-1] == ":"
    await ready(stubs.actor)
    assert verdicts(await stubs.user.ask("talk version")) == ["fvc", "gfa3", "gfa1"]
    assert stubs.fleet is not None
    assert stubs.fleet.nodes["gfa2"].engine.running
    assert "unknown node 'gfa2'" in (await stubs.user.ask("talk -n gfa2 version"))[-1]
    assert await stubs.reload() == [">", 'i text="nothing is different"', ":"]


async def test_what_needs_no_container_is_taken_in_place(stubs: House) -> None:
    node = stubs.node("gfa1")
    connection = node.camera.made
    stubs.content["nodes"]["gfa1"] |= {
        "category": "fvc", "restart": "never", "user": "sdss", "power": {"device": "outlet9"},
    }  # fmt: skip
    stubs.content["timeouts"] = {"silence": 3.0, "engine": 4.0}
    lines = await stubs.reload()
    assert lines[-1] == ":", lines
    assert verdicts(lines) == ["gfa1"]
    assert "changed timeouts.engine: 5.0 -> 4.0" in texts(lines)
    assert differing(lines) == []
    assert verdicts(await stubs.user.ask("talk -c fvc version")) == ["gfa1", "fvc"]
    assert stubs.node("gfa1") is node
    assert node.camera.made == connection
    assert (node.config.power.device, node.watch.restarts.policy) == ("outlet9", "never")
    assert all(n.engine.timeout == 4 for n in stubs.actor.swarm.nodes.values())
    assert stubs.node("gfa2").camera.silence == 3


async def test_who_is_enabled_follows_the_file_only_where_it_has_changed(stubs: House) -> None:
    await stubs.user.ask("disable gfa2")
    stubs.content["enabled_nodes"] = ["gfa1", "gfa2"]
    lines = await stubs.reload()
    assert texts(lines) == ["changed fvc: enabled: yes -> no"]
    assert "i enabledNodes=gfa1" in lines
    assert stubs.node("fvc").status.state is State.DISABLED
    assert stubs.actor.swarm.intents.switched == {"gfa2": False}
    stubs.content["enabled_nodes"] = ["gfa1", "fvc", "gfa3"]
    stubs.content["nodes"]["gfa3"] = stubs.spare
    assert "i enabledNodes=gfa1,fvc,gfa3" in await stubs.reload()
    assert not stubs.actor.swarm.intents.enabled("gfa2")


async def test_a_broken_file_is_refused_whole_with_all_its_errors(stubs: House) -> None:
    stubs.content["nodes"]["gfa1"] |= {"prot": 5, "image": 7}
    stubs.content["nodes"]["gfa3"] = stubs.spare
    lines = await stubs.reload("--apply")
    assert len(lines) == 4
    assert all(line.startswith(f'w error=fliswarm,"{stubs.file}:') for line in lines[1:3])
    assert "did you mean 'port'?" in lines[1] + lines[2]
    assert lines[-1] == f'f error=fliswarm,"2 errors in {stubs.file}; nothing was changed"'
    assert list(stubs.actor.swarm.nodes) == ["gfa1", "gfa2", "fvc"]
    stubs.file.unlink()
    assert "1 error in" in (await stubs.user.ask("reload"))[-1]
    assert (await stubs.user.ask("talk --need all version"))[-1] == ":"


@pytest.mark.parametrize("options", ["", "--apply --force"])
async def test_a_file_just_emptied_by_an_editor_removes_no_camera(
    options: str, stubs: House
) -> None:
    stubs.file.write_text("")
    lines = await stubs.user.ask(f"reload {options}")
    assert "there are none" in lines[1]
    assert lines[-1].endswith('nothing was changed"')
    assert list(stubs.actor.swarm.nodes) == list(stubs.content["nodes"])


async def test_a_file_that_cannot_be_read_to_its_end_ends_the_reload_and_holds_up_no_stop(
    stubs: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a file server that is away; the manager ends after that, by the fixture."""
    monkeypatch.setattr("fliswarm.commands.reload.READ", 0.3)
    stubs.file.unlink()
    os.mkfifo(stubs.file)
    for _ in range(2):
        lines = await stubs.user.ask("reload")
        assert "not read after 0.3 s" in lines[-1]
    threads = [t for t in threading.enumerate() if t.name == "engine-reload"]
    assert len(threads) == 1
    assert threads[0].daemon
    with stubs.file.open("w"):
        pass
    # It ends, or serves another node's engine.
    await until(lambda: not threads[0].is_alive() or threads[0].name != "engine-reload")
    stubs.file.unlink()
    assert (await stubs.reload())[-1] == ":"


async def test_one_reload_at_a_time(stubs: House) -> None:
    async with using(stubs.actor) as other:
        ends = await asyncio.gather(stubs.user.ask("reload"), other.ask("reload"))
    assert sorted(lines[-1][0] for lines in ends) == [":", "f"]
    assert any("a reload is under way already" in lines[-1] for lines in ends)


async def test_the_signal_does_the_same(stubs: House) -> None:
    del stubs.content["nodes"]["fvc"]
    stubs.write()
    stubs.user.unasked.clear()
    stubs.actor.order("reload")
    await until(lambda: list(stubs.actor.swarm.nodes) == ["gfa1", "gfa2"])
    await until(lambda: not stubs.actor.running)
    await stubs.user.ask("ping")
    assert [line for line in stubs.user.unasked if "fvc" not in line] == []


# another address of the same engine, another engine


async def test_another_address_of_the_same_engine_touches_no_container(stubs: House) -> None:
    assert stubs.fleet is not None
    before, other = stubs.node("gfa1"), stubs.node("gfa2")
    address = stubs.content["nodes"]["gfa1"]["docker-client"]
    stubs.content["nodes"]["gfa1"]["docker-client"] = address.replace("127.0.0.1", "localhost")
    lines = await stubs.reload()
    assert verdict(lines, "gfa1")[1] == "ok"
    assert differing(lines) == []
    assert stubs.node("gfa1") is not before
    assert stubs.node("gfa2") is other
    await ready(stubs.actor)
    assert list(stubs.actor.swarm.nodes) == ["gfa1", "gfa2", "fvc"]
    assert await stubs.reload() == [">", 'i text="nothing is different"', ":"]


async def test_another_engine_needs_apply(stubs: House) -> None:
    """The camera of gfa1 was plugged into the computer that was meant for gfa3."""
    assert stubs.fleet is not None
    old, new = stubs.fleet.nodes["gfa1"], stubs.fleet.nodes["gfa3"]
    new.engine.containers.clear()
    labels = Owner("fliswarm", MANAGER, "gfa1").labels
    new.engine.add_container("flicamera-gfa1", running=False, labels=labels)
    before, stubs.content["nodes"]["gfa1"] = stubs.content["nodes"]["gfa1"], stubs.spare
    lines = await stubs.reload()
    assert lines[-1] == ":"
    assert verdicts(lines) == []
    assert differing(lines) == differing(await stubs.user.ask("status")) == ["gfa1"]
    moved, stubs.content["nodes"]["gfa1"] = stubs.spare, before
    assert await stubs.reload() == [">", 'i text="nothing is different"', ":"]
    assert differing(await stubs.user.ask("status")) == []
    stubs.content["nodes"]["gfa1"] = moved
    assert (await stubs.user.ask("talk --need all version"))[-1] == ":"
    assert old.engine.running
    lines = await stubs.reload("--apply")
    assert verdict(lines, "gfa1")[1] == "ok", lines
    assert differing(lines) == []
    assert (old.engine.containers, new.engine.running) == ({}, True)
    await ready(stubs.actor)


async def test_an_engine_that_is_not_there_costs_nothing(stubs: House) -> None:
    assert stubs.fleet is not None
    (port,) = free_ports(1)
    stubs.content["nodes"]["gfa1"]["docker-client"] = f"tcp://127.0.0.1:{port}"
    stubs.content["nodes"]["gfa2"]["category"] = "spare"
    for options in ("", "--apply"):
        lines = await stubs.reload(options)
        assert verdict(lines, "gfa1")[:2] == ["w", "unreachable"]
        assert lines[-1].startswith("f ")
        assert stubs.fleet.nodes["gfa1"].engine.running
        assert stubs.node("gfa1").status.state is State.READY
    assert stubs.node("gfa2").config.category == "spare"


async def test_what_is_removed_with_its_container_need_not_be_enabled(stubs: House) -> None:
    assert stubs.fleet is not None
    await stubs.user.ask("disable gfa2")
    await stubs.user.ask("drain fvc --reason wiring")
    del stubs.content["nodes"]["gfa2"], stubs.content["nodes"]["fvc"]
    lines = await stubs.reload("--apply")
    assert verdicts(lines) == ["gfa2", "fvc"]
    assert lines[-1] == ":"
    assert stubs.fleet.nodes["gfa2"].engine.containers == {}
    assert stubs.fleet.nodes["fvc"].engine.running
    assert list(stubs.actor.swarm.nodes) == ["gfa1"]


async def test_a_node_whose_container_cannot_be_removed_stays(stubs: House) -> None:
    assert stubs.fleet is not None
    del stubs.content["nodes"]["gfa2"]
    await stubs.fleet.nodes["gfa2"].engine.stop()
    lines = await stubs.reload("--apply")
    assert verdict(lines, "gfa2")[1] == "unreachable"
    assert "gfa2: stays until its container is removed; reload alone lets it go" in texts(lines)
    assert list(stubs.actor.swarm.nodes) == ["gfa1", "fvc", "gfa2"]
    lines = await stubs.reload()
    assert verdict(lines, "gfa2")[1] == "ok"
    assert list(stubs.actor.swarm.nodes) == ["gfa1", "fvc"]


# containers


async def test_an_exposure_runs_through_a_reload(cameras: House) -> None:
    number = cameras.user.send("talk expose 1.5")
    nodes = list(cameras.actor.swarm.nodes.values())
    await until(lambda: all(n.camera.unfinished for n in nodes))
    (port,) = free_ports(1)
    cameras.content["nodes"]["gfa3"] = {**cameras.content["nodes"]["gfa1"], "port": port}
    cameras.content["nodes"]["gfa1"]["environment"] = {"GAIN": 3}
    cameras.content["nodes"]["gfa2"]["category"] = "other"
    cameras.write()
    async with using(cameras.actor) as other:
        lines = await other.ask("reload")
        assert lines[-1] == ":"
        assert differing(lines) == ["gfa1"]
        lines = await other.ask("reload --apply")
        assert verdict(lines, "gfa1")[:2] == ["w", "busy"]
        assert lines[-1].startswith("f ")
    lines = await cameras.user.answer(number)
    assert [verdict(lines, name)[1] for name in ("gfa1", "gfa2")] == ["ok", "ok"]
    assert [*cameras.actor.swarm.nodes.values()][:2] == nodes


async def test_apply_replaces_only_what_is_different(cameras: House) -> None:
    before = await containers(cameras.user)
    cameras.content["nodes"]["gfa1"]["environment"] = {"GAIN": 3}
    lines = await cameras.reload()
    assert verdicts(lines) == ["gfa1"]
    assert await containers(cameras.user) == before
    assert differing(await cameras.user.ask("status")) == ["gfa1"]
    assert await cameras.user.ask("reload --dry-run") == [
        ">", 'i text="nothing is different"',
        'w configDiffers=gfa1,"the container was made from another configuration; '
        'reconnect makes it anew"', ":",
    ]  # fmt: skip
    (port,) = free_ports(1)
    cameras.content["nodes"]["gfa3"] = {**cameras.content["nodes"]["gfa2"], "port": port}
    lines = await cameras.reload("--apply")
    assert verdicts(lines) == ["gfa1", "gfa3"]
    assert lines[-1] == ":"
    assert differing(lines) == []
    await ready(cameras.actor)
    after = await containers(cameras.user)
    assert after["gfa2"] == before["gfa2"]
    assert after["gfa1"] != before["gfa1"]
    # What is removed goes, and nothing else.
    del cameras.content["nodes"]["gfa3"]
    engine = cameras.node("gfa3").engine
    lines = await cameras.reload("--apply")
    assert verdict(lines, "gfa3")[1] == "ok"
    assert await engine.find("flicamera-gfa3") is None
    del after["gfa3"]
    assert await containers(cameras.user) == after


async def test_what_was_said_of_a_removed_container_is_forgotten_and_its_log_is_kept(
    cameras: House,
) -> None:
    gfa2 = cameras.content["nodes"].pop("gfa2")
    log = next(cameras.actor.settings.camera_log_dir.glob("gfa2*"))
    assert (await cameras.reload("--apply"))[-1] == ":"
    await until(lambda: " ended: exit code " in log.read_text())  # read before it went
    cameras.content["nodes"]["gfa2"] = gfa2
    assert (await cameras.reload("--apply"))[-1] == ":"
    assert (await cameras.user.ask("stop -n gfa2"))[-1] == ":"
    del cameras.content["nodes"]["gfa2"]
    assert (await cameras.reload("--apply"))[-1] == ":"
    cameras.content["nodes"]["gfa2"] = gfa2
    lines = await cameras.reload("--apply")
    assert verdict(lines, "gfa2")[1] == "ok", lines
    await ready(cameras.actor)


async def test_another_port_waits_for_apply_and_comes_back_when_it_fails(cameras: House) -> None:
    before = await containers(cameras.user)
    node, old = cameras.node("gfa1"), cameras.content["nodes"]["gfa1"]["port"]
    port, taken = free_ports(2)
    server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", taken)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(server.wait_closed)
        stack.callback(server.close)
        cameras.content["nodes"]["gfa1"]["port"] = taken
        lines = await cameras.reload("--apply")
        assert f"port {taken} is taken" in verdict(lines, "gfa1")[2]
        assert differing(lines) == ["gfa1"]
        await ready(cameras.actor)
        assert await containers(cameras.user) == before
    cameras.content["nodes"]["gfa1"]["port"] = port
    lines = await cameras.reload()
    assert differing(lines) == ["gfa1"]
    assert node.config.port == old
    assert (await cameras.user.ask("talk --need all status"))[-1] == ":"
    lines = await cameras.reload("--apply")
    assert verdict(lines, "gfa1")[1] == "ok", lines
    await ready(cameras.actor)
    assert node.config.port == port


@pytest.mark.parametrize("options", ["", "--apply"])
async def test_a_busy_camera_is_not_removed_without_force(options: str, cameras: House) -> None:
    number = cameras.user.send("talk -n gfa2 expose 5")
    node = cameras.node("gfa2")
    await until(lambda: node.camera.unfinished)
    content = copy.deepcopy(cameras.content)
    del cameras.content["nodes"]["gfa2"]
    cameras.write()
    async with using(cameras.actor) as other:
        lines = await other.ask(f"reload {options}")
        assert verdict(lines, "gfa2")[:2] == ["w", "busy"]
        assert list(cameras.actor.swarm.nodes) == list(content["nodes"])
        assert node.enabled
        assert (await other.ask("reload --dry-run"))[1] == 'i text="removed gfa2"'
        lines = await other.ask(f"reload --force {options}")
        assert verdict(lines, "gfa2")[1] == "ok"
    lines = await cameras.user.answer(number)
    assert verdict(lines, "gfa2")[1] == "lost"
    assert list(cameras.actor.swarm.nodes) == ["gfa1"]


async def test_what_the_operator_has_put_aside_is_left(cameras: House) -> None:
    cameras.content["defaults"]["environment"]["GAIN"] = 3
    await cameras.user.ask("stop -n gfa1")
    await cameras.user.ask('drain gfa2 --reason "shutter swap"')
    before = await containers(cameras.user)
    lines = await cameras.reload("--apply")
    assert "gfa1: stopped by command or by hand: its container is left as it is" in texts(lines)
    assert "gfa2: drained (shutter swap): its container is left as it is" in texts(lines)
    assert differing(lines) == ["gfa1", "gfa2"]
    assert await containers(cameras.user) == before
