"""The pulse of one camera: its connection kept up, its actor asked whether all is there."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from typing import Any

from .camera import Camera
from .errors import CameraError
from .picture import Picture

PULSE = 1.2
"""How often a connected camera is pinged, and how soon it should answer, in seconds.

A late answer makes the engine be looked at, and the host: a node that leaves the network is
known within three of these.
"""
LIST_EVERY = 15.0
"""How often an actor is asked for its cameras instead of pinged, in seconds.

Also when it says something unasked: it tells when a camera is plugged in or out.
"""
LIST_LIMIT = 1.0
"""How long it may take over that, in seconds: one that asks its hardware first is not silent."""
EMPTY = 3
"""How many times in a row an actor that had a camera must have none before that is told."""


class Pulse:
    """Keeps the connection to one camera, and asks its actor whether it is well.

    Args:
        camera: the camera connection.
        picture: where facts go.
        look: called when the engine should be looked at now.

    Attributes:
        lost: why the connection ended unasked, until that was told.
    """

    def __init__(self, camera: Camera, picture: Picture, look: Callable[[], None]) -> None:
        self.camera = camera
        self.picture = picture
        self.look = look
        self.lost: CameraError | None = None
        self._ping: asyncio.Task[bool | None] | None = None
        self._ping_on = 0
        self._listed_at = -math.inf
        self._empty = 0

    def camera_spoke(self) -> None:
        """The camera actor said something unasked: its cameras may be others now."""
        self._listed_at = -math.inf

    def loss(self) -> dict[str, Any]:
        """What the loss of the camera connection changes; a pulse on a new one ends it."""
        error, self.lost = self.lost, None
        if error is None:
            return {}
        return {"camera_ok": False, "camera_late": False, "camera_error": error}

    async def reach(self) -> None:
        """Connect to the camera actor if need be, and see that it answers."""
        facts = self.picture.facts
        gone = facts.engine_ok and facts.container is not None and not facts.container.running
        try:
            if self.camera.connected or not gone:
                await self.camera.connect()
                await self._feel()
        except CameraError as error:
            facts = self.picture.facts
            if facts.operation or not facts.enabled or self.lost is not None:
                return  # our own doing, or told after the next look
            self.picture.update(camera_ok=False, camera_late=False, camera_error=error)

    async def _feel(self) -> None:
        """Ping; an answer that is late makes us look at the engine while we go on waiting.

        One ping is under way at a time: the connection itself gives up on it after
        `timeouts.silence`.
        """
        if self._ping is not None and self._ping_on != self.camera.made:
            await self.drop()  # it was the old connection's
        if self._ping_on != self.camera.made:
            self._listed_at, self._empty = -math.inf, 0
        if self._ping is None:
            self._ping_on = self.camera.made
            self._ping = asyncio.create_task(self._ask(), name=f"{self.camera.node}:ping")
        done, _ = await asyncio.wait({self._ping}, timeout=PULSE)
        if not done:
            self.picture.update(camera_late=True)
            self.look()
            return
        ping, self._ping = self._ping, None
        has_camera = ping.result()
        if has_camera is not None:
            self._empty = 0 if has_camera else self._empty + 1
        self.lost = None
        self.picture.answered_at = time.monotonic()
        facts = self.picture.facts
        was_late = facts.camera_late
        none = self._empty >= (1 if facts.starting else EMPTY)
        self.picture.update(camera_ok=True, camera_late=False, camera_error=None, no_camera=none)
        if was_late:
            self.look()

    async def _ask(self) -> bool | None:
        """A ping, and now and then: has the actor a camera? None where it did not say."""
        limit = 2 * self.camera.silence
        if not self._empty and time.monotonic() - self._listed_at < LIST_EVERY:
            await self.camera.ping(limit)
            return None
        self._listed_at = time.monotonic()
        _, names = await asyncio.gather(self.camera.ping(limit), self.camera.cameras(LIST_LIMIT))
        return None if names is None else bool(names)

    async def drop(self) -> None:
        """Wait for no answer any more."""
        if self._ping is not None:
            self._ping.cancel()
            await asyncio.gather(self._ping, return_exceptions=True)
            self._ping = None
