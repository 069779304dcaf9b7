"""The benchmark runs and measures every row; what it measures is nobody's business here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ..beside import environment
from .rows import ON_ENGINES, Sizes, rows

pytestmark = pytest.mark.beside
LIMIT = 120
"""Seconds; it takes 30 on a machine that has nothing else to do."""


def test_quick() -> None:
    try:
        environment.command()
    except environment.CannotFetch as error:
        pytest.skip(f"pip cannot fetch sdss-fliswarm 0.7.0: {error}")
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--quick"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("|")][2:]
    assert len(lines) == len(rows(Sizes()))
    measured = [line for line in lines if line.split("|")[5].strip() != "-"]
    assert len(measured) == len(lines) - len(ON_ENGINES)
    assert all(line.rstrip().endswith("| - |") for line in lines)  # nothing is judged
