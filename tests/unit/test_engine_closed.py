"""An engine that is closed while its calls are on their way opens no connection afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from fliswarm.engine.docker import DockerEngine
from fliswarm.engine.threads import NodeThreads
from fliswarm.errors import EngineError, EngineUnreachable


async def test_a_call_asked_for_before_the_end_opens_nothing_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As when a thread is slow to begin."""
    late: list[Callable[[], Any]] = []

    async def keep(_self: NodeThreads, function: Callable[[], Any], timeout: float | None) -> Any:
        late.append(function)
        raise TimeoutError

    came = 0

    def come(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal came
        came += 1
        writer.close()

    server = await asyncio.start_server(come, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        engine = DockerEngine("gfa1", f"tcp://127.0.0.1:{port}", 1)
        monkeypatch.setattr(NodeThreads, "call", keep)
        for ask in (engine.check(), engine.watch("flicamera", lambda event: None, lambda: None)):
            with pytest.raises(EngineError):
                await ask
        engine.close()
        assert len(late) == 2
        for call in late:
            with pytest.raises(EngineUnreachable, match="closed meanwhile"):
                await asyncio.to_thread(call)
        assert came == 0
        monkeypatch.undo()
        with pytest.raises(EngineUnreachable, match=r"(?i)closed|reset|aborted"):
            await engine.check()
        assert came > 0, "a call of afterwards is another matter"
        engine.close()
