"""The TCP client of one camera actor: one connection, a table of pending commands by id.

Nothing here waits without end. While a command is pending and the camera says nothing, the
camera's actor is pinged on the same connection: an actor answers a ping during the longest
integration, so a 900 s exposure is no silence, and a hung actor is found within
`silence` seconds. The end of the connection fails all that is pending at once.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable

from .connection import Asked, Connection, End, OnReply, Pending
from .errors import (
    CameraBroken,
    CameraClosed,
    CameraError,
    CameraTimeout,
    CameraUnreachable,
    os_reason,
)
from .protocol import Code, Reply, encode_command

MAX_ID = 2**31 - 1


class Camera:
    """One camera actor at `host`:`port`.

    Args:
        node: the node's name, for errors and logs.
        host: the computer.
        port: the camera actor's TCP port.
        connect_timeout: for opening the connection, in seconds.
        silence: how long the actor may say nothing, not even to a ping, in seconds.
        on_broadcast: called with every line that answers no command of ours.
        on_lost: called once with the reason when a connection ends unasked.
    """

    def __init__(
        self,
        node: str,
        host: str,
        port: int,
        *,
        connect_timeout: float,
        silence: float,
        on_broadcast: OnReply = lambda reply: None,
        on_lost: Callable[[CameraError], None] = lambda error: None,
    ) -> None:
        self.node = node
        self.host = host
        self.port = port
        self.connect_timeout = connect_timeout
        self.silence = silence
        self.on_broadcast = on_broadcast
        self.on_lost = on_lost
        self.log = logging.LoggerAdapter(logging.getLogger(__name__), {"node": node})
        self._connection: Connection | None = None
        self._ids = itertools.count(1)
        self._connecting = asyncio.Lock()
        self._closed = 0
        self.made = 0
        """How many connections have been made; names the one that stands."""

    def configure(self, host: str, port: int, connect_timeout: float, silence: float) -> None:
        """Take other settings; a connection to another place is closed."""
        moves = (host, port) != (self.host, self.port)
        self.host, self.port = host, port
        self.connect_timeout, self.silence = connect_timeout, silence
        if moves:
            self.close("the configuration has another place for the camera")
        elif self._connection is not None:
            self._connection.silence = silence

    @property
    def connected(self) -> bool:
        """Whether a connection stands (it may still be silent)."""
        return self._connection is not None

    @property
    def pending(self) -> int:
        """How many commands are waited for."""
        return len(self._connection.pending) if self._connection else 0

    @property
    def unfinished(self) -> int:
        """How many commands the camera has not ended, those given up among them; no pulses."""
        if self._connection is None:
            return 0
        pending = self._connection.pending.values()
        return sum(not item.pulse for item in pending) + len(self._connection.left)

    async def connect(self) -> None:
        """Open the connection; nothing happens when it stands already.

        Raises:
            CameraUnreachable: refused, no such host, or not open within `connect_timeout`.
        """
        async with self._connecting:
            if self._connection is None:
                await self._connect()

    async def _connect(self) -> None:
        closed = self._closed
        loop = asyncio.get_running_loop()
        place = f"connect to {self.host}:{self.port}"
        connection = Connection(self.node, self.silence, self._ids, self.on_broadcast, self._ended)
        try:
            async with asyncio.timeout(self.connect_timeout):
                await loop.create_connection(lambda: connection, self.host, self.port)
        except TimeoutError:
            raise CameraUnreachable(
                self.node, "no answer", tried=place, seconds=self.connect_timeout
            ) from None
        except UnicodeError as error:
            raise CameraUnreachable(self.node, "this is no host name", tried=place) from error
        except OSError as error:
            raise CameraUnreachable(self.node, os_reason(error), tried=place) from error
        if self._closed != closed:  # closed by us meanwhile
            connection.end(CameraClosed(self.node, "closed while it was being opened"))
        if connection.closed is not None:  # over before we came back here
            raise connection.closed
        self._connection = connection
        self.made += 1

    async def ask(
        self,
        command: str,
        on_reply: OnReply | None = None,
        limit: float | None = None,
        pulse: bool = False,
    ) -> Reply:
        """Send a command and wait for its last reply (``:`` or ``f``).

        Args:
            command: the camera's command, one line.
            on_reply: called with each reply but the last, in order.
            limit: a hard limit in seconds; None lets the camera take as long as it answers
                pings.
            pulse: whether it is a ping of ours, which does not count as `unfinished`.

        Raises:
            CameraUnreachable: there is no connection.
            CameraLost, CameraClosed, CameraSilent, CameraBroken: the connection ended first.
            CameraTimeout: the limit ran out; the camera may still be at it.
            ValueError: the command cannot be sent (see `protocol.encode_command`).
        """
        end: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        asked = self.send(command, end, on_reply, pulse)
        try:
            if limit is None:
                return await end
            async with asyncio.timeout(limit):
                return await end
        except TimeoutError:
            raise CameraTimeout(
                self.node, "not finished within the limit", tried=command, seconds=limit
            ) from None
        finally:
            asked.leave()

    def send(
        self, command: str, end: End, on_reply: OnReply | None = None, pulse: bool = False
    ) -> Asked:
        """Send a command; `end` is told of its last reply, or why there is none.

        Args:
            command: the camera's command, one line.
            end: told once, unless the command is left before.
            on_reply: called with each reply but the last, in order.
            pulse: whether it is a ping of ours, which does not count as `unfinished`.

        Raises:
            CameraUnreachable: there is no connection.
            ValueError: the command cannot be sent (see `protocol.encode_command`).
        """
        connection = self._connection
        if connection is None:
            raise CameraUnreachable(self.node, "not connected to the camera actor")
        command_id = next(self._ids)
        if command_id > MAX_ID:  # pragma: no cover - after 68 years at one a second
            self._ids = itertools.count(1)
        line = encode_command(command_id, command)
        connection.send(command_id, line, Pending(command, on_reply, end, pulse))
        return Asked(connection, command_id)

    async def ping(self, limit: float | None = None) -> None:
        """Ask the actor whether it is there.

        Raises:
            CameraError: as `ask`; also when the answer is a failure.
        """
        reply = await self.ask("ping", limit=limit, pulse=True)
        if reply.code is not Code.DONE:
            raise CameraBroken(self.node, f"the actor failed a ping: {reply.data}")

    async def cameras(self, limit: float | None = None) -> tuple[str, ...] | None:
        """Ask the actor for its cameras (``list``), which shows as well that it is there.

        Returns:
            Their names; None where the actor does not know the command, answers it with
            what cannot be read, or takes longer than `limit` (seconds): nobody knows then.

        Raises:
            CameraError: as `ask` otherwise.
        """
        names: list[str] | None = None

        def hear(reply: Reply) -> None:
            nonlocal names
            if isinstance(found := reply.data.get("cameras"), list):
                names = [str(name) for name in found]

        try:
            last = await self.ask("list", hear, limit, pulse=True)
        except (CameraTimeout, CameraBroken):
            return None
        hear(last)
        return None if names is None or last.code is not Code.DONE else tuple(names)

    def close(self, reason: str) -> None:
        """Close the connection; pending commands fail with `CameraClosed` and the reason."""
        self._closed += 1
        if self._connection is not None:
            self._connection.end(CameraClosed(self.node, reason))

    def _ended(self, connection: Connection, error: CameraError) -> None:
        """The connection tells that it is over."""
        if self._connection is not connection:
            return
        self._connection = None
        if not isinstance(error, CameraClosed):
            self.on_lost(error)
