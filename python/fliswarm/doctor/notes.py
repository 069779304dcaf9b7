"""The findings of one node while it is looked at."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Callable

from ..errors import EngineError, Layer
from .finding import Finding, Judgement, Result

ORDER = (
    "doctor", "name", "host", "clock", "usb", "engine", "registry", "image", "disk", "inside",
    "volumes", "volume", "mount", "container", "port", "camera",
)  # fmt: skip
"""The first words of the checks, from the lowest layer to the highest."""


class Notes:
    """What was found about a node so far."""

    def __init__(self, node: str) -> None:
        self.node = node
        self.findings: list[Finding] = []

    def say(
        self, check: str, layer: Layer, judgement: Judgement, began: float | None = None
    ) -> None:
        """Note a finding; `began` is when the look began, by the monotonic clock."""
        seconds = 0.0 if began is None else round(time.monotonic() - began, 3)
        self.findings.append(Finding(check, self.node, layer, *judgement, seconds))

    def skip(self, why: str, *checks: str) -> None:
        """Note that something could not be looked at."""
        for check in checks:
            self.say(check, Layer.NONE, (Result.SKIPPED, f"not looked at: {why}", ""))

    def has(self, check: str) -> bool:
        """Whether there is a finding of that check."""
        return any(finding.check == check for finding in self.findings)

    @contextlib.asynccontextmanager
    async def asked(
        self, check: str, layer: Layer, judge: Callable[[EngineError], Judgement] | None = None
    ) -> AsyncIterator[None]:
        """A look that asks the engine: its failure is a finding."""
        began = time.monotonic()
        try:
            yield
        except EngineError as error:
            judgement = judge(error) if judge else (Result.FAILED, error.cause, "")
            self.say(check, layer, judgement, began)

    def in_order(self) -> list[Finding]:
        """From the lowest layer to the highest."""
        return sorted(self.findings, key=lambda finding: ORDER.index(finding.check.split()[0]))
