"""What the stub engine keeps, as the Engine API shows and filters it. Pure."""

from __future__ import annotations

import re
from typing import Any

Filters = dict[str, list[str]]


def full_image(name: str, tag: str = "") -> str:
    """``host:5000/flicamera`` with its tag; ``latest`` where none is said."""
    if tag:
        return f"{name}:{tag}"
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def fits(container: dict[str, Any], filters: Filters, everything: bool) -> bool:
    """Whether a container is in a list: all filters, any value of each."""
    status = container["State"]["Status"]
    if not (everything or container["State"]["Running"] or "status" in filters):
        return False
    labels = container["Config"]["Labels"] or {}
    words = {f"{key}={value}" for key, value in labels.items()} | set(labels)
    tests = {
        # A name is a regular expression that may stand anywhere, with or without the slash.
        "name": lambda v: re.search(v, container["Name"]) or re.search(v, container["Name"][1:]),
        "status": lambda v: v == status,
        "id": lambda v: container["Id"].startswith(v),
        "ancestor": lambda v: full_image(v) == full_image(container["Config"]["Image"]),
    }
    if not words.issuperset(filters.get("label", [])):
        return False
    return all(any(test(v) for v in filters[key]) for key, test in tests.items() if key in filters)


def row(container: dict[str, Any]) -> dict[str, Any]:
    """A container in a list."""
    config, state = container["Config"], container["State"]
    return {
        "Id": container["Id"], "Names": [container["Name"]], "Image": config["Image"],
        "ImageID": container["Image"], "Command": "", "Created": 1767225600, "Ports": [],
        "Labels": config["Labels"], "State": state["Status"], "Status": "Up 2 hours",
        "HostConfig": {"NetworkMode": "host"}, "NetworkSettings": {"Networks": {}}, "Mounts": [],
    }  # fmt: skip


def mounted(container: dict[str, Any]) -> set[str]:
    """The volumes that a container uses, running or not."""
    mounts = container["HostConfig"].get("Mounts") or []
    return {mount["Source"] for mount in mounts if mount["Type"] == "volume"}


def volume(name: str, body: dict[str, Any]) -> dict[str, Any]:
    return {
        "Name": name, "Driver": body.get("Driver") or "local", "Options": body.get("DriverOpts"),
        "Labels": body.get("Labels"), "Mountpoint": f"/var/lib/docker/volumes/{name}/_data",
        "Scope": "local", "CreatedAt": "2026-01-01T00:00:00Z",
    }  # fmt: skip


def volume_fits(found: dict[str, Any], filters: Filters) -> bool:
    names = filters.get("name")
    return not names or any(re.search(name, found["Name"]) for name in names)


def event_fits(event: dict[str, Any], filters: Filters) -> bool:
    kinds, actions = filters.get("type"), filters.get("event")
    names = filters.get("container")
    return (
        (not kinds or event["Type"] in kinds)
        and (not actions or event["Action"] in actions)
        and (not names or event["Actor"]["Attributes"]["name"] in names)
    )
