"""The Engine API's documents as ours, and ours as its. Pure.

Source of the forms: the Engine API reference, version 1.41 (Docker 20.10).
"""

from __future__ import annotations

from typing import Any

from ..config import VolumeConfig
from .base import ContainerSpec, Event, Found


def event_of(row: dict[str, Any]) -> Event:
    """An event of ``GET /events``; what the row does not say is empty."""
    actor = row.get("Actor") or {}
    seconds = row.get("timeNano", 0) / 1e9 or float(row.get("time", 0))
    name = (actor.get("Attributes") or {}).get("name", "")
    return Event(str(row.get("Action", "")), str(actor.get("ID", "")), name, seconds)


def split_image(image: str) -> tuple[str, str]:
    """``host:5000/flicamera:latest`` as repository and tag (or digest); ``latest`` by default."""
    if "@" in image:
        repository, _, digest = image.partition("@")
        return repository, digest
    head, slash, last = image.rpartition("/")
    name, _, tag = last.partition(":")
    return f"{head}{slash}{name}", tag or "latest"


def found_of(raw: dict[str, Any]) -> Found:
    """The container of ``GET /containers/ID/json``.

    Raises:
        KeyError: it is no such document.
    """
    state, config = raw["State"], raw["Config"]
    status = state.get("Status", "unknown")
    return Found(
        id=raw["Id"],
        name=raw["Name"].lstrip("/"),
        image=config.get("Image", ""),
        state=status,
        exit_code=None if status in ("running", "paused", "created") else state.get("ExitCode"),
        oom_killed=bool(state.get("OOMKilled")),
        error=str(state.get("Error") or ""),
        started_at=_moment(state.get("StartedAt")),
        ended_at=_moment(state.get("FinishedAt")),
        labels=config.get("Labels") or {},
    )


def _moment(text: Any) -> str:
    """A time of the engine; empty for its year 1, which means never."""
    return "" if not text or str(text).startswith("0001") else str(text)


def volume_of(row: dict[str, Any]) -> VolumeConfig:
    """A volume of ``GET /volumes``."""
    return VolumeConfig(row["Name"], row.get("Driver", ""), row.get("Options") or {}, "", False)


def create_body(spec: ContainerSpec) -> dict[str, Any]:
    """The body of the Engine API's ``POST /containers/create`` (API 1.41)."""
    host: dict[str, Any] = {
        "Privileged": spec.privileged,
        "NetworkMode": spec.network,
        "Mounts": [
            {"Type": "volume", "Source": v.name, "Target": v.target, "ReadOnly": v.read_only}
            for v in spec.volumes
        ]
        + [
            {"Type": "bind", "Source": source, "Target": target, "ReadOnly": read_only}
            for source, target, read_only in spec.mounts
        ],
        "Devices": [_device(device) for device in spec.devices],
        "DeviceCgroupRules": list(spec.device_cgroup_rules),
        # A camera that logs for years must not fill the node's disk.
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}},
    }
    if spec.memory:
        host["Memory"] = spec.memory
    if spec.cpus:
        host["NanoCpus"] = int(spec.cpus * 1e9)
    if spec.init is not None:
        host["Init"] = spec.init
    body: dict[str, Any] = {
        "Image": spec.image,
        "Env": [f"{key}={value}" for key, value in spec.environment.items()],
        "Labels": spec.labels,
        "StopTimeout": spec.stop_timeout,
        "HostConfig": host,
    }
    if spec.entrypoint:
        body["Entrypoint"] = list(spec.entrypoint)
    if spec.command:
        body["Cmd"] = list(spec.command)
    if spec.stop_signal:
        body["StopSignal"] = spec.stop_signal
    if spec.user:
        body["User"] = spec.user
    return body


def _device(text: str) -> dict[str, str]:
    source, *rest = text.split(":")
    return {
        "PathOnHost": source,
        "PathInContainer": rest[0] if rest and rest[0].startswith("/") else source,
        "CgroupPermissions": rest[-1] if rest and not rest[-1].startswith("/") else "rwm",
    }
