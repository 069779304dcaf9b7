"""The doctor on real engines: no false alarm, and each fault named at its place, and only it."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fliswarm import config
from fliswarm.doctor import Finding, Result, examine, inside
from tests.testbed.hub import Hub
from tests.testbed.probes import ask_camera
from tests.testbed.testbed import Testbed

from .conftest import MakeManager
from .manager import FLISWARM, Manager, keyword, wait_until
from .test_hub import wait_answer

pytestmark = [pytest.mark.testbed, pytest.mark.hub]
QUICK = {"probe": 0.5, "engine": 2.0, "ping": 0.5, "connect": 1.0, "silence": 2.0}
FAILED, WARNING, SKIPPED = Result.FAILED, Result.WARNING, Result.SKIPPED
Found = dict[str, dict[str, Finding]]


class Doctor:
    """The doctor's findings that are not good, by place and check."""

    def __init__(self, testbed: Testbed, manager: Manager, state_dir: Path) -> None:
        self.testbed = testbed
        self.manager = manager
        self.settings = {
            "actor": {"host": "127.0.0.1", "port": manager.port},
            "state_dir": str(state_dir),
            "timeouts": QUICK,
            "defaults": {"insecure": True},
        }
        self.seconds = 0.0

    async def look(self, **changes: Any) -> Found:
        """What it finds, with changes to the configuration; what passed is left out."""
        path = self.testbed.config("doctor.yaml", **{**self.settings, **changes})
        began = time.monotonic()
        findings = await examine(config.load(str(path)))
        self.seconds = time.monotonic() - began
        found: Found = {"manager": {}, **{node: {} for node in self.testbed.nodes}}
        for finding in findings:
            if finding.result is not Result.PASSED:
                found[finding.place][finding.check] = finding
        return found


def names(found: Found) -> dict[str, list[str]]:
    """What was found where: failed and warned of, without what was skipped."""
    return {
        place: [check for check, finding in rows.items() if finding.result is not SKIPPED]
        for place, rows in found.items()
        if any(finding.result is not SKIPPED for finding in rows.values())
    }


def skipped(found: Found, place: str) -> list[str]:
    return [check for check, finding in found[place].items() if finding.result is SKIPPED]


def says(finding: Finding, result: Result, words: str, fix: str, layer: str) -> None:
    assert finding.result is result, finding
    assert words in finding.found, finding
    assert fix in finding.fix, finding
    assert str(finding.layer) == layer, finding


@contextmanager
def without_insecure_registries(testbed: Testbed, node: str) -> Iterator[None]:
    """The engine takes the registry for an HTTPS server meanwhile."""
    engine = testbed.engine(node)
    path = engine.folder / "daemon.json"
    whole = path.read_text()

    def reload(text: str, there: bool) -> None:
        path.write_text(text)
        engine.service.send(signal.SIGHUP)
        place = testbed.registry.address
        wait_until(
            lambda: (place in engine.client.info()["RegistryConfig"]["IndexConfigs"]) is there,
            5, "the engine has read its settings",
        )  # fmt: skip

    kept = json.loads(whole)
    reload(json.dumps({**kept, "insecure-registries": []}), there=False)
    try:
        yield
    finally:
        reload(whole, there=True)


