"""All measurements on the stub fleet: bare client, ours, sdss-fliswarm, and the same again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median

from .measures import MEASURES, Effort, Visit
from .processes import Bare, Fleet, running

PROGRAMS = ("bare", "ours", "old")
Need = tuple[str, int, str]
"""A program, how many nodes, and a measure."""


@dataclass
class Found:
    """All samples, by program, number of nodes and measure."""

    samples: dict[Need, list[float]] = field(default_factory=lambda: defaultdict(list))

    def __getitem__(self, need: Need) -> float | None:
        """The median of what was found."""
        values = self.samples.get(need)
        return median(values) if values else None

    def spread(self, need: Need) -> float | None:
        """How far the samples lie apart: (upper - lower quartile) / median."""
        values = sorted(self.samples.get(need, ()))
        if len(values) < 4:
            return None
        quarter = len(values) // 4
        return (values[-1 - quarter] - values[quarter]) / median(values)


def measure(needs: Iterable[Need], old: list[str], effort: Effort, passes: int) -> Found:
    """Find out everything that is needed, one program at a time.

    Args:
        needs: what shall be found.
        old: what starts sdss-fliswarm.
        effort: how much is measured in one visit.
        passes: how often all programs have their turns.
    """
    wanted: dict[int, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for program, count, name in needs:
        wanted[count][program].add(name)
    found = Found()
    for count, programs in sorted(wanted.items()):
        with Fleet(count) as fleet:
            for turn in range(passes):
                for program in PROGRAMS:
                    if program in programs:
                        print(f"{count} nodes, {program}, {turn + 1} of {passes}", flush=True)
                        names = programs[program]
                        for name, values in _visit(program, fleet, names, old, effort).items():
                            found.samples[program, count, name] += values
    return found


def _visit(
    program: str, fleet: Fleet, names: set[str], old: list[str], effort: Effort
) -> dict[str, list[float]]:
    if program == "bare":
        with Bare(fleet) as bare:
            bare.ask(2, "ping")
            few = len(fleet.names) <= 20
            return {"talk": bare.ask(effort.small_rounds if few else effort.rounds, "status")}
    with running(fleet, old if program == "old" else None) as process, process.user() as user:
        visit = Visit(process, fleet, user, effort)
        visit.settle()
        user.ask("talk ping")
        for name, function in MEASURES.items():
            if name in names:
                visit.take(name, function)
    return visit.found
