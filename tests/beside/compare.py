"""Whether every line of the old program comes from ours too. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from fliswarm.client import parse_reply

from .script import NAMES

Said = tuple[str, tuple[tuple[str, tuple[str, ...]], ...]]


@dataclass(frozen=True)
class Difference:
    """One row of the table: what we say otherwise, and why.

    Args:
        why: the reason.
        rows: pairs of the old line (a regular expression for code and keywords) and ours
            instead, with {1} for the first group of the old; None when ours says nothing.
        steps: the steps in which it counts; all when empty.
    """

    why: str
    rows: Sequence[tuple[str, str | None]]
    steps: tuple[str, ...] = ()


@dataclass
class Verdict:
    """What came of a comparison: what is missing, and which rows were needed (reason, old)."""

    faults: list[str] = field(default_factory=list)
    used: set[tuple[str, str]] = field(default_factory=set)


@dataclass
class _Line:
    """One line without its numbers."""

    text: str
    said: Said
    taken: bool = False

    @property
    def speaker(self) -> str:
        """The camera that a line is about, or nobody."""
        for _, values in self.said[1]:
            first = re.split(r"[:,]", values[0])[0] if values else ""
            return first if first in NAMES else ""
        return ""


def _read(raw: str) -> _Line:
    reply = parse_reply(raw)
    assert reply is not None, f"no reply: {raw!r}"
    said = tuple((name, _values(name, values)) for name, values in reply.keywords.items())
    text = raw.split(" ", 2)[2].rstrip()
    # What the parser does not make out of a line must not get lost in the comparison.
    return _Line(text, (reply.code, said if said or " " not in text else ((text, ()),)))


def _values(name: str, values: list[str]) -> tuple[str, ...]:
    """A bundle has the files of several cameras in any order."""
    return tuple(sorted(values) if name == "filename_bundle" else values)


def compare(
    step: str, old: Iterable[str], ours: Iterable[str], table: Sequence[Difference]
) -> Verdict:
    """Look for each old line in ours, those of a camera in their order; the rest by the table."""
    verdict = Verdict()
    found = [_read(raw) for raw in ours]
    last = dict.fromkeys(NAMES, -1)
    for line in map(_read, old):
        index = next((i for i, f in enumerate(found) if not f.taken and f.said == line.said), None)
        if index is None:
            index = _excused(step, line, found, table, verdict)
        if index is None:
            verdict.faults.append(f"ours lacks: {line.text}")
        elif index >= 0:
            found[index].taken = True
            if index < last.get(line.speaker, -1):
                verdict.faults.append(f"ours says it too early: {line.text}")
            if line.speaker in last:
                last[line.speaker] = index
    return verdict


def _excused(
    step: str, line: _Line, found: list[_Line], table: Sequence[Difference], verdict: Verdict
) -> int | None:
    """The number of our line that stands for an old one; -1 when none need; None: no excuse."""
    for difference in table:
        if difference.steps and step not in difference.steps:
            continue
        for old, instead in difference.rows:
            match = re.fullmatch(old, line.text)
            if match is None:
                continue
            index = -1 if instead is None else _partner(match, instead, found)
            if index is not None:
                verdict.used.add((difference.why, old))
                return index
    return None


def _partner(match: re.Match[str], instead: str, found: list[_Line]) -> int | None:
    wanted = re.sub(r"\{(\d)\}", lambda m: re.escape(match[int(m[1])]), instead)
    return next(
        (i for i, f in enumerate(found) if not f.taken and re.fullmatch(wanted, f.text)), None
    )