async def test_a_healthy_swarm_and_its_hub(
    hub: Hub, make_manager: MakeManager, testbed: Testbed, tmp_path: Path
) -> None:
    hubs = {"port": 19996, "tron_host": "127.0.0.1", "tron_port": 6093}
    manager = make_manager(actor=hubs, defaults={"insecure": True})
    await wait_answer(hub, 15)
    await manager.send("reconnect")

    exposing = asyncio.create_task(manager.send("talk -- expose 4"))
    states = [c["State"] for node in testbed.nodes for c in testbed.containers(node)]
    done = await asyncio.to_thread(manager.run, "doctor", "--strict", "--json")
    rows = json.loads(done.stdout)
    assert done.returncode == 0, [row for row in rows if row["result"] != "passed"]
    assert {row["result"] for row in rows} == {"passed"}
    assert states == ["running"] * 3
    replies = await manager.send("doctor")
    assert replies[-1].code == ":", replies[-1].raw
    assert {values[3] for values in keyword(replies, "finding")} == {"passed"}
    assert not exposing.done()
    replies = await exposing
    assert [values[1] for values in keyword(replies, "verdict")] == ["ok"] * 3

    # Two at once do not take each other's container away; one that is killed leaves its own.
    looks = [asyncio.to_thread(manager.run, "doctor", "--strict") for _ in range(2)]
    both = await asyncio.gather(*looks)
    for done in both:
        print(done.stdout)
    assert [done.returncode for done in both] == [0, 0]
    killed = subprocess.Popen(  # noqa: ASYNC220 - it is begun at once
        [FLISWARM, "-c", manager.config, "doctor"], stdout=subprocess.DEVNULL, env=manager.env
    )
    left = await asyncio.to_thread(a_container_of_the_doctor, testbed)
    killed.kill()
    killed.wait()
    assert [c["State"] for node in testbed.nodes for c in testbed.containers(node)] != states
    assert manager.run("doctor", "--strict").returncode == 0
    assert [c["State"] for node in testbed.nodes for c in testbed.containers(node)] == states
    assert left not in [c["Id"] for node in testbed.nodes for c in testbed.containers(node)]

    # One that another doctor has just made, and has not started yet, is given way to.
    api = testbed.client("gfa1").api
    labels = testbed.client("gfa1").containers.get("flicamera-gfa1").labels
    other = api.create_container(testbed.image, name="flicamera-gfa1.doctor", labels=labels)["Id"]
    looking = asyncio.create_task(asyncio.to_thread(manager.run, "doctor", "--strict", "gfa1"))
    until = time.monotonic() + inside.GRACE / 2
    while time.monotonic() < until:
        assert other in [c["Id"] for c in testbed.containers("gfa1")]
        assert not looking.done()
        await asyncio.sleep(0.1)
    api.remove_container(other)
    done = await looking
    assert done.returncode == 0, done.stdout

    manager.stop()
    done = manager.run("doctor", "gfa1")
    assert done.returncode == 1
    assert "✗ hub: 127.0.0.1:6093 answers, but has no connection to fliswarm" in done.stdout
    assert "! manager: no manager listens at 127.0.0.1:19996" in done.stdout
    assert done.stdout.count("✗") == 1
    await asyncio.to_thread(hub.stop)
    done = manager.run("doctor", "gfa1")
    assert "✗ hub: 127.0.0.1:6093: connection refused" in done.stdout
    assert done.stdout.count("✗") == 1


def a_container_of_the_doctor(testbed: Testbed) -> str:
    """The id of the container of a doctor that is at work."""
    found: list[str] = []

    def there() -> bool:
        api = testbed.client("gfa1").api
        rows = api.containers(all=True, filters={"name": "doctor"})
        found[:] = [row["Id"] for row in rows]
        return bool(found)

    wait_until(there, 10, "the doctor's container")
    return found[0]


@pytest.fixture
def manager(make_manager: MakeManager) -> Manager:
    return make_manager(
        timeouts=QUICK, defaults={"insecure": True}, nodes={"gfa2": {"restart": "never"}}
    )


@pytest.fixture
def doctor(testbed: Testbed, manager: Manager, tmp_path: Path) -> Doctor:
    return Doctor(testbed, manager, tmp_path / "state")


