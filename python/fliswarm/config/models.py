"""The models of a configuration file, one class a block; a field's text becomes its reference.

These classes mirror the file. What the rest of the program sees is `SwarmConfig` of
`resolved.py`, in which defaults, categories and nodes have been merged.
"""

from __future__ import annotations

import math
import re
import shlex
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)

from .engines import Address, Ssh, Tls, host_name

NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Host = Annotated[str, Field(pattern=r"^[^\s/]+$"), AfterValidator(host_name)]
Port = Annotated[int, Field(ge=1, le=65535)]
_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def _to_bytes(value: Any) -> Any:
    """``6g`` as a number of bytes, the way Docker writes memory."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([bkmgt]?)b?", value.strip().lower())
    if not match:
        raise ValueError("a size is a number of bytes or a number with k, m, g or t (6g)")
    size = float(match[1]) * _UNITS[match[2]]
    if not math.isfinite(size) or size >= 2**63:
        raise ValueError("this is more than any computer has")
    return int(size)


def _to_words(value: Any) -> Any:
    """A mapping of plain scalars with its values as text, as the engine wants them."""
    if not isinstance(value, dict):
        return value
    for key in value:
        if not isinstance(key, str) or not key or "=" in key or "\0" in key:
            raise ValueError(f"{key!r} is no name: it must be text without an equals sign")
    return {
        key: str(item).lower() if isinstance(item, bool) else str(item)
        for key, item in value.items()
        if item is not None
    }


def _command(value: Any) -> Any:
    """A command that can be split into words, of which there is at least one."""
    words = shlex.split(value) if isinstance(value, str) else value
    if isinstance(words, list) and not (words and str(words[0]).strip()):
        raise ValueError("a command needs at least one word")
    return value


# The JSON schemas say what may stand in the file, before it is converted.
Size = Annotated[
    int,
    BeforeValidator(_to_bytes),
    Field(ge=0),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0},
                {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*[bkmgtBKMGT]?[bB]?\s*$"},
            ]
        }
    ),
]
Words = Annotated[
    dict[str, str],
    BeforeValidator(_to_words),
    WithJsonSchema(
        {
            "type": "object",
            "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
        }
    ),
]
Command = Annotated[str | list[str], BeforeValidator(_command)]


class Block(BaseModel):
    """A block of the file: unknown keys are errors, nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Actor(Block):
    """How people and the hub reach the manager."""

    name: str = Field(
        "fliswarm", pattern=NAME, description="The actor's name, as the hub knows it."
    )
    host: Host = Field(
        "127.0.0.1",
        description="The address to listen on. Loopback by default; a hub on another computer "
        "needs an address that it can reach.",
    )
    port: Annotated[int, Field(ge=0, le=65535)] = Field(
        19996, description="The TCP port to listen on; 0 lets the system choose one."
    )
    tron_host: str | None = Field(None, description="The hub's host; null means no hub.")
    tron_port: Port = Field(6093, description="The hub's port for clients.")
    log_dir: str | None = Field(
        None, description="Folder of the log files; null means `log` in the state folder."
    )
    models: list[str] = Field(
        default_factory=list, description="Accepted from 0.7 files; fliswarm tracks no models."
    )
    version: str | None = Field(None, description="Accepted from 0.7 files; has no effect.")
    verbose: bool | int = Field(False, description="Accepted from 0.7 files; has no effect.")
    schema_: str | None = Field(
        None, alias="schema", description="Accepted from 0.7 files; has no effect."
    )
    store: bool | list[str] = Field(False, description="Accepted from 0.7 files; has no effect.")
    additional_properties: bool = Field(
        False, description="Accepted from 0.7 files; has no effect."
    )


