"""What the manager's own computer needs: folders, the actor's port, registries, the hub."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import requests

from ..config import Actor, SwarmConfig
from ..engine.threads import NodeThreads
from ..errors import Layer, os_reason
from .finding import Finding, Judgement, Result
from .judge import registry_of

FOLDER = 5.0
"""For writing a few bytes, in seconds."""
REGISTRY = 3.0
"""For the registry's answer, in seconds."""
GREETING = 2.0
"""For the manager's greeting, in seconds."""
HUB = 5.0
"""For the hub's answer, in seconds; it takes one to accept a connection."""
ROOM_WARN, ROOM_FAIL = 1 << 30, 100 << 20
"""How much room a folder should and must have, in bytes."""

HUB_OF_IMAGES = {"docker.io": "registry-1.docker.io"}
"""Where a registry is asked that has another address than its name."""

Look = Callable[[], Awaitable[Judgement]]


async def examine(config: SwarmConfig, inside: bool = False) -> list[Finding]:
    """Look at everything that is not a node's.

    Args:
        config: the configuration.
        inside: whether it is the manager itself that asks.
    """
    registries = sorted(
        {
            registry_of(node.image)
            for node in config.nodes.values()
            if not node.address.startswith("process:")
        }
    )
    looks: dict[str, Look] = {
        "state folder": lambda: _folder(config.state_dir),
        "log folder": lambda: _folder(config.log_dir),
    }
    if not inside:
        looks["manager"] = lambda: _manager(config.actor)
    for place in registries:
        looks[f"registry {place}"] = lambda place=place: _registry(place)  # type: ignore[misc]
    if config.actor.tron_host:
        looks["hub"] = lambda: _hub(config.actor)
    return list(await asyncio.gather(*(_one(name, look) for name, look in looks.items())))


async def _one(check: str, look: Look) -> Finding:
    began = time.monotonic()
    result, found, fix = await look()
    seconds = round(time.monotonic() - began, 3)
    return Finding(check, None, Layer.NONE, result, found, fix, seconds)


async def _folder(path: Path) -> Judgement:
    try:
        # A folder on a dead file server holds its thread for ever; not one of the loop's few.
        return await NodeThreads("doctor").call(lambda: _try_folder(path), FOLDER)
    except TimeoutError:
        return Result.FAILED, f"{path}: no answer within {FOLDER:g} s", f"df -h {path}"


def _try_folder(path: Path) -> Judgement:
    """Whether a file can be written there; a folder that is not there yet: in the one above."""
    there = path
    while not there.exists() and there != there.parent:
        there = there.parent
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"the doctor was here\n")
            file.flush()
        free = shutil.disk_usage(there).free
    except OSError as error:
        fix = f"who may write there, and is there room? ls -ld {there}; df -h {there}"
        return Result.FAILED, f"{path}: nothing can be written: {os_reason(error)}", fix
    found = f"{path}: {free / (1 << 30):.1f} GiB free"
    if free < ROOM_WARN:
        result = Result.FAILED if free < ROOM_FAIL else Result.WARNING
        return result, found, f"make room: df -h {there}"
    if there != path and not os.access(there, os.W_OK):
        return Result.FAILED, f"{path} cannot be made", f"mkdir -p {path}"
    return Result.PASSED, found, ""


async def _manager(actor: Actor) -> Judgement:
    """Whether a manager of ours listens at the actor's port."""
    place = f"{actor.host}:{actor.port}"
    start = "fliswarm start"
    try:
        async with asyncio.timeout(GREETING):
            reader, writer = await asyncio.open_connection(_reachable(actor.host), actor.port)
            try:
                greeting = await reader.readuntil(b"yourUserID")
            finally:
                writer.close()
    except ConnectionRefusedError:
        return Result.WARNING, f"no manager listens at {place}", start
    except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        fix = f"ss -ltnp 'sport = :{actor.port}' shows who listens there"
        return Result.FAILED, f"who listens at {place} is no manager of ours, or hangs", fix
    except OSError as error:
        return Result.FAILED, f"{place}: {os_reason(error)}", start
    return Result.PASSED, f"it listens at {place}" if greeting else "", ""


def _reachable(address: str) -> str:
    """Where to knock at an address that a server listens on."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104 - compared


async def _registry(place: str) -> Judgement:
    try:
        return await NodeThreads("doctor").call(lambda: _ask_registry(place), 5 * REGISTRY)
    except TimeoutError:
        return Result.FAILED, f"no answer within {5 * REGISTRY:g} s", f"curl http://{place}/v2/"


def _ask_registry(place: str) -> Judgement:
    """Whether a registry answers the manager, over HTTPS or else over HTTP."""
    reason = ""
    with requests.Session() as session:
        session.trust_env = False  # no proxy: it is in the observatory's network
        for scheme in ("https", "http"):
            url = f"{scheme}://{HUB_OF_IMAGES.get(place, place)}/v2/"
            try:
                answer = session.get(url, timeout=REGISTRY)
            except requests.RequestException as error:
                reason = _innermost(error)
                continue
            if answer.status_code in (200, 401):
                return Result.PASSED, f"it answers at {url}", ""
            reason = f"{url} answers with status {answer.status_code}"
    return Result.FAILED, f"no answer: {reason}", f"is the registry up? curl http://{place}/v2/"


def _innermost(error: BaseException) -> str:
    """The operating system's words in a pile of wrappers, or the outermost's."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.strerror:
            return seen.strerror.lower()
        inner = getattr(seen, "reason", None)
        if not isinstance(inner, BaseException):
            inner = next((a for a in seen.args if isinstance(a, BaseException)), None)
        seen = inner or seen.__cause__
    return type(error).__name__


async def _hub(actor: Actor) -> Judgement:
    """Whether the hub answers, and whether it has a connection to us."""
    place = f"{actor.tron_host}:{actor.tron_port}"
    try:
        async with asyncio.timeout(HUB):
            actors = await _hubs_actors(actor)
    except TimeoutError:
        return Result.FAILED, f"{place}: no answer within {HUB:g} s", "is the hub up?"
    except (OSError, EOFError) as error:
        reason = os_reason(error) if isinstance(error, OSError) else "it closed the connection"
        return Result.FAILED, f"{place}: {reason}", "is the hub up? tron_host and tron_port right?"
    if actor.name not in actors:
        fix = f"fliswarm start; then, to the hub: hub startNubs {actor.name}"
        return Result.FAILED, f"{place} answers, but has no connection to {actor.name}", fix
    return Result.PASSED, f"{place} answers, and is connected to {actor.name}", ""


async def _hubs_actors(actor: Actor) -> list[str]:
    """The actors that the hub is connected to (its command ``actors``)."""
    reader, writer = await asyncio.open_connection(actor.tron_host, actor.tron_port)
    actors: list[str] = []
    try:
        writer.write(f"{actor.name}.doctor 1 hub actors\n".encode())
        while line := (await reader.readline()).decode("utf-8", "replace"):
            words = line.strip().split(" ", 4)
            if len(words) < 4 or words[1] != "1" or words[2] != "hub":
                continue
            for part in (words[4] if len(words) > 4 else "").split(";"):
                key, _, values = part.strip().partition("=")
                if key.lower() == "actors":  # 5.0 writes it with a capital
                    actors = [value.strip('" ') for value in values.split(",")]
            if words[3] in (":", "f"):
                return actors
    finally:
        writer.close()
    raise EOFError