async def test_the_way_to_the_engines(doctor: Doctor, manager: Manager, testbed: Testbed) -> None:
    await manager.send("reconnect")
    assert names(await doctor.look()) == {}
    usual = doctor.seconds

    testbed.cut("gfa1", silently=True)
    testbed.freeze_engine("gfa2")
    found = await doctor.look()
    assert doctor.seconds < usual + 6
    testbed.mend("gfa1")
    testbed.thaw_engine("gfa2")
    assert names(found) == {"gfa1": ["host"], "gfa2": ["engine"]}
    says(found["gfa1"]["host"], FAILED, "answers no ping", "power, cable", "host")
    says(found["gfa2"]["engine"], FAILED, "no answer after 2 s", "restart docker", "engine")
    assert {"engine port", "container", "camera actor"} <= set(skipped(found, "gfa1"))
    assert "container" in skipped(found, "gfa2")
    assert found["fvc"] == {}

    testbed.stop_engine("gfa1")
    nowhere = {"host": "no-such-host.invalid", "docker-client": "tcp://no-such-host.invalid:2375"}
    nodes = {"gfa2": nowhere, "fvc": {"host": socket.gethostname()}}
    found = await doctor.look(nodes=nodes)
    testbed.start_engine("gfa1")
    assert names({**found, "fvc": {}}) == {
        "gfa1": ["engine port", "camera actor"],
        "gfa2": ["name"],
    }
    says(found["gfa1"]["engine port"], FAILED, "connection refused", "start docker", "engine")
    says(found["gfa1"]["camera actor"], FAILED, "refused", "first what fails below", "actor")
    says(found["gfa2"]["name"], FAILED, "cannot be resolved", "/etc/hosts", "host")
    if socket.gethostbyname(socket.gethostname()).startswith("127."):
        says(found["fvc"]["name"], FAILED, "the manager itself", "network address", "host")
    # A shutdown of the engine that is over at once may be taken for a stop by hand.
    await manager.send("start -n gfa1")
    await manager.wait_state("gfa1", "READY", 15)
    testbed.client("gfa2").images.get(testbed.image).tag(f"{testbed.registry.address}/other", "1")
    camera = testbed.client("fvc").containers.get("flicamera-fvc")
    camera.commit(*testbed.image.rsplit(":", 1))
    with without_insecure_registries(testbed, "gfa1"):
        found = await doctor.look(nodes={"gfa2": {"image": "other:1"}})
    assert names(found) == {
        "gfa1": ["registry"],
        "gfa2": ["registry", "container"],  # it is made from another image
        "fvc": ["image"],
    }
    says(found["gfa1"]["registry"], FAILED, "HTTPS", "insecure-registries", "engine")
    says(found["gfa2"]["registry"], FAILED, "has no 10.77.0.1", "docker push", "engine")
    says(found["fvc"]["image"], WARNING, "another", "reconnect -n fvc", "engine")
    testbed.pull("fvc")

    testbed.stop_registry()
    found = await doctor.look(nodes={"gfa2": {"image": "nowhere:1"}})
    testbed.start_registry()
    assert names(found) == {
        "manager": [f"registry {testbed.registry.address}"],
        "gfa1": ["registry"],
        "gfa2": ["registry", "image", "container"],
        "fvc": ["registry"],
    }
    says(found["gfa1"]["registry"], FAILED, "connection refused", "is the registry up", "engine")
    says(found["gfa2"]["image"], FAILED, "not on the node", "reconnect -n gfa2", "engine")
    assert {"volume data", "disk"} <= set(skipped(found, "gfa2"))
    assert names(await doctor.look()) == {}


