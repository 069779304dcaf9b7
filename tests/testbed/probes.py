"""Short looks at a testbed, for tests: start a camera, ask it, ping an engine, find traces."""

from __future__ import annotations

import json
import socket
import urllib.request
from pathlib import Path

import psutil
from docker.models.containers import Container
from docker.types import Mount

from .configuration import CAMERA_PORT
from .machine import lives, port_answers, wait_until
from .testbed import Testbed


def start_camera(bed: Testbed, node: str, **options: object) -> Container:
    """Start a camera as fliswarm does: privileged, on the node's network, data in /data."""
    bind = {"type": "none", "o": "bind", "device": str(bed.data)}
    bed.client(node).volumes.create("data", driver="local", driver_opts=bind)
    return bed.client(node).containers.run(
        bed.image,
        name=f"flicamera-{node}",
        detach=True,
        privileged=True,
        network_mode="host",
        environment={"FLISWARM_NODE": node, "FLISWARM_PORT": str(CAMERA_PORT)},
        mounts=[Mount("/data", "data")],
        **options,
    )


def wait_for_camera(bed: Testbed, node: str, seconds: float = 15) -> None:
    """Wait until the camera's port accepts a connection from the manager."""
    address = (bed.address(node), CAMERA_PORT)
    wait_until(lambda: port_answers(*address), f"the camera of {node} to listen", seconds)


def ask_camera(bed: Testbed, node: str, command: str, seconds: float = 10) -> list[dict]:
    """Send one command to a camera; its answers up to the last one."""
    answers = []
    with socket.create_connection((bed.address(node), CAMERA_PORT), timeout=seconds) as link:
        link.sendall(f"7 {command}\n".encode())
        with link.makefile("rb") as lines:
            for line in lines:
                answers.append(json.loads(line))
                header = answers[-1]["header"]
                if header.get("command_id") == 7 and header["message_code"] in ":f":
                    return answers
    raise AssertionError(f"the camera closed the connection after {answers}")


def engine_pings(bed: Testbed, node: str, seconds: float = 1) -> bool:
    """Whether a node's engine answers over the network."""
    try:
        with urllib.request.urlopen(f"http://{bed.address(node)}:2375/_ping", timeout=seconds):
            return True
    except OSError:
        return False


def traces(root: Path) -> list[str]:
    """What a testbed leaves on the machine: processes, mounts, links, namespaces, cgroups."""
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    processes = (process for process in psutil.process_iter() if lives(process))
    return [
        *(mount for mount in mounts if "flis-" in mount or f"{root}/" in mount),
        *(str(process) for process in processes if belongs(process, root)),
        *(str(path) for path in Path("/sys/class/net").glob("flis-*")),
        *(str(path) for path in Path("/run/netns").glob("flis-*")),
        *(str(path) for path in Path("/sys/fs/cgroup").glob("*/flis-*")),
    ]


def belongs(process: psutil.Process, root: Path) -> bool:
    """Whether a process is an engine, a shim or a registry under a folder, or in a container."""
    try:
        cgroup = Path(f"/proc/{process.pid}/cgroup").read_text()
        return f"{root}/" in " ".join(process.cmdline()) or "/flis-testbed/" in cgroup
    except (psutil.NoSuchProcess, OSError):
        return False
