"""The wanted container and what is told of the found one; pure."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fliswarm import config
from fliswarm.config import Mount, NodeConfig, Power, VolumeConfig
from fliswarm.config.engines import Ssh, Tls
from fliswarm.describe import LOG_WIDTH, describe_end, say_foreign
from fliswarm.engine import (
    LABEL_MANAGER,
    LABEL_NODE,
    LABEL_SPEC,
    LABEL_SWARM,
    ContainerSpec,
    Found,
    Owner,
)
from fliswarm.spec import differs, wanted

OWNER = Owner("fliswarm", "hub-1234", "gfa1")
FILE = """
registry: sdss-hub:5000
volumes: {data: {opts: {type: nfs, o: "addr=sdss-hub,rw", device: ":/data"}}}
nodes:
  gfa1:
    host: 10.1.10.1
    memory: 6g
    docker-uid: 1005
    docker-gid: 100
    environment: {TZ: UTC}
"""


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> NodeConfig:
    monkeypatch.delenv("OBSERVATORY", raising=False)
    return config.loads(FILE, observatory="APO").nodes["gfa1"]


def spec_hash(node: NodeConfig, owner: Owner = OWNER) -> str:
    return wanted(node, owner).labels[LABEL_SPEC]


def test_the_container_of_an_observatory(node: NodeConfig) -> None:
    assert wanted(node, OWNER) == ContainerSpec(
        name="flicamera-gfa1",
        image="sdss-hub:5000/flicamera:latest",
        environment={
            "ACTOR_NAME": "gfa1",
            "FLISWARM_NODE": "gfa1",
            "FLISWARM_PORT": "19995",
            "OBSERVATORY": "APO",
            "TZ": "UTC",
        },
        volumes=(
            VolumeConfig(
                "data",
                "local",
                {"type": "nfs", "o": "addr=sdss-hub,rw", "device": ":/data"},
                "/data",
                False,
            ),
        ),
        mounts=(("/dev/bus/usb", "/dev/bus/usb", False),),
        device_cgroup_rules=("c 189:* rmw",),
        memory=6 << 30,
        network="host",
        privileged=True,
        stop_signal="SIGINT",
        stop_timeout=5,
        user="1005:100",
        labels={
            LABEL_SWARM: "fliswarm",
            LABEL_MANAGER: "hub-1234",
            LABEL_NODE: "gfa1",
            LABEL_SPEC: spec_hash(node),
        },
    )


def test_a_user_without_a_group(node: NodeConfig) -> None:
    assert wanted(replace(node, gid=None), OWNER).user == "1005"
    assert wanted(replace(node, uid=None, gid=None), OWNER).user is None


def test_a_group_without_a_user_is_not_forgotten(node: NodeConfig) -> None:
    assert wanted(replace(node, uid=None), OWNER).user == "0:100"


CHANGES: dict[str, Any] = {
    "name": "gfa2", "host": "b", "port": 1, "address": "tcp://b:1", "category": "gfa",
    "container": "cam-gfa1", "image": "other:2", "environment": {"A": "b"}, "volumes": (),
    "mounts": (Mount(source="/a", target="/b", read_only=True),), "reboot_command": "x",
    "command": ("x",), "devices": ("/dev/a",), "device_cgroup_rules": (), "memory": 1,
    "cpus": 1.0, "network": "bridge", "privileged": False, "init": True, "stop_signal": "SIGTERM",
    "stop_timeout": 6, "restart": "never", "user": "sdss", "uid": 1, "gid": 1, "power": Power(),
    "tls": Tls(ca="/ca", cert="/cert", key="/key"), "ssh": Ssh(), "insecure": True,
}  # fmt: skip
NOT_OF_THE_CONTAINER = {
    "name", "host", "port", "address", "category", "reboot_command", "restart", "user", "power",
    "tls", "ssh", "insecure",
}  # fmt: skip


@pytest.mark.parametrize("field", [field.name for field in fields(NodeConfig)])
def test_the_hash_changes_when_and_only_when_the_container_does(
    field: str, node: NodeConfig
) -> None:
    changed = replace(node, **{field: CHANGES[field]})
    assert changed != node
    assert (spec_hash(changed) == spec_hash(node)) == (field in NOT_OF_THE_CONTAINER)


def test_the_hash_does_not_depend_on_owner_or_order(node: NodeConfig) -> None:
    turned = replace(node, environment=dict(reversed(node.environment.items())))
    assert spec_hash(turned) == spec_hash(node)
    assert spec_hash(node, Owner("a", "b", "c")) == spec_hash(node)
    assert spec_hash(node) == spec_hash(node)


# volumes


def volume(driver: str = "local", **opts: str) -> VolumeConfig:
    return VolumeConfig("data", driver, opts, "/data", False)


@pytest.mark.parametrize(
    ("there", "words"),
    [
        (volume(type="nfs", device=":/a"), ""),
        (volume(type="nfs", device=":/b"), "device is ':/b', configured ':/a'"),
        (volume(type="nfs"), "device is 'not set', configured ':/a'"),
        (volume(type="nfs", device=":/a", o="ro"), "o is 'ro', configured None"),
        (volume("rexray", type="nfs"), "driver rexray, configured local"),
    ],
)
def test_in_what_a_volume_differs(there: VolumeConfig, words: str) -> None:
    assert differs(volume(type="nfs", device=":/a"), there) == words


OPTS = st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["", "x", "y"]))


@given(OPTS, OPTS)
def test_two_volumes_differ_when_their_options_do(one: dict[str, str], two: dict[str, str]) -> None:
    assert bool(differs(volume(**one), volume(**two))) == (one != two)


# the end of a container


@pytest.mark.parametrize(
    ("more", "log", "words"),
    [
        ({"exit_code": 3}, [], "exit code 3"),
        ({"exit_code": 0}, [], "exit code 0"),
        ({}, [], "exit code unknown"),
        ({"exit_code": 137, "oom_killed": True}, [], "out of memory"),
        ({"exit_code": 128, "error": "no such device"}, [], "exit code 128 (no such device)"),
        ({"exit_code": 1}, ["", " a ", "b", "c", "d", "\t"],
         "exit code 1; last log lines: b | c | d"),
    ],
)  # fmt: skip
def test_how_a_container_ended(more: dict[str, Any], log: list[str], words: str) -> None:
    assert describe_end(Found("1" * 64, "n", "i", "exited", **more), log) == words


def test_a_long_line_of_a_log_is_cut() -> None:
    text = describe_end(Found("1" * 64, "n", "i", "exited", exit_code=1), ["x" * 10_000] * 9)
    assert len(text) < 4 * LOG_WIDTH


# whose it is


@pytest.mark.parametrize(
    ("labels", "ours", "words"),
    [
        (OWNER.labels, True, ""),
        ({**OWNER.labels, "more": "x"}, True, ""),
        ({}, False, "made by hand or by sdss-fliswarm"),
        ({**OWNER.labels, LABEL_SWARM: "other"}, False, "of the manager other on hub-1234"),
        ({**OWNER.labels, LABEL_MANAGER: "elsewhere"}, False, "fliswarm on elsewhere"),
        ({**OWNER.labels, LABEL_NODE: "gfa2"}, False, "not ours"),
    ],
)
def test_whose_a_container_is(labels: dict[str, str], ours: bool, words: str) -> None:
    found = Found("0123456789abcdef", "flicamera-gfa1", "i", "running", labels=labels)
    assert found.is_ours(OWNER) is ours
    if not ours:
        assert words in say_foreign(found)
        assert "flicamera-gfa1 (0123456789ab)" in say_foreign(found)
