"""The table of faults: kind, count, when it was told, when all was well again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median

from .plan import KINDS, MANAGER, USER
from .strike import Struck
from .watchers import Exposer, Listener


@dataclass
class Row:
    """One kind of fault; all times in seconds."""

    kind: str
    count: int = 0
    told: list[float] = field(default_factory=list)
    ready: list[float] = field(default_factory=list)
    ok: list[float] = field(default_factory=list)


def rows(done: Iterable[Struck], listener: Listener, exposer: Exposer) -> list[Row]:
    """Told: from the begin to the first state or verdict that is not good. READY and ok:
    from the end of the fault to the state READY, and to the first good exposure begun after.
    """
    table: dict[str, Row] = {}
    for one in sorted(done, key=lambda struck: list(KINDS).index(struck.fault.kind)):
        row = table.setdefault(one.fault.kind, Row(one.fault.kind))
        row.count += 1
        name = one.fault.camera
        if not name or KINDS[one.fault.kind].target:
            row.ok.append(_first_ok(one.over, exposer, name) - one.over)
            continue
        back = _first_ok(one.over, exposer, name)
        states = [
            (at, state) for at, who, state in listener.history
            if who == name and one.began <= at
        ]  # fmt: skip
        bad = [at for at, state in states if state not in ("READY", "UNKNOWN") and at <= back]
        bad += [
            at for at, who, verdict, _ in exposer.told
            if who == name and one.began <= at <= back and verdict != "ok"
        ]  # fmt: skip
        if bad:
            row.told.append(min(bad) - one.began)
        row.ready.append(_ready(states, one.over, back))
        row.ok.append(back - one.over)
    return list(table.values())


def _first_ok(after: float, exposer: Exposer, name: str) -> float:
    """When the first exposure that began later was told to be good (of any camera for "")."""
    times = [
        at for at, who, verdict, began in exposer.told
        if verdict == "ok" and began >= after and name in ("", who)
    ]  # fmt: skip
    return min(times, default=float("inf"))


def _ready(states: list[tuple[float, str]], over: float, back: float) -> float:
    """Seconds from the end of the fault to READY; 0 where it never left it."""
    times = [at for at, state in states if state == "READY" and at <= back]
    return max(0.0, max(times) - over) if times else 0.0


def unexcused(done: Iterable[Struck], exposer: Exposer) -> list[str]:
    """Bad verdicts on cameras that nothing was done to: neither to them nor to the manager.

    A fault excuses from its begin until the camera has done an exposure begun after its end.
    Users who misbehave excuse nothing.
    """
    excuses: dict[str, list[tuple[float, float]]] = {}
    for one in done:
        target = KINDS[one.fault.kind].target
        names = exposer.fleet.names if target == MANAGER else [one.fault.camera]
        for name in names if target != USER else []:
            back = _first_ok(one.over, exposer, name)
            excuses.setdefault(name, []).append((one.began, back))
    return [
        f"{name} was {verdict} though nothing was done to it"
        for at, name, verdict, began in exposer.told
        if verdict != "ok" and not any(a <= at and began <= b for a, b in excuses.get(name, ()))
    ]


def table(found: list[Row]) -> str:
    """The table as text; seconds as median / longest."""
    lines = [
        f"{'fault':24s}{'count':>6s}{'told after':>16s}{'READY after':>16s}{'exposes after':>16s}"
    ]
    for row in found:
        cells = "".join(f"{_pair(values):>16s}" for values in (row.told, row.ready, row.ok))
        lines.append(f"{row.kind:24s}{row.count:6d}{cells}")
    return "\n".join(lines)


def _pair(values: list[float]) -> str:
    return f"{median(values):.1f} / {max(values):.1f} s" if values else "-"
