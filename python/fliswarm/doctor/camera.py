"""The container of a node, its port, and its camera."""

from __future__ import annotations

import asyncio
import contextlib
import time

from .. import host
from ..camera import Camera
from ..config import NodeConfig, Timeouts
from ..describe import describe_end
from ..engine import LABEL_SPEC, LABEL_SWARM, Engine, Found, Owner
from ..errors import CameraError, EngineError, Layer
from ..spec import spec_hash
from . import judge
from .finding import Judgement, Result
from .notes import Notes
from .way import Way

TRIES, PAUSE = 3, 1.0
"""How often an actor without a camera is asked, and the pause in seconds: at its start it needs
a moment."""


class Inmate:
    """The container of one node and the camera in it.

    Args:
        node: its configuration.
        owner: whose the containers are.
        timeouts: the deadlines.
        notes: where the findings go.
        stopped: whether the operator stopped the container.
        restarts: how often it was started again in the last day; None where nobody knows.
        nameless: why the manager's own name is not known; empty when it is.
    """

    def __init__(
        self,
        node: NodeConfig,
        owner: Owner,
        timeouts: Timeouts,
        notes: Notes,
        stopped: bool,
        restarts: int | None,
        nameless: str,
    ) -> None:
        self.node = node
        self.owner = owner
        self.timeouts = timeouts
        self.notes = notes
        self.stopped = stopped
        self.restarts = restarts
        self.nameless = nameless
        self._silent = ""

    async def container(self, engine: Engine) -> None:
        """The container; and the port, when none runs."""
        async with self.notes.asked("container", Layer.CONTAINER):
            found = await engine.find(self.node.container)
            self.notes.say("container", Layer.CONTAINER, await self._judge(engine, found))
            if found is not None and found.state == "paused":
                self._silent = "the container is paused"
            elif found is None or not found.running:
                self._silent = "no container runs"
                await self._port()

    async def _judge(self, engine: Engine, found: Found | None) -> Judgement:
        name = self.node.name
        if found is None:
            return judge.no_container(name, self.node.container)
        if not found.is_ours(self.owner):
            if self.nameless and found.labels.get(LABEL_SWARM) == self.owner.swarm:
                what = f"{found.name} is {found.state}; whether it is ours is not known"
                return Result.SKIPPED, f"{what}: {self.nameless}", ""
            return judge.foreign(name, found)
        end = ""
        if found.state in ("exited", "dead"):
            log: list[str] = []
            with contextlib.suppress(EngineError):
                log = await engine.logs(found.id, 10)
            end = describe_end(found, log)
        same = found.labels.get(LABEL_SPEC) == spec_hash(self.node)
        return judge.container(name, found, end, self.stopped, same, self.restarts)

    async def _port(self) -> None:
        """With no container of ours running, nobody may listen where its camera would."""
        node = self.node
        taken = await host.listens(node.host, node.port, self.timeouts.ping)
        self.notes.say("port", Layer.ACTOR, judge.port(node.host, node.port, taken))

    async def actor(self, way: Way) -> None:
        """The camera's program, and its camera."""
        if why := way.lost or self._silent:
            self.notes.skip(why, "camera actor")
            return
        node, limit = self.node, self.timeouts
        camera = Camera(
            node.name, node.host, node.port, connect_timeout=limit.connect, silence=limit.silence
        )
        began = time.monotonic()
        try:
            await camera.connect()
            reply = await camera.ask("version", limit=2 * limit.silence)
            finding = judge.actor(node.port, reply.data.get("version"))
            self.notes.say("camera actor", Layer.ACTOR, finding, began)
            self.notes.say(
                "camera", Layer.CAMERA, judge.cameras(node.name, await self._list(camera))
            )
        except CameraError as error:
            finding = judge.no_actor(node.name, error.cause, way.closed)
            self.notes.say("camera actor", Layer.ACTOR, finding, began)
        finally:
            camera.close("the doctor has seen enough")

    async def _list(self, camera: Camera) -> tuple[str, ...] | None:
        """The actor's cameras; None where it does not tell."""
        for _ in range(TRIES - 1):
            if (names := await camera.cameras(2 * self.timeouts.silence)) != ():
                return names
            await asyncio.sleep(PAUSE)
        return await camera.cameras(2 * self.timeouts.silence)
