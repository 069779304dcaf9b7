"""A fliswarm configuration for the testbed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from .engine import API_PORT

ACTOR_PORT = 19996
CAMERA_PORT = 19995

REMOVED = object()
"""As the value of a key in an override: the key goes."""


def facts(addresses: Mapping[str, str], registry: str, image: str, data: Path) -> dict[str, Any]:
    """The configuration of nodes at these addresses, which share a folder of this machine."""
    bind = {"type": "none", "o": "bind", "device": str(data)}
    return {
        "actor": {
            "name": "fliswarm",
            "host": "127.0.0.1",
            "port": ACTOR_PORT,
            "log_dir": None,
        },
        "registry": registry,
        "image": image,
        "container_name": "flicamera",
        "enabled_nodes": list(addresses),
        "nodes": {node: _node(node, address) for node, address in addresses.items()},
        "volumes": {"data": {"driver": "local", "opts": bind}},
    }


def _node(node: str, address: str) -> dict[str, Any]:
    return {
        "host": address,
        "port": CAMERA_PORT,
        "docker-client": f"tcp://{address}:{API_PORT}",
        "category": node.rstrip("0123456789"),
    }


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """One table laid over another, table by table; lists and scalars are replaced."""
    result = dict(below)
    for key, value in above.items():
        if value is REMOVED:
            result.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(result.get(key), Mapping):
            result[key] = merged(result[key], value)
        else:
            result[key] = value
    return result


def write(path: Path, table: Mapping[str, Any]) -> None:
    """Write a configuration as YAML, keys in their order."""
    path.write_text(yaml.safe_dump(dict(table), sort_keys=False))
