"""The supervision of one node: three small loops that never wait for another node.

One listens to the engine's events, one looks at the container and starts it again when it
died unasked, one keeps the camera connection and its pulse. What they see goes into the
`Picture`; commands read it there.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from . import host
from .camera import Camera
from .config import NodeConfig, Timeouts
from .container import Lifecycle, describe_end, say_foreign
from .engine import Engine, Event, Found
from .errors import CameraError, EngineError, EngineUnreachable
from .intent import Intents
from .picture import Picture
from .restart import Restarts

VOLUMES_EVERY = 60.0
"""How often the volumes are looked at, in seconds, when nothing happens."""
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
RETRY = 0.25
"""The pause between attempts to reach a camera actor that is starting, in seconds."""
STREAM_PAUSES = 0.25, 10.0
"""The shortest and the longest pause before the events are asked for again, in seconds.

It doubles while their stream ends early.
"""
STREAM_STOOD = 10.0
"""A stream of events that stood so many seconds did not end early."""
SHUTDOWN = 30.0
"""An engine that goes away within this many seconds of a stop stopped the container itself.

`docker stop` and the shutdown of dockerd send the same events, and dockerd answers while it
shuts down (15 s at most by default); the operator's stop is kept, the engine's own is not.
"""


class Watch:
    """Keeps watch over one node.

    Args:
        config: the node's configuration.
        timeouts: the deadlines.
        engine: its engine.
        camera: its camera connection.
        life: its container's life.
        picture: where facts go.
        intents: what the operator wants stopped.
    """

    def __init__(
        self,
        config: NodeConfig,
        timeouts: Timeouts,
        engine: Engine,
        camera: Camera,
        life: Lifecycle,
        picture: Picture,
        intents: Intents,
    ) -> None:
        self.config = config
        self.name = config.name
        self.timeouts = timeouts
        self.engine = engine
        self.camera = camera
        self.life = life
        self.picture = picture
        self.intents = intents
        self.log = logging.getLogger(__name__)
        self.enabled = asyncio.Event()
        self.first_look = asyncio.Event()
        self.first_reach = asyncio.Event()
        self._look_now = asyncio.Event()
        self._reach_now = asyncio.Event()
        self._engine_up = asyncio.Event()
        self._looking = asyncio.Lock()
        self._suspect = False
        self._lost: CameraError | None = None
        self._ping: asyncio.Task[bool | None] | None = None
        self._ping_on = 0
        self._listed_at = -math.inf
        self._empty = 0
        self._looked_aside = False
        self._stream_pause = STREAM_PAUSES[0]
        self._stop_heard: float | None = None
        self._outage = False
        self.restarts = Restarts(config.name, config.restart)

    async def run(self) -> None:
        """Keep watch until cancelled; owns its tasks."""
        loops = (self._listen, self._watch_container, self._watch_camera)
        try:
            async with asyncio.TaskGroup() as group:
                for loop in loops:
                    group.create_task(self._forever(loop), name=f"{self.name}:{loop.__name__}")
        finally:
            self.camera.close("the manager ends")
            await self._drop_ping()
            self.engine.close()

    def wake(self) -> None:
        """Look and reach now, not at the next turn."""
        self._look_now.set()
        self._reach_now.set()

    def camera_lost(self, error: CameraError) -> None:
        """The camera connection ended unasked: look first why, then tell once."""
        self._lost = error
        self._suspect = True
        self.wake()

    def camera_spoke(self) -> None:
        """The camera actor said something unasked: its cameras may be others now."""
        self._listed_at = -math.inf

    async def _forever(self, loop: Callable[[], Awaitable[None]]) -> None:
        """One round of a loop after another; a fault of ours never ends the watch."""
        while True:
            try:
                await self.enabled.wait()
                await loop()
            except Exception:
                self.log.exception("%s: a round of %s failed", self.name, loop.__name__)
                await asyncio.sleep(1)

    # the engine's events

    async def _listen(self) -> None:
        """Listen to the engine until its stream ends, then wait until it answers again."""
        await self._engine_up.wait()
        began = time.monotonic()
        try:
            await self.engine.watch(
                self.config.container, self._heard, self._look_now.set, self._missed_since()
            )
        except EngineError as error:
            self.log.debug("%s: the events ended: %s", self.name, error)
        self._engine_up.clear()
        self._look_now.set()
        shortest, longest = STREAM_PAUSES
        if time.monotonic() - began >= STREAM_STOOD:
            self._stream_pause = shortest
        await asyncio.sleep(self._stream_pause)
        self._stream_pause = min(2 * self._stream_pause, longest)

    def _missed_since(self) -> float | None:
        """For a container that ended while no manager listened: from a moment before its end.

        Not after an outage of the engine: a new dockerd stops what its predecessor left.
        """
        found = self.picture.facts.container
        if self._outage or found is None or found.running or not found.ended_at:
            return None
        return datetime.fromisoformat(found.ended_at).timestamp() - 1

    def _heard(self, event: Event) -> None:
        self.log.debug("%s: engine: %s %s", self.name, event.action, event.id[:12])
        found = self.picture.facts.container
        asked_by_hand = not self.picture.facts.operation and found and found.id == event.id
        if event.action == "stop" and asked_by_hand:
            self._stop_heard = time.monotonic()
            self._set_stopped(True)
        self._suspect = True
        self.wake()

    def _set_stopped(self, stopped: bool) -> None:
        self.intents.stop(self.name, stopped)
        self.picture.update(stopped=stopped)

    # the container

    async def _watch_container(self) -> None:
        self._look_now.clear()
        await self.look()
        self.restarts.plan(self.picture.status)
        await _pause(self._look_now, min(self.timeouts.probe, self.restarts.wait))
        if self.restarts.take():
            await self._start_again()

    async def look(self, thorough: bool = False) -> None:
        """Look at the engine and the container, once at a time."""
        async with self._looking:
            self._suspect = self._suspect or thorough
            hurry = self.picture.facts.camera_late or self._lost is not None
            try:
                await self._look_at_container(PULSE if hurry else None)
            except EngineError as error:
                await self._no_engine(error)
            finally:
                self.first_look.set()

    async def _no_engine(self, error: EngineError) -> None:
        """The engine does not answer: does its computer?"""
        alive = await host.answers(self.config.host, self.config.port, self.timeouts.ping)
        self.picture.looked_at = time.monotonic()
        self._engine_up.clear()
        self._outage = True
        stopped_at, self._stop_heard = self._stop_heard, None
        refused = isinstance(error, EngineUnreachable) and error.refused
        if refused and stopped_at is not None and time.monotonic() - stopped_at < SHUTDOWN:
            self._set_stopped(False)
        self.picture.update(engine_ok=False, engine_error=error, host_ok=alive, **self._loss())

    async def _look_at_container(self, limit: float | None) -> None:
        known = self.picture.facts.container
        # After an event a list may still say "running" (Docker 20.10 writes the list's copy
        # last); an inspection waits for the engine's own lock.
        seen = await self.engine.glance(self.config.container, limit)
        if seen is None and not self._looked_aside and not self.picture.facts.operation:
            seen = await self.life.take_back()
        self._looked_aside = True
        found, end = known, self.picture.facts.end
        if seen is None:
            found, end = None, ""
        elif self._suspect or known is None or (known.id, known.state) != seen:
            self._suspect = False
            found = await self.engine.inspect(seen[0])
            end = await self._describe(found)
        await self._look_at_volumes()
        self.picture.looked_at = time.monotonic()
        if found != known:
            self._reach_now.set()
        self._take(found, end)
        self._engine_up.set()

    def _loss(self) -> dict[str, Any]:
        """What the loss of the camera connection changes; a pulse on a new one ends it."""
        error, self._lost = self._lost, None
        if error is None:
            return {}
        return {"camera_ok": False, "camera_late": False, "camera_error": error}

    async def _describe(self, found: Found | None) -> str:
        if found is None or found.state not in ("exited", "dead"):
            return ""
        return describe_end(found, await self.life.last_words(found.id))

    def _take(self, found: Found | None, end: str) -> None:
        facts = self.picture.facts
        if found is not None and found.running and facts.stopped and not facts.operation:
            self._set_stopped(False)  # started by hand
        ours = found is not None and found.is_ours(self.life.owner)
        self.picture.update(
            engine_ok=True,
            engine_error=None,
            host_ok=True,
            container=found,
            ours=ours,
            foreign="" if ours or found is None else say_foreign(found),
            end=end,
            **self._loss(),
        )

    async def _look_at_volumes(self) -> None:
        at = self.picture.volumes_at
        if at is None or time.monotonic() - at > VOLUMES_EVERY:
            names = [volume.name for volume in self.config.volumes]
            self.picture.volumes = await self.engine.volumes(names)
            self.picture.volumes_at = time.monotonic()

    async def _start_again(self) -> None:
        """Start the dead container; its camera is reached by the camera loop."""
        found = self.picture.facts.container
        if found is None or not self.restarts.is_due(self.picture.facts):
            return
        self.picture.update(operation="restart", attempt=self.restarts.attempt)
        try:
            await self.engine.start(found.id)
        except EngineError as error:
            self.log.warning("%s: cannot start the container again: %s", self.name, error.cause)
        finally:
            self._suspect = True
            try:
                await self.look()
            finally:
                self.picture.update(operation="", attempt=0)
                self._reach_now.set()

    # the camera

    async def _watch_camera(self) -> None:
        self._reach_now.clear()
        if not self.picture.facts.operation:
            await self._reach()
        if self.camera.connected:
            pause = PULSE
        elif self.picture.facts.starting:
            pause = RETRY
        else:
            pause = self.timeouts.probe
        await _pause(self._reach_now, pause)

    async def _reach(self) -> None:
        """Connect to the camera actor if need be, and see that it answers."""
        facts = self.picture.facts
        gone = facts.engine_ok and facts.container is not None and not facts.container.running
        try:
            if self.camera.connected or not gone:
                await self.camera.connect()
                await self._feel_pulse()
        except CameraError as error:
            facts = self.picture.facts
            if facts.operation or not facts.enabled or self._lost is not None:
                return  # our own doing, or told after the next look
            self.picture.update(camera_ok=False, camera_late=False, camera_error=error)
        finally:
            self.first_reach.set()

    async def _feel_pulse(self) -> None:
        """Ping; an answer that is late makes us look at the engine while we go on waiting.

        One ping is under way at a time: the connection itself gives up on it after
        `timeouts.silence`.
        """
        if self._ping is not None and self._ping_on != self.camera.made:
            await self._drop_ping()  # it was the old connection's
        if self._ping_on != self.camera.made:
            self._listed_at, self._empty = -math.inf, 0
        if self._ping is None:
            self._ping_on = self.camera.made
            self._ping = asyncio.create_task(self._pulse(), name=f"{self.name}:ping")
        done, _ = await asyncio.wait({self._ping}, timeout=PULSE)
        if not done:
            self.picture.update(camera_late=True)
            self._look_now.set()
            return
        ping, self._ping = self._ping, None
        has_camera = ping.result()
        if has_camera is not None:
            self._empty = 0 if has_camera else self._empty + 1
        self._lost = None
        self.picture.answered_at = time.monotonic()
        facts = self.picture.facts
        was_late = facts.camera_late
        none = self._empty >= (1 if facts.starting else EMPTY)
        self.picture.update(camera_ok=True, camera_late=False, camera_error=None, no_camera=none)
        if was_late:
            self._look_now.set()

    async def _pulse(self) -> bool | None:
        """A ping, and now and then: has the actor a camera? None where it did not say."""
        limit = 2 * self.timeouts.silence
        if not self._empty and time.monotonic() - self._listed_at < LIST_EVERY:
            await self.camera.ping(limit)
            return None
        self._listed_at = time.monotonic()
        _, names = await asyncio.gather(self.camera.ping(limit), self.camera.cameras(LIST_LIMIT))
        return None if names is None else bool(names)

    async def _drop_ping(self) -> None:
        if self._ping is not None:
            self._ping.cancel()
            await asyncio.gather(self._ping, return_exceptions=True)
            self._ping = None


async def _pause(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
