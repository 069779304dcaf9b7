"""The engine of local processes: it ends what it started, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from fliswarm.engine import ContainerSpec, Found, ProcessEngine
from fliswarm.errors import EngineRefused
from tests.unit.processes import SLEEP, ended, ids, look, pid_of, run, until

POLITE = """
import time
try:
    print('up')
    time.sleep(1000)
except KeyboardInterrupt:
    raise SystemExit(7)
"""
DEAF = (
    sys.executable, "-uc",
    "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print('deaf');"
    "time.sleep(1000)",
)  # fmt: skip


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[ProcessEngine]:
    engine = ProcessEngine("gfa1", tmp_path)
    yield engine
    for container_id in ids(tmp_path):
        await ProcessEngine("gfa1", tmp_path).remove(container_id)


# its life


async def test_a_process_is_created_started_and_found_by_its_name(engine: ProcessEngine) -> None:
    spec = ContainerSpec("cam-gfa1", "image", SLEEP, labels={"a": "b"})
    container_id = await engine.create(spec)
    assert (await look(engine, container_id)).state == "created"
    await engine.start(container_id)
    found = await engine.find("cam-gfa1")
    assert found is not None
    assert (found.id, found.state, found.labels) == (container_id, "running", {"a": "b"})
    assert await engine.glance("cam-gfa1") == (container_id, "running")
    assert await engine.find("cam-gfa10") is None
    assert await engine.inspect("0" * 64) is None


async def test_a_second_start_changes_nothing(engine: ProcessEngine, tmp_path: Path) -> None:
    found = await run(engine, *SLEEP)
    pid = pid_of(tmp_path, found)
    await engine.start(found.id)
    assert pid_of(tmp_path, found) == pid


async def test_a_stop_is_a_sigint_first(engine: ProcessEngine) -> None:
    found = await run(engine, sys.executable, "-uc", POLITE)
    await logged(engine, found, "up")
    started = time.monotonic()
    await engine.stop(found.id, 10)
    assert time.monotonic() - started < 5
    assert (await look(engine, found.id)).exit_code == 7


async def test_a_deaf_process_is_killed_after_the_grace(engine: ProcessEngine) -> None:
    found = await run(engine, *DEAF)
    await logged(engine, found, "deaf")
    started = time.monotonic()
    await engine.stop(found.id, 0.4)
    assert 0.4 <= time.monotonic() - started < 3
    assert (await look(engine, found.id)).exit_code == 128 + signal.SIGKILL


async def test_stopping_what_is_stopped_or_unknown_is_no_error(engine: ProcessEngine) -> None:
    found = await run(engine, *SLEEP)
    await engine.stop(found.id, 5)
    await engine.stop(found.id, 5)
    await engine.stop("0" * 64, 5)
    await engine.remove("0" * 64)


async def test_a_removed_process_is_gone_with_its_files(
    engine: ProcessEngine, tmp_path: Path
) -> None:
    found = await run(engine, *SLEEP)
    pid = pid_of(tmp_path, found)
    await engine.remove(found.id)
    assert not psutil.pid_exists(pid)
    assert await engine.find("cam-gfa1") is None
    assert os.listdir(tmp_path) == []


async def test_a_stop_ends_what_the_command_has_started_too(
    engine: ProcessEngine, tmp_path: Path
) -> None:
    found = await run(engine, "sh", "-c", "sleep 1000 & wait")
    shell = psutil.Process(pid_of(tmp_path, found))
    await until(lambda: bool(shell.children()))
    (child,) = shell.children()
    await engine.stop(found.id, 0.2)
    left = child.is_running() and child.status() != psutil.STATUS_ZOMBIE
    with contextlib.suppress(psutil.NoSuchProcess):
        child.kill()
    assert not left


async def test_the_name_is_free_for_one_only(engine: ProcessEngine) -> None:
    first = await engine.create(ContainerSpec("a", "i", SLEEP))
    with pytest.raises(EngineRefused, match="the name a is in use"):
        await engine.create(ContainerSpec("a", "i", SLEEP))
    second = await engine.create(ContainerSpec("b", "i", SLEEP))
    with pytest.raises(EngineRefused, match="the name a is in use"):
        await engine.rename(second, "a")
    await engine.rename(first, "c")
    await engine.rename(second, "a")
    assert {(await look(engine, i)).name for i in (first, second)} == {"c", "a"}


@pytest.mark.parametrize(
    ("command", "words"),
    [(("/no/such/program",), "No such file or directory: /no/such/program"),
     (("/etc/passwd",), "Permission denied: /etc/passwd")],
)  # fmt: skip
async def test_a_command_that_cannot_be_run_says_why(
    command: tuple[str, ...], words: str, engine: ProcessEngine
) -> None:
    container_id = await engine.create(ContainerSpec("a", "i", command))
    with pytest.raises(EngineRefused, match=words):
        await engine.start(container_id)
    assert (await look(engine, container_id)).state == "created"


@pytest.mark.parametrize(
    ("command", "environment"), [((), {}), (("a\0b",), {}), (SLEEP, {"A=B": "c"})]
)
async def test_a_command_that_is_none_is_refused_too(
    command: tuple[str, ...], environment: dict[str, str], engine: ProcessEngine
) -> None:
    container_id = await engine.create(ContainerSpec("a", "i", command, environment))
    with pytest.raises(EngineRefused):
        await engine.start(container_id)


# its log


async def logged(engine: ProcessEngine, found: Found, line: str) -> None:
    async with asyncio.timeout(10):
        while line not in await engine.logs(found.id, 100):
            await asyncio.sleep(0.01)


async def test_the_last_lines_of_the_log(engine: ProcessEngine) -> None:
    script = "for i in range(30000): print(i)\nimport sys; print('on stderr', file=sys.stderr)"
    found = await ended(engine, await run(engine, sys.executable, "-uc", script))
    assert found.exit_code == 0
    assert await engine.logs(found.id, 3) == ["29998", "29999", "on stderr"]
    assert await engine.logs("0" * 64, 3) == []


async def test_a_log_that_is_no_text_can_be_read(engine: ProcessEngine) -> None:
    script = r"import sys; sys.stdout.buffer.write(b'\xff\xfe\0\n')"
    found = await ended(engine, await run(engine, sys.executable, "-c", script))
    assert len(await engine.logs(found.id, 3)) == 1


async def test_the_environment_is_given(engine: ProcessEngine) -> None:
    script = shlex.join(["printenv", "FLISWARM_NODE"])
    spec = ContainerSpec("a", "i", ("sh", "-c", script), {"FLISWARM_NODE": "gfa7"})
    container_id = await engine.create(spec)
    await engine.start(container_id)
    await ended(engine, await look(engine, container_id))
    assert await engine.logs(container_id, 5) == ["gfa7"]
