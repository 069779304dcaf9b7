"""A look from inside: a short-lived container of ours with the camera's image and its mounts.

Whether a volume mounts, how much room the engine's disk has, and what the node's name means on
the node can be told by a container only. It is never privileged, bears our labels, ends by
itself, and is removed in every case; one that a killed doctor left is removed by the next.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..config import NodeConfig
from ..engine import ContainerSpec, Engine, Owner
from ..errors import ContainerError, EngineError, EngineRefused, EngineTimeout
from ..spec import wanted

LIMIT = 10.0
"""How long the container may take for its answers, in seconds: a dead NFS server never answers."""
POLL = 0.1
"""How often it is looked whether it has ended, in seconds."""
GRACE = 3.0
"""How long a container that does not run may be at work for another doctor, in seconds: it has
just been made, or just ended. After that a killed doctor has left it."""
PATIENCE = 3 * LIMIT
"""How long other doctors are given way to, in seconds."""
REMOVED = "was removed by somebody"
LINES = 50
"""How many lines of its output are read."""

SCRIPT = """\
echo "usb=$(test -d /dev/bus/usb && echo yes || echo no)"
echo "disk=$(df -Pk / | tail -n 1)"
command -v getent > /dev/null && echo "name=$(getent ahostsv4 "$1" | head -n 1)"
shift
for target in "$@"; do
  test -w "$target" && may=yes || may=no
  echo "at=$may $target"
done
"""

_VOLUME = re.compile(r"/volumes/([^/]+)/_data")
_MOUNT = re.compile(r"bind source path does not exist: (\S+)")


@dataclass(slots=True)
class Inside:
    """What was seen from inside.

    Attributes:
        error: why nothing could be seen; empty when something was.
        usb: whether /dev/bus/usb is there; None where nobody knows.
        free: room on the engine's disk, in bytes; None where nobody knows.
        address: what the node's name means there; empty for nothing, None where nobody knows.
        writable: the volumes that mount, and whether the camera's user may write there.
        hung: whether it was waited for in vain, as a dead file server has one do.
        broken: the volumes and folders that cannot be mounted, each with the engine's words.
    """

    error: str = ""
    hung: bool = False
    usb: bool | None = None
    free: int | None = None
    address: str | None = None
    writable: dict[str, bool] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)


async def look(node: NodeConfig, owner: Owner, engine: Engine, volumes: Sequence[str]) -> Inside:
    """Look from inside, with those volumes of the node that are there.

    What cannot be mounted is left out, and the rest is tried again.
    """
    seen = Inside()
    whole = wanted(node, owner)
    until = time.monotonic() + PATIENCE
    while True:
        spec = _spec(whole, node.host, volumes, seen.broken)
        seen.error = ""
        try:
            await _clear(engine, spec.name, owner)
            code, lines = await _run(engine, spec)
        except ContainerError as error:
            seen.error = error.reason
            return seen
        except EngineError as error:
            if _note_broken(error.reason, spec, seen):
                continue
            seen.error = error.cause
            if _is_taken(error) and time.monotonic() < until:
                await asyncio.sleep(POLL)
                continue
            seen.hung = isinstance(error, EngineTimeout) and bool(spec.volumes)
            return seen
        _read(lines, spec, seen)
        if code is None:
            seen.hung, seen.error = True, f"{spec.name} has not ended after {LIMIT:g} s"
        elif code != 0:
            seen.error = f"it ended with exit code {code}: {' | '.join(lines[-3:])}"
        return seen


def _spec(
    whole: ContainerSpec, host: str, volumes: Sequence[str], broken: dict[str, str]
) -> ContainerSpec:
    """The container that looks, without what is known to be broken."""
    kept = tuple(v for v in whole.volumes if v.name in volumes and v.name not in broken)
    targets = [volume.target for volume in kept]
    return ContainerSpec(
        name=f"{whole.name}.doctor",
        image=whole.image,
        entrypoint=("/bin/sh",),
        command=("-c", SCRIPT, "doctor", host, *targets),
        volumes=kept,
        mounts=tuple(m for m in whole.mounts if m[0] not in broken),
        network=whole.network,
        privileged=False,
        stop_timeout=0,
        user=whole.user,
        labels=whole.labels,
    )


async def _clear(engine: Engine, name: str, owner: Owner) -> None:
    """Remove what an earlier doctor left; another one at work is waited for.

    Raises:
        ContainerError: somebody else has the name, or too many doctors are at work.
    """
    began = time.monotonic()
    until = began + PATIENCE
    known = ""
    while (left := await engine.find(name)) is not None:
        if not left.is_ours(owner):
            raise ContainerError(owner.node, f"a container {name} that is not ours is in the way")
        now = time.monotonic()
        if left.id != known:
            known, began = left.id, now
        if now - began > (LIMIT + GRACE if left.running else GRACE):
            await engine.remove(left.id)
        elif now > until:
            raise ContainerError(owner.node, f"{name} is at work for other doctors; try again")
        await asyncio.sleep(POLL)


async def _run(engine: Engine, spec: ContainerSpec) -> tuple[int | None, list[str]]:
    """Run it; returns its exit code (None when it does not end) and its output."""
    made = await engine.create(spec)
    try:
        await engine.start(made)
        until = time.monotonic() + LIMIT
        while True:
            found = await engine.inspect(made)
            if found is None:
                raise EngineRefused(spec.name, f"{spec.name} {REMOVED}", status=404)
            ended = found.state in ("exited", "dead")
            if ended or time.monotonic() > until:
                lines = await engine.logs(made, LINES)
                return (found.exit_code or 0) if ended else None, lines
            await asyncio.sleep(POLL)
    finally:
        with contextlib.suppress(EngineError):
            await engine.remove(made)


def _is_taken(error: EngineError) -> bool:
    """Whether another doctor has taken the container away, or its name."""
    if not isinstance(error, EngineRefused):
        return False
    gone = error.status == 404 and ("No such container" in error.reason or REMOVED in error.reason)
    return gone or error.status == 409


def _note_broken(reason: str, spec: ContainerSpec, seen: Inside) -> bool:
    """Note what cannot be mounted; False where the words speak of something else."""
    if (folder := _MOUNT.search(reason)) is not None:
        again = folder[1] in seen.broken  # its name is not as configured: it was not left out
        seen.broken[folder[1]] = "it does not exist on the node"
        return not again
    name = _VOLUME.search(reason)
    if name is None or all(volume.name != name[1] for volume in spec.volumes):
        return False
    seen.broken[name[1]] = reason
    return True


def _read(lines: Sequence[str], spec: ContainerSpec, seen: Inside) -> None:
    """Take in what the script says."""
    names = {volume.target: volume.name for volume in spec.volumes}
    for line in lines:
        key, _, value = line.partition("=")
        if key == "usb":
            seen.usb = value == "yes"
        elif key == "disk":
            fields = value.split()
            seen.free = int(fields[3]) * 1024 if len(fields) > 3 and fields[3].isdigit() else None
        elif key == "name":
            seen.address = value.split()[0] if value else ""
        elif key == "at":
            may, _, target = value.partition(" ")
            if target in names:
                seen.writable[names[target]] = may == "yes"
