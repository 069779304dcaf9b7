"""What nobody has to ask for: deaths told and mended, nodes lost and found again."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator

import pytest

from fliswarm.client import ActorReply, parse_reply
from tests.testbed.testbed import Testbed

from .conftest import MakeManager
from .manager import Manager, keyword

pytestmark = pytest.mark.testbed


class Listener:
    """A user who only listens."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self.reader = reader
        self.heard: list[ActorReply] = []

    async def until(self, name: str, *values: str, limit: float) -> tuple[ActorReply, float]:
        """Wait for a broadcast of a keyword that begins with these values; and how long."""
        began = time.monotonic()
        async with asyncio.timeout(limit):
            while True:
                line = (await self.reader.readline()).decode().rstrip()
                reply = parse_reply(line)
                if reply is None:
                    continue
                self.heard.append(reply)
                if reply.keywords.get(name, [])[: len(values)] == list(values):
                    return reply, time.monotonic() - began


@contextlib.asynccontextmanager
async def listening(manager: Manager) -> AsyncIterator[Listener]:
    reader, writer = await asyncio.open_connection("127.0.0.1", manager.port)
    try:
        yield Listener(reader)
    finally:
        writer.close()


def container(testbed: Testbed, node: str):
    return testbed.client(node).containers.get(f"flicamera-{node}")


async def test_a_death_is_told_within_a_second_and_mended(
    manager: Manager, testbed: Testbed
) -> None:
    await manager.send("reconnect")
    async with listening(manager) as user:
        await user.until("UserInfo", limit=5)
        container(testbed, "gfa1").kill()
        _, seconds = await user.until("container", "gfa1", "NA", limit=1)
        reply, _ = await user.until("error", "gfa1", limit=1)
        assert reply.code == "w"
        assert "exit code 137" in reply.keywords["error"][1]
        assert "last log lines" in reply.keywords["error"][1]
        assert seconds < 1
        await user.until("nodeState", "gfa1", "READY", limit=10)
        told = [r.keywords["nodeState"][1] for r in user.heard if "nodeState" in r.keywords]
        # The lost connection may be seen some ms before the engine's word: the same state twice.
        assert [state for state, _ in itertools.groupby(told)] == ["FAILED", "STARTING", "READY"]
    replies = await manager.send("talk ping")
    assert [v[1] for v in keyword(replies, "verdict")] == ["ok", "ok", "ok"]


async def test_docker_stop_by_hand_stays_stopped(manager: Manager, testbed: Testbed) -> None:
    await manager.send("reconnect -n gfa1")
    await manager.wait_state("gfa1", "READY", 5)
    container(testbed, "gfa1").stop(timeout=2)
    await manager.wait_state("gfa1", "STOPPED", 3)
    async with listening(manager) as user:
        with pytest.raises(TimeoutError):
            await user.until("nodeState", "gfa1", limit=4)
    manager.kill()
    manager.start()
    assert (await manager.state("gfa1"))[1:4] == [
        "STOPPED",
        "container",
        "stopped by command or by hand",
    ]
    container(testbed, "gfa1").start()
    await manager.wait_state("gfa1", "READY", 5)


async def test_docker_stop_while_the_manager_was_away_stays_stopped(
    manager: Manager, testbed: Testbed
) -> None:
    await manager.send("reconnect -n gfa1,gfa2")
    manager.kill()
    container(testbed, "gfa1").stop(timeout=2)
    container(testbed, "gfa2").kill()
    manager.start()
    await manager.wait_state("gfa2", "READY", 10)
    assert (await manager.state("gfa1"))[1] == "STOPPED"


async def test_restart_never_leaves_a_dead_container_alone(
    make_manager: MakeManager, testbed: Testbed
) -> None:
    manager = make_manager(defaults={"restart": "never"})
    await manager.send("reconnect -n gfa1")
    container(testbed, "gfa1").kill()
    await manager.wait_state("gfa1", "FAILED", 2)
    async with listening(manager) as user:
        with pytest.raises(TimeoutError):
            await user.until("nodeState", "gfa1", limit=4)


