"""Lines of a camera that cannot be read: each is told, and a flood of them as a number."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from .protocol import BadLine

SECOND = 1.0
"""How long lines are counted together, in seconds."""
EACH = 10
"""How many are told word for word in that time, when it was quiet before."""


class Unreadable:
    """The bad lines of one connection. A camera of nothing else would flood users and hub.

    Args:
        node: the node's name, for the log.
        tell: called with each word to everybody.
    """

    def __init__(self, node: str, tell: Callable[[str], None]) -> None:
        self.node = node
        self.tell = tell
        self.log = logging.getLogger(__name__)
        self._left = EACH
        self._untold = 0
        self._last = ""
        self._timer: asyncio.TimerHandle | None = None

    def add(self, bad: BadLine) -> None:
        """Tell of a line, now or with others."""
        if self._left:
            self._left -= 1
            self._say(f"cannot read a line: {bad}")
        else:
            self._untold += 1
            self._last = str(bad)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SECOND, self._second)

    def end(self) -> None:
        """No more will come: tell of those not told yet."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        untold, self._untold = self._untold, 0
        if untold:
            self._say(f"cannot read {untold} more, the last: {self._last}")

    def _second(self) -> None:
        flood = self._untold > 0
        quiet = self._left == EACH
        self.end()
        self._left = 0 if flood else EACH
        if not quiet:  # a flood ends with a second without a line
            self._timer = asyncio.get_running_loop().call_later(SECOND, self._second)

    def _say(self, words: str) -> None:
        self.log.warning("%s: %s", self.node, words)
        self.tell(words)
