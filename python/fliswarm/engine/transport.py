"""Under the SDK: connections that notice a dead engine, a kept request, a failure in words."""

from __future__ import annotations

import json
import re
import socket
import ssl
from typing import Any

import docker
import requests
import urllib3
from docker.errors import create_api_error_from_http_exception
from requests.adapters import HTTPAdapter

KEEPALIVE = [
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
]
"""A connection to a computer that is gone ends after 25 s (10 + 3 x 5) in the kernel.

The SDK reads event streams and pulls without any time-out.
"""


class KeepAlive(HTTPAdapter):
    """HTTP connections that notice when the other computer is gone."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self._options: Any = {"socket_options": KEEPALIVE}
        if context is not None:
            self._options["ssl_context"] = context
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pool, with our options of the socket."""
        super().init_poolmanager(*args, **{**kwargs, **self._options})


class Listing:
    """The containers of one name, asked for again and again.

    The SDK makes the same request anew each time, which is half of what a look costs.
    """

    def __init__(self, api: docker.APIClient, name: str) -> None:
        self.api = api
        self.name = name
        # The filter is a regular expression: without anchors gfa1 would find gfa10 as well.
        filters = json.dumps({"name": [f"^/?{re.escape(name)}$"]})
        url = f"{api.base_url}/v{api.api_version}/containers/json"
        asked = requests.Request("GET", url, params={"all": "1", "filters": filters})
        self._request = api.prepare_request(asked)
        self._adapter = api.get_adapter(url)

    def read(self) -> list[dict[str, Any]]:
        """The engine's answer."""
        api = self.api
        with self._adapter.send(
            self._request, timeout=api.timeout, verify=api.verify, cert=api.cert
        ) as response:
            try:
                response.raise_for_status()
            except requests.exceptions.HTTPError as error:
                raise create_api_error_from_http_exception(error) from error
            return list(response.json())


def root_words(error: BaseException) -> str:
    """The words of the operating system at the bottom of a pile of wrappers."""
    seen: BaseException | None = error
    text = str(error)
    while seen is not None:
        if isinstance(seen, OSError) and seen.strerror:
            return seen.strerror.lower()
        inner = next((a for a in seen.args if isinstance(a, BaseException)), None)
        if isinstance(seen, urllib3.exceptions.MaxRetryError):
            inner = seen.reason
        text = str(seen)
        seen = inner or seen.__cause__ or seen.__context__
    return text
