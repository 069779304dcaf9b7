"""In the manager of a soak: SIGUSR1 has it write how many tasks it has.

Nothing outside of a process can see its tasks. Python imports this file by its name.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path


def _write(*_: object) -> None:
    try:
        tasks = sorted(task.get_name() for task in asyncio.all_tasks())
    except RuntimeError:
        tasks = []
    target = Path(os.environ["FLIS_SOAK"], f"tasks-{os.getpid()}")
    part = target.with_suffix(".part")
    part.write_text("\n".join(tasks))
    part.replace(target)


if "FLIS_SOAK" in os.environ and sys.argv[0].endswith("fliswarm"):
    signal.signal(signal.SIGUSR1, _write)
