"""All measurements on real engines: `reconnect` beside the bare calls, and a death on the hub."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import docker
from docker.errors import NotFound
from docker.types import Mount

from ..beside.configuration import OBSERVATORY
from ..beside.record import free_ports
from ..testbed import Hub, HubClient, Testbed, wait_until
from ..testbed.configuration import CAMERA_PORT, REMOVED
from ..testbed.machine import port_answers
from .processes import BenchError, Running, launched
from .stubs import Found

PATIENCE = 600
NODES = 3
GRACE = 5
"""Seconds that a container has to end, as in both programs."""
DEATHS = 3


def measure(names: set[str], old: list[str], passes: int) -> Found:
    """Find out `reconnect` and `hub` (the death of a container), where they are asked for."""
    found = Found()
    with tempfile.TemporaryDirectory(prefix="fliswarm-bench-") as folder:
        bed = Testbed(Path(folder))
        bed.up(PATIENCE)
        try:
            if "reconnect" in names:
                _reconnects(bed, old, passes, found)
            if "hub" in names:
                found.samples["ours", NODES, "hub"] = asyncio.run(_deaths_on_hub(bed))
        finally:
            bed.down()
    return found


# reconnect


def _reconnects(bed: Testbed, old: list[str], passes: int, found: Found) -> None:
    for turn in range(passes + 1):
        print(f"reconnect of {NODES} real engines, {turn + 1} of {passes + 1}", flush=True)
        found.samples["bare", NODES, "reconnect"] += _bare(bed)
        bed.heal()
        for name, command in (("ours", None), ("old", old)):
            found.samples[name, NODES, "reconnect"] += _by_program(bed, command)
            bed.heal()


def _by_program(bed: Testbed, old: list[str] | None, times: int = 2) -> list[float]:
    """Seconds of `reconnect`: each replaces containers that run."""
    (port,) = free_ports(1)
    file = _configuration(bed, port, old)
    with launched(file, "127.0.0.1", port, old) as program, program.user() as user:
        user.ask("reconnect")
        return [_reconnect(program) for _ in range(times)]


def _reconnect(program: Running) -> float:
    with program.user() as user:
        seconds, said = user.ask("reconnect")
    *_, last = said.splitlines()
    if b" f" in last:
        raise BenchError(f"reconnect: {last.decode()}")
    return seconds


def _configuration(bed: Testbed, port: int, old: list[str] | None, **actor: Any) -> Path:
    table = {"host": "127.0.0.1", "port": port, **actor}
    if old is None:
        return bed.config("ours.yaml", actor=table, state_dir=str(bed.root / "state"))
    file = bed.config(
        "old.yaml", actor={**table, "additional_properties": True, "log_dir": REMOVED}
    )
    return _nested(file)


def _nested(file: Path) -> Path:
    """The nodes by observatory, as sdss-fliswarm 0.7.0 wants them."""
    import yaml

    data = yaml.safe_load(file.read_text())
    for key in ("nodes", "enabled_nodes"):
        data[key] = {OBSERVATORY: data[key]}
    data["ping_timeout"] = 0.5
    file.write_text(yaml.safe_dump(data, sort_keys=False))
    return file


def _bare(bed: Testbed, times: int = 2) -> list[float]:
    """The calls of a `reconnect`, each node in a thread; the first makes what is replaced."""
    clients = {node: docker.APIClient(f"tcp://{bed.address(node)}:2375", version="1.41")
               for node in bed.nodes}  # fmt: skip
    seconds = []
    with ThreadPoolExecutor(len(clients)) as pool:
        for _ in range(times + 1):
            began = time.monotonic()
            for done in [pool.submit(_replace, bed, *item) for item in clients.items()]:
                done.result(60)
            seconds.append(time.monotonic() - began)
    for client in clients.values():
        client.close()
    return seconds[1:]


def _replace(bed: Testbed, node: str, api: docker.APIClient) -> None:
    name = f"flicamera-{node}"
    old = api.containers(all=True, filters={"name": f"^/?{name}$"})
    for _ in api.pull(bed.image, stream=True, decode=True):
        pass
    bind = {"type": "none", "o": "bind", "device": str(bed.data)}
    if not api.volumes()["Volumes"]:
        api.create_volume("data", "local", bind)
    fresh = api.create_container(
        bed.image,
        name=f"{name}.new",
        environment={"ACTOR_NAME": node, "FLISWARM_NODE": node, "FLISWARM_PORT": str(CAMERA_PORT)},
        host_config=api.create_host_config(
            privileged=True,
            network_mode="host",
            mounts=[Mount("/data", "data"), Mount("/dev/bus/usb", "/dev/bus/usb", "bind")],
        ),
        stop_signal="SIGINT",
    )
    if old:
        api.stop(old[0]["Id"], GRACE)
        api.rename(old[0]["Id"], f"{name}.old")
    api.rename(fresh["Id"], name)
    api.start(fresh["Id"])
    wait_until(lambda: port_answers(bed.address(node), CAMERA_PORT), f"the camera of {node}", 30)
    if old:
        api.remove_container(old[0]["Id"], force=True)


# a death, on the real hub


async def _deaths_on_hub(bed: Testbed) -> list[float]:
    """Seconds from the kill of a container to the word of it that a client of the hub gets."""
    (port,) = free_ports(1)
    hub = Hub(bed.root, port)
    await asyncio.to_thread(hub.start, PATIENCE)
    try:
        file = _configuration(bed, port, None, tron_host="127.0.0.1", tron_port=6093)
        with launched(file, "127.0.0.1", port) as program:
            await asyncio.to_thread(_reconnect, program)
            async with asyncio.timeout(120), hub.client() as client:
                await _known(client)
                return [await _one_death(bed, program, client, n) for n in range(DEATHS)]
    finally:
        await asyncio.to_thread(hub.stop)


async def _known(client: HubClient) -> None:
    """Wait until the manager answers through the hub."""
    while True:
        with contextlib.suppress(TimeoutError):  # asked while the hub was connecting to us
            lines = [line async for line in client.send("fliswarm ping", 3)]
            if lines[-1].split()[3] == ":":
                return
        await asyncio.sleep(0.2)


async def _one_death(bed: Testbed, program: Running, client: HubClient, number: int) -> float:
    node = bed.nodes[number % len(bed.nodes)]
    began = time.monotonic()
    kill = asyncio.create_task(asyncio.to_thread(_kill, bed, node))
    async for line in client.lines():
        if " w " in line and (f"error={node}," in line or f"nodeState={node},FAILED" in line):
            break
    seconds = time.monotonic() - began
    await kill
    until = time.monotonic() + 30
    while time.monotonic() < until:
        said = await asyncio.to_thread(_status, program)
        if f"nodeState={node},READY".encode() in said:
            return seconds
        await asyncio.sleep(0.2)
    raise BenchError(f"{node} does not come back")


def _kill(bed: Testbed, node: str) -> None:
    try:
        bed.client(node).api.kill(f"flicamera-{node}")
    except NotFound:
        raise BenchError(f"{node} has no container") from None


def _status(program: Running) -> bytes:
    with program.user() as user:
        return user.ask("status")[1]
