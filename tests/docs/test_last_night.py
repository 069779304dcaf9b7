"""The night of the page about the history happens as the page shows it."""

from __future__ import annotations

from pathlib import Path

from .markdown import ROOT, blocks
from .night import Night

PAGE = [block for block in blocks(ROOT / "docs/how-to/last-night.md") if block.mark[0]]


def test_the_night_of_the_page(tmp_path: Path) -> None:
    assert len(PAGE) > 5
    night = Night(tmp_path)
    try:
        for block in PAGE:
            night.write(block) if block.mark[0] == "file" else night.run(block)
    finally:
        night.close()
