"""One node: engine, container and camera connection, as commands use them.

A node keeps watch over itself (`Watch`) and holds a `Picture` of what is known. Commands read
the picture and act; they do not go round asking.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from .arrival import VISIT, Arrival
from .camera import Camera
from .config import NodeConfig, Timeouts
from .connection import Asked, End, OnReply
from .container import Lifecycle, Tell
from .engine import LABEL_SPEC, Owner, make_engine
from .errors import (
    CameraBusy,
    CameraError,
    CameraUnreachable,
    Layer,
    NodeBusy,
)
from .follower import Follower
from .intent import Intents
from .logbook import Logbooks
from .picture import NodeStatus, Picture
from .protocol import Reply
from .spec import spec_hash
from .watch import Watch


class Node:
    """One node of the swarm.

    Args:
        config: its configuration.
        swarm: the manager's actor name.
        timeouts: the deadlines.
        state_dir: the manager's state folder.
        intents: what the operator wants, kept over restarts.
        books: where the camera's output is kept; None for nowhere.
        on_change: called with the old and the new status when something that matters changes.
        on_broadcast: called with the node's name and each line that its camera sends unasked.
    """

    def __init__(
        self,
        config: NodeConfig,
        swarm: str,
        timeouts: Timeouts,
        state_dir: Path,
        intents: Intents,
        *,
        books: Logbooks | None = None,
        on_change: Callable[[NodeStatus, NodeStatus], None] = lambda old, new: None,
        on_broadcast: Callable[[str, Reply], None] = lambda name, reply: None,
    ) -> None:
        self.config = config
        self.name = config.name
        self.timeouts = timeouts
        self.intents = intents
        self.on_broadcast = on_broadcast
        self.deferred = ""
        """What the configuration file has otherwise and `reload --apply` would change."""
        self._spec = ""
        self.engine = make_engine(config, timeouts.engine, state_dir)
        owner = Owner(swarm, intents.manager, config.name)
        self.life = Lifecycle(config, owner, self.engine, timeouts)
        self.picture = Picture(config.name, timeouts.ready, on_change)
        self.camera = Camera(
            config.name,
            config.host,
            config.port,
            connect_timeout=timeouts.connect,
            silence=timeouts.silence,
            on_broadcast=self._camera_spoke,
            on_lost=lambda error: self.watch.camera_lost(error),
        )
        self.arrival = Arrival(self.camera, self.life, self.picture)
        self.watch = Watch(
            config, timeouts, self.engine, self.camera, self.life, self.picture, intents
        )
        self.follower: Follower | None = None
        if books is not None:
            self.follower = Follower(config.name, self.engine, self.picture, books)
            self.life.before_remove = self.follower.finish

    def _camera_spoke(self, reply: Reply) -> None:
        self.watch.pulse.camera_spoke()
        self.on_broadcast(self.name, reply)

    def configure(self, config: NodeConfig, timeouts: Timeouts) -> None:
        """Take another configuration, not with another engine or another container's name.

        The connection to the camera, its pending commands and all that is known stay; only
        where the camera is at another place is the connection made anew.

        Raises:
            NodeBusy: the container is just being replaced, stopped or started.
        """
        if config != self.config:
            self._refuse_operation()
        self.config = self.life.node = self.watch.config = config
        self.timeouts = self.life.timeouts = self.watch.timeouts = timeouts
        self.watch.restarts.policy = config.restart
        self.engine.limit(timeouts.engine)
        self.picture.ready = timeouts.ready
        self.picture.volumes_at = None
        self.camera.configure(config.host, config.port, timeouts.connect, timeouts.silence)
        self._spec = ""
        self.watch.wake()

    @property
    def differs(self) -> str:
        """In what the node differs from its configuration, and what to do; empty if in nothing."""
        found = self.picture.facts.container
        if self.deferred or found is None or not self.picture.facts.ours:
            return self.deferred
        self._spec = self._spec or spec_hash(self.config)
        if found.labels.get(LABEL_SPEC, self._spec) == self._spec:
            return ""
        return "the container was made from another configuration; reconnect makes it anew"

    async def run(self) -> None:
        """Keep watch until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.watch.run(), name=f"{self.name}:watch")
            if self.follower is not None:
                group.create_task(self.follower.run(), name=f"{self.name}:follower")

    @property
    def enabled(self) -> bool:
        """Whether the node takes part."""
        return self.picture.facts.enabled

    @property
    def status(self) -> NodeStatus:
        """What is known now."""
        return self.picture.status

    async def known(self) -> NodeStatus:
        """The status once the node has been looked at for the first time (bounded)."""
        if self.enabled:
            limit = self.timeouts.engine + self.timeouts.ping + 2
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(limit):
                    await self.watch.first_look.wait()
                    facts = self.picture.facts
                    if not facts.engine_ok or facts.container is not None:
                        await self.watch.first_reach.wait()
        return self.status

    def enable(self) -> None:
        """Take part: look at the engine and keep the camera connected."""
        if self.enabled:
            return
        self.picture.forget()
        self.watch.first_look.clear()
        self.watch.first_reach.clear()
        stopped = self.name in self.intents.stopped
        self.picture.update(
            enabled=True, engine_ok=None, container=None, camera_ok=False, stopped=stopped
        )
        self.watch.enabled.set()
        self.watch.wake()

    def disable(self, reason: str = "the node was disabled") -> None:
        """Take no part: the camera is disconnected, its container goes on."""
        self.watch.enabled.clear()
        self.picture.update(enabled=False, camera_ok=False, camera_late=False)
        self.camera.close(reason)
        self.watch.wake()

    # talking

    async def talk(
        self, command: str, on_reply: OnReply | None = None, limit: float | None = None
    ) -> Reply:
        """Send a command to the camera and wait for its last reply; see `Camera.ask`.

        Raises:
            CameraError: as `Camera.ask`; where there is no camera to talk to,
                `CameraUnreachable` with the node's own cause and layer.
            NodeBusy: the container is just being replaced, stopped or started.
        """
        if self.picture.facts.operation:
            raise NodeBusy(self.name, f"{self.picture.facts.operation} is under way")
        if not self.camera.connected:
            await self.known()
        facts = self.picture.facts
        found = facts.container
        paused = found is not None and found.state == "paused"
        if not self.camera.connected and facts.engine_ok and found is not None and found.running:
            # The watch may be between two attempts. A camera that can be reached takes no time.
            with contextlib.suppress(CameraError, TimeoutError):
                async with asyncio.timeout(VISIT):
                    await self.camera.connect()
        if not self.camera.connected or paused:
            raise self._no_camera()
        return await self.camera.ask(command, on_reply, limit)

    def say(self, command: str, on_reply: OnReply, end: End) -> Asked | None:
        """Send a command at once; None where something is in the way, which `talk` looks at.

        Raises:
            ValueError: the command cannot be sent (see `protocol.encode_command`).
        """
        facts = self.picture.facts
        paused = facts.container is not None and facts.container.state == "paused"
        if facts.operation or paused or not self.camera.connected:
            return None
        return self.camera.send(command, end, on_reply)

    def _no_camera(self) -> CameraUnreachable:
        """Why there is no camera to talk to: the node's own state, its layer and cause."""
        status = self.status
        error = CameraUnreachable(self.name, status.cause or "the camera actor is not connected")
        error.layer = status.layer or Layer.ACTOR
        return error

    # the container

    async def reconnect(self, tell: Tell, force: bool = False) -> None:
        """Replace the container and connect to its camera; see `Lifecycle.replace`.

        Raises:
            NodeError: it failed, or the camera is busy and `force` was not given.
        """
        self.refuse_busy(force)
        async with self._operation("reconnect"):
            await self.life.replace(
                tell, force, self.arrival.wait_ready, self._leave_camera, self.arrival.port_free
            )
            self.watch.set_stopped(False)

    async def stop(self, force: bool = False) -> bool:
        """Stop the container and leave it stopped; returns whether one ran."""
        self.refuse_busy(force)
        async with self._operation("stop"):
            self._leave_camera()
            stopped = await self.life.stop()
            self.watch.set_stopped(True)
            return stopped

    async def discard(self, force: bool = False) -> str:
        """Stop the container and remove it; returns why it was left, empty where it is gone."""
        self.refuse_busy(force)
        async with self._operation("removal"):
            self._leave_camera()
            left = await self.life.remove()
            if not left:
                self.watch.set_stopped(False)  # that was said of a container that is gone
            return left

    async def restart(self, force: bool = False) -> None:
        """Stop and start the container.

        Raises:
            NodeError: as `stop` and `start`.
        """
        await self.stop(force)
        await self.start()

    async def start(self) -> None:
        """Start the stopped container and connect to its camera.

        Raises:
            NodeError: there is none, it is not ours, or its camera does not come up.
        """
        async with self._operation("start"):
            container_id = await self.life.start(self.arrival.port_free)
            self.watch.set_stopped(False)
            await self.arrival.wait_ready(container_id)

    def refuse_busy(self, force: bool) -> None:
        """See that nothing is disturbed; with `force`, only operations count.

        Raises:
            NodeBusy: the container is just being replaced, stopped or started.
            CameraBusy: the camera is at a command of ours.
        """
        self._refuse_operation()
        at = self.camera.unfinished
        if at and not force:
            raise CameraBusy(
                self.name, f"the camera is at {at} command(s) of ours; --force interrupts"
            )

    def _refuse_operation(self) -> None:
        if self.picture.facts.operation:
            raise NodeBusy(self.name, f"{self.picture.facts.operation} is under way already")

    def _leave_camera(self) -> None:
        self.camera.close("the container is being replaced or stopped")
        self.picture.update(camera_ok=False, camera_late=False, no_camera=False)

    @contextlib.asynccontextmanager
    async def _operation(self, name: str) -> AsyncIterator[None]:
        """One operation at a time; afterwards reality is looked at, whatever happened."""
        self._refuse_operation()
        self.picture.update(operation=name, camera_error=None)
        try:
            yield
        finally:
            self.picture.volumes_at = None
            if not self.enabled:
                self.camera.close("the node was disabled")
            try:
                await self.watch.look(thorough=True)
            finally:
                # A connection may stand with a camera that has not answered on it.
                answers = self.picture.facts.camera_ok and self.camera.connected
                self.picture.update(operation="", camera_ok=answers)
                self.watch.wake()
