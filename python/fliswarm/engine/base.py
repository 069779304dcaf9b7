"""What an engine can do: about a dozen verbs, the same for Docker and for local processes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..config import VolumeConfig
from .logline import LogLine

LABEL_SWARM = "org.fliswarm.swarm"
"""The actor name of the manager that made it."""
LABEL_NODE = "org.fliswarm.node"
"""The node it is for."""
LABEL_MANAGER = "org.fliswarm.manager"
"""Which manager made it, should two bear the same actor name: host and a random part."""
LABEL_SPEC = "org.fliswarm.spec"
"""A hash of what was asked for, to see whether the configuration has changed since."""


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """A container as it shall be made. Memory in bytes, cpus in cores, times in seconds."""

    name: str
    image: str
    command: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    volumes: tuple[VolumeConfig, ...] = ()
    mounts: tuple[tuple[str, str, bool], ...] = ()
    devices: tuple[str, ...] = ()
    device_cgroup_rules: tuple[str, ...] = ()
    memory: int | None = None
    cpus: float | None = None
    network: str = "host"
    privileged: bool = True
    init: bool | None = None
    stop_signal: str | None = None
    stop_timeout: int = 5
    user: str | None = None
    entrypoint: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """What an engine says of itself.

    Attributes:
        version: its own version.
        api: the newest version of its API; empty where there is none.
        time: its computer's time, in seconds since the epoch; None where it is ours.
        root: the folder of its data; empty where it has none.
    """

    version: str
    api: str = ""
    time: float | None = None
    root: str = ""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose containers are ours: the actor's name, this very manager, and the node."""

    swarm: str
    manager: str
    node: str

    @property
    def labels(self) -> dict[str, str]:
        """The labels that say so."""
        return {
            LABEL_SWARM: self.swarm,
            LABEL_MANAGER: self.manager,
            LABEL_NODE: self.node,
        }


@dataclass(frozen=True, slots=True)
class Found:
    """A container as an engine shows it.

    Attributes:
        id: its full id.
        name: its name, without a slash.
        image: the image it was made from, as it was named.
        state: the engine's word: created, running, paused, restarting, exited, dead.
        exit_code: what it ended with; None while it runs or where nobody knows.
        oom_killed: whether the kernel killed it for its memory.
        error: the engine's own words on why it does not run; mostly empty.
        started_at: when it started, ISO 8601 UTC; empty if never.
        ended_at: when it last ended, ISO 8601 UTC; empty if never.
        labels: its labels.
    """

    id: str
    name: str
    image: str
    state: str
    exit_code: int | None = None
    oom_killed: bool = False
    error: str = ""
    started_at: str = ""
    ended_at: str = ""
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def running(self) -> bool:
        """Whether it runs; a paused one does not."""
        return self.state == "running"

    @property
    def short_id(self) -> str:
        """The first twelve characters, as `docker ps` shows them."""
        return self.id[:12]

    def is_ours(self, owner: Owner) -> bool:
        """Whether this manager made it for this node."""
        return all(self.labels.get(key) == value for key, value in owner.labels.items())


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a container, asked for or not.

    Attributes:
        action: the engine's word, for instance ``start``, ``die``, ``oom``, ``destroy``.
        id: the container's id.
        name: its name.
        time: seconds since the epoch, by the engine's clock.
    """

    action: str
    id: str
    name: str
    time: float


class Engine(Protocol):
    """One engine as one node sees it.

    Every verb may raise `EngineUnreachable`, `EngineTimeout` or `EngineRefused`, and ends
    within `timeout` seconds where no other time is said.
    """

    address: str
    has_images: bool
    """Whether containers are made from images that can be pulled."""

    async def check(self) -> str:
        """The engine's version; the cheapest question it can be asked."""

    async def facts(self) -> EngineFacts:
        """What the engine says of itself."""

    async def glance(self, name: str, timeout: float | None = None) -> tuple[str, str] | None:
        """Id and state of the container of exactly this name: the cheapest look at it.

        `timeout` in seconds, where the engine's own is too long to wait.
        """

    async def find(self, name: str) -> Found | None:
        """The container of exactly this name, running or not; None if there is none."""

    async def inspect(self, container_id: str) -> Found | None:
        """A container by id; None if there is none (any more)."""

    async def document(self, container_id: str) -> dict[str, Any]:
        """All that the engine shows of a container, in its own words; it may hold secrets.

        Raises:
            EngineRefused: there is none (any more).
        """

    async def logs(self, container_id: str, lines: int) -> list[str]:
        """The last lines of a container's output."""

    async def follow(
        self,
        container_id: str,
        take: Callable[[list[LogLine]], Awaitable[None]],
        since: str = "",
    ) -> None:
        """Read a container's output as it is written, until the container has ended.

        Args:
            container_id: its id; the first twelve characters do.
            take: gets the lines in batches, oldest first; until it returns no more is read.
                The container is never held up.
            since: begin with the lines of this millisecond (a line's `time`); empty: with the
                first that the engine has.

        Raises:
            EngineError: it could not be read, or not to its end; with status 404 there is no
                such container.
        """

    async def has_image(self, image: str) -> bool:
        """Whether the node has the image."""

    async def image_digests(self, image: str) -> tuple[str, ...]:
        """The digests under which registries know the node's image; none for one built there.

        Raises:
            EngineRefused: with status 404 where the node does not have the image.
        """

    async def registry_digest(self, image: str) -> str:
        """The digest of the image in its registry; it is the engine that asks the registry."""

    async def pull(self, image: str, timeout: float) -> None:
        """Fetch the image, within `timeout` seconds."""

    async def volumes(self, names: list[str]) -> dict[str, VolumeConfig | None]:
        """The named volumes as they are; None for one that does not exist."""

    async def create_volume(self, volume: VolumeConfig, labels: dict[str, str]) -> None:
        """Make a volume."""

    async def remove_volume(self, name: str) -> None:
        """Remove a volume; none of that name is no error."""

    async def create(self, spec: ContainerSpec) -> str:
        """Make a container, not started; returns its id."""

    async def start(self, container_id: str) -> None:
        """Start a container; one that runs already is no error."""

    async def stop(self, container_id: str, grace: float) -> None:
        """Ask a container to end, kill it after `grace` seconds; stopped is no error."""

    async def rename(self, container_id: str, name: str) -> None:
        """Give a container another name."""

    async def remove(self, container_id: str) -> None:
        """Kill and remove a container; none of that id is no error."""

    async def watch(
        self,
        name: str,
        on_event: Callable[[Event], None],
        on_open: Callable[[], None],
        since: float | None = None,
    ) -> None:
        """Report what happens to containers of this name until the stream ends.

        `on_open` is called when the engine has begun to report; with `since` (seconds since
        the epoch, by the engine's clock) it begins with what happened after that time.

        Raises:
            EngineError: the stream could not be opened or broke.
        """

    def limit(self, timeout: float) -> None:
        """Let one call take `timeout` seconds from now on."""

    def close(self) -> None:
        """Let go of connections; containers go on."""
