"""The life of one node's container: what is wanted, what is found, and how one replaces the other.

Nothing of the old container is touched before the new one has been made: pull, volumes and
create come first. The old one is then stopped and kept under another name until the new
camera answers; if it never does, the new one is removed and the old one is back.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from .config import NodeConfig, Timeouts
from .config.redact import redact_text
from .describe import describe_end, say_foreign
from .engine import ContainerSpec, Engine, Found, Owner
from .errors import ContainerError, EngineError, NodeError
from .spec import differs, wanted

Tell = Callable[[str, dict[str, Any]], None]
"""Called with a message code and keywords as an operation goes on."""

LOG_LINES = 10
"""How many last lines of a dead container are told, one reply each."""


class Lifecycle:
    """Makes, replaces, stops and starts the container of one node.

    Args:
        node: the node's configuration.
        owner: whose the containers are, for the labels.
        engine: the node's engine.
        timeouts: the deadlines.

    Attributes:
        before_remove: awaited with the id of each container before it is removed.
    """

    def __init__(self, node: NodeConfig, owner: Owner, engine: Engine, timeouts: Timeouts) -> None:
        self.node = node
        self.owner = owner
        self.engine = engine
        self.timeouts = timeouts
        self.before_remove: Callable[[str], Awaitable[None]] = _nothing

    async def replace(
        self,
        tell: Tell,
        force: bool,
        wait_ready: Callable[[str], Awaitable[None]],
        leave_camera: Callable[[], None],
        port_free: Callable[[], Awaitable[None]],
    ) -> None:
        """Make a new container and put it in the place of the old one.

        Args:
            tell: hears of each step.
            force: make volumes anew and take over a foreign container.
            wait_ready: waits until the camera of the started container (by id) answers.
            leave_camera: closes the connection to the old camera, when its turn has come.
            port_free: raises where somebody else listens at the camera's port, once the old
                container has ended: he would be taken for the new camera.

        Raises:
            NodeError: it failed; the old container is back if it could be kept.
        """
        old = await self._take_stock(force)
        await self.pull(tell)
        kept = await self._volumes(tell, force, old, leave_camera)
        fresh = await self._create(tell)
        aside = f"{self.node.container}.old"
        leave_camera()
        try:
            if kept is not None:
                kept = await self._put_aside(kept, aside)
            await self.engine.rename(fresh, self.node.container)
            await port_free()
            self._say(tell, "i", f"running {self.node.container} from {self.node.image}.")
            await self.engine.start(fresh)
            await wait_ready(fresh)
        except NodeError as error:
            for line in await self.last_words(fresh):
                self._say(tell, "w", f"log: {line}")
            raise await self._back(kept, fresh, error) from error
        if kept is not None:
            await self._remove(kept.id)

    async def stop(self) -> bool:
        """Stop the container and keep it; returns whether there was one to stop."""
        found = await self.engine.find(self.node.container)
        if found is None or found.state not in ("running", "paused", "restarting"):
            return False
        self._must_be_ours(found)
        await self.engine.stop(found.id, self.node.stop_timeout)
        return True

    async def remove(self) -> str:
        """Stop the container and remove it; returns why it was left, empty where it is gone."""
        found = await self.engine.find(self.node.container)
        if found is None:
            return ""
        if not found.is_ours(self.owner):
            return say_foreign(found)
        await self.engine.stop(found.id, self.node.stop_timeout)
        await self._remove(found.id)
        return ""

    async def start(self, port_free: Callable[[], Awaitable[None]]) -> str:
        """Start the container that is there; returns its id.

        Args:
            port_free: as for `replace`.

        Raises:
            ContainerError: there is none, it is not ours, or its camera's port is taken.
        """
        found = await self.engine.find(self.node.container)
        if found is None:
            raise ContainerError(self.node.name, "there is no container; reconnect makes one")
        self._must_be_ours(found)
        if found.state not in ("running", "paused", "restarting"):
            await port_free()
        await self.engine.start(found.id)
        return found.id

    async def take_back(self) -> tuple[str, str] | None:
        """Put an old container back in its place that an interrupted reconnect left aside.

        Returns:
            Its id and state; None where there is none of ours.
        """
        aside = await self.engine.find(f"{self.node.container}.old")
        if aside is None or not aside.is_ours(self.owner):
            return None
        await self.engine.rename(aside.id, self.node.container)
        return aside.id, aside.state

    async def post_mortem(self, container_id: str) -> str:
        """How a container ended, with its last log lines; works while it is still there."""
        found = await self.engine.inspect(container_id)
        if found is None:
            return "the container was removed"
        return describe_end(found, await self.last_words(container_id))

    async def last_words(self, container_id: str) -> list[str]:
        """The last log lines, or none where the engine will not tell."""
        try:
            return await self.engine.logs(container_id, LOG_LINES)
        except EngineError:
            return []

    async def _put_aside(self, old: Found, aside: str) -> Found | None:
        """Stop the old container and keep it; None where it removed itself (0.7's do)."""
        await self.engine.stop(old.id, self.node.stop_timeout)
        if await self.engine.inspect(old.id) is None:
            return None
        await self.engine.rename(old.id, aside)
        return old

    async def _remove(self, container_id: str) -> None:
        await self.before_remove(container_id)
        await self.engine.remove(container_id)

    # the steps of replace

    async def _take_stock(self, force: bool) -> Found | None:
        """The container in place; leftovers of an interrupted replacement are put right."""
        name = self.node.container
        half_made = await self.engine.find(f"{name}.new")
        if half_made is not None:
            self._must_be_ours(half_made, force)
            await self._remove(half_made.id)
        old = await self.engine.find(name)
        aside = await self.engine.find(f"{name}.old")
        if aside is not None:
            self._must_be_ours(aside, force)
            if old is None and aside.is_ours(self.owner):
                await self.engine.rename(aside.id, name)
                old = await self.engine.inspect(aside.id)
            else:
                await self._remove(aside.id)
        if old is not None:
            self._must_be_ours(old, force)
        return old

    def _must_be_ours(self, found: Found, force: bool = False) -> None:
        if not force and not found.is_ours(self.owner):
            raise ContainerError(self.node.name, say_foreign(found))

    async def pull(self, tell: Tell) -> None:
        """Fetch the image.

        Raises:
            EngineError: it cannot be fetched, and the node does not have it.
        """
        image = self.node.image
        if not self.engine.has_images:
            return
        self._say(tell, "d", f"pulling {image}.")
        try:
            await self.engine.pull(image, self.timeouts.pull)
        except EngineError as error:
            if not await self.engine.has_image(image):
                raise
            self._say(tell, "w", f"cannot pull, using the image that the node has: {error.cause}")

    async def _volumes(
        self, tell: Tell, force: bool, old: Found | None, leave_camera: Callable[[], None]
    ) -> Found | None:
        """See to the volumes; returns the old container if it is still there to keep."""
        found = await self.engine.volumes([volume.name for volume in self.node.volumes])
        if force and old is not None and any(found.values()):
            # A volume in use cannot be removed, not even that of a stopped container.
            leave_camera()
            await self.engine.stop(old.id, self.node.stop_timeout)
            await self._remove(old.id)
            old = None
        for volume in self.node.volumes:
            there = found[volume.name]
            if there is not None and not force:
                difference = differs(volume, there)
                if difference:
                    self._say(
                        tell,
                        "w",
                        f"volume {volume.name} differs from the configuration ({difference}); "
                        "reconnect --force makes it anew.",
                    )
                continue
            if there is not None:
                self._say(tell, "w", f"recreating existing volume {volume.name}.")
                await self.engine.remove_volume(volume.name)
            self._say(tell, "d", f"creating volume {volume.name}.")
            await self.engine.create_volume(volume, self.owner.labels)
            tell("d", {"volume": [self.node.name, volume.name, True, redact_text(volume.device)]})
        return old

    async def _create(self, tell: Tell) -> str:
        spec = wanted(self.node, self.owner)
        fresh = ContainerSpec(**{**_fields(spec), "name": f"{spec.name}.new"})
        return await self.engine.create(fresh)

    async def _back(self, kept: Found | None, fresh: str, error: NodeError) -> NodeError:
        """Undo: the new container goes, the old one is back; what cannot be undone is said."""
        notes = []
        try:
            await self.engine.stop(fresh, 0)
            await self._remove(fresh)
        except EngineError as second:
            notes.append(f"the new container cannot be removed: {second.cause}")
        try:
            if kept is not None:
                name = self.node.container
                there = await self.engine.find(name)
                if there is not None and there.id == fresh:
                    await self.engine.rename(fresh, f"{name}.new")
                still = await self.engine.inspect(kept.id)
                if still is not None and still.name != name:
                    await self.engine.rename(kept.id, name)
                if kept.running:
                    await self.engine.start(kept.id)
                    notes.append("the old container runs again")
                else:
                    notes.append("the old container is kept")
        except EngineError as second:
            notes.append(f"putting the old container back failed too: {second.cause}")
        reason = "; ".join([error.reason, *notes])
        return _same_kind(error, reason)

    def _say(self, tell: Tell, code: str, text: str) -> None:
        tell(code, {"text": f"{self.node.name}: {text}"})


async def _nothing(container_id: str) -> None:
    """What is done by default before a container is removed."""


def _fields(spec: ContainerSpec) -> dict[str, Any]:
    return {name: getattr(spec, name) for name in spec.__dataclass_fields__}


def _same_kind(error: NodeError, reason: str) -> NodeError:
    """The error again with a longer reason."""
    made = type(error)(error.node, reason, tried=error.tried)
    made.seconds = error.seconds
    return made
