"""How the doctor's findings are shown to people: what is wrong first, with the fix in full."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby

from rich.console import Console
from rich.text import Text

from .doctor import Finding, Result, summary

STYLES = {
    Result.FAILED: ("✗", "bold red"),
    Result.WARNING: ("!", "yellow"),
    Result.SKIPPED: ("-", "dim"),
    Result.PASSED: ("✓", "green"),
}
"""The mark and the style of each result, in the order in which they are shown."""


def as_json(findings: Sequence[Finding]) -> str:
    """The findings as a JSON list, in their order."""
    return json.dumps([{**asdict(finding), "node": finding.node} for finding in findings], indent=2)


def plain(findings: Sequence[Finding]) -> str:
    """The findings as text, with what was found where all is well."""
    console = Console(width=200, no_color=True, record=True, file=io.StringIO())
    show(findings, console, verbose=True)
    return console.export_text()


def show(findings: Sequence[Finding], console: Console, verbose: bool = False) -> None:
    """Show the findings, place by place; without `verbose` what passed is only named."""
    for place, group in groupby(findings, key=lambda finding: finding.place):
        console.print(Text(place, "bold"))
        here = list(group)
        for result in STYLES:
            rows = [finding for finding in here if finding.result is result]
            if rows and result in (Result.PASSED, Result.SKIPPED) and not verbose:
                _short(result, rows, console)
            else:
                for finding in rows:
                    _whole(finding, console)
    console.print(Text(summary(findings), "bold"))


def _whole(finding: Finding, console: Console) -> None:
    mark, style = STYLES[finding.result]
    layer = f" [{finding.layer}]" if finding.layer else ""
    text = Text(f"  {mark} {finding.check}{layer}: ", style)
    console.print(text.append(finding.found, ""), soft_wrap=True, highlight=False)
    if finding.fix:
        console.print(Text(f"    fix: {finding.fix}"), soft_wrap=True, highlight=False)


def _short(result: Result, rows: Sequence[Finding], console: Console) -> None:
    """Those that need no words: passed ones, and skipped ones with their common reason."""
    mark, style = STYLES[result]
    reasons = dict.fromkeys(f.found for f in rows) if result is Result.SKIPPED else {"": None}
    for reason in reasons:
        names = ", ".join(f.check for f in rows if not reason or f.found == reason)
        text = Text(f"  {mark} {names}", style)
        console.print(text.append(f": {reason}" if reason else ""), soft_wrap=True, highlight=False)
