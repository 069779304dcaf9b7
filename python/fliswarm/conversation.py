"""One command to many cameras at once, told by their connections when each has ended.

A camera that is there is written to at once and costs no task: the command goes out to all of
them in one turn of the loop, before the first answer is read. One that is not there is left to
`Node.talk`, which knows how to reach it or why it cannot.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from .connection import Asked
from .errors import CameraTimeout
from .node import Node
from .outcome import Outcome, outcome_of, refuse_disabled
from .protocol import Reply

log = logging.getLogger(__name__)

Hear = Callable[[Node, Reply], None]
Fail = Callable[[Outcome], None]


async def converse(
    nodes: Sequence[Node], words: str, hear: Hear, fail: Fail, limit: float | None = None
) -> list[Outcome]:
    """Send a command to the cameras of all nodes; every node has its outcome, in their order.

    A node that fails does not disturb the others, and none is waited for longer than its
    own deadlines allow.

    Args:
        nodes: whom to ask.
        words: the camera's command.
        hear: called with each reply, the last among them, as it comes.
        fail: called with the outcome of a node that failed without a last reply, as it happens.
        limit: a hard limit in seconds; None lets a camera take as long as it answers pings.

    Raises:
        ValueError: the command cannot be sent (see `protocol.encode_command`).
    """
    return await _Conversation(nodes, words, hear, fail).run(limit)


class _Part:
    """One camera's part: it is told of replies and of the end, once."""

    __slots__ = ("_whole", "asked", "began", "node", "outcome", "task")

    def __init__(self, node: Node, whole: _Conversation) -> None:
        self.node = node
        self.began = time.monotonic()
        self.asked: Asked | None = None
        self.task: asyncio.Task[None] | None = None
        self.outcome: Outcome | None = None
        self._whole = whole

    def hear(self, reply: Reply) -> None:
        self._whole.hear(self.node, reply)

    # the end, as a connection tells it to those who wait

    def done(self) -> bool:
        return self.outcome is not None

    def set_result(self, reply: Reply) -> None:
        self._conclude(reply)
        self._tell(self.hear, reply)
        self._whole.ended()

    def set_exception(self, error: Exception) -> None:
        outcome = self._conclude(error)
        if outcome.error is not None:
            self._tell(self._whole.fail, outcome)
        self._whole.ended()

    def _conclude(self, end: Reply | Exception) -> Outcome:
        self.outcome = outcome_of(self.node, end, time.monotonic() - self.began)
        return self.outcome

    def _tell(self, listener: Callable[[Any], None], what: Any) -> None:
        """Hand something on; a fault of the listener keeps nobody from ending."""
        try:
            listener(what)
        except Exception:
            log.exception("%s: cannot be handled: %s", self.node.name, str(what)[:200])

    async def slowly(self, words: str) -> None:
        """The long way, for a camera that is not there at once."""
        try:
            reply = await self.node.talk(words, self.hear)
        except Exception as error:
            self.set_exception(error)
        else:
            self.set_result(reply)


class _Conversation:
    """All parts, and when the last of them has ended."""

    def __init__(self, nodes: Sequence[Node], words: str, hear: Hear, fail: Fail) -> None:
        self.words = words
        self.hear = hear
        self.fail = fail
        self._parts = [_Part(node, self) for node in nodes]
        self._open = len(self._parts)
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self, limit: float | None) -> list[Outcome]:
        try:
            async with asyncio.timeout(limit):
                for part in self._parts:
                    self._begin(part)
                if self._open:
                    await self._over
        except TimeoutError:
            for part in self._parts:
                if part.outcome is None:
                    part.set_exception(self._late(part, limit))
        finally:
            await self._leave()
        return [part.outcome for part in self._parts if part.outcome is not None]

    def _begin(self, part: _Part) -> None:
        if not part.node.enabled:
            part.outcome = refuse_disabled(part.node)
            self.ended()
            return
        part.asked = part.node.say(self.words, part.hear, part)
        if part.asked is None:
            name = f"{part.node.name}:talk"
            part.task = asyncio.create_task(part.slowly(self.words), name=name)

    def ended(self) -> None:
        self._open -= 1
        if not self._open and not self._over.done():
            self._over.set_result(None)

    def _late(self, part: _Part, limit: float | None) -> CameraTimeout:
        reason = "not finished within the limit"
        return CameraTimeout(part.node.name, reason, tried=self.words, seconds=limit)

    async def _leave(self) -> None:
        """Wait for nothing any more."""
        tasks = [part.task for part in self._parts if part.task is not None]
        for part in self._parts:
            if part.asked is not None:
                part.asked.leave()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
