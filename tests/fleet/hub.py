"""A stub of the hub's client port: it notes what an actor asks of it and says that it is done.

As the real one it says so of ``startNubs`` only when the actor has a user: here, when `met` is set.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field

from .closing import close


@dataclass
class StubHub:
    """One hub; `commands` keeps target and words of each command, without its number."""

    host: str = "127.0.0.1"
    port: int = 0
    commands: list[str] = field(default_factory=list)
    met: asyncio.Event = field(default_factory=asyncio.Event)
    server: asyncio.Server | None = None
    writers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def start(self) -> StubHub:
        self.server = await asyncio.start_server(self._serve, self.host, self.port)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        await close(self.server, self.writers)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.add(writer)
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                commander, number, target, words = line.decode().strip().split(" ", 3)
                self.commands.append(f"{commander} {target} {words}")
                if words.startswith("startNubs"):
                    await self.met.wait()
                writer.write(f"{commander} {number} {target} : text=done\n".encode())
        self.writers.discard(writer)
        writer.close()
