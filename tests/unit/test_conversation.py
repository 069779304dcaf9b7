"""One command to many: each has an outcome, in order, whatever the others or the listeners do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fliswarm.connection import Asked
from fliswarm.conversation import converse
from fliswarm.errors import CameraLost, CameraUnreachable, Layer, NodeError, Verdict
from fliswarm.node import Node
from fliswarm.outcome import Outcome
from fliswarm.protocol import Code, Reply
from fliswarm.state import State

DONE = Reply(1, Code.DONE, {"text": "Pong."})
FAILED = Reply(1, Code.FAILED, {"error": "the shutter is stuck"})


class Seat:
    """A node as a conversation sees it.

    Args:
        name: the node's name.
        end: its last reply or why there is none; None for one that never ends.
        there: whether its camera is there at once; else `talk` ends so.
    """

    def __init__(self, name: str, end: Any, *, there: bool = True, enabled: bool = True) -> None:
        self.name = name
        self.end = end
        self.there = there
        self.enabled = enabled
        self.status: Any = SimpleNamespace(state=State.READY, layer=Layer.NONE, cause="")
        self.left = 0
        self.cancelled = False

    def say(self, command: str, on_reply: Callable[[Reply], None], end: Any) -> Asked | None:
        if not self.there:
            return None
        if self.end is not None:
            act = end.set_result if isinstance(self.end, Reply) else end.set_exception
            asyncio.get_running_loop().call_soon(act, self.end)
        return cast(Asked, self)

    def leave(self) -> None:
        self.left += 1

    async def talk(self, command: str, on_reply: Callable[[Reply], None]) -> Reply:
        if isinstance(self.end, Reply):
            return self.end
        if self.end is not None:
            raise self.end
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        raise AssertionError


async def verdicts(
    *seats: Seat,
    hear: Callable[[Node, Reply], None] = lambda node, reply: None,
    fail: Callable[[Outcome], None] = lambda outcome: None,
    limit: float | None = None,
) -> list[tuple[str, Verdict]]:
    async with asyncio.timeout(5):
        outcomes = await converse(cast(list[Node], seats), "ping", hear, fail, limit)
    assert [one.node for one in outcomes] == list(seats)
    return [(one.node.name, one.verdict) for one in outcomes]


async def test_each_has_its_outcome_in_order() -> None:
    heard: list[tuple[str, Reply]] = []
    failed: list[tuple[str, NodeError | None]] = []
    lost = CameraLost("c", "the connection broke")
    away = CameraUnreachable("e", "refused")
    fault = ZeroDivisionError("a fault of ours")
    found = await verdicts(
        Seat("a", FAILED), Seat("b", DONE), Seat("c", lost), Seat("d", DONE, there=False),
        Seat("e", away, there=False), Seat("f", DONE, enabled=False),
        Seat("g", fault, there=False),
        hear=lambda node, reply: heard.append((node.name, reply)),
        fail=lambda outcome: failed.append((outcome.node.name, outcome.error)),
    )  # fmt: skip
    assert found == [
        ("a", Verdict.FAILED), ("b", Verdict.OK), ("c", Verdict.LOST), ("d", Verdict.OK),
        ("e", Verdict.UNREACHABLE), ("f", Verdict.DISABLED), ("g", Verdict.FAILED),
    ]  # fmt: skip
    assert heard == [("a", FAILED), ("b", DONE), ("d", DONE)]
    assert sorted(failed, key=str) == [("c", lost), ("e", away)]


async def test_none_and_disabled_ones_end_at_once() -> None:
    assert await verdicts() == []
    assert await verdicts(Seat("a", None, enabled=False)) == [("a", Verdict.DISABLED)]


async def test_a_limit_ends_all_that_is_open_and_leaves_it() -> None:
    seats = [Seat("a", DONE), Seat("b", None), Seat("c", None, there=False)]
    found = await verdicts(*seats, limit=0.05)
    assert found == [("a", Verdict.OK), ("b", Verdict.TIMEOUT), ("c", Verdict.TIMEOUT)]
    assert [seat.left for seat in seats] == [1, 1, 0]
    assert seats[2].cancelled


async def test_one_who_is_cancelled_leaves_nothing_open() -> None:
    seats = [Seat("b", None), Seat("c", None, there=False)]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await verdicts(*seats)
    assert seats[0].left == 1
    assert seats[1].cancelled


async def test_a_listener_that_breaks_keeps_nobody_from_ending() -> None:
    def broken(*what: object) -> None:
        raise RuntimeError("the listener is broken")

    seats = [Seat("a", DONE), Seat("b", CameraLost("b", "gone")), Seat("c", DONE, there=False)]
    found = await verdicts(*seats, hear=broken, fail=broken)
    assert found == [("a", Verdict.OK), ("b", Verdict.LOST), ("c", Verdict.OK)]


async def test_what_fails_beneath_a_camera_is_said_with_its_end() -> None:
    seats = [Seat(name, CameraLost(name, "the connection broke")) for name in "abcd"]
    seats[1].status = SimpleNamespace(state=State.UNREACHABLE, layer=Layer.HOST, cause="no ping")
    seats[2].status = SimpleNamespace(state=State.FAILED, layer=Layer.ACTOR, cause="not again")
    seats[3].status = SimpleNamespace(state=State.DEGRADED, layer=Layer.ENGINE, cause="refused")
    outcomes = await converse(cast(list[Node], seats), "ping", lambda *_: None, lambda *_: None)
    assert [outcome.reason for outcome in outcomes] == [
        "the connection broke", "the connection broke; beneath it: host: no ping",
        "the connection broke", "the connection broke",
    ]  # fmt: skip


async def test_a_fault_in_an_outcome_ends_that_part_too() -> None:
    seats = [Seat("a", CameraLost("a", "the connection broke")), Seat("b", DONE)]
    seats[0].status = None
    async with asyncio.timeout(2):
        found = await converse(cast(list[Node], seats), "ping", lambda *_: None, lambda *_: None)
    assert [outcome.verdict for outcome in found] == [Verdict.FAILED, Verdict.OK]
    assert found[0].reason.startswith("internal error AttributeError")
