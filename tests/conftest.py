"""What holds for every test: the testbed's fixtures, a time limit, and nothing left behind."""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import inspect
import os
import re
import signal
import sys
import threading
import warnings
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, settings

from tests.testbed.fixtures import clean_testbed, hub, testbed

__all__ = ["clean_testbed", "hub", "leaves_nothing", "testbed"]

with warnings.catch_warnings():
    # sdsstools leaves a file open when it is imported (metadata.py, get_package_version).
    warnings.simplefilter("ignore", ResourceWarning)
    import clu  # noqa: F401

    gc.collect()

# How long an example takes says how busy the machine is; LIMIT holds for all of them.
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")

LIMIT = 30.0
"""Seconds for each part (setup, call, teardown) of a test on one computer."""
PATIENCE = 2.0
"""Seconds that closed connections and cancelled tasks have to go."""
SLOW = ("testbed", "beside", "hub")


def pytest_configure(config: pytest.Config) -> None:
    # A shell that starts this in the background ignores Ctrl-C for all that comes after it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # A camera process outlives its manager: its Popen says so when it is collected.
    config.addinivalue_line(
        "filterwarnings", "ignore:subprocess [0-9]+ is still running:ResourceWarning"
    )


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Several processes (pytest -n): each file stays in one, and what there is once on a machine
    # (engines, hub) or takes all of it stays in the first, which begins with it. What is longest
    # but needs no engine goes beside that.
    items.sort(key=lambda item: not _takes_the_machine(item))
    for item in items:
        folder = item.path.parent.name
        group = folder if folder in ("soak", "beside") else item.path.name
        if _takes_the_machine(item) and group == item.path.name:
            group = "machine"
        item.add_marker(pytest.mark.xdist_group(group))
    for item in items:
        if any(item.get_closest_marker(name) for name in SLOW):
            continue  # their managers, engines and hubs are processes that last longer
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.function):
            # Behind what lives longer, before all else: it looks when that has been undone.
            known = item._fixtureinfo.name2fixturedefs
            longer = [
                n for n in item.fixturenames if n in known and known[n][-1].scope != "function"
            ]
            item.fixturenames.insert(len(longer), "leaves_nothing")


def _takes_the_machine(item: pytest.Item) -> bool:
    marked = any(item.get_closest_marker(name) for name in SLOW)
    return marked or item.path.parent.name in ("bench", "soak")


# the time limit


class TooLong(BaseException):
    """A test does not end: no `except Exception` of the program may swallow it."""


def _too_long(*_: object) -> None:
    faulthandler.dump_traceback(sys.__stderr__)
    with suppress(RuntimeError):
        for task in asyncio.all_tasks():
            task.print_stack(file=sys.__stderr__)
    raise TooLong(f"not over after {LIMIT:g} s; the stacks are on stderr")


@contextmanager
def _limited(item: pytest.Item) -> Generator[None]:
    if any(item.get_closest_marker(name) for name in SLOW):
        yield
        return
    before = signal.signal(signal.SIGALRM, _too_long)
    # Again every second: the first may be raised in a task that nobody awaits.
    signal.setitimer(signal.ITIMER_REAL, LIMIT, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    with _limited(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    with _limited(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    with _limited(item):
        return (yield)


# nothing left behind


@pytest.fixture
async def leaves_nothing() -> AsyncIterator[None]:
    """Fails an async test that leaves tasks, engine threads, sockets or processes behind."""
    before = _present()
    yield
    until = asyncio.get_running_loop().time() + PATIENCE
    while (left := _present() - before) and asyncio.get_running_loop().time() < until:
        await asyncio.sleep(0.01)
        gc.collect()  # an exception of the Docker SDK holds its connection
    if left:
        pytest.fail(f"left behind: {', '.join(sorted(left))}", pytrace=False)


def _present() -> set[str]:
    tasks = {f"task {task}" for task in asyncio.all_tasks() if task is not asyncio.current_task()}
    threads = {
        f"thread {thread.name} {thread.ident}"
        for thread in threading.enumerate()
        if thread.name.startswith(("engine-", "history"))
    }
    return tasks | threads | _sockets() | _processes()


def _sockets() -> set[str]:
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            target = os.readlink(entry)
            if re.match("socket:", target):
                found.add(target)
    return found


def _processes() -> set[str]:
    found = set()
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if child.status() != psutil.STATUS_ZOMBIE:
                found.add(f"process {child.pid} {' '.join(child.cmdline()[:6])}")
    return found
