"""The generated pages are those that the program gives now."""

from __future__ import annotations

import subprocess
import sys

from .markdown import ROOT


def test_the_generated_pages_are_current() -> None:
    script = ROOT / "docs" / "generate.py"
    done = subprocess.run(
        [sys.executable, str(script), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}; run: make docs"
