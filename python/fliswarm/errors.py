"""What can go wrong, as one tree; each error names the node, the layer and the reason.

FliswarmError
├── ConfigError                 the configuration file is wrong; holds every problem found
├── SelectionError              a command names nodes or a category that do not exist
├── HubError                    the hub is away or refused a command of ours
└── NodeError                   something about one node; says which layer
    ├── HostError               the computer does not answer, or refuses to reboot
    ├── EngineError             the container engine
    │   ├── EngineUnreachable   refuses the connection, or cannot be found
    │   │   └── EngineUntrusted a certificate, host key or login is refused, by us or by it
    │   ├── EngineTimeout       connected or not, no answer before the deadline
    │   └── EngineRefused       answered with an error of its own (HTTP status)
    ├── ContainerError          the container died, is foreign, or cannot be made
    │   └── NodeBusy            another operation on the container is under way
    └── CameraError             the camera actor or its connection
        ├── CameraUnreachable   nothing listens, or the connection was refused
        ├── CameraLost          the peer closed or broke the connection
        ├── CameraClosed        we closed the connection, with a reason
        ├── CameraSilent        connected, but says nothing
        ├── CameraBusy          it is at a command of ours
        ├── CameraBroken        sent what is not the protocol and cannot be read on
        └── CameraTimeout       the command's own limit ran out
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Layer(StrEnum):
    """The five layers of a node, lowest first; NONE when nothing is wrong."""

    NONE = ""
    HOST = "host"
    ENGINE = "engine"
    CONTAINER = "container"
    ACTOR = "actor"
    CAMERA = "camera"


class Verdict(StrEnum):
    """How a command ended on one node."""

    OK = "ok"
    FAILED = "failed"
    SILENT = "silent"
    LOST = "lost"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    BUSY = "busy"
    DISABLED = "disabled"
    UNKNOWN = "unknown"
    """A client's word for a verdict of a newer manager; no manager says it."""


def os_reason(error: OSError) -> str:
    """The operating system's plain words for an error, without Python's around them."""
    if error.errno and not isinstance(error, socket.gaierror):
        return os.strerror(error.errno).lower()
    return (error.strerror or str(error) or type(error).__name__).lower()


class FliswarmError(Exception):
    """The root of all errors that fliswarm raises itself."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a configuration file.

    Attributes:
        file: the file's path as given.
        line: its line, from 1; 0 when the place is not in the file.
        path: the key's path in the file, for instance ``nodes.gfa1.port``.
        message: what was found, what was expected, what to do.
    """

    file: str
    line: int
    path: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"


class ConfigError(FliswarmError):
    """The configuration cannot be used; `problems` lists all that is wrong, in file order."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class SelectionError(FliswarmError):
    """A command selects nodes that do not exist, or none at all."""


class HubError(FliswarmError):
    """The hub is not connected, or a command sent through it failed."""


class NodeError(FliswarmError):
    """Something failed on one node.

    Attributes:
        node: the node's name.
        reason: what happened, in words for the operator.
        tried: what was being done, for instance ``pull sdss-hub:5000/flicamera:latest``.
        seconds: how long it was waited for; None where nothing was waited for.
        layer: the layer that failed.
    """

    layer: Layer = Layer.NONE

    def __init__(
        self, node: str, reason: str, *, tried: str = "", seconds: float | None = None
    ) -> None:
        self.node = node
        self.reason = reason
        self.tried = tried
        self.seconds = seconds
        super().__init__(reason)

    @property
    def cause(self) -> str:
        """The reason with what was tried and how long, without the node's name."""
        waited = f" after {self.seconds:g} s" if self.seconds is not None else ""
        return f"{self.tried}: {self.reason}{waited}" if self.tried else f"{self.reason}{waited}"

    def __str__(self) -> str:
        return f"{self.node}: {self.layer}: {self.cause}"


class HostError(NodeError):
    """The node's computer does not answer, or does not do what it was asked."""

    layer = Layer.HOST


class EngineError(NodeError):
    """The node's container engine failed."""

    layer = Layer.ENGINE


class EngineUnreachable(EngineError):
    """The engine refuses the connection or its address cannot be found.

    `refused` says that the computer is there and nobody listens.
    """

    refused = False


class EngineUntrusted(EngineUnreachable):
    """One side does not trust the other: a certificate, a host key or a login is refused."""


class EngineTimeout(EngineError):
    """The engine gave no answer before the deadline."""


class EngineRefused(EngineError):
    """The engine answered with an error; `status` is its HTTP status, 0 if it has none."""

    def __init__(self, node: str, reason: str, *, tried: str = "", status: int = 0) -> None:
        self.status = status
        super().__init__(node, reason, tried=tried)


class ContainerError(NodeError):
    """The container died, bears our name but is not ours, or cannot be made."""

    layer = Layer.CONTAINER


class NodeBusy(ContainerError):
    """Another operation on the node's container is under way."""


class CameraError(NodeError):
    """The camera actor or the connection to it failed."""

    layer = Layer.ACTOR


class CameraUnreachable(CameraError):
    """No connection to the camera actor could be made."""


class CameraLost(CameraError):
    """The camera actor closed the connection, or it broke."""


class CameraClosed(CameraError):
    """We closed the connection ourselves."""


class CameraSilent(CameraError):
    """The connection stands, but the camera actor says nothing, not even to a ping."""


class CameraBusy(CameraError):
    """The camera is at a command of ours; --force interrupts it."""


class CameraBroken(CameraError):
    """The camera actor sent what cannot be read as its protocol, beyond repair."""


class CameraTimeout(CameraError):
    """The limit that the user set for the command ran out."""
