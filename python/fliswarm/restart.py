"""When a container that died unasked is started again: the rate is capped, never the count."""

from __future__ import annotations

import logging
import math
import random
import time

from .picture import NodeStatus
from .state import Facts, State

FIRST, LONGEST = 1.0, 60.0
"""The first and the longest pause before a start, in seconds; each doubles the last."""
STEADY = 60.0
"""How long a camera must have been ready, in seconds, for the pauses to begin anew."""

log = logging.getLogger(__name__)


class Restarts:
    """The restarts of one node.

    Args:
        node: its name.
        policy: ``always``, ``on-failure`` (an exit code other than 0) or ``never``.

    Attributes:
        attempt: which start in a row the planned one is, from 1.
    """

    def __init__(self, node: str, policy: str) -> None:
        self.node = node
        self.policy = policy
        self.attempt = 0
        self._at: float | None = None

    def is_due(self, facts: Facts) -> bool:
        """Whether the container should be started again.

        Not while its engine does not answer, not what the operator stopped, not what is
        not ours, and not while something else is done to it.
        """
        found = facts.container
        if found is None or found.state not in ("exited", "dead") or not facts.engine_ok:
            return False
        if not facts.ours or facts.stopped or facts.operation or not facts.enabled:
            return False
        return self.policy == "always" or (self.policy == "on-failure" and found.exit_code != 0)

    def plan(self, status: NodeStatus) -> None:
        """Set the time of the next start, if one is due and not planned yet."""
        if status.state is State.READY and time.time() - status.since.timestamp() > STEADY:
            self.attempt = 0
        if not self.is_due(status.facts):
            self._at = None
        elif self._at is None:
            pause = min(LONGEST, FIRST * 2 ** min(self.attempt, 10)) * random.uniform(0.8, 1.2)  # noqa: S311
            self.attempt += 1
            self._at = time.monotonic() + pause
            log.info("%s: the container is started again in %.1f s", self.node, pause)

    @property
    def wait(self) -> float:
        """Seconds until the next start; infinite when none is planned."""
        return math.inf if self._at is None else max(0.0, self._at - time.monotonic())

    def take(self) -> bool:
        """Whether the time has come; it comes once."""
        if self._at is None or time.monotonic() < self._at:
            return False
        self._at = None
        return True
