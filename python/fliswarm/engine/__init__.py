"""Engines: what runs a camera's container, chosen by the scheme of its address."""

from __future__ import annotations

from pathlib import Path

from ..config import NodeConfig
from .base import (
    LABEL_MANAGER,
    LABEL_NODE,
    LABEL_SPEC,
    LABEL_SWARM,
    ContainerSpec,
    Engine,
    EngineFacts,
    Event,
    Found,
    Owner,
)
from .docker import DockerEngine
from .logline import LogLine, iso
from .process import ProcessEngine
from .safety import Safety, engine_safety, say_unsafe

__all__ = [
    "LABEL_MANAGER",
    "LABEL_NODE",
    "LABEL_SPEC",
    "LABEL_SWARM",
    "ContainerSpec",
    "DockerEngine",
    "Engine",
    "EngineFacts",
    "Event",
    "Found",
    "LogLine",
    "Owner",
    "ProcessEngine",
    "Safety",
    "engine_safety",
    "iso",
    "make_engine",
    "say_unsafe",
]


def make_engine(node: NodeConfig, timeout: float, state_dir: Path) -> Engine:
    """The engine of a node by its address; one call may take `timeout` seconds."""
    if node.address.startswith("process:"):
        return ProcessEngine(node.name, state_dir / "processes" / node.name)
    return DockerEngine(node.name, node.address, timeout, node.tls, node.ssh)
