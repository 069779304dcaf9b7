"""How safe the way to an engine is."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from ..config import NodeConfig

NAMED = 10
"""How many nodes a warning names."""


class Safety(NamedTuple):
    """How an engine is reached, whether that is safe, and why or what to do.

    `safe` is also true where `insecure: true` says that plain TCP is meant.
    """

    kind: Literal["tls", "ssh", "socket", "plain", "process"]
    safe: bool
    text: str


def engine_safety(node: NodeConfig) -> Safety:
    """The safety of the way to a node's engine, by its configuration alone."""
    url = urlsplit(node.address)
    if url.scheme == "process":
        return Safety("process", True, "processes of this computer")
    if url.scheme == "unix":
        return Safety("socket", True, "a socket of this computer")
    if url.scheme == "ssh":
        return Safety("ssh", True, "ssh, with keys on both sides")
    if node.tls is not None:
        return Safety("tls", True, "TLS, with certificates on both sides")
    if _is_here(url.hostname or ""):
        return Safety("plain", True, "plain TCP that does not leave this computer")
    if node.insecure:
        return Safety("plain", True, "plain TCP, and `insecure: true` says that this is meant")
    return Safety(
        "plain",
        False,
        f"plain TCP: whoever reaches {url.netloc} is root there; use `tls` or ssh://, or say "
        "`insecure: true` (docs/how-to/safe-engines.md)",
    )


def say_unsafe(nodes: Iterable[NodeConfig]) -> str:
    """One line on all nodes whose engines are not reached safely; empty when there are none."""
    names = [node.name for node in nodes if not engine_safety(node).safe]
    if not names:
        return ""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return (
        f"engines over plain TCP: {', '.join(names[:NAMED])}{more}; whoever reaches their port is "
        "root there; use `tls` or ssh://, or say `insecure: true` (docs/how-to/safe-engines.md)"
    )


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
