"""The supervision of one node: three small loops that never wait for another node.

One listens to the engine's events, one looks at the container and starts it again when it
died unasked, one keeps the camera connection and its pulse. What they see goes into the
`Picture`; commands read it there.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from datetime import datetime

from . import host
from .camera import Camera
from .config import NodeConfig, Timeouts
from .container import Lifecycle
from .describe import describe_end, say_foreign
from .engine import Engine, Event, Found
from .errors import CameraError, EngineError, EngineTimeout, EngineUnreachable
from .intent import Intents
from .picture import Picture
from .pulse import PULSE, Pulse
from .restart import Restarts

VOLUMES_EVERY = 60.0
"""How often the volumes are looked at, in seconds, when nothing happens."""
RETRY = 0.25
"""The pause between attempts to reach a camera actor that is starting, in seconds."""
STREAM_PAUSES = 0.25, 10.0
"""The shortest and the longest pause before the events are asked for again, in seconds.

It doubles while their stream ends early.
"""
STREAM_STOOD = 10.0
"""A stream of events that stood so many seconds did not end early."""
TICKS = 0.1, 0.2, 0.5
"""The watches wake at multiples of one of these, in seconds, a fifth of their pause at most.

Together, since to wake a process for each node apart costs more than what they do then.
"""
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
        self.pulse = Pulse(camera, picture, self._hurry)
        self._patience: asyncio.Timeout | None = None
        self._suspect = False
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
            await self.pulse.drop()
            self.engine.close()

    def wake(self) -> None:
        """Look and reach now, not at the next turn."""
        self._hurry()
        self._reach_now.set()

    def _hurry(self) -> None:
        """Look now; an engine that is being asked already has a `PULSE` left if the camera is late.

        It may have left the network together with the camera, just after it was asked.
        """
        self._look_now.set()
        if self._patience is not None and self._patience.when() is None and self._camera_is_late():
            self._patience.reschedule(asyncio.get_running_loop().time() + PULSE)

    def _camera_is_late(self) -> bool:
        return self.picture.facts.camera_late or self.pulse.lost is not None

    def camera_lost(self, error: CameraError) -> None:
        """The camera connection ended unasked: look first why, then tell once."""
        self.pulse.lost = error
        self._suspect = True
        self.wake()

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
        except EngineTimeout as error:
            self.log.debug("%s: the events ended: %s", self.name, error)
        except EngineError as error:
            self.log.debug("%s: the events ended: %s", self.name, error)
            self._engine_went()
        else:
            self._engine_went()
        self._engine_up.clear()
        self._look_now.set()
        shortest, longest = STREAM_PAUSES
        if time.monotonic() - began >= STREAM_STOOD:
            self._stream_pause = shortest
        await asyncio.sleep(self._stream_pause)
        self._stream_pause = min(2 * self._stream_pause, longest)

    def _engine_went(self) -> None:
        """The engine ended: what it stopped just before, it stopped itself.

        It closes its streams then, and may be back before anybody looks. A network that is
        cut ends a stream by a time-out only.
        """
        stopped_at, self._stop_heard = self._stop_heard, None
        if stopped_at is not None and time.monotonic() - stopped_at < SHUTDOWN:
            self.set_stopped(False)

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
            self.set_stopped(True)
        self._suspect = True
        self.wake()

    def set_stopped(self, stopped: bool) -> None:
        """Keep that the container shall stay stopped, or no longer."""
        self.intents.stop(self.name, stopped)
        self.picture.update(stopped=stopped)

    # the container

    async def _watch_container(self) -> None:
        self._look_now.clear()
        await self.look()
        self.restarts.plan(self.picture.status)
        # Hundreds of nodes that are all looked at in the same moment would need a thread each.
        probe = self.timeouts.probe * random.uniform(0.9, 1.1)  # noqa: S311
        await _pause(self._look_now, min(probe, self.restarts.wait))
        if self.restarts.take():
            await self._start_again()

    async def look(self, thorough: bool = False) -> None:
        """Look at the engine and the container, once at a time."""
        async with self._looking:
            self._suspect = self._suspect or thorough
            try:
                await self._look_at_container(PULSE if self._camera_is_late() else None)
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
        if isinstance(error, EngineUnreachable) and error.refused:
            self._engine_went()
        self._stop_heard = None
        self.picture.update(engine_ok=False, engine_error=error, host_ok=alive, **self.pulse.loss())

    async def _look_at_container(self, limit: float | None) -> None:
        known = self.picture.facts.container
        # After an event a list may still say "running" (Docker 20.10 writes the list's copy
        # last); an inspection waits for the engine's own lock.
        seen = await self._glance(limit)
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

    async def _glance(self, limit: float | None) -> tuple[str, str] | None:
        """As the engine's, but for a camera that gets late meanwhile."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(None) as self._patience:
                return await self.engine.glance(self.config.container, limit)
        except TimeoutError:
            waited = round(time.monotonic() - began, 1)
            raise EngineTimeout(
                self.name, "no answer", tried="list the containers", seconds=waited
            ) from None
        finally:
            self._patience = None

    async def _describe(self, found: Found | None) -> str:
        if found is None or found.state not in ("exited", "dead"):
            return ""
        return describe_end(found, await self.life.last_words(found.id))

    def _take(self, found: Found | None, end: str) -> None:
        facts = self.picture.facts
        if found is not None and found.running and facts.stopped and not facts.operation:
            self.set_stopped(False)  # started by hand
        ours = found is not None and found.is_ours(self.life.owner)
        self.picture.update(
            engine_ok=True,
            engine_error=None,
            host_ok=True,
            container=found,
            ours=ours,
            foreign="" if ours or found is None else say_foreign(found),
            end=end,
            **self.pulse.loss(),
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
            try:
                await self.pulse.reach()
            finally:
                self.first_reach.set()
        if self.camera.connected:
            pause = PULSE
        elif self.picture.facts.starting:
            pause = RETRY
        else:
            pause = self.timeouts.probe
        await _pause(self._reach_now, pause)


async def _pause(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event; it is set when the time is up, too."""
    loop = asyncio.get_running_loop()
    moment = loop.time() + seconds
    tick = max((tick for tick in TICKS if 5 * tick <= seconds), default=0.0)
    if tick:
        moment -= moment % tick
    timer = loop.call_at(moment, event.set)
    try:
        await event.wait()
    finally:
        timer.cancel()
