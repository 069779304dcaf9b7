"""An answer of the Engine API that goes on without end: JSON, one object a line.

The SDK has streams, too, but keeps what is no JSON in memory without a bound, and leaves the
socket open when a row is not what it expects.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import docker
import requests
from docker.errors import create_api_error_from_http_exception

CHUNK = 1 << 16
"""How much is read at once at most, in bytes."""
LONGEST = 1 << 20
"""The longest line, in bytes; an event has about 1 kB."""


class Stream:
    """One such answer; a thread reads it, and `end` may be called from any other."""

    def __init__(self) -> None:
        self._response: requests.Response | None = None
        self._over = threading.Event()

    def rows(
        self,
        api: docker.APIClient,
        path: str,
        query: Mapping[str, Any],
        on_open: Callable[[], None],
    ) -> Iterator[dict[str, Any]]:
        """Ask and give the objects as they come; `on_open` when the engine has begun.

        Until then the client's own time-out holds, afterwards none.

        Raises:
            ValueError, TypeError: what comes is not the Engine API's.
        """
        url = f"{api.base_url}/v{api.api_version}{path}"
        with api.get(url, params=query, stream=True, timeout=api.timeout) as response:
            try:
                response.raise_for_status()
            except requests.HTTPError as error:
                create_api_error_from_http_exception(error)
            self._response = response
            _socket(response).settimeout(None)
            if self._over.is_set():
                return
            on_open()
            for line in _lines(response):
                if self._over.is_set():
                    return
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise TypeError(f"{type(row).__name__} instead of an object")
                yield row

    def end(self) -> None:
        """End it; the thread that reads then closes it."""
        self._over.set()
        response = self._response
        if response is not None:
            # It may be over already: then there is no socket.
            with contextlib.suppress(AttributeError, OSError):
                _socket(response).shutdown(socket.SHUT_RDWR)


def _lines(response: requests.Response) -> Iterator[bytes]:
    rest = bytearray()
    for chunk in response.raw.stream(CHUNK, decode_content=False):
        rest += chunk
        if b"\n" in chunk:
            *lines, rest = rest.split(b"\n")
            yield from filter(None, map(bytes.strip, map(bytes, lines)))
        if len(rest) > LONGEST:
            raise ValueError(f"more than {LONGEST} bytes without an end of line")


def _socket(response: requests.Response) -> socket.socket:
    """The socket under a response; the SDK finds it in the same way."""
    found: socket.socket = response.raw._fp.fp.raw._sock
    return found
