"""What state a node is in: one pure function from facts. Its table is its test."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from .errors import Layer, NodeError

if TYPE_CHECKING:  # so that a client need not load the engines
    from .engine import Found


class State(StrEnum):
    """The states of a node."""

    DISABLED = "DISABLED"
    """Switched off by the operator or not in enabled_nodes."""
    UNREACHABLE = "UNREACHABLE"
    """Its engine does not answer, nor does the camera."""
    STOPPED = "STOPPED"
    """No container runs, and none should: never made, or ended in order."""
    STARTING = "STARTING"
    """An operation is under way, or the container runs and its actor or camera is not up yet."""
    READY = "READY"
    """Our container runs, its camera actor answers and has a camera."""
    DEGRADED = "DEGRADED"
    """The camera answers, but something beneath it is wrong."""
    FAILED = "FAILED"
    """The container died, is paused, its camera actor does not answer or has no camera."""
    UNKNOWN = "UNKNOWN"
    """Not looked at yet."""


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known of a node at one time.

    Attributes:
        enabled: whether it takes part.
        operation: what is being done to it, for instance ``reconnect``; empty for nothing.
        engine_ok: whether the engine answered last; None before the first look.
        engine_error: why it did not.
        host_ok: whether the computer answers; None when nobody had to ask.
        container: the container of our name; None when there is none.
        ours: whether that container bears our labels.
        foreign: whose it is when it is not ours, and what to do.
        stopped: whether the operator stopped it.
        end: how the container ended, with its last words; for one that does not run.
        camera_ok: whether the camera actor answered last.
        camera_late: whether it has let a ping wait, though not for `timeouts.silence` yet.
        camera_error: why it did not.
        starting: whether the container started less than `timeouts.ready` ago.
        no_camera: whether the camera actor says that no camera is connected to it.
        attempt: which start in a row the watch's own is, from 1; 0 while it does not start it.
    """

    enabled: bool = True
    operation: str = ""
    engine_ok: bool | None = None
    engine_error: NodeError | None = None
    host_ok: bool | None = None
    container: Found | None = None
    ours: bool = False
    foreign: str = ""
    stopped: bool = False
    end: str = ""
    camera_ok: bool = False
    camera_late: bool = False
    camera_error: NodeError | None = None
    starting: bool = False
    no_camera: bool = False
    attempt: int = 0


def compute(facts: Facts) -> tuple[State, Layer, str]:
    """The state, the lowest layer that fails, and the cause in words (empty when all is well)."""
    if not facts.enabled:
        return State.DISABLED, Layer.NONE, "disabled"
    if facts.operation:
        return State.STARTING, Layer.NONE, f"{facts.operation} is under way"
    if facts.engine_ok is None:
        return State.UNKNOWN, Layer.NONE, "not looked at yet"
    if not facts.engine_ok:
        return _without_engine(facts)
    if facts.container is None:
        if facts.camera_ok:
            return (
                State.DEGRADED,
                Layer.CONTAINER,
                "a camera answers, but there is no container",
            )
        return State.STOPPED, Layer.CONTAINER, "there is no container; reconnect makes one"
    if facts.container.state == "paused":
        return State.FAILED, Layer.CONTAINER, "the container is paused"
    if not facts.container.running:
        return _not_running(facts, facts.container)
    return _running(facts, facts.container)


def _without_engine(facts: Facts) -> tuple[State, Layer, str]:
    error = facts.engine_error
    cause = error.cause if error else "the engine does not answer"
    if facts.camera_ok and not facts.camera_late:
        return State.DEGRADED, Layer.ENGINE, f"the camera answers, the engine does not: {cause}"
    if facts.host_ok is False:
        return State.UNREACHABLE, Layer.HOST, f"the host answers no ping; {cause}"
    return State.UNREACHABLE, Layer.ENGINE, cause


def _not_running(facts: Facts, container: Found) -> tuple[State, Layer, str]:
    if facts.camera_ok:
        cause = f"a camera answers, but the container is {container.state}"
        return State.DEGRADED, Layer.CONTAINER, cause
    if facts.stopped:
        return State.STOPPED, Layer.CONTAINER, "stopped by command or by hand"
    if container.state == "created":
        return State.STOPPED, Layer.CONTAINER, "the container was never started"
    return State.FAILED, Layer.CONTAINER, f"the container is {container.state}: {facts.end}"


def _running(facts: Facts, container: Found) -> tuple[State, Layer, str]:
    if facts.camera_ok:
        if facts.no_camera and facts.starting:
            return State.STARTING, Layer.CAMERA, "the camera actor has found no camera yet"
        if facts.no_camera:
            return State.FAILED, Layer.CAMERA, "no camera is connected to the camera actor"
        if facts.ours:
            return State.READY, Layer.NONE, ""
        return State.DEGRADED, Layer.CONTAINER, facts.foreign or "the container is not ours"
    error = facts.camera_error
    if facts.starting:
        return State.STARTING, Layer.ACTOR, "the camera actor is starting"
    return (
        State.FAILED,
        Layer.ACTOR,
        error.cause if error else "the camera actor does not answer",
    )