class Timeouts(Block):
    """Every deadline, in seconds."""

    ping: Seconds = Field(1.0, description="For the host's answer to a ping.")
    connect: Seconds = Field(2.0, description="To open the TCP connection to a camera actor.")
    engine: Seconds = Field(5.0, description="For one call of the engine, pull and stop apart.")
    pull: Seconds = Field(300.0, description="For pulling the image.")
    ready: Seconds = Field(
        30.0,
        description="From a container's start until its camera actor answers a ping. The "
        "real camera actor takes 1 to 2 s to its open port.",
    )
    silence: Seconds = Field(
        10.0,
        description="How long a camera actor may say nothing at all, not even to a ping, "
        "before it counts as silent.",
    )
    probe: Seconds = Field(
        5.0, description="How often engine and camera are looked at when nothing happens."
    )
    hub: Seconds = Field(10.0, description="For the hub's answer to a command of ours.")
    power_off: Seconds = Field(10.0, description="How long the power stays off in a hard reboot.")
    reboot: Seconds = Field(300.0, description="Until an engine answers after a reboot.")


class CameraLogs(Block):
    """The copies of the cameras' output on the manager, in `cameras` in the log folder."""

    follow: bool = Field(True, description="Whether they are kept.")
    size: Size = Field(
        10 << 20, ge=4096, description="How long a file gets before it is rotated, in bytes."
    )
    keep: Annotated[int, Field(ge=0)] = Field(
        5, description="How many older files of a node are kept."
    )
    rate: Size = Field(
        128 << 10,
        ge=1024,
        description="How much of a camera's output is kept, in bytes a second; the output of "
        "some seconds may come at once. What is left out is counted.",
    )


class History(Block):
    """What is kept of what happened, in `history.sqlite` in the state folder."""

    days: Annotated[int, Field(ge=0, le=36500)] = Field(
        90, description="How many days commands and changes are kept; 0 keeps none."
    )
    size: Annotated[Size, Field(ge=1 << 20)] = Field(
        512 << 20,
        description="How many bytes (or `512m`) the file may have; the oldest goes first.",
    )


class Volume(Block):
    """A volume of the engine and where it stands in the container."""

    driver: str = Field("local", description="The volume driver.")
    opts: Words = Field(
        default_factory=dict,
        description="The driver's options; for NFS `type`, `o` and `device` as for mount.",
    )
    target: str | None = Field(
        None, description="The folder in the container; null means `/` and the volume's name."
    )
    read_only: bool = Field(False, description="Whether the container may only read it.")


class Power(Block):
    """How a hard reboot switches the power, through the hub."""

    actor: str | None = Field(None, description="The actor that switches the power.")
    command: PowerCommand | None = Field(None, description="What to send to it.")
    device: str | None = Field(
        None,
        description="The device's name, put after the command; null means the node's name.",
    )


class PowerCommand(Block):
    """The two commands of the power actor; the device's name is put behind them."""

    poweron: str = Field(description="The command that switches on.")
    poweroff: str = Field(description="The command that switches off.")


class Mount(Block):
    """A folder or file of the node's computer in the container."""

    source: str = Field(description="The path on the node.")
    target: str = Field(description="The path in the container.")
    read_only: bool = Field(False, description="Whether the container may only read it.")


class Options(Block):
    """What a container is made of and how its engine is reached; for all, a category or a node."""

    image: str | None = Field(None, description="Image and tag.")
    command: Command | None = Field(
        None,
        description="The command instead of the image's own; for `process://` nodes the "
        "program to run. `{node}`, `{host}`, `{port}`, `{home}` and `{python}` (the "
        "manager's own Python) are filled in. No shell.",
    )
    environment: Words = Field(
        default_factory=dict,
        description="Environment variables; those of defaults, category and node are merged. "
        "The same placeholders as in `command` are filled in.",
    )
    volumes: dict[str, Volume | None] = Field(
        default_factory=dict,
        description="Volumes over those at the top of the file; null leaves one out.",
    )
    mounts: list[Mount] | None = Field(
        None,
        description="Folders of the node to mount. By default `/dev/bus/usb`, live, so that a "
        "camera plugged in later is seen.",
    )
    devices: list[str] | None = Field(
        None,
        description="Devices to pass, as `/dev/x` or `/dev/x:/dev/y:rwm`. They are looked up "
        "at the start and a missing one fails it; prefer mounts and cgroup rules.",
    )
    device_cgroup_rules: list[str] | None = Field(
        None, description="Device rules, for instance `c 189:* rmw` for USB."
    )
    memory: Size | None = Field(None, description="Memory limit in bytes (or `6g`); null: none.")
    cpus: Annotated[float, Field(gt=0)] | None = Field(
        None, description="CPU limit in cores; null: none."
    )
    network: str | None = Field(None, description="The network mode; `host` by default.")
    privileged: bool | None = Field(
        None, description="Whether the container is privileged; true by default."
    )
    init: bool | None = Field(
        None, description="Whether a small init runs as process 1; null: the engine's choice."
    )
    stop_signal: str | None = Field(
        None,
        description="The signal that ends the camera. SIGINT by default, because a Python "
        "program as process 1 ignores SIGTERM.",
    )
    stop_timeout: Annotated[int, Field(ge=0)] | None = Field(
        None, description="Seconds from that signal to the kill; 5 by default."
    )
    restart: Literal["always", "on-failure", "never"] | None = Field(
        None, description="Whether a container that dies unasked is started again; `always`."
    )
    tls: Tls | None = Field(
        None, description="Certificates: a `tcp://` engine is then spoken to over TLS only."
    )
    ssh: Ssh | None = Field(None, description="Keys for an `ssh://` engine.")
    insecure: bool | None = Field(
        None,
        description="Whether plain `tcp://` beyond this computer is meant; it ends the warning. "
        "False by default.",
    )


