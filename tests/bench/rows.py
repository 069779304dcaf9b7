"""The rows of the table: what each says, what it needs, and its target."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .stubs import Found, Need


@dataclass(frozen=True)
class Sizes:
    """How many nodes small, middle and big mean; the real engines are three."""

    small: int = 7
    middle: int = 100
    big: int = 500
    scaling: tuple[int, ...] = (7, 100, 500, 1000)


@dataclass(frozen=True)
class Row:
    """One row.

    Attributes:
        name: for `--only`.
        text: what is measured.
        target: the most that its value may be.
        ours: what is measured of our program.
        other: what it is divided by; None when the value stands for itself.
        old: the same of sdss-fliswarm, to be shown beside.
        base: what is taken away from ours (and `per` divides it): memory.
        unit: of the value, when it is no ratio.
    """

    name: str
    text: str
    target: float
    ours: Need
    other: Need | None = None
    old: Need | None = None
    base: Need | None = None
    unit: str = "s"

    @property
    def needs(self) -> list[Need]:
        found = [need for need in (self.ours, self.other, self.old, self.base) if need]
        if self.base and self.old:
            found.append((self.old[0], *self.base[1:]))
        return found

    def amount(self, found: Found, need: Need | None) -> float | None:
        """What is shown of one program."""
        value = found[need] if need else None
        if value is None or need is None or self.base is None:
            return value
        below = found[need[0], *self.base[1:]]
        return None if below is None else (value - below) / (need[1] - self.base[1])

    def value(self, found: Found) -> float | None:
        """What is held against the target."""
        ours, other = self.amount(found, self.ours), self.amount(found, self.other)
        if self.other is None or ours is None:
            return ours
        return ours / other if other else None


def rows(sizes: Sizes, lines: int = 20_000) -> list[Row]:
    """The table of issue 4, in its order."""
    small, middle, big = sizes.small, sizes.middle, sizes.big

    def talk(count: int, target: float) -> Row:
        ours, bare, old = ((program, count, "talk") for program in ("ours", "bare", "old"))
        text = f"`talk status` to {count} cameras, beside a bare client"
        return Row(f"talk-{'big' if count == big else 'small'}", text, target, ours, bare, old)

    def beside_old(name: str, text: str, target: float, count: int) -> Row:
        old = ("old", count, name)
        return Row(name, f"{text}, beside sdss-fliswarm", target, ("ours", count, name), old, old)

    return [
        talk(big, 1.5),
        talk(small, 2.0),
        beside_old("status", f"`status` of {middle} nodes", 0.1, middle),
        beside_old("ready", f"ready to listen with {big} nodes", 0.25, big),
        Row("memory", f"memory a node at {big}, supervised", 150e3, ("ours", big, "memory"),
            old=("old", big, "memory"), base=("ours", small, "memory"), unit="B"),
        Row("idle", f"CPU of an idle, supervised swarm of {middle}", 0.03,
            ("ours", middle, "idle"), unit="%"),
        beside_old("burst", f"{lines:,} lines of one camera to a user", 0.5, middle),
        Row("ping", "the slowest `talk ping` to another camera during that burst", 0.02,
            ("ours", middle, "ping"), old=("old", middle, "ping")),
        Row("reconnect", "`reconnect` of 3 real engines, beside the bare calls", 1.15,
            ("ours", 3, "reconnect"), ("bare", 3, "reconnect"), ("old", 3, "reconnect")),
        Row("hub", "a container's death to the word on the real hub, real engine", 1.0,
            ("ours", 3, "hub")),
        Row("death", f"a container's death to the word of it, {big} nodes", 2.0,
            ("ours", big, "death")),
    ]  # fmt: skip


ON_ENGINES = ("reconnect", "hub")
SCALING = ("talk", "ready", "status")
"""The measures of the picture."""


def scaling(sizes: Sizes) -> list[Need]:
    """What the picture needs."""
    return [
        (program, count, name)
        for count in sizes.scaling
        for name in SCALING
        for program in ("bare", "ours", "old")
        if name == "talk" or program != "bare"
    ]


def table(chosen: Iterable[Row], found: Found, judged: bool) -> list[str]:
    """The table in Markdown."""
    lines = [
        "| measure | fliswarm | bare client | sdss-fliswarm 0.7.0 | value | target | met |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in chosen:
        bare = row.other if row.other and row.other[0] == "bare" else None
        value = row.value(found)
        show = _plain if row.other else _shower(row.unit)
        met = "-" if value is None or not judged else "yes" if value <= row.target else "**no**"
        cells = [
            row.text,
            *(_amount(row, found, need) for need in (row.ours, bare, row.old)),
            _or_dash(value, show),
            f"≤ {show(row.target)}",
            met,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _amount(row: Row, found: Found, need: Need | None) -> str:
    """One program's figure, and how far apart its samples lie where that can be said."""
    spread = found.spread(need) if need else None
    text = _or_dash(row.amount(found, need), _shower(row.unit))
    return text if spread is None else f"{text} ± {spread / 2:.0%}"


def _or_dash(value: float | None, show: Callable[[float], str]) -> str:
    return "-" if value is None else show(value)


def _shower(unit: str) -> Callable[[float], str]:
    return {"s": _seconds, "B": _bytes, "%": _percent}[unit]


def _plain(value: float) -> str:
    return f"{value:.2f}"


def _seconds(value: float) -> str:
    return f"{value * 1000:.3g} ms" if value < 1 else f"{value:.3g} s"


def _bytes(value: float) -> str:
    return f"{value / 1000:.0f} kB"


def _percent(value: float) -> str:
    return f"{value:.1%}"