async def test_containers_volumes_and_cameras(
    doctor: Doctor, manager: Manager, testbed: Testbed
) -> None:
    await manager.send("reconnect")
    bind = {"type": "none", "o": "bind", "device": "/no/such/folder"}
    testbed.client("fvc").volumes.create("lost", driver="local", driver_opts=bind)
    lost = {"driver": "local", "opts": bind}
    other = {"driver": "local", "opts": {**bind, "device": "/tmp"}}
    owner = testbed.client("gfa1").containers.get("flicamera-gfa1").labels
    left = testbed.client("gfa1").containers.create(
        testbed.image, name="flicamera-gfa1.doctor", labels=owner
    )
    found = await doctor.look(
        nodes={
            "gfa1": {"volumes": {"more": lost}},
            "gfa2": {"volumes": {"data": other}},
            "fvc": {"volumes": {"lost": lost}},
        },
    )
    assert names(found) == {
        "gfa1": ["volume more", "container"],
        "gfa2": ["volume data", "container"],
        "fvc": ["volume lost", "container"],
    }
    says(found["gfa1"]["volume more"], FAILED, "not there", "reconnect -n gfa1", "container")
    says(found["gfa2"]["volume data"], FAILED, "device", "-n gfa2 --force", "container")
    says(found["fvc"]["volume lost"], FAILED, "/no/such/folder", "server", "container")
    says(found["fvc"]["container"], WARNING, "another configuration", "reconnect", "container")
    assert left.id not in [row["Id"] for row in testbed.containers("gfa1")]

    testbed.data.chmod(0o755)
    stranger = testbed.client("fvc").containers.create(testbed.image, name="flicamera-fvc.doctor")
    missing = {"source": "/no/such/tree", "target": "/tree"}
    found = await doctor.look(nodes={"gfa1": {"docker-uid": 1234}, "gfa2": {"mounts": [missing]}})
    assert names(found) == {
        "gfa1": ["volume data", "container"],
        "gfa2": ["mount /no/such/tree", "container"],
        "fvc": ["inside"],
    }
    says(found["gfa1"]["volume data"], FAILED, "may not write", "docker-uid", "container")
    says(found["gfa2"]["mount /no/such/tree"], FAILED, "not exist", "ls -ld /no/such", "container")
    says(
        found["fvc"]["inside"],
        WARNING,
        "not ours",
        "docker rm -f flicamera-fvc.doctor",
        "container",
    )
    assert stranger.id in [row["Id"] for row in testbed.containers("fvc")]
    stranger.remove()

    camera = testbed.client("gfa1").containers.get("flicamera-gfa1")
    camera.remove(force=True)
    testbed.client("gfa1").containers.create(testbed.image, name="flicamera-gfa1")
    await manager.send("stop -n gfa2")
    testbed.client("fvc").containers.get("flicamera-fvc").pause()
    found = await doctor.look(defaults={"insecure": True}, nodes={"gfa2": {"restart": "never"}})
    assert names(found) == {"gfa1": ["container"], "gfa2": ["container"], "fvc": ["container"]}
    says(found["gfa1"]["container"], FAILED, "not ours", "--force", "container")
    says(found["gfa2"]["container"], WARNING, "stopped by command", "start -n gfa2", "container")
    says(found["fvc"]["container"], FAILED, "is paused", "restart -n fvc", "container")
    assert skipped(found, "fvc") == ["camera actor"]
    testbed.client("fvc").containers.get("flicamera-fvc").unpause()
    await manager.send("start -n gfa2")

    testbed.client("gfa1").containers.get("flicamera-gfa1").remove()
    port = {"SIMCAMERA_HOST": "0.0.0.0", "FLISWARM_NODE": "gfa1"}
    stranger = testbed.client("gfa1").containers.run(
        testbed.image, name="stranger", network_mode="host", detach=True, environment=port
    )
    wait_until(lambda: listens(testbed.address("gfa1")), 10, "the stranger has the port")
    testbed.client("gfa2").containers.get("flicamera-gfa2").kill()
    await manager.wait_state("gfa2", "FAILED", 5)
    fault(testbed, "fvc", "fault silent")
    found = await doctor.look()
    assert names(found) == {
        "gfa1": ["container", "port"],
        "gfa2": ["container"],
        "fvc": ["camera actor"],
    }
    says(found["gfa1"]["container"], FAILED, "no container", "reconnect -n gfa1", "container")
    says(found["gfa1"]["port"], FAILED, "19995 is taken", "ss -ltnp", "actor")
    says(found["gfa2"]["container"], FAILED, "exit code 137", "logs -n gfa2", "container")
    says(found["fvc"]["camera actor"], FAILED, "", "restart -n fvc", "actor")
    stranger.remove(force=True)

    fault(testbed, "fvc", "fault --clear")
    fault(testbed, "fvc", "fault unplugged")
    await manager.send("reconnect -n gfa1,gfa2")
    found = await doctor.look()
    assert names(found) == {"fvc": ["camera"]}
    says(found["fvc"]["camera"], FAILED, "no camera", "USB cable", "camera")


def listens(address: str) -> bool:
    with socket.socket() as one:
        return one.connect_ex((address, 19995)) == 0


def fault(testbed: Testbed, node: str, words: str) -> None:
    assert ask_camera(testbed, node, words)[-1]["header"]["message_code"] == ":"
