"""The way to a node: its name, its computer, and the port of its engine."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

from .. import host
from ..config import NodeConfig, Timeouts
from ..engine.threads import NodeThreads
from ..errors import Layer, os_reason
from . import judge
from .notes import Notes

RESOLVE = 3.0
"""For a name's address, in seconds."""
PORTS = {"ssh": 22, "tcp": 2375}
"""Where an engine listens when its address does not say it."""
TLS_PORT = 2376


class Way:
    """The way to one node.

    Attributes:
        closed: why the engine cannot be asked; empty when it can.
        lost: why the node's computer cannot be asked for its camera either; empty when it can.
    """

    def __init__(self, node: NodeConfig, timeouts: Timeouts, notes: Notes) -> None:
        self.node = node
        self.timeouts = timeouts
        self.notes = notes
        self.url = urlsplit(node.address)
        self.closed = ""
        self.lost = ""

    @property
    def remote(self) -> bool:
        """Whether the engine is on another computer than the manager."""
        return self.url.scheme in PORTS and not is_loopback(self.url.hostname or "")

    async def look(self) -> None:
        """Look at name, computer and port."""
        self.notes.say("engine safety", Layer.ENGINE, judge.safety(self.node))
        if not await self._name():
            self.lost = f"{self.node.host} has no address"
        if self.url.scheme == "process":
            return
        if self.url.scheme == "unix":
            there = await asyncio.to_thread(Path(self.url.path).is_socket)
            finding = judge.socket_file(self.url.path, there)
            self.notes.say("engine port", Layer.ENGINE, finding)
            self.closed = "" if there else "its socket is not there"
        elif self.lost and self.url.hostname == self.node.host:
            self.closed = self.lost
            self.notes.skip(self.lost, "host", "engine port")
        else:
            await self._port()

    async def _name(self) -> bool:
        """Whether the node's name has an address."""
        name, began = self.node.host, time.monotonic()
        try:
            # In a thread of its own: the loop's few would have others wait for a dead name server.
            rows = await NodeThreads(self.node.name).call(
                lambda: socket.getaddrinfo(name, None, type=socket.SOCK_STREAM), RESOLVE
            )
        except TimeoutError:
            reason = f"no answer of the name server within {RESOLVE:g} s"
        except (OSError, UnicodeError) as error:
            reason = os_reason(error) if isinstance(error, OSError) else "this is no name"
        else:
            addresses = sorted({str(row[4][0]) for row in rows})
            remote = self.remote and not is_loopback(name)
            self.notes.say("name", Layer.HOST, judge.name(name, addresses, remote), began)
            return True
        self.notes.say("name", Layer.HOST, judge.no_name(name, reason), began)
        return False

    async def _port(self) -> None:
        name = self.node.host
        if self.lost:
            alive, (opened, reason) = False, await self._knock()
        else:
            alive, (opened, reason) = await asyncio.gather(
                host.answers(name, self.node.port, self.timeouts.ping), self._knock()
            )
            self.notes.say("host", Layer.HOST, judge.alive(name, alive, opened))
        if not (alive or opened or self.lost):
            self.lost = f"{name} does not answer"
            if self.url.hostname == name:
                self.notes.skip(self.lost, "engine port")
                self.closed = self.lost
                return
        self.notes.say("engine port", Layer.ENGINE, judge.engine_port(self._place, opened, reason))
        self.closed = "" if opened else "the engine cannot be reached"

    @property
    def _place(self) -> tuple[str, int]:
        usual = TLS_PORT if self.node.tls is not None else PORTS[self.url.scheme]
        return self.url.hostname or self.node.host, self.url.port or usual

    async def _knock(self) -> tuple[bool, str]:
        began = time.monotonic()
        try:
            async with asyncio.timeout(self.timeouts.connect):
                _, writer = await asyncio.open_connection(*self._place)
        except TimeoutError:
            return False, f"no answer within {self.timeouts.connect:g} s"
        except OSError as error:
            return False, os_reason(error)
        writer.close()
        return True, f"open after {time.monotonic() - began:.3f} s"


def is_loopback(name: str) -> bool:
    """Whether a name or address means this very computer, by its word alone."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"
