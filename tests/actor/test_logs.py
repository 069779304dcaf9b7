"""The actor's command logs where there is nothing to tell, and engines without a log."""

from __future__ import annotations

import asyncio
from pathlib import Path

from fliswarm.logfiles import last_lines

from .conftest import Swarm
from .running import managing, ready, stub_config, stub_fleet, until, using


async def test_the_starts_of_containers_are_kept(swarm: Swarm) -> None:
    async with asyncio.timeout(10):  # the follower begins when the engine has been looked at
        while len(lines := await swarm.user.ask("logs gfa2")) != 3 or lines[1][0] == "w":
            await asyncio.sleep(0.01)
    assert lines[1].startswith('i log=gfa2,2026-01-01T00:00:00.000Z,"===","container ')
    assert lines[1].endswith(' started"')
    (failure,) = [line for line in await swarm.user.ask("logs gfa22") if line[0] == "f"]
    assert "unknown node 'gfa22'" in failure


async def test_nothing_is_kept_where_it_is_switched_off(tmp_path: Path) -> None:
    async with (
        stub_fleet(tmp_path, ["gfa1"]) as fleet,
        managing(stub_config(fleet, tmp_path, camera_logs={"follow": False})) as actor,
        using(actor) as user,
    ):
        await ready(actor)
        assert "camera_logs.follow is false" in (await user.ask("logs gfa1"))[-1]
        assert not fleet.nodes["gfa1"].engine.server.followers
    assert not actor.settings.camera_log_dir.exists()


async def test_an_engine_that_cannot_read_its_log_is_noted_once(tmp_path: Path) -> None:
    async with stub_fleet(tmp_path, ["gfa1"]) as fleet:
        engine = fleet.nodes["gfa1"].engine
        engine.no_logs = "configured logging driver does not support reading"
        asked = engine.requests
        async with managing(stub_config(fleet, tmp_path)) as actor:
            await until(lambda: sum(r.path.endswith("/logs") for r in asked) >= 2)
            await actor.swarm.books.flush()
            found = last_lines(actor.settings.camera_log_dir, "gfa1", 10)
    assert [line.text for line in found][1:] == [f"the log cannot be read: {engine.no_logs}"]
