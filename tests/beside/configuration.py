"""The same swarm in the layout of 0.7 and in the documented one."""

from __future__ import annotations

from typing import Any

from ..fleet.fleet import StubFleet

OBSERVATORY = "APO"
REGISTRY = "sdss-hub:5000"
IMAGE = f"{REGISTRY}/flicamera:latest"


def layout_07(fleet: StubFleet, port: int) -> dict[str, Any]:
    """As sdss-fliswarm 0.7.0 takes it; `additional_properties` lets its own replies pass."""
    return {
        "actor": {
            **_actor(fleet, port),
            "additional_properties": True,
        },
        **_common(fleet),
        "ping_timeout": 0.5,
        "enabled_nodes": {OBSERVATORY: list(fleet.names)},
        "nodes": {OBSERVATORY: _nodes(fleet)},
    }


def documented(fleet: StubFleet, port: int) -> dict[str, Any]:
    """As docs describe it, with the deadlines that 0.7 has fixed."""
    return {
        "actor": _actor(fleet, port),
        **_common(fleet),
        "timeouts": {"ping": 0.5, "power_off": 3.0},
        "nodes": _nodes(fleet),
    }


def _actor(fleet: StubFleet, port: int) -> dict[str, Any]:
    return {
        "name": "fliswarm",
        "host": fleet.host,
        "port": port,
        "tron_host": fleet.host,
        "tron_port": fleet.hub.port,
    }


def _common(fleet: StubFleet) -> dict[str, Any]:
    return {
        "registry": REGISTRY,
        "image": "flicamera:latest",
        "container_name": "flicamera",
        "volumes": {name: _volume(name) for name in ("data", "home")},
        "power": {"actor": "nps", "command": {"poweron": "ON", "poweroff": "OFF"}},
        "reboot_command": "true",
    }


def _volume(name: str) -> dict[str, Any]:
    options = {"type": "nfs", "o": "nfsvers=4,addr=sdss-hub,rw", "device": f":/{name}"}
    return {"driver": "local", "opts": options}


def _nodes(fleet: StubFleet) -> dict[str, Any]:
    return {
        name: {
            "host": fleet.host,
            "port": node.camera.port,
            "docker-client": node.engine.address,
            "category": "gfa" if name.startswith("gfa") else "fvc",
            "user": "sdss",
            "docker-uid": 1005,
            "docker-gid": 100,
            "power": {"device": f"outlet-{name}", "actor": f"nps_{name}"},
        }
        for name, node in fleet.nodes.items()
    }
