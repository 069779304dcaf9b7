"""What the doctor says of one thing that it looked at. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from ..errors import Layer


class Result(StrEnum):
    """How a look ended."""

    PASSED = "passed"
    """It is as it should be."""
    WARNING = "warning"
    """It works, but somebody should know."""
    FAILED = "failed"
    """It does not work, or will not."""
    SKIPPED = "skipped"
    """It could not be looked at; nobody knows."""


Judgement = tuple[Result, str, str]
"""How a look ended, what was found, and the fix."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        check: what was looked at, for instance ``engine`` or ``volume data``.
        node: the node it is about; None for the manager's own computer.
        layer: the layer of the node that it belongs to.
        result: how it ended.
        found: what was found, in words.
        fix: what to do or to type; empty where nothing is to be done.
        seconds: how long the look took.
    """

    check: str
    node: str | None
    layer: Layer
    result: Result
    found: str
    fix: str = ""
    seconds: float = 0.0

    @property
    def place(self) -> str:
        """The node's name, or ``manager``."""
        return self.node or "manager"

    def __str__(self) -> str:
        text = f"{self.place}: {self.check}: {self.found}"
        return f"{text}; fix: {self.fix}" if self.fix else text


def count(findings: Sequence[Finding]) -> dict[Result, int]:
    """How many findings there are of each result."""
    return {result: sum(f.result is result for f in findings) for result in Result}


def healthy(findings: Sequence[Finding], strict: bool = False) -> bool:
    """Whether nothing failed; with `strict`, whether there is no warning either."""
    bad = (Result.FAILED, Result.WARNING) if strict else (Result.FAILED,)
    return not any(finding.result in bad for finding in findings)


def summary(findings: Sequence[Finding]) -> str:
    """How many there are of each, in words."""
    number = count(findings)
    parts = [f"{number[result]} {result}" for result in Result if number[result]]
    return ", ".join(parts) or "nothing was looked at"
