"""What the program sees of the configuration: frozen, merged, complete."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from .engines import Ssh, Tls
from .models import Actor, CameraLogs, File, History, Mount, Node, Options, Power, Timeouts, Volume

USB = Mount(source="/dev/bus/usb", target="/dev/bus/usb", read_only=False)


@dataclass(frozen=True, slots=True)
class VolumeConfig:
    """A volume that a node's container has; see `models.Volume`."""

    name: str
    driver: str
    opts: dict[str, str]
    target: str
    read_only: bool

    @property
    def device(self) -> str:
        """What the volume stands on, for instance ``:/data``; ``NA`` when nothing says so."""
        return self.opts.get("device", "NA")


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """One node with everything merged: defaults, then its category, then itself.

    `memory` is in bytes and `cpus` in cores, None for no limit; `stop_timeout` in seconds.
    """

    name: str
    host: str
    port: int
    address: str
    category: str
    container: str
    image: str
    environment: dict[str, str]
    volumes: tuple[VolumeConfig, ...]
    mounts: tuple[Mount, ...]
    reboot_command: str
    command: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    device_cgroup_rules: tuple[str, ...] = ("c 189:* rmw",)
    memory: int | None = None
    cpus: float | None = None
    network: str = "host"
    privileged: bool = True
    init: bool | None = None
    stop_signal: str = "SIGINT"
    stop_timeout: int = 5
    restart: str = "always"
    user: str | None = None
    uid: int | None = None
    gid: int | None = None
    power: Power = field(default_factory=Power)
    tls: Tls | None = None
    ssh: Ssh | None = None
    insecure: bool = False


@dataclass(frozen=True, slots=True)
class SwarmConfig:
    """The whole configuration, in file order."""

    file: str
    actor: Actor
    timeouts: Timeouts
    history: History
    registry: str | None
    nodes: dict[str, NodeConfig]
    enabled: tuple[str, ...]
    state_dir: Path
    observatory: str | None
    camera_logs: CameraLogs = field(default_factory=CameraLogs)

    @property
    def log_dir(self) -> Path:
        """The folder of the log files."""
        if self.actor.log_dir:
            return Path(self.actor.log_dir).expanduser()
        return self.state_dir / "log"

    @property
    def camera_log_dir(self) -> Path:
        """The folder of the copies of the cameras' output."""
        return (self.log_dir / "cameras").absolute()


def resolve(model: File, file: str, observatory: str | None) -> SwarmConfig:
    """Merge the blocks of a validated file."""
    timeouts = model.timeouts
    if model.ping_timeout is not None and "ping" not in timeouts.model_fields_set:
        timeouts = timeouts.model_copy(update={"ping": model.ping_timeout})
    nodes = {name: _node(name, node, model, observatory) for name, node in model.nodes.items()}
    state_dir = model.state_dir or f"~/.local/state/fliswarm/{model.actor.name}"
    enabled = model.nodes if model.enabled_nodes is None else model.enabled_nodes
    return SwarmConfig(
        file=file,
        actor=model.actor,
        timeouts=timeouts,
        history=model.history,
        registry=model.registry,
        nodes=nodes,
        enabled=tuple(name for name in nodes if name in enabled),
        state_dir=Path(state_dir).expanduser().absolute(),
        observatory=observatory,
        camera_logs=model.camera_logs,
    )


def _node(name: str, node: Node, model: File, observatory: str | None) -> NodeConfig:
    layers = [model.defaults, model.categories.get(node.category, Options()), node]
    image = next((layer.image for layer in reversed(layers) if layer.image), model.image)
    port = 2376 if any(layer.tls for layer in layers) else 2375
    return NodeConfig(
        name=name,
        host=node.host,
        port=node.port,
        address=node.docker_client or f"tcp://{node.host}:{port}",
        category=node.category,
        container=f"{model.container_name}-{name}",
        image=f"{model.registry}/{image}" if model.registry else image,
        environment=_environment(name, node, layers, observatory),
        volumes=_volumes(model, layers),
        power=_power(name, model.power, node.power),
        reboot_command=model.reboot_command,
        user=node.user,
        uid=node.docker_uid,
        gid=node.docker_gid,
        **_merged(layers, name, node),
    )


def _merged(layers: list[Options], name: str, node: Node) -> dict[str, Any]:
    """The options that replace one another: the last block that has one counts."""
    found: dict[str, Any] = {"mounts": (USB,)}
    plain = {f.name for f in fields(NodeConfig)} & set(Options.model_fields)
    for key in plain - {"image", "environment", "volumes", "command"}:
        for layer in layers:
            value = getattr(layer, key)
            if value is not None:
                found[key] = tuple(value) if isinstance(value, list) else value
    command = next((layer.command for layer in reversed(layers) if layer.command), ())
    words = shlex.split(command) if isinstance(command, str) else command
    found["command"] = tuple(_fill(word, name, node) for word in words)
    return found


def _fill(word: str, name: str, node: Node) -> str:
    places = {
        "node": name,
        "host": node.host,
        "port": str(node.port),
        "python": sys.executable,
        "home": str(Path.home()),
    }
    for place, value in places.items():
        word = word.replace(f"{{{place}}}", value)
    return word


def _environment(
    name: str, node: Node, layers: list[Options], observatory: str | None
) -> dict[str, str]:
    """What 0.7 gives to a container (ACTOR_NAME, OBSERVATORY), ours, then the file's own."""
    environment = {"ACTOR_NAME": name, "FLISWARM_NODE": name, "FLISWARM_PORT": str(node.port)}
    if observatory:
        environment["OBSERVATORY"] = observatory
    for layer in layers:
        environment |= layer.environment
    return {key: _fill(value, name, node) for key, value in environment.items()}


def _volumes(model: File, layers: list[Options]) -> tuple[VolumeConfig, ...]:
    merged: dict[str, Volume | None] = dict(model.volumes)
    for layer in layers:
        merged |= layer.volumes
    return tuple(
        VolumeConfig(
            name,
            volume.driver,
            dict(volume.opts),
            volume.target or f"/{name}",
            volume.read_only,
        )
        for name, volume in merged.items()
        if volume is not None
    )


def _power(name: str, common: Power | None, own: Power | None) -> Power:
    merged: dict[str, Any] = {"device": name}
    for block in (common, own):
        if block is not None:
            merged |= {key: getattr(block, key) for key in block.model_fields_set}
    return Power.model_construct(None, **merged)
