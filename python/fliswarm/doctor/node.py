"""All that one node needs, looked at from the bottom to the top; what is below decides."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from ..config import NodeConfig, Timeouts
from ..engine import Engine, EngineFacts, Owner, make_engine
from ..errors import EngineError, EngineRefused, Layer
from ..spec import differs
from . import inside, judge
from .camera import Inmate
from .finding import Finding, Judgement, Result
from .notes import Notes
from .way import Way, is_loopback

WHOLE = 60.0
"""For everything about one node, in seconds; what has not been looked at by then is skipped."""
BY_ENGINE = ("clock", "usb", "registry", "image", "disk", "volumes", "container")
"""What only the engine can tell."""


class Exam:
    """The looks at one node.

    Args:
        node: its configuration.
        owner: whose the containers are.
        timeouts: the deadlines.
        state_dir: the manager's state folder.
        stopped: whether the operator stopped the container.
        restarts: how often it was started again in the last day; None where nobody knows.
        nameless: why the manager's own name is not known; empty when it is.
    """

    def __init__(
        self,
        node: NodeConfig,
        owner: Owner,
        timeouts: Timeouts,
        state_dir: Path,
        stopped: bool = False,
        restarts: int | None = None,
        nameless: str = "",
    ) -> None:
        self.node = node
        self.owner = owner
        self.notes = Notes(node.name)
        self.way = Way(node, timeouts, self.notes)
        self.engine: Engine = make_engine(node, timeouts.engine, state_dir)
        self.inmate = Inmate(node, owner, timeouts, self.notes, stopped, restarts, nameless)

    async def run(self) -> list[Finding]:
        """Look at everything; returns the findings from the lowest layer to the highest."""
        try:
            async with asyncio.timeout(WHOLE):
                await self._all()
        except TimeoutError:
            self.notes.skip(f"not finished after {WHOLE:g} s", "doctor")
        finally:
            self.engine.close()
        return self.notes.in_order()

    async def _all(self) -> None:
        await self.way.look()
        if self.way.closed:
            self.notes.skip(self.way.closed, "engine", *self._by_engine)
        elif (facts := await self._engine()) is None:
            self.way.closed = "the engine does not answer"
            self.notes.skip(self.way.closed, *self._by_engine)
        else:
            await self._on_the_engine(facts)
        await self.inmate.actor(self.way)

    @property
    def _by_engine(self) -> tuple[str, ...]:
        return BY_ENGINE if self.engine.has_images else ("container",)

    async def _engine(self) -> EngineFacts | None:
        began = time.monotonic()

        def failed(error: EngineError) -> Judgement:
            return judge.no_engine(self.node.host, error)

        async with self.notes.asked("engine", Layer.ENGINE, failed):
            # The first call agrees on the version; the second is timed.
            await self.engine.check()
            asked = time.time()
            facts = await self.engine.facts()
            trip = time.time() - asked
            self.notes.say("engine", Layer.ENGINE, judge.api(facts), began)
            if facts.time is not None:
                offset = facts.time - (asked + trip / 2)
                self.notes.say("clock", Layer.HOST, judge.clock(offset, trip / 2))
            return facts
        return None

    async def _on_the_engine(self, facts: EngineFacts) -> None:
        if self.engine.has_images:
            registry = asyncio.create_task(self._ask_registry())
            try:
                there = await self._volumes()
                if await self._image(registry):
                    await self._inside(there, facts)
                else:
                    why = "the image is not on the node"
                    self.notes.skip(why, "usb", "disk", *(f"volume {name}" for name in there))
            finally:
                registry.cancel()
                await asyncio.gather(registry, return_exceptions=True)
        await self.inmate.container(self.engine)

    async def _ask_registry(self) -> str | None:
        """The digest of the image in the registry, as the node sees it; None if it cannot."""
        image, began = self.node.image, time.monotonic()
        try:
            digest = await self.engine.registry_digest(image)
        except EngineError as error:
            self.notes.say("registry", Layer.ENGINE, judge.registry(image, error), began)
            return None
        found = f"the node can ask it for {image}"
        self.notes.say("registry", Layer.ENGINE, (Result.PASSED, found, ""), began)
        return digest

    async def _image(self, registry: asyncio.Task[str | None]) -> bool:
        """Whether the image is on the node."""
        image = self.node.image
        async with self.notes.asked("image", Layer.ENGINE):
            try:
                digests = await self.engine.image_digests(image)
            except EngineRefused as error:
                if error.status != 404:
                    raise
                digests = None
            finding = judge.image(self.node.name, image, digests, await registry)
            self.notes.say("image", Layer.ENGINE, finding)
            return digests is not None
        return False

    async def _volumes(self) -> list[str]:
        """The volumes that are there as they should be."""
        there: list[str] = []
        async with self.notes.asked("volumes", Layer.CONTAINER):
            found = await self.engine.volumes([volume.name for volume in self.node.volumes])
            for volume in self.node.volumes:
                has = found[volume.name]
                difference = "" if has is None else differs(volume, has)
                if has is not None and not difference:
                    there.append(volume.name)
                    continue
                finding = judge.no_volume(self.node.name, difference)
                self.notes.say(f"volume {volume.name}", Layer.CONTAINER, finding)
        return there

    async def _inside(self, volumes: list[str], facts: EngineFacts) -> None:
        node, say, began = self.node, self.notes.say, time.monotonic()
        seen = await inside.look(node, self.owner, self.engine, volumes)
        if seen.error and not seen.hung:
            say("inside", Layer.CONTAINER, judge.no_look(node, seen.error), began)
        read_only = {volume.name for volume in node.volumes if volume.read_only}
        for name in volumes:
            finding = judge.volume(name, seen, name in read_only)
            say(f"volume {name}", Layer.CONTAINER, finding, began)
        sources = [mount.source for mount in node.mounts]
        for source in sources:
            if source != judge.USB and source in seen.broken:
                finding = judge.mount(node.host, source, seen)
                say(f"mount {source}", Layer.CONTAINER, finding)
        if judge.USB in sources:
            say("usb", Layer.HOST, judge.usb(node.host, seen))
        say("disk", Layer.ENGINE, judge.disk(node.host, facts.root, seen))
        if self.way.remote and not is_loopback(node.host):
            say("name on the node", Layer.HOST, judge.name_inside(node.host, seen))
