"""What the manager needs: memory, open files, threads, tasks."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass

import psutil

from .fleet import Fleet, wait

MEMORY = 40.0
"""By how many MB the USS may grow from after the warm-up to the end."""
FILES = 4
"""By how many the open files (sockets among them) may grow."""
THREADS = 2
TASKS = 6


@dataclass(frozen=True, slots=True)
class Needs:
    """One measurement; memory in MB."""

    pid: int
    rss: float
    uss: float
    files: int
    threads: int
    tasks: int
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        return (
            f"RSS {self.rss:.1f} MB, USS {self.uss:.1f} MB, {self.files} files, "
            f"{self.threads} threads, {self.tasks} tasks"
        )


async def measure(fleet: Fleet) -> Needs:
    """Measure the manager now."""
    pid = fleet.pid
    process = psutil.Process(pid)
    target = fleet.folder / f"tasks-{pid}"
    target.unlink(missing_ok=True)
    os.kill(pid, signal.SIGUSR1)
    await wait(target.exists, 5, "the manager's word on its tasks")
    names = tuple(target.read_text().split("\n"))
    memory = process.memory_full_info()
    return Needs(
        pid, memory.rss / 1e6, memory.uss / 1e6, process.num_fds(), process.num_threads(),
        len(names), names,
    )  # fmt: skip


def judge(before: Needs, after: Needs) -> list[str]:
    """What has grown beyond its bound."""
    bounds = {"uss": MEMORY, "files": FILES, "threads": THREADS, "tasks": TASKS}
    return [
        f"the manager's {name} grew from {getattr(before, name):.0f} to "
        f"{getattr(after, name):.0f} (bound {bound:g} more)"
        for name, bound in bounds.items()
        if getattr(after, name) > getattr(before, name) + bound
    ]
