"""The configuration: YAML and environment to frozen models; nobody else sees YAML."""

from __future__ import annotations

from typing import Any

from .engines import Ssh, Tls, ssh_parts
from .load import INTERNAL, load, loads
from .models import Actor, CameraLogs, File, History, Mount, Power, PowerCommand, Timeouts
from .resolved import NodeConfig, SwarmConfig, VolumeConfig

__all__ = [
    "INTERNAL",
    "Actor",
    "CameraLogs",
    "History",
    "Mount",
    "NodeConfig",
    "Power",
    "PowerCommand",
    "Ssh",
    "SwarmConfig",
    "Timeouts",
    "Tls",
    "VolumeConfig",
    "load",
    "loads",
    "schema",
    "ssh_parts",
]


def schema() -> dict[str, Any]:
    """The JSON Schema of a file in the documented layout, for editors."""
    found = File.model_json_schema(by_alias=True)
    for block in found["properties"].values():
        if "patternProperties" in block:
            block["additionalProperties"] = False
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **found,
        "title": "fliswarm",
        "description": "The configuration of fliswarm (documented layout).",
    }
