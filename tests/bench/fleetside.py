"""The stub fleet as a process: `python -m tests.bench.fleetside COUNT HOST`.

It prints one line of JSON when it listens; a line `die NAME` on its standard input kills that
node's container; the end of the input ends it.
"""

from __future__ import annotations

import asyncio
import json
import sys

from ..beside.configuration import IMAGE
from ..fleet.engine import StubEngine
from ..fleet.fleet import StubNode
from ..fleet.hub import StubHub
from ..fleet.shelf import volume
from .camera import BenchCamera

MANAGER = "bench"
"""The name of the manager whose containers are on the nodes."""
NFS = {"type": "nfs", "o": "nfsvers=4,addr=sdss-hub,rw"}


async def main(count: int, host: str) -> None:
    nodes = {f"gfa{number}": await _node(f"gfa{number}", host) for number in range(1, count + 1)}
    hub = await StubHub(host).start()
    hub.met.set()
    ports = {name: (node.camera.port, node.engine.port) for name, node in nodes.items()}
    print(json.dumps({"hub": hub.port, "ports": ports}), flush=True)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while line := await reader.readline():
        _, name = line.decode().split()
        await _die(nodes[name])


async def _node(name: str, host: str) -> StubNode:
    """A node whose container runs, with the volumes that the configuration asks for."""
    engine = StubEngine(host)
    labels = {"org.fliswarm.swarm": "fliswarm", "org.fliswarm.manager": MANAGER,
              "org.fliswarm.node": name}  # fmt: skip
    engine.add_container(f"flicamera-{name}", IMAGE, labels=labels)
    for one in ("data", "home"):
        engine.volumes[one] = volume(one, {"DriverOpts": {**NFS, "device": f":/{one}"}})
    node = StubNode(await BenchCamera(name, host).start(), await engine.start())
    engine.changed = node.follow
    return node


async def _die(node: StubNode) -> None:
    """The container dies: the engine says so, and the camera's connections break."""
    for container in node.engine.containers.values():
        if container["State"]["Running"]:
            node.engine._die(container)
    await node.follow()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
