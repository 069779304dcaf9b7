"""docs/benchmarks: the table, the picture, and where they were made."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ..beside.environment import CACHE
from .measures import Effort
from .rows import SCALING, Sizes
from .stubs import Found

FOLDER = Path(__file__).parents[2] / "docs" / "benchmarks"
PICTURE = "scaling.png"
MATPLOTLIB = "matplotlib==3.10.7"

WORDS = """# Benchmarks

Made by `make bench` (`tests/bench`) on {date}. Targets are ratios within one run on one
machine, or absolute where a person waits. Nothing here is tested: a busy machine makes other
numbers, and hardly other ratios.

{table}

± is half of the distance between the quartiles, over the median. The picture shows how the
cost grows:

![Seconds over the number of nodes, log-log](scaling.png)

## What was measured

- The fleet is one process of stub engines and stub cameras (`tests/fleet`) on 127.0.0.1; the
  three engines of `reconnect` and of the hub are real (`tests/testbed`).
- The bare client is a process of asyncio streams that writes one line to each camera and
  parses every JSON reply; its connections are open before.
- Each program runs alone, in turn (bare client, fliswarm, sdss-fliswarm, and again); medians. With
  7 cameras each is asked {few} times in a row: on a machine that was idle before, the first
  hundred take up to twice as long, with each of the three.
- A command's time is from its sending until its last line has come to a user of the actor's port.
- Memory is the process's own (USS), the difference from {small} nodes to {big}, for each node.
- fliswarm keeps watch all the while: an event stream an engine, a ping to each camera every
  1.2 s, a look at each container every 5 s. sdss-fliswarm 0.7.0 keeps none.

## Where

| | |
| --- | --- |
{machine}
"""


def write(table: Sequence[str], found: Found, sizes: Sizes) -> None:
    """Write the page; the picture only when everything for it was measured."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    today = datetime.datetime.now(datetime.UTC).date()
    machine = "\n".join(f"| {key} | {value} |" for key, value in _machine().items())
    text = WORDS.format(date=today, table="\n".join(table), machine=machine,
                        small=sizes.small, big=sizes.big, few=Effort().small_rounds)  # fmt: skip
    (FOLDER / "README.md").write_text(text)
    data = {measure: _lines(found, measure, sizes) for measure in SCALING}
    if all(data.values()):
        _draw(data)


def _lines(found: Found, measure: str, sizes: Sizes) -> dict[str, list[tuple[int, float]]]:
    """Each program's points."""
    lines = {}
    for program in ("bare", "ours", "old"):
        points = [(count, found[program, count, measure]) for count in sizes.scaling]
        known = [(count, value) for count, value in points if value is not None]
        if len(known) > 1:
            lines[program] = known
    return lines


def _machine() -> dict[str, str]:
    git = ["git", "-C", str(FOLDER), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    return {
        "processor cores": str(os.cpu_count()),
        "load before": f"{_LOAD[0]:.1f} (one minute), {_LOAD[1]:.1f} (five)",
        "kernel": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "fliswarm": f"{importlib.metadata.version('fliswarm')} ({commit or 'no repository'})",
        "sdss-clu": importlib.metadata.version("sdss-clu"),
        "sdss-fliswarm": "0.7.0",
    }


_LOAD = os.getloadavg()


def _draw(data: dict[str, dict[str, list[tuple[int, float]]]]) -> None:
    words = [str(_python()), str(Path(__file__).with_name("plot.py")), str(FOLDER / PICTURE)]
    subprocess.run(words, input=json.dumps(data), text=True, check=True, timeout=120)


def _python() -> Path:
    """A Python that has matplotlib, which no part of the project needs; made once."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = CACHE.with_name("fliswarm-bench") / f"{MATPLOTLIB}-py{version}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".making-"))
        subprocess.run([sys.executable, "-m", "venv", str(making)], check=True, timeout=120)
        pip = [str(making / "bin/python"), "-m", "pip", "install", "--quiet", MATPLOTLIB]
        subprocess.run(pip, check=True, timeout=600)
        making.rename(folder)
    return folder / "bin/python"
