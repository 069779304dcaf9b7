"""The end of a stub's server."""

from __future__ import annotations

import asyncio

TURNS = 10
"""In so many turns of the loop a connection that was taken a moment ago is being served."""


async def close(server: asyncio.Server | None, writers: set[asyncio.StreamWriter]) -> None:
    """Be gone: no connection is taken any more, and those that stand break."""
    assert server is not None
    server.close()
    quiet = 0
    while quiet < TURNS:
        quiet = 0 if writers else quiet + 1
        for writer in list(writers):
            writer.transport.abort()
        await asyncio.sleep(0)
    await server.wait_closed()