class Node(Options):
    """One camera: the computer it is plugged into, its engine and its actor's port."""

    host: Host = Field(description="The computer's name or address.")
    port: Port = Field(19995, description="The TCP port of the camera actor.")
    docker_client: Address | None = Field(
        None,
        alias="docker-client",
        description="The engine's address: `tcp://host:2375`, `ssh://user@host` (with `:port` "
        "and the path of the engine's socket behind it where they are others), `unix:///path` "
        "or `process://` (camera actors as local processes). Null means `tcp://<host>:2375`, "
        "with `tls` port 2376.",
    )
    category: str = Field("", description="The group that commands can select, such as gfa.")
    user: str | None = Field(None, description="The user for a soft reboot over ssh.")
    docker_uid: int | None = Field(
        None, alias="docker-uid", description="The user id that the camera runs as."
    )
    docker_gid: int | None = Field(
        None, alias="docker-gid", description="The group id that the camera runs as."
    )
    power: Power | None = Field(None, description="Overrides the power block for this node.")


class File(Block):
    """A whole file, in the documented layout (`nodes` and `enabled_nodes` flat)."""

    actor: Actor = Field(default_factory=Actor, description="The manager's own actor.")
    registry: str | None = Field(
        None, description="The local registry as host:port; null means Docker Hub."
    )
    image: str = Field("flicamera:latest", description="Image and tag of the camera.")
    container_name: str = Field(
        "flicamera",
        pattern=NAME,
        description="The prefix of the containers' names: `flicamera` gives `flicamera-gfa1`.",
    )
    ping_timeout: Seconds | None = Field(
        None, description="The 0.7 word for `timeouts.ping`, in seconds."
    )
    timeouts: Timeouts = Field(default_factory=Timeouts, description="All deadlines.")
    camera_logs: CameraLogs = Field(
        default_factory=CameraLogs, description="The copies of the cameras' output."
    )
    history: History = Field(
        default_factory=History, description="How much is kept of what happened."
    )
    defaults: Options = Field(default_factory=Options, description="Options of every container.")
    categories: dict[str, Options] = Field(
        default_factory=dict,
        description="Options of the containers of a category, over `defaults`.",
    )
    enabled_nodes: list[str] | None = Field(
        None, description="The nodes that take part from the start; null means all."
    )
    nodes: dict[Annotated[str, Field(pattern=NAME)], Node] = Field(
        default_factory=dict, description="The nodes, by name, in the order of every reply."
    )
    volumes: dict[Annotated[str, Field(pattern=NAME)], Volume] = Field(
        default_factory=dict, description="Volumes of every container."
    )
    power: Power | None = Field(None, description="How a hard reboot switches the power.")
    reboot_command: str = Field(
        "sudo -n reboot", description="What a soft reboot runs on the node over ssh."
    )
    state_dir: str | None = Field(
        None,
        description="Folder for the process id file, the state of process nodes and, by "
        "default, the logs; null means `~/.local/state/fliswarm/<actor name>`.",
    )
