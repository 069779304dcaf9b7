"""Users who do what users do not."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from .house import house, reset, verdicts


async def test_users_who_are_gone_before_they_are_greeted_harm_nobody(tmp_path: Path) -> None:
    async with house(tmp_path, "gfa1") as it:
        for _ in range(20):
            reset(it.port)
        await asyncio.sleep(0)
        async with it.user() as user:
            assert verdicts(await user.ask("talk ping"))["gfa1"][0] == "ok"


async def test_a_burst_of_empty_lines_does_not_stop_the_others(tmp_path: Path) -> None:
    async with house(tmp_path, "gfa1") as it, it.user() as user, it.user() as bad:
        bad.writer.write(b"\n" * 100_000)
        await bad.writer.drain()
        began = time.monotonic()
        replies = await user.ask("talk ping", 20)
        assert time.monotonic() - began < 1
        assert verdicts(replies)["gfa1"][0] == "ok"
