"""A Docker engine, through the Docker SDK for Python (tcp, unix and ssh addresses).

Only the SDK's low-level client is used: `containers.list()` of the high-level one inspects
every container again. The SDK blocks, so each call runs in a thread of the node's own with
two deadlines: the socket's, and the caller's.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import ssl
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

import docker
import requests
from docker.errors import APIError

from ..config import Ssh, Tls, VolumeConfig
from ..errors import (
    EngineError,
    EngineRefused,
    EngineTimeout,
    EngineUnreachable,
    EngineUntrusted,
)
from . import logstream
from .base import ContainerSpec, EngineFacts, Event, Found
from .documents import create_body, event_of, found_of, split_image, volume_of
from .logline import LogLine
from .ssh import Tunnel
from .stream import Stream
from .threads import NodeThreads
from .tls import HTTP_TO_HTTPS, PAGE, ask_why, is_closed, make_context, say
from .transport import KEEPALIVE, KeepAlive, Listing, root_words

T = TypeVar("T")
ACTIONS = ("create", "start", "die", "stop", "oom", "pause", "unpause", "rename", "destroy")
"""The events of a container that change what we know of it."""
EVENT_FILTER = {"type": ["container"], "event": list(ACTIONS)}
OLDEST_API = "1.41"
"""The oldest Engine API that we speak (Docker 20.10)."""


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
        self.timeout = timeout
        self.tls = tls if address.startswith("tcp:") else None
        is_ssh = address.startswith("ssh:")
        self._tunnel = Tunnel(node, address, ssh, timeout) if is_ssh else None
        self._context: ssl.SSLContext | None = None
        self._threads = NodeThreads(node)
        self._lock = threading.Lock()
        self._client: docker.APIClient | None = None
        self._listing: Listing | None = None
        self._closed = 0
        self._streams = NodeThreads(node, most=2)
        # The SDK pulls without a time-out: a hung pull must not take the other calls' turns.
        self._pulls = NodeThreads(node, most=2)

    has_images = True

    # the verbs; see engine.base.Engine

    async def check(self) -> str:
        info = await self._call("ask the version", lambda api: api.version())
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

        return await self._call("ask for its facts", run)

    async def glance(self, name: str, timeout: float | None = None) -> tuple[str, str] | None:
        def run(api: docker.APIClient) -> tuple[str, str] | None:
            listing = self._listing
            if listing is None or (listing.api, listing.name) != (api, name):
                listing = self._listing = Listing(api, name)
            rows = listing.read()
            row = next((r for r in rows if f"/{name}" in (r.get("Names") or ())), None)
            return (str(row["Id"]), str(row["State"])) if row else None

        return await self._call("list the containers", run, timeout)

    async def find(self, name: str) -> Found | None:
        seen = await self.glance(name)
        return await self.inspect(seen[0]) if seen else None

    async def inspect(self, container_id: str) -> Found | None:
        try:
            return await self._call(
                "inspect the container", lambda api: found_of(api.inspect_container(container_id))
            )
        except EngineRefused as error:
            if error.status == 404:
                return None
            raise

    async def document(self, container_id: str) -> dict[str, Any]:
        return dict(
            await self._call(
                "inspect the container", lambda api: api.inspect_container(container_id)
            )
        )

    async def logs(self, container_id: str, lines: int) -> list[str]:
        raw = await self._call(
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
        version = await self._call("ask the version", lambda api: str(api.api_version))
        path = logstream.path(version, container_id, since)
        try:
            async with contextlib.aclosing(
                logstream.read(self._dial, path, self.timeout)
            ) as batches:
                async for lines in batches:
                    yield lines
        except logstream.LogRefused as error:
            raise EngineRefused(self.node, str(error), tried=tried, status=error.status) from error
        except Exception as error:
            raise self._translate(error, tried, self.timeout) from error

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to the engine without the SDK."""
        url = urlsplit(self.address)
        if url.scheme == "unix":
            return await asyncio.open_unix_connection(url.path)
        if self._tunnel is not None:
            return await asyncio.open_unix_connection(self._tunnel.path_here)
        host, port = str(url.hostname), url.port or 2375
        return await logstream.connect(host, port, KEEPALIVE, self._context)

    async def has_image(self, image: str) -> bool:
        try:
            await self._call("look for the image", lambda api: api.inspect_image(image))
        except EngineRefused as error:
            if error.status == 404:
                return False
            raise
        return True

    async def image_digests(self, image: str) -> tuple[str, ...]:
        row = await self._call("look for the image", lambda api: api.inspect_image(image))
        return tuple(str(d).partition("@")[2] for d in row.get("RepoDigests") or ())

    async def registry_digest(self, image: str) -> str:
        row = await self._call(
            f"ask the registry for {image}", lambda a: a.inspect_distribution(image)
        )
        return str(row["Descriptor"]["digest"])

    async def pull(self, image: str, timeout: float) -> None:
        repository, tag = split_image(image)

        def run(api: docker.APIClient) -> None:
            for line in api.pull(repository, tag=tag, stream=True, decode=True):
                if "error" in line:
                    raise APIError(str(line["error"]))

        await self._call(f"pull {image}", run, timeout, self._pulls)

    async def volumes(self, names: list[str]) -> dict[str, VolumeConfig | None]:
        def run(api: docker.APIClient) -> dict[str, Any]:
            rows = api.volumes().get("Volumes") or []
            return {row["Name"]: row for row in rows}

        rows = await self._call("list the volumes", run) if names else {}
        return {name: volume_of(rows[name]) if name in rows else None for name in names}

    async def create_volume(self, volume: VolumeConfig, labels: dict[str, str]) -> None:
        await self._call(
            f"create volume {volume.name}",
            lambda api: api.create_volume(volume.name, volume.driver, volume.opts, labels),
        )

    async def remove_volume(self, name: str) -> None:
        await self._gone_is_fine(f"remove volume {name}", lambda api: api.remove_volume(name))

    async def create(self, spec: ContainerSpec) -> str:
        def run(api: docker.APIClient) -> str:
            made = api.create_container_from_config(create_body(spec), spec.name)
            return str(made["Id"])

        return await self._call(f"create {spec.name} from {spec.image}", run)

    async def start(self, container_id: str) -> None:
        await self._call("start the container", lambda api: api.start(container_id))

    async def stop(self, container_id: str, grace: float) -> None:
        limit = grace + self.timeout
        await self._gone_is_fine(
            "stop the container", lambda api: api.stop(container_id, timeout=int(grace)), limit
        )

    async def rename(self, container_id: str, name: str) -> None:
        await self._call("rename the container", lambda api: api.rename(container_id, name))

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

            self._ask(listen, "read the events", closed)

        closed = self._closed
        try:
            await self._streams.call(read, None)
        except Exception as error:
            raise self._translate(error, "read the events", self.timeout) from error
        finally:
            stream.end()

    def limit(self, timeout: float) -> None:
        self.timeout = timeout
        if self._client is not None:
            self._client.timeout = timeout

    def close(self) -> None:
        self._closed += 1
        client, self._client = self._client, None
        self._listing = None
        if client is not None:
            client.close()
        if self._tunnel is not None:
            self._tunnel.close()

    # how a call is made

    async def _gone_is_fine(
        self,
        tried: str,
        function: Callable[[docker.APIClient], Any],
        timeout: float | None = None,
    ) -> None:
        try:
            await self._call(tried, function, timeout)
        except EngineRefused as error:
            if error.status == 409 and "already in progress" in error.reason:
                raise _AlreadyGoing(self.node, error.reason, tried=tried) from error
            if error.status not in (304, 404):
                raise

    async def _call(
        self,
        tried: str,
        function: Callable[[docker.APIClient], T],
        timeout: float | None = None,
        threads: NodeThreads | None = None,
    ) -> T:
        """One call, in a thread of the node's, with every failure as an `EngineError`."""
        limit = timeout or self.timeout
        closed = self._closed

        def run() -> T:
            return self._ask(function, tried, closed)

        try:
            # The socket gives up first, so that its thread ends as well.
            return await (threads or self._threads).call(
                run, limit + (0 if limit < self.timeout else 1)
            )
        except Exception as error:
            raise self._translate(error, tried, limit) from error

    def _ask(self, function: Callable[[docker.APIClient], T], tried: str, closed: int) -> T:
        """A call in its thread; when it fails, what TLS or ssh has to say about that.

        `closed` is how often the engine had been closed when somebody asked.
        """
        try:
            api = self._api(closed)
            try:
                return function(api)
            finally:
                if api is not self._client:  # closed meanwhile, but for this call's connection
                    api.close()
        except requests.exceptions.ConnectionError as error:
            if self._tunnel is not None and (told := self._tunnel.explain(tried)):
                raise told from error
            if self.tls is not None:
                self._explain_tls(error, self.tls, tried)
            raise

    def _explain_tls(self, error: Exception, tls: Tls, tried: str) -> None:
        url = urlsplit(self.address)
        host, port = url.hostname or "", url.port or 0
        words = say(error, tls, host)
        if words is None and is_closed(error):
            words = ask_why(make_context(self.node, tls), tls, host, port, self.timeout)
        if words:
            # The files may be mended by then: the next call reads them anew.
            client, self._client = self._client, None
            if client is not None:
                client.close()
            raise EngineUntrusted(self.node, words, tried=tried) from error

    def _api(self, closed: int) -> docker.APIClient:
        """The client; the API version is agreed once, with the engine's first answer."""
        self._refuse_closed(closed)
        if self._tunnel is not None:
            self._tunnel.open()
        with self._lock:
            self._refuse_closed(closed)
            if self._client is None:
                with contextlib.closing(self._make(OLDEST_API)) as asker:
                    newest = asker.version(api_version=False)["ApiVersion"]
                known = docker.constants.DEFAULT_DOCKER_API_VERSION
                made = self._make(min(newest, known, key=_number))
                if self._closed != closed:
                    made.close()
                self._refuse_closed(closed)
                self._client = made
            return self._client

    def _refuse_closed(self, closed: int) -> None:
        if self._closed != closed:
            raise EngineUnreachable(self.node, "the connection was closed meanwhile")

    def _make(self, version: str) -> docker.APIClient:
        address = self._tunnel.address if self._tunnel is not None else self.address
        if self.tls is not None:
            self._context = make_context(self.node, self.tls)
            address = address.replace("tcp:", "https:", 1)
        client = docker.APIClient(address, timeout=self.timeout, version=version)
        # No proxy and no .netrc of the environment: an engine is in the observatory's network.
        client.trust_env = False
        if self.tls is not None:
            client.verify = self.tls.ca  # and no public authority
            client.mount("https://", KeepAlive(self._context))
        elif self.address.startswith("tcp:"):
            client.mount("http://", KeepAlive())
        return client

    def _translate(self, error: Exception, tried: str, limit: float) -> EngineError:
        if isinstance(error, EngineError):
            error.tried = error.tried or tried
            return error
        if isinstance(error, KeyError | TypeError | ValueError | AttributeError):
            # ValueError: also what requests raises where an answer is no JSON.
            reason = f"the answer is not the Engine API's ({type(error).__name__}: {error})"
            return EngineRefused(self.node, reason, tried=tried)
        if isinstance(error, TimeoutError | requests.exceptions.ReadTimeout):
            if self._tunnel is not None:
                self._tunnel.doubt()
            return EngineTimeout(self.node, "no answer", tried=tried, seconds=limit)
        if isinstance(error, requests.exceptions.ConnectTimeout):
            return EngineTimeout(self.node, "no connection", tried=tried, seconds=limit)
        if isinstance(error, APIError):
            status = error.response.status_code if error.response is not None else 0
            reason = str(error.explanation or error.args[0] if error.args else error)
            if HTTP_TO_HTTPS in reason:
                words = f"this engine speaks TLS: give the node `tls` ({PAGE})"
                return EngineUntrusted(self.node, words, tried=tried)
            return EngineRefused(self.node, reason.strip(), tried=tried, status=status)
        text = root_words(error)
        if "timed out" in text.lower():
            return EngineTimeout(self.node, "no answer", tried=tried, seconds=limit)
        away = EngineUnreachable(self.node, f"{text} ({self.address})", tried=tried)
        away.refused = text == os.strerror(errno.ECONNREFUSED).lower()
        return away


class _AlreadyGoing(EngineRefused):
    """The container is being removed by someone else: it will be gone."""


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
