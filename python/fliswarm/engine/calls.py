"""How a call to a Docker engine is made: its thread, its deadlines, its failures in our words."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import ssl
import threading
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

import docker
import requests
from docker.errors import APIError

from ..config import Ssh, Tls
from ..errors import (
    EngineError,
    EngineRefused,
    EngineTimeout,
    EngineUnreachable,
    EngineUntrusted,
)
from . import logstream
from .ssh import Tunnel
from .threads import NodeThreads
from .tls import HTTP_TO_HTTPS, PAGE, ask_why, is_closed, make_context, say
from .transport import KEEPALIVE, KeepAlive, root_words

T = TypeVar("T")
OLDEST_API = "1.41"
"""The oldest Engine API that we speak (Docker 20.10)."""


class Calls:
    """The way to one engine, by the SDK's low-level client, which blocks.

    The arguments are those of `DockerEngine`.

    Attributes:
        closed: how often the engine has been closed.
        context: what the last client had for TLS; None without.
        tunnel: the way over ssh; None for other addresses.
    """

    def __init__(
        self, node: str, address: str, timeout: float, tls: Tls | None, ssh: Ssh | None
    ) -> None:
        self.node = node
        self.address = address
        self.timeout = timeout
        self.closed = 0
        self.context: ssl.SSLContext | None = None
        self.tunnel: Tunnel | None = None
        if address.startswith("ssh:"):
            self.tunnel = Tunnel(node, address, ssh, timeout)
        self._tls = tls if address.startswith("tcp:") else None
        self._lock = threading.Lock()
        self._client: docker.APIClient | None = None
        self._threads = NodeThreads(node)

    def limit(self, timeout: float) -> None:
        """Take another time limit for a call, in seconds."""
        self.timeout = timeout
        if self._client is not None:
            self._client.timeout = timeout

    def close(self) -> None:
        """End all connections; calls asked before this open none."""
        self.closed += 1
        self._drop()
        if self.tunnel is not None:
            self.tunnel.close()

    async def dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to the engine without the SDK."""
        url = urlsplit(self.address)
        if url.scheme == "unix":
            return await asyncio.open_unix_connection(url.path)
        if self.tunnel is not None:
            return await asyncio.open_unix_connection(self.tunnel.path_here)
        host, port = str(url.hostname), url.port or 2375
        return await logstream.connect(host, port, KEEPALIVE, self.context)

    async def call(
        self,
        tried: str,
        function: Callable[[docker.APIClient], T],
        timeout: float | None = None,
        threads: NodeThreads | None = None,
    ) -> T:
        """One call, in a thread of the node's.

        Args:
            tried: what is being done, for an error.
            function: makes the call.
            timeout: in seconds, where it is not the usual one.
            threads: whose turns it takes, where they are not the usual calls'.

        Raises:
            EngineError: whatever the failure was.
        """
        limit = timeout or self.timeout
        closed = self.closed

        def run() -> T:
            return self.ask(function, tried, closed)

        try:
            # The socket gives up first, so that its thread ends as well.
            return await (threads or self._threads).call(
                run, limit + (0 if limit < self.timeout else 1)
            )
        except Exception as error:
            raise self.translate(error, tried, limit) from error

    def ask(self, function: Callable[[docker.APIClient], T], tried: str, closed: int) -> T:
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
            if self.tunnel is not None and (told := self.tunnel.explain(tried)):
                raise told from error
            if self._tls is not None:
                self._explain_tls(error, self._tls, tried)
            raise

    def _explain_tls(self, error: Exception, tls: Tls, tried: str) -> None:
        url = urlsplit(self.address)
        host, port = url.hostname or "", url.port or 0
        words = say(error, tls, host)
        if words is None and is_closed(error):
            words = ask_why(make_context(self.node, tls), tls, host, port, self.timeout)
        if words:
            # The files may be mended by then: the next call reads them anew.
            self._drop()
            raise EngineUntrusted(self.node, words, tried=tried) from error

    def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _api(self, closed: int) -> docker.APIClient:
        """The client; the API version is agreed once, with the engine's first answer."""
        self._refuse_closed(closed)
        if self.tunnel is not None:
            self.tunnel.open()
        with self._lock:
            self._refuse_closed(closed)
            if self._client is None:
                with contextlib.closing(self._make(OLDEST_API)) as asker:
                    newest = asker.version(api_version=False)["ApiVersion"]
                known = docker.constants.DEFAULT_DOCKER_API_VERSION
                made = self._make(min(newest, known, key=_number))
                if self.closed != closed:
                    made.close()
                self._refuse_closed(closed)
                self._client = made
            return self._client

    def _refuse_closed(self, closed: int) -> None:
        if self.closed != closed:
            raise EngineUnreachable(self.node, "the connection was closed meanwhile")

    def _make(self, version: str) -> docker.APIClient:
        address = self.tunnel.address if self.tunnel is not None else self.address
        if self._tls is not None:
            self.context = make_context(self.node, self._tls)
            address = address.replace("tcp:", "https:", 1)
        client = docker.APIClient(address, timeout=self.timeout, version=version)
        # No proxy and no .netrc of the environment: an engine is in the observatory's network.
        client.trust_env = False
        if self._tls is not None:
            client.verify = self._tls.ca  # and no public authority
            client.mount("https://", KeepAlive(self.context))
        elif self.address.startswith("tcp:"):
            client.mount("http://", KeepAlive())
        return client

    def translate(self, error: Exception, tried: str, limit: float) -> EngineError:
        """A failure of the SDK or of the network, in our words."""
        if isinstance(error, EngineError):
            error.tried = error.tried or tried
            return error
        if isinstance(error, KeyError | TypeError | ValueError | AttributeError):
            # ValueError: also what requests raises where an answer is no JSON.
            reason = f"the answer is not the Engine API's ({type(error).__name__}: {error})"
            return EngineRefused(self.node, reason, tried=tried)
        if isinstance(error, TimeoutError | requests.exceptions.ReadTimeout):
            if self.tunnel is not None:
                self.tunnel.doubt()
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


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
