"""One node: engine, container and camera connection, and the tasks that keep watch over them.

Three small loops look after a node: one listens to the engine's events, one looks at the
container from time to time, one keeps the camera connection. None of them waits for another
node, and none ends before the node is closed. What they see is kept as `Facts`; the state is
computed from those alone. Commands act; they do not go round asking.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from . import host
from .camera import Camera, OnReply
from .config import NodeConfig, Timeouts, VolumeConfig
from .container import Lifecycle, Tell, describe_end, short_log
from .engine import Engine, Event, Found, make_engine
from .errors import (
    CameraError,
    CameraUnreachable,
    ContainerError,
    EngineError,
    Layer,
    NodeError,
)
from .protocol import Reply
from .state import Facts, State, compute

VOLUMES_EVERY = 60.0
"""How often the volumes are looked at, in seconds, when nothing happens."""
RETRY = 0.25
"""The first pause before another attempt to reach a camera actor, in seconds."""


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """What is known of a node.

    Attributes:
        since: when the state began, UTC.
        engine_age: seconds since the engine was last looked at; None if never.
        volumes: each configured volume and what the engine has of that name.
    """

    name: str
    state: State
    layer: Layer
    cause: str
    since: datetime
    facts: Facts
    volumes: dict[str, VolumeConfig | None]
    engine_age: float | None

    @property
    def host_ok(self) -> bool:
        """Whether the computer answers: certainly, when its engine or its camera does."""
        facts = self.facts
        return bool(facts.engine_ok or facts.camera_ok or facts.host_ok)

    @property
    def container_id(self) -> str:
        """The short id of a running container, or ``NA``."""
        found = self.facts.container
        return found.short_id if found is not None and found.running else "NA"


class Node:
    """One node of the swarm.

    Args:
        config: its configuration.
        swarm: the manager's actor name.
        timeouts: the deadlines.
        state_dir: the manager's state folder.
        on_change: called with the old and the new status when state or cause change.
        on_broadcast: called with the node's name and each line that its camera sends unasked.
    """

    def __init__(
        self,
        config: NodeConfig,
        swarm: str,
        timeouts: Timeouts,
        state_dir: Path,
        *,
        on_change: Callable[[NodeStatus, NodeStatus], None] = lambda old, new: None,
        on_broadcast: Callable[[str, Reply], None] = lambda name, reply: None,
    ) -> None:
        self.config = config
        self.name = config.name
        self.swarm = swarm
        self.timeouts = timeouts
        self.on_change = on_change
        self.log = logging.LoggerAdapter(logging.getLogger(__name__), {"node": config.name})
        self.engine: Engine = make_engine(config, timeouts.engine, state_dir)
        self.life = Lifecycle(config, swarm, self.engine, timeouts)
        self.camera = Camera(
            config.name,
            config.host,
            config.port,
            connect_timeout=timeouts.connect,
            silence=timeouts.silence,
            on_broadcast=lambda reply: on_broadcast(config.name, reply),
            on_lost=self._camera_lost,
        )
        self._facts = Facts(enabled=False)
        self._volumes: dict[str, VolumeConfig | None] = {}
        self._volumes_at = 0.0
        self._looked_at: float | None = None
        self._running_since: tuple[str, float] = ("", 0.0)
        self._status = self._make_status(datetime.now(UTC))
        self._enabled = asyncio.Event()
        self._look_now = asyncio.Event()
        self._reach_now = asyncio.Event()
        self._first_look = asyncio.Event()
        self._first_reach = asyncio.Event()
        self._looking = asyncio.Lock()
        self._suspect = False

    # what commands use

    @property
    def enabled(self) -> bool:
        """Whether the node takes part."""
        return self._facts.enabled

    @property
    def status(self) -> NodeStatus:
        """What is known now."""
        return replace(self._status, engine_age=self._age(), facts=self._facts)

    @property
    def busy(self) -> int:
        """How many commands its camera is at for us."""
        return self.camera.pending

    async def known(self) -> NodeStatus:
        """The status once the node has been looked at for the first time (bounded)."""
        if self.enabled:
            limit = self.timeouts.engine + self.timeouts.ping + 2
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(limit):
                    await self._first_look.wait()
                    if self._facts.engine_ok and self._facts.container:
                        await self._first_reach.wait()
        return self.status

    def enable(self) -> None:
        """Take part: look at the engine and keep the camera connected."""
        if not self.enabled:
            self._first_look.clear()
            self._first_reach.clear()
            self._update(enabled=True, engine_ok=None, container=None, camera_ok=False)
            self._enabled.set()
            self._wake()

    def disable(self) -> None:
        """Take no part: the camera is disconnected, its container goes on."""
        self._enabled.clear()
        self._update(enabled=False, camera_ok=False)
        self.camera.close("the node was disabled")
        self._wake()

    async def talk(
        self, command: str, on_reply: OnReply | None = None, limit: float | None = None
    ) -> Reply:
        """Send a command to the camera and wait for its last reply; see `Camera.ask`.

        Raises:
            CameraError: as `Camera.ask`; `CameraUnreachable` with the node's state as its
                reason when there is no camera to talk to.
        """
        if self._facts.operation:
            raise CameraUnreachable(self.name, f"{self._facts.operation} is under way")
        found = self._facts.container
        paused = found is not None and found.state == "paused"
        if not self.camera.connected and not paused:
            await self._reach_again()
        if not self.camera.connected or paused:
            raise self._no_camera()
        return await self.camera.ask(command, on_reply, limit)

    def _no_camera(self) -> CameraUnreachable:
        """Why there is no camera to talk to: the node's own state, its layer and cause."""
        status = self.status
        error = CameraUnreachable(self.name, status.cause or "the camera actor is not connected")
        error.layer = status.layer or Layer.ACTOR
        return error

    async def reconnect(self, tell: Tell, force: bool = False) -> None:
        """Replace the container and connect to its camera; see `Lifecycle.replace`.

        Raises:
            NodeError: it failed, or the camera is busy and `force` was not given.
        """
        if self.busy and not force:
            raise CameraError(
                self.name, f"the camera is busy with {self.busy} command(s); --force interrupts"
            )
        async with self._operation("reconnect"):
            self.camera.close("the container is being replaced")
            await self.life.replace(tell, force, self._wait_ready)
            self._facts = replace(self._facts, stopped=False)

    async def stop(self) -> bool:
        """Stop the container and leave it stopped; returns whether one ran."""
        async with self._operation("stop"):
            self.camera.close("the container is being stopped")
            stopped = await self.life.stop()
            self._facts = replace(self._facts, stopped=True)
            return stopped

    async def start(self) -> None:
        """Start the stopped container and connect to its camera.

        Raises:
            NodeError: there is none, it is not ours, or its camera does not come up.
        """
        async with self._operation("start"):
            container_id = await self.life.start()
            await self._wait_ready(container_id)
            self._facts = replace(self._facts, stopped=False)

    async def wait_engine(self, timeout: float) -> None:
        """Wait until the engine answers, `timeout` seconds at most.

        Raises:
            EngineError: it does not; the last failure.
        """
        until = time.monotonic() + timeout
        while True:
            await self._look()
            error = self._facts.engine_error
            if error is None:
                return
            if time.monotonic() >= until:
                raise error
            await asyncio.sleep(0.5)

    # the supervision

    async def run(self) -> None:
        """Keep watch until cancelled; owns the node's tasks."""
        loops = (self._watch_events, self._watch_container, self._watch_camera)
        try:
            async with asyncio.TaskGroup() as group:
                for loop in loops:
                    group.create_task(self._forever(loop), name=f"{self.name}:{loop.__name__}")
        finally:
            self.camera.close("the manager ends")
            self.engine.close()

    async def _forever(self, loop: Callable[[], Awaitable[None]]) -> None:
        """Run one round of a loop after another; a fault of ours never ends the watch."""
        while True:
            try:
                await self._enabled.wait()
                await loop()
            except Exception:
                self.log.exception("%s: a round of %s failed", self.name, loop.__name__)
                await asyncio.sleep(1)

    async def _watch_events(self) -> None:
        """Listen to the engine until its stream ends; then wait for the engine."""

        def heard(event: Event) -> None:
            self.log.debug("%s: engine says %s of %s", self.name, event.action, event.id[:12])
            self._suspect = True
            self._wake()

        if self._facts.engine_ok:
            with contextlib.suppress(EngineError):
                await self.engine.watch(self.config.container, heard, self._look_now.set)
            self._look_now.set()
        await asyncio.sleep(1)

    async def _watch_container(self) -> None:
        self._look_now.clear()
        await self._look()
        await self._pause(self._look_now, self.timeouts.probe)

    async def _watch_camera(self) -> None:
        self._reach_now.clear()
        if not self._facts.operation:
            await self._reach()
        pause = self.timeouts.probe
        if not self.camera.connected and self._facts.starting:
            pause = RETRY
        await self._pause(self._reach_now, pause)

    async def _look(self) -> None:
        """Look at the engine and the container, once at a time."""
        async with self._looking:
            try:
                await self._look_at_container()
            except EngineError as error:
                alive = await host.answers(self.config.host, self.config.port, self.timeouts.ping)
                self._looked_at = time.monotonic()
                self._update(engine_ok=False, engine_error=error, host_ok=alive)
            finally:
                self._first_look.set()

    async def _look_at_container(self) -> None:
        # After an event a list may still say "running" (Docker 20.10 writes the list's copy
        # last); an inspection waits for the engine's own lock.
        seen = await self.engine.glance(self.config.container)
        known = self._facts.container
        found, end = known, self._facts.end
        if seen is None:
            found, end = None, ""
        elif self._suspect or known is None or (known.id, known.state) != seen:
            self._suspect = False
            found = await self.engine.inspect(seen[0])
            end = ""
            if found is not None and found.state in ("exited", "dead"):
                end = describe_end(found, await self.life.last_words(found.id))
        if not self._volumes or time.monotonic() - self._volumes_at > VOLUMES_EVERY:
            await self._look_at_volumes()
        self._looked_at = time.monotonic()
        if found != known:
            self._reach_now.set()
        self._update(
            engine_ok=True,
            engine_error=None,
            host_ok=True,
            container=found,
            ours=found is not None and found.is_ours(self.swarm, self.name),
            end=end,
        )

    async def _look_at_volumes(self) -> None:
        self._volumes = await self.engine.volumes([v.name for v in self.config.volumes])
        self._volumes_at = time.monotonic()

    async def _reach(self) -> None:
        """Connect to the camera actor if need be, and see that it answers."""
        found = self._facts.container
        gone = self._facts.engine_ok and found is not None and not found.running
        if not self.camera.connected and gone:
            self._first_reach.set()
            return
        try:
            await self.camera.connect()
            await self.camera.ping()
        except CameraError as error:
            if self._facts.operation or not self.enabled:
                return
            if self.camera.connected:
                self.camera.close("it does not answer")
            self._update(camera_ok=False, camera_error=error)
        else:
            self._update(camera_ok=True, camera_error=None)
        finally:
            self._first_reach.set()

    async def _reach_again(self) -> None:
        """One more attempt before a command is refused, where there is hope."""
        if self.enabled and self._facts.container is not None and self._facts.container.running:
            with contextlib.suppress(CameraError):
                await self.camera.connect()

    def _camera_lost(self, error: CameraError) -> None:
        self._update(camera_ok=False, camera_error=error)
        self._suspect = True
        self._wake()

    async def _wait_ready(self, container_id: str) -> None:
        """Wait until the camera of a container just started answers a ping.

        Raises:
            ContainerError: the container ended; with exit code and last log lines.
            CameraUnreachable: no answer within `timeouts.ready`; with the last log lines.
        """
        limit = self.timeouts.ready
        until = time.monotonic() + limit
        looked = time.monotonic()
        last: CameraError | None = None
        while time.monotonic() < until:
            try:
                await self.camera.connect()
                await self.camera.ping(max(0.1, until - time.monotonic()))
            except CameraError as error:
                last = error
                self.camera.close("no answer yet")
            else:
                self._update(camera_ok=True, camera_error=None)
                return
            if time.monotonic() - looked > 2 * RETRY:
                await self._must_run(container_id)
                looked = time.monotonic()
            await asyncio.sleep(RETRY / 5)
        await self._must_run(container_id)
        log = short_log(await self.life.last_words(container_id)) or "empty"
        reason = f"no answer from the camera actor ({last.reason if last else ''}); log: {log}"
        raise CameraUnreachable(self.name, reason, tried="wait until ready", seconds=limit)

    async def _must_run(self, container_id: str) -> None:
        found = await self.engine.inspect(container_id)
        if found is None or not found.running:
            end = await self.life.post_mortem(container_id)
            raise ContainerError(self.name, f"the new container died: {end}")

    # facts

    @contextlib.asynccontextmanager
    async def _operation(self, name: str) -> AsyncIterator[None]:
        """One operation at a time; afterwards reality is looked at, whatever happened."""
        if self._facts.operation:
            raise ContainerError(self.name, f"{self._facts.operation} is under way already")
        self._update(operation=name, camera_error=None)
        try:
            yield
        finally:
            self._facts = replace(
                self._facts, operation="", camera_ok=self.camera.connected, container=None
            )
            self._volumes_at = 0.0
            with contextlib.suppress(NodeError):
                await self._look()
            self._wake()

    def _wake(self) -> None:
        self._look_now.set()
        self._reach_now.set()

    async def _pause(self, event: asyncio.Event, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()

    def _update(self, **changes: object) -> None:
        """New facts; a change of state or cause is told."""
        facts = replace(self._facts, **changes)  # type: ignore[arg-type]
        self._facts = replace(facts, starting=self._is_starting(facts.container))
        old = self._status
        new = self._make_status(old.since)
        if (new.state, new.layer, new.cause) == (old.state, old.layer, old.cause):
            self._status = new
            return
        if new.state != old.state:
            new = replace(new, since=datetime.now(UTC))
        self._status = new
        self.on_change(old, new)

    def _is_starting(self, found: Found | None) -> bool:
        """Whether the container was first seen running less than `timeouts.ready` ago."""
        if found is None or not found.running:
            return False
        if self._running_since[0] != found.id + found.started_at:
            self._running_since = (found.id + found.started_at, time.monotonic())
        return time.monotonic() - self._running_since[1] < self.timeouts.ready

    def _make_status(self, since: datetime) -> NodeStatus:
        state, layer, cause = compute(self._facts)
        return NodeStatus(
            self.name, state, layer, cause, since, self._facts, self._volumes, self._age()
        )

    def _age(self) -> float | None:
        return None if self._looked_at is None else time.monotonic() - self._looked_at
