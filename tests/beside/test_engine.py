"""What both programs ask of an engine when they make a container."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ..fleet.wire import Request
from .record import Pair, Record
from .script import NAMES

pytestmark = pytest.mark.beside

OTHERWISE = {
    "HostConfig.Memory": "no limit unless the configuration has one; the old one is fixed at 6 GB",
    "HostConfig.CpuQuota": "as the memory",
    "HostConfig.CpuPeriod": "as the memory",
    "HostConfig.AutoRemove": "a container that died is kept, for its exit code and its log",
    "HostConfig.Devices": "a device list is read once, at the start; cgroup rules and a live bind "
    "of /dev/bus/usb let a camera be plugged in later",
    "NetworkingConfig.host": "an empty entry; the mode host is in HostConfig",
}
"""What the old program asks for and ours does not, with its reason."""


def bodies(record: Record, node: str, path: str) -> list[Any]:
    return [r.body for r in record.requests[node] if (r.method, r.path) == ("POST", path)]


def _leaves(body: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Each value in a body with its path; a list is one value."""
    if isinstance(body, dict):
        for key, value in body.items():
            yield from _leaves(value, f"{path}.{key}".lstrip("."))
    else:
        yield path, body


def _less(old: dict[str, Any], ours: dict[str, Any]) -> set[str]:
    """The paths of what ours does not ask for; false and what is not said are the same."""
    found = dict(_leaves(ours))
    return {
        path
        for path, value in _leaves(old)
        if value is not False and not _holds(found, path, value)
    }


def _holds(found: dict[str, Any], path: str, value: Any) -> bool:
    if path not in found:
        return False
    if isinstance(value, list):
        return all(item in found[path] for item in value)
    return bool(found[path] == value)


@pytest.mark.parametrize("node", NAMES)
@pytest.mark.parametrize("case", ["same file", "documented"])
def test_a_container_has_all_that_the_old_one_has(
    pairs: dict[str, Pair], case: str, node: str
) -> None:
    old = bodies(pairs[case].old, node, "/containers/create")
    ours = bodies(pairs[case].ours, node, "/containers/create")
    assert len(old) == len(ours) == {"gfa1": 4, "gfa2": 3, "fvc": 2}[node]
    for theirs, mine in zip(old, ours, strict=True):
        assert _less(theirs, mine) == set(OTHERWISE)


@pytest.mark.parametrize("node", NAMES)
def test_it_is_what_it_should_be(pairs: dict[str, Pair], node: str) -> None:
    """In plain words, so that nothing depends on what the old one asks for."""
    body = bodies(pairs["same file"].ours, node, "/containers/create")[-1]
    host = body["HostConfig"]
    assert host["Privileged"] is True
    assert host["NetworkMode"] == "host"
    assert body["User"] == "1005:100"
    assert {f"ACTOR_NAME={node}", "OBSERVATORY=APO"} <= set(body["Env"])
    mounts = {(m["Type"], m["Source"], m["Target"], m["ReadOnly"]) for m in host["Mounts"]}
    assert mounts == {
        ("volume", "data", "/data", False),
        ("volume", "home", "/home", False),
        ("bind", "/dev/bus/usb", "/dev/bus/usb", False),
    }
    assert "c 189:* rmw" in host["DeviceCgroupRules"]
    assert "Memory" not in host
    assert not host.get("AutoRemove")


@pytest.mark.parametrize("node", NAMES)
def test_volumes_have_the_same_driver_and_options(pairs: dict[str, Pair], node: str) -> None:
    """Ours also have labels."""
    old = bodies(pairs["same file"].old, node, "/volumes/create")
    ours = bodies(pairs["same file"].ours, node, "/volumes/create")
    plain = [{key: body[key] for key in ("Name", "Driver", "DriverOpts")} for body in ours]
    assert plain == old
    assert old


@pytest.mark.parametrize("node", NAMES)
def test_the_same_image_is_pulled(pairs: dict[str, Pair], node: str) -> None:
    def pulls(record: Record) -> list[dict[str, str]]:
        return [r.query for r in record.requests[node] if r.path == "/images/create"]

    assert pulls(pairs["same file"].ours) == pulls(pairs["same file"].old)
    assert pulls(pairs["same file"].old)


@pytest.mark.parametrize("node", NAMES)
def test_volumes_are_removed_only_with_force(pairs: dict[str, Pair], node: str) -> None:
    def removed(record: Record) -> list[str]:
        return [r.path for r in record.requests[node] if _removes_volume(r)]

    ours = removed(pairs["same file"].ours)
    assert ours == removed(pairs["same file"].old)
    assert ours == (["/volumes/data", "/volumes/home"] if node == "gfa1" else [])


def _removes_volume(request: Request) -> bool:
    return request.method == "DELETE" and request.path.startswith("/volumes/")
