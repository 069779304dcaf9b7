"""Send commands to a running actor and read its replies, from Python."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import TracebackType

from .errors import FliswarmError, os_reason
from .protocol import MAX_LINE

CONNECT = 5.0
"""For opening the connection, in seconds."""


class ClientError(FliswarmError):
    """The actor cannot be reached, or the connection ended before the command did."""


@dataclass(frozen=True, slots=True)
class ActorReply:
    """One line of the actor.

    Attributes:
        raw: the line as it came.
        command_id: the command it answers; 0 for a broadcast.
        code: ``>``, ``d``, ``i``, ``w``, ``e``, or the last: ``:`` (done) or ``f`` (failed).
        keywords: keyword to its values, as text.
    """

    raw: str
    command_id: int
    code: str
    keywords: dict[str, list[str]] = field(default_factory=dict)

    @property
    def is_final(self) -> bool:
        """Whether the command ends with it."""
        return self.code in (":", "f") and self.command_id != 0


_HEADER = re.compile(r"(\d+) (\d+) (\S)(?: (.*))?$", re.DOTALL)
_TOKEN = re.compile(
    r"""\s*(?:(?P<mark>[;,=])|"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>[^']*)'|(?P<bare>[^\s;,=]+))"""
)


def parse_reply(line: str) -> ActorReply | None:
    """Read one line of the actor; None for one that is no reply."""
    match = _HEADER.match(line)
    if match is None:
        return None
    return ActorReply(line, int(match[2]), match[3], parse_keywords(match[4] or ""))


def parse_keywords(body: str) -> dict[str, list[str]]:
    """``a=1,"b c"; d`` as ``{"a": ["1", "b c"], "d": []}``."""
    keywords: dict[str, list[str]] = {}
    values: list[str] | None = None
    for token in _TOKEN.finditer(body):
        mark = token["mark"]
        if mark == ";":
            values = None
        elif mark is None:
            text = _text(token)
            if values is None:
                values = keywords.setdefault(text, [])
            else:
                values.append(text)
    return keywords


def _text(token: re.Match[str]) -> str:
    if token["double"] is not None:
        try:
            return str(json.loads(f'"{token["double"]}"'))
        except ValueError:
            return token["double"]
    return token["single"] if token["single"] is not None else token["bare"]


class Client:
    """A connection to the actor's port.

    Args:
        host: where the actor listens.
        port: its TCP port.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 19996) -> None:
        self.host = host
        self.port = port
        self._ids = itertools.count(1)
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def __aenter__(self) -> Client:
        await self.connect()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await self.close()

    async def connect(self) -> None:
        """Open the connection.

        Raises:
            ClientError: nobody listens there.
        """
        try:
            async with asyncio.timeout(CONNECT):
                self._reader, self._writer = await asyncio.open_connection(
                    self.host, self.port, limit=4 * MAX_LINE
                )
        except (OSError, TimeoutError) as error:
            reason = os_reason(error) if error.args else "no answer"
            raise ClientError(
                f"no actor at {self.host}:{self.port} ({reason}); start it with: fliswarm start"
            ) from error

    async def close(self) -> None:
        """Close the connection; commands under way go on."""
        if self._writer is not None:
            self._writer.close()
            self._reader = self._writer = None

    async def send(self, command: str) -> AsyncIterator[ActorReply]:
        """Send one command and yield its replies as they come, broadcasts among them.

        Ends after the reply that is final for the command.

        Raises:
            ClientError: the connection ended first.
        """
        if self._reader is None or self._writer is None:
            raise ClientError("the client is not connected")
        if any(ord(character) < 32 for character in command):
            raise ClientError("the command has a line break or a control character in it")
        command_id = next(self._ids)
        self._writer.write(f"{command_id} {command}\n".encode())
        while True:
            try:
                line = await self._reader.readuntil()
            except (asyncio.IncompleteReadError, ConnectionError) as error:
                raise ClientError("the actor closed the connection before the end") from error
            reply = parse_reply(line.decode("utf-8", "replace").rstrip("\r\n"))
            if reply is None or reply.command_id not in (0, command_id):
                continue
            yield reply
            if reply.is_final:
                return

    async def ask(self, command: str) -> list[ActorReply]:
        """Send one command and return all of its replies."""
        return [reply async for reply in self.send(command) if reply.command_id]
