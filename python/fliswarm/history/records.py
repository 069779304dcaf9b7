"""What is given to the history to be written."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

GIVEN = 2500
"""How many characters of a text are worth giving: more than are written, so that what is cut
away in the middle of a secret was beyond the end."""


@dataclass(slots=True, eq=False)
class CommandRecord:
    """A command from its beginning on; given to `History.put` then, and again at its end.

    Attributes:
        begun: seconds since 1970.
        verdicts: node, verdict, seconds, reason.
        row: its number in the file; the writer's own.
    """

    begun: float
    who: str
    origin: str
    words: str
    nodes: tuple[str, ...] = ()
    seconds: float | None = None
    code: str = ""
    error: str = ""
    verdicts: tuple[tuple[str, str, float, str], ...] = ()
    row: int | None = None

    @property
    def weight(self) -> int:
        """How many rows it takes; long texts count as several."""
        return 1 + len(self.verdicts) + (len(self.words) + len(self.error)) // 250


@dataclass(slots=True, eq=False)
class EventRecord:
    """Something that happened; see the table `events`. `at` in seconds since 1970."""

    node: str
    kind: str
    old: str = ""
    new: str = ""
    layer: str = ""
    cause: str = ""
    container: str = ""
    exit_code: int | None = None
    oom: bool = False
    attempt: int | None = None
    at: float = field(default_factory=time.time)

    @property
    def weight(self) -> int:
        """How many rows it takes."""
        return 1


Record = CommandRecord | EventRecord
