"""The soak in a minute."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from . import plan

LIMIT = 240.0
"""Seconds; all cameras may take their longest pause before they start again at the end."""


def test_the_same_seed_makes_the_same_plan() -> None:
    names = ["cam01", "cam02", "cam03"]
    assert plan.make(7, 300, names) == plan.make(7, 300, names)
    assert plan.make(7, 300, names) != plan.make(8, 300, names)
    assert {fault.kind for fault in plan.make(7, 300, names)} == set(plan.KINDS) - set(
        plan.KNOWN_BUGS
    )


def test_a_minute_of_faults() -> None:
    signal.setitimer(signal.ITIMER_REAL, LIMIT + 10, 1.0)  # longer than conftest's
    done = subprocess.run(
        [sys.executable, "-m", "tests.soak", "--minutes", "1.25", "--seed", "1"],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=LIMIT, check=False,
    )  # fmt: skip
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
