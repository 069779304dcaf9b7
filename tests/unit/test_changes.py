"""In what two configurations differ, and what each difference asks for."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
import yaml

from fliswarm import config
from fliswarm.changes import ELSEWHERE, Changes, compare
from fliswarm.config import NodeConfig
from fliswarm.spec import spec_hash

BASE: dict[str, Any] = {
    "state_dir": "/tmp/s",
    "volumes": {"data": {"opts": {"type": "nfs", "o": "addr=h,password=planted-1"}}},
    "nodes": {
        "gfa1": {"host": "h1", "category": "gfa"},
        "gfa2": {"host": "h2", "docker-client": "unix:///run/d.sock"},
    },
}


def made(node: str = "gfa1", **changes: Any) -> Changes:
    """What changing options of one node makes of the whole."""
    new = {**BASE, "nodes": {**BASE["nodes"], node: {**BASE["nodes"][node], **changes}}}
    return compare(load(BASE), load(new))


def load(content: dict[str, Any]) -> config.SwarmConfig:
    return config.loads(yaml.safe_dump(content, sort_keys=False), "f", "APO")


IN_PLACE = {
    "host", "port", "category", "image", "environment", "volumes", "mounts", "reboot_command",
    "command", "devices", "device_cgroup_rules", "memory", "cpus", "network", "privileged", "init",
    "stop_signal", "stop_timeout", "restart", "user", "uid", "gid", "power", "insecure",
}  # fmt: skip


def test_every_field_of_a_node_is_thought_of() -> None:
    """A new one: does `Node.configure` take it? Otherwise (engine) into `changes.ELSEWHERE`."""
    assert {field.name for field in fields(NodeConfig)} == IN_PLACE | {"name", *ELSEWHERE}


@pytest.mark.parametrize(
    ("change", "line", "recreate"),
    [
        ({"category": "fvc"}, "category: gfa -> fvc", False),
        ({"restart": "never"}, "restart: always -> never", False),
        ({"power": {"actor": "apc"}}, "power.actor: not set -> apc", False),
        ({"image": "x:2"}, "image: flicamera:latest -> x:2", True),
        ({"environment": {"A": 1}}, "environment.A: not set -> 1", True),
        ({"environment": {"A": ""}}, "environment.A: not set -> ''", True),
        ({"memory": "1k"}, "memory: not set -> 1024", True),
        ({"docker-uid": 5}, "uid: not set -> 5", True),
        ({"command": "a b"}, 'command: [] -> ["a", "b"]', True),
        ({"port": 5}, "port: 19995 -> 5; environment.FLISWARM_PORT: 19995 -> 5", True),
        ({"volumes": {"data": None}}, "volumes.data.name: data -> not set", True),
        (
            {"volumes": {"data": {"opts": {"type": "nfs", "o": "addr=h,password=planted-2"}}}},
            "volumes.data.opts.o: addr=h,password=*** -> addr=h,password=***", True,
        ),
    ],
)  # fmt: skip
def test_one_difference(change: dict[str, Any], line: str, recreate: bool) -> None:
    changes = made(**change)
    (text,) = changes.lines()
    assert text.startswith(f"changed gfa1: {line}")
    assert text.endswith("(another container)") == recreate == changes.nodes[0].recreate
    assert not changes.nodes[0].elsewhere
    assert "planted" not in text
    assert changes.restart_lines() == []


def test_another_host_is_another_engine_where_none_is_named() -> None:
    (change,) = made(host="h9").nodes
    assert (change.elsewhere, change.port_moves, change.recreate) == (True, True, False)
    assert str(change).endswith("address: tcp://h1:2375 -> tcp://h9:2375 (elsewhere)")
    (change,) = made("gfa2", host="h9").nodes
    assert (change.elsewhere, change.port_moves, change.recreate) == (False, True, False)


def test_a_long_value_is_cut() -> None:
    (line,) = made(environment={"A": "x" * 500}).lines()
    assert len(line) < 150


def test_what_is_the_same_in_other_words_is_no_difference() -> None:
    new = {**BASE, "timeouts": {"ping": 1}, "enabled_nodes": ["gfa2", "gfa1"]}
    assert compare(load(BASE), load(new)).empty


def test_all_kinds_together_in_the_order_of_the_new_file() -> None:
    new = {
        **BASE, "actor": {"host": "0.0.0.0", "verbose": True}, "state_dir": "/tmp/t",
        "timeouts": {"probe": 2}, "enabled_nodes": ["gfa3"],
        "nodes": {"gfa3": {"host": "h3"}, "gfa4": {"host": "h4"}, "gfa2": BASE["nodes"]["gfa2"]},
    }  # fmt: skip
    changes = compare(load(BASE), load(new))
    assert changes.lines() == [
        "added gfa3: h3:19995, engine tcp://h3:2375",
        "added gfa4: h4:19995, engine tcp://h4:2375, not enabled",
        "changed gfa2: enabled: yes -> no",
        "removed gfa1",
        "changed timeouts.probe: 5.0 -> 2.0",
    ]
    assert changes.restart_lines() == [
        "changed actor.host: 127.0.0.1 -> 0.0.0.0 (needs a restart of the manager)",
        "changed state_dir: /tmp/s -> /tmp/t (needs a restart of the manager)",
    ]
    assert compare(load(new), load(new)).empty


def test_what_is_not_set_is_not_in_the_hash() -> None:
    """So that an option that is new in fliswarm makes no container look old."""
    (node, _) = load(BASE).nodes.values()
    assert spec_hash(node) == "f1897df7e5ec8572"
