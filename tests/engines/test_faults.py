"""Faults on real engines: who is told what, and that the healthy ones notice nothing."""

from __future__ import annotations

import time

import docker
import pytest

from tests.faults.house import User
from tests.testbed.testbed import Testbed

from .conftest import MakeManager
from .manager import Manager, keyword

pytestmark = pytest.mark.testbed


def error_of(replies: list) -> str:
    return replies[-1].keywords["error"][1]


async def test_one_node_off_the_network_does_not_stop_the_others(
    manager: Manager, testbed: Testbed
) -> None:
    testbed.cut("gfa2", silently=True)
    replies = await manager.send("reconnect")
    assert replies[-1].code == "f"
    assert error_of(replies).startswith("reconnect failed on 1 of 3: gfa2: engine:")
    verdicts = {v[0]: v[1] for v in keyword(replies, "verdict")}
    assert verdicts["gfa1"] == verdicts["fvc"] == "ok"
    replies = await manager.send("talk -- expose 0.2")
    assert replies[-1].code == ":"
    assert len(keyword(replies, "filename")) == 2
    assert keyword(replies, "verdict", "gfa2")[0][1] == "unreachable"
    assert (await manager.state("gfa2"))[1:3] == ["UNREACHABLE", "host"]
    assert keyword(await manager.send("status"), "node", "gfa2")[0][3:] == ["F", "F"]
    testbed.mend("gfa2")
    assert (await manager.send("reconnect -n gfa2"))[-1].code == ":"


async def test_a_camera_that_dies_at_its_start_leaves_the_old_one_running(
    make_manager: MakeManager, testbed: Testbed
) -> None:
    manager = make_manager()
    await manager.send("reconnect")
    old = testbed.client("gfa1").containers.get("flicamera-gfa1").id
    manager.stop()
    faulty = {"gfa1": {"environment": {"SIMCAMERA_FAULTS": "crash-at-start=3"}}}
    manager = make_manager(nodes=faulty)
    replies = await manager.send("reconnect -n gfa1")
    assert replies[-1].code == "f"
    assert "gfa1: container: the container died: exit code 3" in error_of(replies)
    assert "last log lines" in error_of(replies)
    assert "the old container runs again" in error_of(replies)
    back = testbed.client("gfa1").containers.get("flicamera-gfa1")
    assert (back.id, back.status) == (old, "running")
    assert len(testbed.containers("gfa1")) == 1
    await manager.wait_state("gfa1", "READY", 10)
    assert (await manager.send("talk -n gfa1 ping"))[-1].code == ":"


async def test_registry_away_the_image_on_the_node_is_used(
    manager: Manager, testbed: Testbed
) -> None:
    testbed.stop_registry()
    replies = await manager.send("reconnect -n gfa1")
    assert replies[-1].code == ":"
    warnings = [r.raw for r in replies if r.code == "w"]
    assert any("using the image that the node has" in w for w in warnings)


async def test_registry_away_and_no_image_touches_nothing(
    make_manager: MakeManager, testbed: Testbed
) -> None:
    manager = make_manager()
    await manager.send("reconnect -n gfa1")
    before = testbed.client("gfa1").containers.get("flicamera-gfa1").id
    manager.stop()
    manager = make_manager(image="nosuch:1")
    replies = await manager.send("reconnect -n gfa1")
    assert replies[-1].code == "f"
    assert "gfa1: engine: pull" in error_of(replies)
    now = testbed.client("gfa1").containers.get("flicamera-gfa1")
    assert (now.id, now.status) == (before, "running")


async def test_a_foreign_container_of_our_name_is_left_alone_without_force(
    manager: Manager, testbed: Testbed
) -> None:
    engine = testbed.client("gfa1")
    theirs = engine.containers.create(
        testbed.image, name="flicamera-gfa1", network_mode="host", privileged=True
    )
    replies = await manager.send("reconnect -n gfa1")
    assert replies[-1].code == "f"
    assert "not ours; reconnect --force takes it over" in error_of(replies)
    assert engine.containers.get("flicamera-gfa1").id == theirs.id
    assert (await manager.send("reconnect -n gfa1 --force"))[-1].code == ":"
    assert engine.containers.get("flicamera-gfa1").id != theirs.id
    with pytest.raises(docker.errors.NotFound):
        engine.containers.get(theirs.id)


async def test_gfa10_is_not_taken_for_gfa1(manager: Manager, testbed: Testbed) -> None:
    engine = testbed.client("gfa1")
    other = engine.containers.create(testbed.image, name="flicamera-gfa10", network_mode="host")
    assert (await manager.send("reconnect -n gfa1"))[-1].code == ":"
    assert (await manager.send("reconnect -n gfa1 --force"))[-1].code == ":"
    assert engine.containers.get(other.id).name == "flicamera-gfa10"


async def test_a_volume_that_differs_is_said_and_force_makes_it_anew(
    manager: Manager, testbed: Testbed
) -> None:
    engine = testbed.client("gfa1")
    opts = {"type": "none", "o": "bind", "device": "/tmp"}
    engine.volumes.create("data", driver="local", driver_opts=opts)
    replies = await manager.send("reconnect -n gfa1")
    assert replies[-1].code == ":"
    assert any("volume data differs" in " ".join(v) for v in keyword(replies, "text"))
    assert keyword(replies, "volume", "gfa1")[-1] == ["gfa1", "data", "T", "/tmp"]
    replies = await manager.send("reconnect -n gfa1 --force")
    assert replies[-1].code == ":"
    assert engine.volumes.get("data").attrs["Options"]["device"] == str(testbed.data)


