"""A soak from its start to its verdict."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from . import meter, plan, report
from .fleet import Fleet, wait
from .strike import Striker
from .watchers import DEADLINE, Exposer, Listener

AROUND = 30.0
"""Seconds of a soak that belong to its start and its end."""
UP = 60.0
"""Within so many seconds all cameras are READY at the start."""
BACK = 100.0
"""And at the end: the longest pause before a start is 60 s, with jitter 72 s."""
WARM_UP = 5.0


@dataclass
class Result:
    """What a soak found; it is good when `problems` is empty."""

    plan: list[plan.Fault]
    problems: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)


async def soak(
    folder: Path, minutes: float, cameras: int, seed: int, known_bugs: bool = False
) -> Result:
    """Run one; whatever happens, no process is left."""
    fleet = Fleet(folder, cameras)
    seconds = max(3 * plan.EVERY, 60 * minutes - AROUND)
    result = Result(plan.make(seed, seconds, fleet.names, known_bugs))
    try:
        await _run(fleet, result)
    except (TimeoutError, RuntimeError) as error:
        result.problems.append(str(error))
    finally:
        fleet.sweep()
    return result


async def _run(fleet: Fleet, result: Result) -> None:
    began = time.monotonic()
    await fleet.start()
    listener, exposer = Listener(fleet), Exposer(fleet)
    striker = Striker(fleet, exposer)
    async with _running(listener.run()):
        replies = await fleet.send("reconnect", UP)
        if replies[-1].code != ":":
            result.problems.append(f"reconnect: {replies[-1].raw}")
        await wait(lambda: listener.all_ready, UP, "all cameras are READY at the start")
        result.text.append(f"all READY after {time.monotonic() - began:.1f} s")
        async with _running(exposer.run()):
            levels = await _faults(fleet, result.plan, striker, exposer)
            await _all_well(fleet, result, listener, exposer, striker)
        result.problems += meter.judge(levels, await meter.measure(fleet))
        result.text.append(f"the manager after its warm-up: {levels}")
        result.text.append(f"the manager at the end:        {await meter.measure(fleet)}")
        await _nothing_left(fleet, result)
    result.problems += exposer.lies + striker.problems
    result.problems += report.unexcused(striker.done, exposer)
    found = report.rows(striker.done, listener, exposer)
    result.text.append(_exposures(exposer, listener))
    result.text.append(report.table(found))


@contextlib.asynccontextmanager
async def _running(coroutine) -> AsyncIterator[None]:  # type: ignore[no-untyped-def]
    task = asyncio.create_task(coroutine)
    try:
        yield
        if task.done():
            task.result()
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _faults(
    fleet: Fleet, faults: list[plan.Fault], striker: Striker, exposer: Exposer
) -> meter.Needs:
    """Do all faults; the manager's needs after the warm-up of the one that lives at the end."""
    await asyncio.sleep(WARM_UP)
    levels = await meter.measure(fleet)
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for fault in faults:
            await asyncio.sleep(max(0.0, began + fault.at - time.monotonic()))
            kills = striker.kills
            task = group.create_task(striker.strike(fault))
            if plan.KINDS[fault.kind].target == plan.MANAGER:
                await asyncio.wait({task})
                if striker.kills > kills:
                    await asyncio.sleep(WARM_UP)
                    levels = await meter.measure(fleet)
    return levels


async def _all_well(
    fleet: Fleet, result: Result, listener: Listener, exposer: Exposer, striker: Striker
) -> None:
    """Faults off: all READY, and an exposure in which all are ok."""
    began = time.monotonic()
    cleared = await asyncio.gather(*(striker.clear(name, BACK) for name in fleet.names))
    if not all(cleared):
        result.problems.append(f"no answer to fault --clear: {cleared.count(False)} cameras")
    try:
        await wait(lambda: listener.all_ready, BACK, "all cameras are READY at the end")
        late = time.monotonic()
        await wait(lambda: _all_ok(fleet, exposer, late), 30, "an exposure that all do")
    except TimeoutError as error:
        result.problems.append(f"{error}: {listener.states}; {exposer.told[-len(fleet.names) :]}")
    result.text.append(f"all well {time.monotonic() - began:.1f} s after the last fault")


def _all_ok(fleet: Fleet, exposer: Exposer, after: float) -> bool:
    last = exposer.told[-len(fleet.names) :]
    return all(began >= after and verdict == "ok" for _, _, verdict, began in last)


async def _nothing_left(fleet: Fleet, result: Result) -> None:
    """Stop everything in order; then no process of ours is there."""
    until = time.monotonic() + DEADLINE
    while (replies := await fleet.send("stop"))[-1].code != ":":
        if time.monotonic() > until:  # the last exposure has long been over
            result.problems.append(f"stop: {replies[-1].raw}")
            break
        await asyncio.sleep(0.5)
    await fleet.stop()
    try:
        await wait(lambda: not fleet.processes(), 5, "no process is left")
    except TimeoutError:
        left = [" ".join(process.cmdline()) for process in fleet.processes()]
        result.problems.append(f"left over: {left}")


def _exposures(exposer: Exposer, listener: Listener) -> str:
    seconds = exposer.seconds or [0.0]
    counts = ", ".join(f"{count} {verdict}" for verdict, count in exposer.verdicts.most_common())
    return (
        f"{exposer.commands} commands, the longest {exposer.longest:.1f} s; verdicts: {counts}; "
        f"ok within {median(seconds):.2f} s (median), {max(seconds):.2f} s (longest); "
        f"{listener.lines} lines heard"
    )
