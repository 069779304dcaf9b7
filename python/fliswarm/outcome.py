"""The same done on many nodes at once: each returns how it ended, none disturbs the others."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from .errors import (
    CameraBusy,
    CameraClosed,
    CameraError,
    CameraLost,
    CameraSilent,
    CameraTimeout,
    CameraUnreachable,
    EngineTimeout,
    EngineUnreachable,
    Layer,
    NodeBusy,
    NodeError,
    Verdict,
)
from .node import Node
from .protocol import Code, Reply
from .state import State

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a command on one node: its verdict, why, and how long it took (seconds)."""

    node: Node
    verdict: Verdict
    reason: str = ""
    seconds: float = 0.0
    error: NodeError | None = None

    @property
    def ok(self) -> bool:
        """Whether the node did what it was asked."""
        return self.verdict is Verdict.OK

    @property
    def cause(self) -> str:
        """The reason, with the layer that failed before it where one did."""
        return f"{self.error.layer}: {self.reason}" if self.error else self.reason


_VERDICTS: tuple[tuple[type[NodeError], Verdict], ...] = (
    (NodeBusy, Verdict.BUSY),
    (CameraBusy, Verdict.BUSY),
    (CameraUnreachable, Verdict.UNREACHABLE),
    (EngineUnreachable, Verdict.UNREACHABLE),
    (EngineTimeout, Verdict.UNREACHABLE),
    (CameraLost, Verdict.LOST),
    (CameraClosed, Verdict.LOST),
    (CameraSilent, Verdict.SILENT),
    (CameraTimeout, Verdict.TIMEOUT),
    (CameraError, Verdict.FAILED),
)

_LAYERS = tuple(Layer)
_DOWN = (State.UNREACHABLE, State.FAILED, State.STOPPED)


async def fan_out(
    nodes: Sequence[Node],
    act: Callable[[Node], Awaitable[Reply | None]],
    disabled_too: bool = False,
) -> list[Outcome]:
    """Do the same on all nodes at once; every node has its outcome, in the order given.

    A node that fails does not disturb the others, and none is waited for longer than its
    own deadlines allow.
    """
    return list(await asyncio.gather(*(_one(node, act, disabled_too) for node in nodes)))


async def _one(
    node: Node, act: Callable[[Node], Awaitable[Reply | None]], disabled_too: bool
) -> Outcome:
    if not node.enabled and not disabled_too:
        return refuse_disabled(node)
    started = time.monotonic()
    end: Reply | Exception | None
    try:
        end = await act(node)
    except Exception as error:
        end = error
    return outcome_of(node, end, time.monotonic() - started)


def refuse_disabled(node: Node) -> Outcome:
    """A node that takes no part was asked for."""
    return Outcome(node, Verdict.DISABLED, "the node is disabled; enable it first")


def outcome_of(node: Node, end: Reply | Exception | None, seconds: float) -> Outcome:
    """How it ended: with a last reply, with an error, or None for what was done without a word.

    A fault of ours on one node is that node's failure, not everybody's.
    """
    try:
        if isinstance(end, NodeError):
            verdict = next((v for kind, v in _VERDICTS if isinstance(end, kind)), Verdict.FAILED)
            return Outcome(node, verdict, _reason(node, end), seconds, end)
        if isinstance(end, Exception):
            fault = end
        elif end is not None and end.code is not Code.DONE:
            return Outcome(node, Verdict.FAILED, _words(end), seconds)
        else:
            return Outcome(node, Verdict.OK, "", seconds)
    except Exception as ours:
        fault = ours
    log.error("%s: internal error", node.name, exc_info=fault)
    reason = f"internal error {type(fault).__name__}: {fault}; see the log"
    return Outcome(node, Verdict.FAILED, reason, seconds)


def _reason(node: Node, error: NodeError) -> str:
    """Why it failed, and what is known to fail beneath a camera that does not answer.

    A camera whose computer has left the network is silent; the silence is not what to mend.
    """
    status = node.status
    beneath = _LAYERS.index(status.layer) < _LAYERS.index(error.layer)
    if beneath and isinstance(error, CameraError) and status.state in _DOWN:
        return f"{error.cause}; beneath it: {status.layer}: {status.cause}"
    return error.cause


def _words(reply: Reply) -> str:
    """What a camera said when it failed a command."""
    error = reply.data.get("error", reply.data.get("text", ""))
    if isinstance(error, dict):
        error = error.get("error", error)
    return str(error) or "the camera failed the command without a word"
