"""Blocking calls in threads: none waits for another's, and a thread serves again."""

from __future__ import annotations

import asyncio
import threading

import pytest

from fliswarm.engine import threads
from fliswarm.engine.threads import NodeThreads


def ident() -> int:
    return threading.get_ident()


def spare() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "spare"]


async def until_spare(count: int) -> None:
    async with asyncio.timeout(10):
        while len(spare()) != count:
            await asyncio.sleep(0.01)


@pytest.fixture
async def none_spare() -> None:
    await until_spare(0)


@pytest.mark.usefixtures("none_spare")
async def test_a_thread_serves_again_and_ends_when_nobody_needs_it() -> None:
    first = await NodeThreads("gfa1").call(ident, 5)
    await until_spare(1)
    names = await NodeThreads("gfa2").call(lambda: (ident(), threading.current_thread().name), 5)
    assert names == (first, "engine-gfa2")
    await until_spare(0)


@pytest.mark.usefixtures("none_spare")
async def test_a_call_that_hangs_keeps_its_thread_and_nobody_elses() -> None:
    over = threading.Event()
    sick = NodeThreads("gfa1", most=1)
    with pytest.raises(TimeoutError):
        await sick.call(lambda: over.wait(20), 0.05)
    with pytest.raises(TimeoutError):
        await sick.call(ident, 0.05)
    assert await asyncio.gather(*(NodeThreads("gfa2").call(lambda: 7, 5) for _ in range(5)))
    over.set()
    assert isinstance(await sick.call(ident, 5), int), "its turn was given back"


async def test_many_at_once_each_have_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "SPARE", 0.05)
    meet = threading.Barrier(8, timeout=10)

    def call() -> int:
        meet.wait()
        return ident()

    for _ in range(50):
        found = await asyncio.gather(*(NodeThreads("gfa1").call(call, 10) for _ in range(8)))
        assert len(set(found)) == 8


async def test_an_error_comes_to_the_one_who_waits() -> None:
    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await NodeThreads("gfa1").call(fail, 5)
