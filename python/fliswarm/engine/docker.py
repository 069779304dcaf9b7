"""A Docker engine, through the Docker SDK for Python (tcp, unix and ssh addresses).

Only the SDK's low-level client is used: `containers.list()` of the high-level one inspects
every container again. The SDK blocks, so each call runs in a thread of the node's own with
two deadlines: the socket's, and the caller's.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import datetime
from typing import Any

import docker
from docker.errors import APIError

from ..config import Ssh, Tls, VolumeConfig
from ..errors import EngineRefused
from . import logstream
from .base import ContainerSpec, EngineFacts, Event, Found
from .calls import Calls
from .documents import create_body, event_of, found_of, split_image, volume_of
from .logline import LogLine
from .stream import Stream
from .threads import NodeThreads
from .transport import Listing

ACTIONS = ("create", "start", "die", "stop", "oom", "pause", "unpause", "rename", "destroy")
"""The events of a container that change what we know of it."""
EVENT_FILTER = {"type": ["container"], "event": list(ACTIONS)}


class DockerEngine:
    """One Docker engine.

    Args:
        node: the node's name, for errors and threads.
        address: ``tcp://host:2375``, ``unix:///path`` or ``ssh://user@host``.
        timeout: for one call, in seconds.
        tls: certificates, for a tcp address that speaks TLS.
        ssh: keys for an ssh address, where they are not ssh's own.
    """

    def __init__(
        self,
        node: str,
        address: str,
        timeout: float,
        tls: Tls | None = None,
        ssh: Ssh | None = None,
    ) -> None:
        self.node = node
        self.address = address
        self._calls = Calls(node, address, timeout, tls, ssh)
        self._listing: Listing | None = None
        self._streams = NodeThreads(node, most=2)
        # The SDK pulls without a time-out: a hung pull must not take the other calls' turns.
        self._pulls = NodeThreads(node, most=2)

    has_images = True

    # the verbs; see engine.base.Engine

    async def check(self) -> str:
        info = await self._calls.call("ask the version", lambda api: api.version())
        return str(info.get("Version", "?"))

    async def facts(self) -> EngineFacts:
        def run(api: docker.APIClient) -> EngineFacts:
            version, info = api.version(api_version=False), api.info()
            moment = datetime.fromisoformat(str(info["SystemTime"]))
            return EngineFacts(
                str(version.get("Version", "?")),
                str(version.get("ApiVersion", "")),
                moment.timestamp(),
                str(info.get("DockerRootDir", "")),
            )

        return await self._calls.call("ask for its facts", run)

    async def glance(self, name: str, timeout: float | None = None) -> tuple[str, str] | None:
        def run(api: docker.APIClient) -> tuple[str, str] | None:
            listing = self._listing
            if listing is None or (listing.api, listing.name) != (api, name):
                listing = self._listing = Listing(api, name)
            rows = listing.read()
            row = next((r for r in rows if f"/{name}" in (r.get("Names") or ())), None)
            return (str(row["Id"]), str(row["State"])) if row else None

        return await self._calls.call("list the containers", run, timeout)

    async def find(self, name: str) -> Found | None:
        seen = await self.glance(name)
        return await self.inspect(seen[0]) if seen else None

    async def inspect(self, container_id: str) -> Found | None:
        try:
            return await self._calls.call(
                "inspect the container", lambda api: found_of(api.inspect_container(container_id))
            )
        except EngineRefused as error:
            if error.status == 404:
                return None
            raise

    async def document(self, container_id: str) -> dict[str, Any]:
        return dict(
            await self._calls.call(
                "inspect the container", lambda api: api.inspect_container(container_id)
            )
        )

    async def logs(self, container_id: str, lines: int) -> list[str]:
        raw = await self._calls.call(
            "read the log", lambda api: api.logs(container_id, tail=lines, stream=False)
        )
        return [str(line) for line in raw.decode("utf-8", "replace").splitlines()]

    async def follow(
        self,
        container_id: str,
        take: Callable[[list[LogLine]], Awaitable[None]],
        since: str = "",
    ) -> None:
        # An error of `take` is its own, not the engine's.
        async with contextlib.aclosing(self._log_lines(container_id, since)) as batches:
            async for lines in batches:
                await take(lines)

    async def _log_lines(self, container_id: str, since: str) -> AsyncGenerator[list[LogLine]]:
        tried = f"follow the log of {container_id[:12]}"
        version = await self._calls.call("ask the version", lambda api: str(api.api_version))
        path = logstream.path(version, container_id, since)
        try:
            async with contextlib.aclosing(
                logstream.read(self._calls.dial, path, self.timeout)
            ) as batches:
                async for lines in batches:
                    yield lines
        except logstream.LogRefused as error:
            raise EngineRefused(self.node, str(error), tried=tried, status=error.status) from error
        except Exception as error:
            raise self._calls.translate(error, tried, self.timeout) from error

    async def has_image(self, image: str) -> bool:
        try:
            await self._calls.call("look for the image", lambda api: api.inspect_image(image))
        except EngineRefused as error:
            if error.status == 404:
                return False
            raise
        return True

    async def image_digests(self, image: str) -> tuple[str, ...]:
        row = await self._calls.call("look for the image", lambda api: api.inspect_image(image))
        return tuple(str(d).partition("@")[2] for d in row.get("RepoDigests") or ())

    async def registry_digest(self, image: str) -> str:
        row = await self._calls.call(
            f"ask the registry for {image}", lambda a: a.inspect_distribution(image)
        )
        return str(row["Descriptor"]["digest"])

    async def pull(self, image: str, timeout: float) -> None:
        repository, tag = split_image(image)

        def run(api: docker.APIClient) -> None:
            for line in api.pull(repository, tag=tag, stream=True, decode=True):
                if "error" in line:
                    raise APIError(str(line["error"]))

        await self._calls.call(f"pull {image}", run, timeout, self._pulls)

    async def volumes(self, names: list[str]) -> dict[str, VolumeConfig | None]:
        def run(api: docker.APIClient) -> dict[str, Any]:
            rows = api.volumes().get("Volumes") or []
            return {row["Name"]: row for row in rows}

        rows = await self._calls.call("list the volumes", run) if names else {}
        return {name: volume_of(rows[name]) if name in rows else None for name in names}

    async def create_volume(self, volume: VolumeConfig, labels: dict[str, str]) -> None:
        await self._calls.call(
            f"create volume {volume.name}",
            lambda api: api.create_volume(volume.name, volume.driver, volume.opts, labels),
        )

    async def remove_volume(self, name: str) -> None:
        await self._gone_is_fine(f"remove volume {name}", lambda api: api.remove_volume(name))

    async def create(self, spec: ContainerSpec) -> str:
        def run(api: docker.APIClient) -> str:
            made = api.create_container_from_config(create_body(spec), spec.name)
            return str(made["Id"])

        return await self._calls.call(f"create {spec.name} from {spec.image}", run)

    async def start(self, container_id: str) -> None:
        await self._calls.call("start the container", lambda api: api.start(container_id))

    async def stop(self, container_id: str, grace: float) -> None:
        limit = grace + self.timeout
        await self._gone_is_fine(
            "stop the container", lambda api: api.stop(container_id, timeout=int(grace)), limit
        )

    async def rename(self, container_id: str, name: str) -> None:
        await self._calls.call("rename the container", lambda api: api.rename(container_id, name))

    async def remove(self, container_id: str) -> None:
        with contextlib.suppress(_AlreadyGoing):
            await self._gone_is_fine(
                "remove the container",
                lambda api: api.remove_container(container_id, force=True),
            )

    async def watch(
        self,
        name: str,
        on_event: Callable[[Event], None],
        on_open: Callable[[], None],
        since: float | None = None,
    ) -> None:
        loop = asyncio.get_running_loop()
        stream = Stream()
        query = {"since": since, "filters": json.dumps(EVENT_FILTER)}

        def read() -> None:
            def opened() -> None:
                loop.call_soon_threadsafe(on_open)

            def listen(api: docker.APIClient) -> None:
                for row in stream.rows(api, "/events", query, opened):
                    event = event_of(row)
                    if event.name == name:
                        loop.call_soon_threadsafe(on_event, event)

            self._calls.ask(listen, "read the events", closed)

        closed = self._calls.closed
        try:
            await self._streams.call(read, None)
        except Exception as error:
            raise self._calls.translate(error, "read the events", self.timeout) from error
        finally:
            stream.end()

    @property
    def timeout(self) -> float:
        """How long one call may take, in seconds."""
        return self._calls.timeout

    def limit(self, timeout: float) -> None:
        self._calls.limit(timeout)

    def close(self) -> None:
        self._calls.close()
        self._listing = None

    async def _gone_is_fine(
        self,
        tried: str,
        function: Callable[[docker.APIClient], Any],
        timeout: float | None = None,
    ) -> None:
        try:
            await self._calls.call(tried, function, timeout)
        except EngineRefused as error:
            if error.status == 409 and "already in progress" in error.reason:
                raise _AlreadyGoing(self.node, error.reason, tried=tried) from error
            if error.status not in (304, 404):
                raise


class _AlreadyGoing(EngineRefused):
    """The container is being removed by someone else: it will be gone."""
