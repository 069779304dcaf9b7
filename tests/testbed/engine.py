"""Real Docker engines: one dockerd, with its own containerd, for each node."""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import socket
import sys
from pathlib import Path

import docker
import psutil
from docker.errors import DockerException

from . import oci_runtime
from .machine import Service, TestbedError, kill, run

ROLE = "engines"
CGROUP = "flis-testbed"
RUNTIME = Path("/run/flis-testbed")
"""For sockets, whose path may have 107 letters at most, and for pid files."""
API_PORT = 2375
START_SECONDS = 30.0
STOP_SECONDS = 40.0


class Engine:
    """One dockerd under a folder of its own.

    Args:
        name: for its cgroup and the file of its log.
        folder: its images, containers and volumes live here.
        logs: the folder for its log.
        namespace: path of the network namespace to run in; None for the machine's own.
        hosts: addresses it listens on besides its own unix socket.
        settings: further keys of its daemon.json.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        logs: Path,
        *,
        namespace: Path | None = None,
        hosts: tuple[str, ...] = (),
        settings: dict[str, object] | None = None,
    ) -> None:
        self.name = name
        self.folder = folder
        self.namespace = namespace
        self.hosts = hosts
        self.settings = settings or {}
        self.runtime = RUNTIME / name
        self.socket = self.runtime / "docker.sock"
        self.address = f"unix://{self.socket}"
        self.service = Service(ROLE, logs / f"{name}.log")
        self._client: docker.DockerClient | None = None

    @property
    def client(self) -> docker.DockerClient:
        """A client by way of the unix socket, so it works while the node's cable is cut."""
        if self._client is None:
            self._client = docker.DockerClient(self.address, timeout=30)
        return self._client

    def start(self) -> None:
        """Start dockerd and wait until it answers.

        Raises:
            TestbedError: it ended, or did not answer in `START_SECONDS`.
        """
        if self.service.running:
            return
        for folder in (self.folder, self.runtime):
            folder.mkdir(parents=True, exist_ok=True)
        for name in ("docker.pid", "exec/containerd/containerd.pid"):
            Path(self.runtime, name).unlink(missing_ok=True)
        enter = ["nsenter", f"--net={self.namespace}"] if self.namespace else []
        self.service.start(*enter, "dockerd", "--config-file", self._write_settings())
        self.service.wait_ready(self.answers, START_SECONDS)

    def answers(self) -> bool:
        """Whether the engine answers a ping on its unix socket."""
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self.socket))
            except OSError:
                return False
        try:
            return bool(self.client.ping())
        except (DockerException, OSError):
            return False

    def stop(self) -> None:
        """End dockerd as a shutdown of its computer does: it stops its containers."""
        self.service.stop(signal.SIGTERM, STOP_SECONDS)

    def kill(self) -> None:
        """SIGKILL dockerd and its containerd; the containers and their shims live on."""
        if self.service.running and self.service.process:
            dockerd = psutil.Process(self.service.process.pid)
            containerd = [child for child in dockerd.children() if child.name() == "containerd"]
            self.service.stop(signal.SIGKILL)
            kill(containerd)

    def freeze(self) -> None:
        """Stop dockerd in its tracks: connections are accepted, nothing is answered."""
        self.service.send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen dockerd go on."""
        self.service.send(signal.SIGCONT)

    def close(self) -> None:
        """Close the client's connections."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def purge(self) -> None:
        """Remove all containers, running or paused, and all volumes."""
        for container in self.client.api.containers(all=True):
            self.client.api.remove_container(container["Id"], force=True, v=True)
        for volume in self.client.api.volumes()["Volumes"] or ():
            self.client.api.remove_volume(volume["Name"], force=True)

    def _write_settings(self) -> Path:
        runtime = self.folder / "runc"
        program = shlex.join([sys.executable, "-I", "-S", oci_runtime.__file__])
        runtime.write_text(f'#!/bin/sh\nexec {program} "$@"\n')
        runtime.chmod(0o755)
        settings: dict[str, object] = {
            "hosts": [self.address, *self.hosts],
            "data-root": str(self.folder / "data"),
            "exec-root": str(self.runtime / "exec"),
            "pidfile": str(self.runtime / "docker.pid"),
            "deprecated-key-path": str(self.folder / "key.json"),
            "tls": False,  # said outright, it saves the 15 s that dockerd waits as a warning
            "bridge": "none",
            "iptables": False,
            "ip6tables": False,
            "exec-opts": ["native.cgroupdriver=cgroupfs"],
            "cgroup-parent": f"/{CGROUP}/{self.name}",
            "storage-driver": storage_driver(self.folder),
            **self.settings,
        }
        if oci_runtime.missing():
            settings["runtimes"] = {"flis": {"path": str(runtime)}}
            settings["default-runtime"] = "flis"
        path = self.folder / "daemon.json"
        path.write_text(json.dumps(settings, indent=2))
        return path


def storage_driver(folder: Path) -> str:
    """`overlay2` where a file system of that kind can be mounted in a folder, else `vfs`."""
    trial = folder / "overlay-trial"
    parts = {name: trial / name for name in ("lower", "upper", "work", "merged")}
    for part in parts.values():
        part.mkdir(parents=True, exist_ok=True)
    layers = f"lowerdir={parts['lower']},upperdir={parts['upper']},workdir={parts['work']}"
    try:
        run("mount", "-t", "overlay", "overlay", "-o", layers, parts["merged"])
        run("umount", parts["merged"])
    except TestbedError:
        return "vfs"
    finally:
        shutil.rmtree(trial, ignore_errors=True)
    return "overlay2"
