"""The connection to the Tron hub: made when the hub is there, and made again when it comes back.

sdss-clu's own reconnection waits up to an hour and never starts over; a hub that is away
at the start raises. Here one task keeps trying, and asks the hub for its nub each time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

from clu.legacy.tron import TronConnection

from .errors import HubError

RETRY = 2.0
"""Seconds between two attempts."""

log = logging.getLogger(__name__)


class _HubProtocol(asyncio.Protocol):
    """What TronConnection wants of a protocol, without its growing pauses."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.transport: asyncio.BaseTransport | None = None
        self.connected = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.connected = True

    def data_received(self, data: bytes) -> None:
        try:
            self.hub._handle_reply(data)
        except Exception:
            log.exception("a reply of the hub cannot be handled")

    def connection_lost(self, error: Exception | None) -> None:
        self.connected = False
        self.hub.lost.set()

    def stop_trying(self) -> None:
        self.connected = False


class Hub(TronConnection):  # type: ignore[misc]
    """A client of the hub that stays connected as long as `keep` runs.

    Attributes:
        address: of the hub's computer, as last connected; empty before.
    """

    def __init__(self, actor: str, host: str, port: int, sdss_log: Any) -> None:
        super().__init__(f"{actor}.{actor}", host, port, log=sdss_log)
        self.actor_name = actor
        self.lost = asyncio.Event()
        self.address = ""

    async def start(self, get_keys: bool = False) -> Hub:
        """Connect once.

        Raises:
            OSError: the hub is not there.
        """
        self.lost.clear()
        self.buffer = b""
        self.running_commands.clear()
        protocol = _HubProtocol(self)
        async with asyncio.timeout(5):
            transport, _ = await asyncio.get_running_loop().create_connection(
                lambda: protocol, self.host, self.port
            )
        self.address = str((transport.get_extra_info("peername") or ("",))[0])
        self.protocol = protocol
        return self

    async def keep(self) -> None:
        """Stay connected until cancelled; log a change, not an attempt."""
        away = False
        while True:
            try:
                await self.start()
                log.info("connected to the hub at %s:%d", self.host, self.port)
                away = False
                await self._ask_nub()
                await self.lost.wait()
                log.warning("the hub closed the connection")
            except (OSError, TimeoutError) as error:
                if not away:
                    log.warning(
                        "the hub at %s:%d is away (%s); trying every %g s",
                        self.host, self.port, error or "no answer", RETRY,
                    )  # fmt: skip
                away = True
            finally:
                self.stop()
            await asyncio.sleep(RETRY)

    async def _ask_nub(self) -> None:
        """Ask the hub to connect to us, until it says that it did or the connection ends."""
        while not self.lost.is_set():
            with contextlib.suppress(HubError):
                await self.command("hub", f"startNubs {self.actor_name}", 5.0)
                return
            await asyncio.sleep(RETRY)

    async def command(self, target: str, command: str, timeout: float) -> None:
        """Send a command through the hub and wait for its end, `timeout` seconds at most.

        Raises:
            HubError: the hub is away, the command failed, or the time is up.
        """
        if not self.connected():
            raise HubError("the hub is not connected")
        sent = self.send_command(target, command)
        try:
            async with asyncio.timeout(timeout):
                await sent
        except TimeoutError:
            raise HubError(f"{target} {command}: no answer after {timeout:g} s") from None
        if sent.status.did_fail:
            raise HubError(f"{target} {command}: {_words(sent)}")


def _words(sent: Any) -> str:
    """What the other actor said when it failed."""
    for reply in reversed(sent.replies):
        for keyword in reply.keywords or ():
            if keyword.name in ("error", "text", "why"):
                return " ".join(str(value) for value in keyword.values)
    return "failed without a word"