async def test_nfs_volumes_are_asked_for_as_configured(
    make_manager: MakeManager, testbed: Testbed
) -> None:
    """This kernel has no NFS client: the engine takes the volume, the start fails on it."""
    opts = {"type": "nfs", "o": "nfsvers=4,addr=10.77.0.1,rw", "device": ":/data"}
    manager = make_manager(volumes={"home": {"driver": "local", "opts": opts}})
    replies = await manager.send("reconnect -n gfa1")
    assert testbed.client("gfa1").volumes.get("home").attrs["Options"] == opts
    assert replies[-1].code == "f"
    assert "mount" in error_of(replies)
    assert testbed.containers("gfa1") == []


async def test_a_paused_camera_is_silent_and_the_others_are_not_late(
    make_manager: MakeManager, testbed: Testbed
) -> None:
    manager = make_manager(timeouts={"silence": 3})
    await manager.send("reconnect")
    testbed.client("gfa1").containers.get("flicamera-gfa1").pause()
    began = time.monotonic()
    replies = await manager.send("talk status")
    assert time.monotonic() - began < 6
    assert replies[-1].code == ":"
    seconds = {v[0]: float(v[2]) for v in keyword(replies, "verdict")}
    assert seconds["gfa2"] < 1
    assert seconds["fvc"] < 1
    assert keyword(replies, "verdict", "gfa1")[0][1] in ("silent", "unreachable")
    assert (await manager.state("gfa1"))[1:4] == ["FAILED", "container", "the container is paused"]
    testbed.client("gfa1").containers.get("flicamera-gfa1").unpause()
    await manager.wait_state("gfa1", "READY", 10)
    assert (await manager.send("talk -n gfa1 ping"))[-1].code == ":"


async def test_who_is_silent_is_told_with_what_fails_beneath(
    make_manager: MakeManager, testbed: Testbed
) -> None:
    manager = make_manager(timeouts={"silence": 6})
    await manager.send("reconnect")
    container = testbed.client("gfa1").containers.get("flicamera-gfa1")
    user = await User.come(manager.port)
    asked = user.say("talk -- expose 5")
    await user.until("exposure_state", limit=5)
    container.pause()
    testbed.cut("gfa2", silently=True)
    replies = await user.end_of(asked, 15)
    await user.leave()
    testbed.mend("gfa2")
    container.unpause()
    (paused,), (cut,) = (keyword(replies, "verdict", name) for name in ("gfa1", "gfa2"))
    assert (paused[1], cut[1]) == ("silent", "silent")
    assert paused[3].endswith("ping after 6 s; beneath it: container: the container is paused")
    assert "ping after 6 s; beneath it: host: the host answers no ping; " in cut[3]
    assert keyword(replies, "verdict", "fvc")[0][1] == "ok"


async def test_a_frozen_engine_delays_nobody(make_manager: MakeManager, testbed: Testbed) -> None:
    manager = make_manager(timeouts={"engine": 2})
    await manager.send("reconnect")
    testbed.freeze_engine("gfa1")
    found = await manager.wait_state("gfa1", "DEGRADED", 15)
    assert found[2] == "engine"
    replies = await manager.send("talk ping")
    assert replies[-1].code == ":"
    assert [v[1] for v in keyword(replies, "verdict")] == ["ok", "ok", "ok"]
    began = time.monotonic()
    replies = await manager.send("reconnect -n gfa2,fvc")
    assert replies[-1].code == ":"
    replies = await manager.send("reconnect -n gfa1")
    assert replies[-1].code == "f"
    assert "gfa1: engine:" in error_of(replies)
    assert time.monotonic() - began < 30
    testbed.thaw_engine("gfa1")
    await manager.wait_state("gfa1", "READY", 15)


async def test_a_killed_container_is_seen_within_a_second(
    manager: Manager, testbed: Testbed
) -> None:
    await manager.send("reconnect -n gfa1")
    await manager.wait_state("gfa1", "READY", 5)
    testbed.client("gfa1").containers.get("flicamera-gfa1").kill()
    # Its connection may end some ms before the engine itself knows of the death.
    found = await manager.wait_state("gfa1", "FAILED", 2, "container")
    assert "exit code 137" in found[3]


async def test_two_cameras_of_one_engine(make_manager: MakeManager, testbed: Testbed) -> None:
    address = testbed.address("gfa1")
    second = {"host": address, "port": 19996, "docker-client": f"tcp://{address}:2375"}
    manager = make_manager(nodes={"gfa1b": second}, enabled_nodes=["gfa1", "gfa1b"])
    replies = await manager.send("reconnect")
    assert replies[-1].code == ":", [r.raw for r in replies]
    names = sorted(c["Names"][0] for c in testbed.containers("gfa1"))
    assert names == ["/flicamera-gfa1", "/flicamera-gfa1b"]
    assert (await manager.send("talk ping"))[-1].code == ":"
