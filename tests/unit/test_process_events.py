"""The engine of local processes: deaths are told, and what runs is found again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from fliswarm.engine import ProcessEngine
from tests.unit.processes import (
    SLEEP,
    ended,
    ids,
    look,
    pid_of,
    run,
    sleep_until_dead,
    until,
    watching,
)  # fmt: skip


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[ProcessEngine]:
    engine = ProcessEngine("gfa1", tmp_path)
    yield engine
    for container_id in ids(tmp_path):
        await ProcessEngine("gfa1", tmp_path).remove(container_id)


# its events


async def test_a_death_is_told_with_its_exit_code_to_be_read(
    engine: ProcessEngine, tmp_path: Path
) -> None:
    found = await run(engine, *SLEEP)
    async with watching(engine, "cam-gfa1") as events:
        await asyncio.sleep(0.15)
        os.kill(pid_of(tmp_path, found), signal.SIGKILL)
        await until(lambda: bool(events), 2)
        assert (events[0].action, events[0].id) == ("die", found.id)
        seen = await look(engine, found.id)
        assert (seen.state, seen.exit_code) == ("exited", 137)


async def test_only_events_of_the_name_are_told(engine: ProcessEngine) -> None:
    async with watching(engine, "cam-gfa1") as events:
        await run(engine, *SLEEP, name="cam-gfa10")
        found = await run(engine, *SLEEP)
        await engine.remove(found.id)
    assert {event.id for event in events} == {found.id}
    assert (events[0].action, events[-1].action) == ("start", "destroy")


async def test_a_death_right_after_the_start_is_told(engine: ProcessEngine, tmp_path: Path) -> None:
    async with watching(engine, "cam-gfa1") as events:
        found = await run(engine, "true")
        sleep_until_dead(pid_of(tmp_path, found))
        await asyncio.sleep(0.5)
    assert "die" in [event.action for event in events]


# another manager on the same folder, as after a kill -9


async def test_a_second_engine_finds_what_runs_and_can_stop_it(
    engine: ProcessEngine, tmp_path: Path
) -> None:
    found = await run(engine, *SLEEP)
    pid = pid_of(tmp_path, found)
    second = ProcessEngine("gfa1", tmp_path)
    seen = await second.find("cam-gfa1")
    assert seen is not None
    assert (seen.id, seen.state, seen.started_at) == (found.id, "running", found.started_at)
    await second.stop(found.id, 5)
    assert (await look(second, found.id)).state == "exited"
    assert (await look(second, found.id)).exit_code is None  # nobody was there to hear it
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


async def test_an_adopted_process_that_dies_is_told(engine: ProcessEngine, tmp_path: Path) -> None:
    found = await run(engine, *SLEEP)
    second = ProcessEngine("gfa1", tmp_path)
    async with watching(second, "cam-gfa1") as events:
        await asyncio.sleep(0.15)
        os.kill(pid_of(tmp_path, found), signal.SIGKILL)
        await until(lambda: bool(events), 2)
    assert events[0].action == "die"


@pytest.mark.parametrize("leads_a_group", [False, True])
async def test_a_pid_that_belongs_to_somebody_else_by_now_is_not_believed(
    leads_a_group: bool, engine: ProcessEngine, tmp_path: Path
) -> None:
    found = await run(engine, *SLEEP)
    await engine.stop(found.id, 5)
    await asyncio.sleep(0.05)  # a process is told from another by its start, in 10 ms
    stranger = await asyncio.create_subprocess_exec(*SLEEP, start_new_session=leads_a_group)
    record = tmp_path / f"{found.short_id}.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "pid": stranger.pid}))
    second = ProcessEngine("gfa1", tmp_path)
    assert (await look(second, found.id)).state == "exited"
    await second.stop(found.id, 0)
    await second.remove(found.id)
    survived = psutil.Process(stranger.pid).status() != psutil.STATUS_ZOMBIE
    with contextlib.suppress(ProcessLookupError):
        stranger.kill()
    await stranger.wait()
    assert survived


async def test_what_a_dead_process_left_behind_is_ended(
    engine: ProcessEngine, tmp_path: Path
) -> None:
    found = await run(engine, "sh", "-c", f"sleep 1000 & echo $! > {tmp_path}/left")
    await until(lambda: (tmp_path / "left").is_file() and bool((tmp_path / "left").read_text()))
    left = int((tmp_path / "left").read_text())
    second = ProcessEngine("gfa1", tmp_path)
    await ended(engine, found)
    assert psutil.pid_exists(left)
    await second.stop(found.id, 0)
    await until(lambda: not alive(left), 2)


async def test_a_process_of_another_start_of_the_computer_is_not_believed(
    engine: ProcessEngine, tmp_path: Path
) -> None:
    found = await run(engine, *SLEEP)
    record = tmp_path / f"{found.short_id}.json"
    content = json.loads(record.read_text())
    record.write_text(json.dumps({**content, "boot": "another"}))
    second = ProcessEngine("gfa1", tmp_path)
    assert (await look(second, found.id)).state == "exited"
    await second.stop(found.id, 0)
    assert alive(content["pid"])
    record.write_text(json.dumps(content))


async def test_a_step_of_the_clock_does_not_make_a_process_a_strangers(
    engine: ProcessEngine, tmp_path: Path
) -> None:
    """The kernel gives a start in ticks since boot; psutil adds a boot time that moves."""
    found = await run(engine, *SLEEP)
    record = tmp_path / f"{found.short_id}.json"
    content = json.loads(record.read_text())
    moved = psutil.Process(content["pid"]).create_time() + 5
    record.write_text(json.dumps({**content, "born": moved}))
    assert (await look(ProcessEngine("gfa1", tmp_path), found.id)).running


@pytest.mark.parametrize("right", [True, False])
async def test_a_record_of_an_older_manager(
    right: bool, engine: ProcessEngine, tmp_path: Path
) -> None:
    found = await run(engine, *SLEEP)
    record = tmp_path / f"{found.short_id}.json"
    content = json.loads(record.read_text())
    born = psutil.Process(content["pid"]).create_time() + (0 if right else 5)
    old = {key: value for key, value in content.items() if key not in ("ticks", "boot")}
    record.write_text(json.dumps({**old, "born": born}))
    second = ProcessEngine("gfa1", tmp_path)
    assert (await look(second, found.id)).running == right
    record.write_text(json.dumps(content))


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("text", ["", "{", "null", "[]", '{"id": "x"}', '{"what": 1}', "\xff"])
async def test_a_broken_record_is_passed_over(text: str, tmp_path: Path) -> None:
    (tmp_path / "0123456789ab.json").write_text(text, "latin-1")
    assert await ProcessEngine("gfa1", tmp_path).find("cam-gfa1") is None


async def test_a_folder_that_is_not_there_is_empty(tmp_path: Path) -> None:
    engine = ProcessEngine("gfa1", tmp_path / "none")
    assert await engine.find("cam-gfa1") is None
    assert await engine.logs("0" * 64, 3) == []
    assert await engine.check() == "process"
