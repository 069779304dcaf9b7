"""What container a node shall have, by its configuration. Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

from .config import NodeConfig, VolumeConfig
from .config.redact import redact_text
from .engine import LABEL_SPEC, ContainerSpec, Owner


def wanted(node: NodeConfig, owner: Owner) -> ContainerSpec:
    """The container that a node shall have, by its configuration. Pure."""
    user = None
    if node.uid is not None or node.gid is not None:
        user = str(node.uid or 0) if node.gid is None else f"{node.uid or 0}:{node.gid}"
    spec = ContainerSpec(
        name=node.container,
        image=node.image,
        command=node.command,
        environment=node.environment,
        volumes=node.volumes,
        mounts=tuple((m.source, m.target, m.read_only) for m in node.mounts),
        devices=node.devices,
        device_cgroup_rules=node.device_cgroup_rules,
        memory=node.memory,
        cpus=node.cpus,
        network=node.network,
        privileged=node.privileged,
        init=node.init,
        stop_signal=node.stop_signal,
        stop_timeout=node.stop_timeout,
        user=user,
    )
    # What is empty does not count: an option that is new in fliswarm changes no hash.
    asked = {key: value for key, value in asdict(spec).items() if value or value in (0, False)}
    text = json.dumps(asked, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    spec.labels.update({**owner.labels, LABEL_SPEC: digest})
    return spec


def spec_hash(node: NodeConfig) -> str:
    """A hash of the container that a node shall have; a container's label says its own."""
    return wanted(node, Owner("", "", "")).labels[LABEL_SPEC]


def differs(wanted_volume: VolumeConfig, found: VolumeConfig) -> str:
    """In what a volume differs from the configuration; empty if in nothing. Pure."""
    if found.driver != wanted_volume.driver:
        return f"driver {found.driver}, configured {wanted_volume.driver}"
    keys = sorted(set(found.opts) | set(wanted_volume.opts))
    parts = [
        redact_text(
            f"{key} is {found.opts.get(key, 'not set')!r}, "
            f"configured {wanted_volume.opts.get(key)!r}"
        )
        for key in keys
        if found.opts.get(key) != wanted_volume.opts.get(key)
    ]
    return "; ".join(parts)