async def test_a_node_off_the_network_is_told_and_restored_unasked(
    manager: Manager, testbed: Testbed
) -> None:
    await manager.send("reconnect")
    before = container(testbed, "gfa2").attrs["State"]["StartedAt"]
    async with listening(manager) as user:
        await user.until("UserInfo", limit=5)
        testbed.cut("gfa2", silently=True)
        reply, seconds = await user.until("nodeState", "gfa2", "UNREACHABLE", "host", limit=6)
        assert seconds < 5, reply
        # Longer than `silence`, so that the connection has to be made anew.
        with contextlib.suppress(TimeoutError):
            await user.until("nodeState", "gfa2", "READY", limit=12)
        testbed.mend("gfa2")
        _, seconds = await user.until("nodeState", "gfa2", "READY", limit=12)
        assert seconds < 10
    assert container(testbed, "gfa2").attrs["State"]["StartedAt"] == before
    assert (await manager.send("talk -n gfa2 ping"))[-1].code == ":"


async def test_a_short_loss_of_the_network_is_mended(manager: Manager, testbed: Testbed) -> None:
    await manager.send("reconnect -n gfa2")
    testbed.cut("gfa2")
    await manager.wait_state("gfa2", "UNREACHABLE", 6)
    testbed.mend("gfa2")
    await manager.wait_state("gfa2", "READY", 10)


async def test_after_a_shutdown_and_start_of_the_engine_the_camera_is_back(
    manager: Manager, testbed: Testbed
) -> None:
    await manager.send("reconnect")
    await asyncio.to_thread(testbed.stop_engine, "gfa1")
    await manager.wait_state("gfa1", "UNREACHABLE", 10)
    assert (await manager.state("gfa1"))[2] == "engine"
    assert (await manager.send("talk ping"))[-1].code == ":"
    await asyncio.to_thread(testbed.start_engine, "gfa1")
    await manager.wait_state("gfa1", "READY", 15)


async def test_an_engine_that_is_restarted_at_once_has_its_camera_back(
    manager: Manager, testbed: Testbed
) -> None:
    """Its shutdown sends the events of a stop by hand, and nobody sees it away."""
    await manager.send("reconnect -n gfa1")
    await asyncio.to_thread(testbed.stop_engine, "gfa1")
    await asyncio.to_thread(testbed.start_engine, "gfa1")
    await manager.wait_state("gfa1", "READY", 15)


async def test_a_killed_engine_leaves_the_camera_usable(manager: Manager, testbed: Testbed) -> None:
    await manager.send("reconnect -n gfa1")
    testbed.kill_engine("gfa1")
    found = await manager.wait_state("gfa1", "DEGRADED", 10)
    assert found[2] == "engine"
    assert (await manager.send("talk -n gfa1 ping"))[-1].code == ":"
    await asyncio.to_thread(testbed.start_engine, "gfa1")
    await manager.wait_state("gfa1", "READY", 15)


async def test_disabled_nodes_stay_disabled_over_a_killed_manager(
    manager: Manager, testbed: Testbed
) -> None:
    await manager.send("disable fvc")
    manager.kill()
    manager.start()
    assert keyword(await manager.send("status"), "enabledNodes") == [["gfa1", "gfa2"]]


async def test_a_manager_killed_in_the_middle_of_reconnect_loses_nothing(
    manager: Manager, testbed: Testbed
) -> None:
    await manager.send("reconnect -n gfa1")
    for pause in (0.05, 0.2, 0.35, 0.6):
        sending = asyncio.create_task(manager.send("reconnect -n gfa1"))
        await asyncio.sleep(pause)
        manager.kill()
        await asyncio.gather(sending, return_exceptions=True)
        manager.start()
        replies = await manager.send("reconnect -n gfa1")
        assert replies[-1].code == ":", [r.raw for r in replies]
        names = [c["Names"] for c in testbed.containers("gfa1")]
        assert names == [["/flicamera-gfa1"]]


async def test_a_second_manager_says_so_and_does_not_fight(
    make_manager: MakeManager, manager: Manager, testbed: Testbed, tmp_path
) -> None:
    await manager.send("reconnect -n gfa1")
    before = container(testbed, "gfa1").id
    second_config = testbed.config(
        "second.yaml",
        actor={"host": "127.0.0.1", "port": manager.port + 1},
        state_dir=str(tmp_path / "second"),
    )
    second = Manager(second_config, manager.port + 1, tmp_path / "second")
    second.start()
    try:
        found = await second.wait_state("gfa1", "DEGRADED", 5)
        assert "is of the manager fliswarm on" in found[3]
        for command in ("reconnect -n gfa1", "stop -n gfa1", "restart -n gfa1"):
            replies = await second.send(command)
            assert replies[-1].code == "f"
            assert "not ours" in replies[-1].keywords["error"][1]
        container(testbed, "gfa1").kill()
        await manager.wait_state("gfa1", "READY", 10)
        assert container(testbed, "gfa1").id == before
    finally:
        second.stop()
