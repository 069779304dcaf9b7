"""The main job on real engines: from one YAML file to exposures, and over a dead manager."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest
from astropy.io import fits

from tests.testbed.testbed import Testbed

from .conftest import MakeManager
from .manager import Manager, keyword

pytestmark = pytest.mark.testbed
NODES = ["gfa1", "gfa2", "fvc"]


def marks(testbed: Testbed) -> dict[str, tuple[str, str]]:
    """Id and start of every node's container."""
    found = {}
    for node in testbed.nodes:
        container = testbed.client(node).containers.get(f"flicamera-{node}")
        found[node] = (container.id, container.attrs["State"]["StartedAt"])
    return found


async def test_reconnect_and_expose_on_three_cameras(manager: Manager, testbed: Testbed) -> None:
    replies = await manager.send("reconnect")
    assert replies[-1].code == ":", [r.raw for r in replies]
    assert [v[:2] for v in keyword(replies, "verdict")] == [[node, "ok"] for node in NODES]

    replies = await manager.send("talk -- expose -n 12 0.5")
    assert replies[-1].code == ":"
    assert len(keyword(replies, "filename")) == 3
    (bundle,) = keyword(replies, "filename_bundle")
    assert replies[-2].keywords == {"filename_bundle": bundle}
    for node, path in zip(NODES, bundle, strict=True):
        on_disk = testbed.data / Path(path).relative_to("/data")
        with fits.open(on_disk) as image:
            assert image[0].header["CAMNAME"] == node
            assert image[0].header["EXPTIME"] == 0.5


async def test_status_names_what_is_there(manager: Manager, testbed: Testbed) -> None:
    await manager.send("reconnect")
    replies = await manager.send("status")
    assert keyword(replies, "enabledNodes") == [NODES]
    ids = {node: mark[0][:12] for node, mark in marks(testbed).items()}
    for node in NODES:
        address = testbed.address(node)
        assert keyword(replies, "node", node) == [
            [node, address, f"tcp://{address}:2375", "T", "T"]
        ]
        assert keyword(replies, "container", node) == [[node, ids[node]]]
        assert keyword(replies, "volume", node) == [[node, "data", "T", str(testbed.data)]]
        assert keyword(replies, "nodeState", node)[0][:4] == [node, "READY", "", ""]
    order = [v[0] for v in keyword(replies, "nodeState")]
    assert order == NODES


async def test_the_container_is_what_the_configuration_asks_for(
    manager: Manager, testbed: Testbed
) -> None:
    await manager.send("reconnect -n gfa1")
    made = testbed.client("gfa1").containers.get("flicamera-gfa1").attrs
    host, config = made["HostConfig"], made["Config"]
    assert host["Privileged"] is True
    assert host["NetworkMode"] == "host"
    assert host["AutoRemove"] is False
    assert host["Memory"] == 0
    assert host["NanoCpus"] == 0
    assert {m["Destination"] for m in made["Mounts"]} == {"/data", "/dev/bus/usb"}
    assert {"ACTOR_NAME=gfa1", "FLISWARM_NODE=gfa1"} <= set(config["Env"])
    assert config["Labels"]["org.fliswarm.node"] == "gfa1"
    assert config["Image"] == testbed.image


async def test_a_report_shows_the_container_and_no_secret(
    make_manager: MakeManager, tmp_path: Path
) -> None:
    manager = make_manager(defaults={"environment": {"CAMERA_PASSWORD": "Pl4nted-s3cret"}})
    await manager.send("reconnect -n gfa1")
    file = tmp_path / "ticket.tar.gz"
    done = manager.run("report", "gfa1", "--output", str(file))
    assert done.stdout == f"written: {file}\n", done.stderr
    with tarfile.open(file) as tar:
        found = {info.name.split("/")[1]: tar.extractfile(info).read() for info in tar}  # type: ignore[union-attr]
    shown = json.loads(found["container.json"])
    assert shown["Name"] == "/flicamera-gfa1"
    assert "CAMERA_PASSWORD=***" in shown["Config"]["Env"]
    assert b"volume data" in found["doctor.txt"]
    assert not [name for name, content in found.items() if b"Pl4nted" in content]


async def test_a_killed_manager_comes_back_and_touches_no_container(
    manager: Manager, testbed: Testbed
) -> None:
    await manager.send("reconnect")
    before = marks(testbed)
    manager.kill()
    manager.start()
    replies = await manager.send("talk ping")
    assert replies[-1].code == ":"
    assert [v[:2] for v in keyword(replies, "verdict")] == [[node, "ok"] for node in NODES]
    for node in NODES:
        assert (await manager.wait_state(node, "READY", 10))[1] == "READY"
    assert marks(testbed) == before


async def test_reconnect_again_replaces_every_container(manager: Manager, testbed: Testbed) -> None:
    await manager.send("reconnect")
    before = marks(testbed)
    replies = await manager.send("reconnect")
    assert replies[-1].code == ":"
    after = marks(testbed)
    for node in NODES:
        assert before[node][0] != after[node][0]
        names = [c["Names"] for c in testbed.containers(node)]
        assert names == [[f"/flicamera-{node}"]], "nothing is left aside"


async def test_stop_start_restart_keep_the_container(manager: Manager, testbed: Testbed) -> None:
    await manager.send("reconnect -n gfa1")
    before = marks_of(testbed, "gfa1")
    replies = await manager.send("stop -n gfa1")
    assert replies[-1].code == ":"
    assert (await manager.state("gfa1"))[1:4] == [
        "STOPPED",
        "container",
        "stopped by command or by hand",
    ]
    replies = await manager.send("talk -n gfa1 ping")
    assert replies[-1].code == "f"
    assert keyword(replies, "verdict", "gfa1")[0][1] == "unreachable"
    for command in ("start", "restart"):
        replies = await manager.send(f"{command} -n gfa1")
        assert replies[-1].code == ":", [r.raw for r in replies]
        assert (await manager.send("talk -n gfa1 ping"))[-1].code == ":"
    assert marks_of(testbed, "gfa1") == before


def marks_of(testbed: Testbed, node: str) -> str:
    return str(testbed.client(node).containers.get(f"flicamera-{node}").id)


async def test_a_node_outside_the_enabled_ones_can_be_enabled_and_is_complete(
    make_manager: object, testbed: Testbed
) -> None:
    manager: Manager = make_manager(enabled_nodes=["gfa1"])  # type: ignore[operator]
    replies = await manager.send("reconnect -n fvc")
    assert replies[-1].code == "f"
    assert keyword(replies, "verdict", "fvc")[0][1] == "disabled"
    replies = await manager.send("enable fvc nonsense")
    assert replies[-1].code == ":"
    assert any("nonsense" in " ".join(v) for v in keyword(replies, "text"))
    assert (await manager.send("reconnect -n fvc"))[-1].code == ":"
    assert (await manager.send("talk -n fvc ping"))[-1].code == ":"
    assert keyword(await manager.send("status"), "enabledNodes") == [["gfa1", "fvc"]]
