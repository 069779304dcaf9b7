"""Which fault strikes whom and when, by a seed. Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass

EVERY = 3.0
"""Seconds between two faults."""
REST = 9.0
"""Seconds that a camera is left alone after a fault is over."""
MANAGER = "manager"
USER = "user"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault.

    Attributes:
        lasts: the shortest and the longest time that it is on, in seconds; zeros for one
            that happens once.
        weight: how often it comes, against the others.
        target: a camera ("") or `MANAGER` or `USER`.
        switch: the simulated camera's fault, its value behind it; empty for none.
    """

    lasts: tuple[float, float] = (0.0, 0.0)
    weight: int = 2
    target: str = ""
    switch: str = ""


KINDS = {
    "kill -9": Kind(weight=3),
    "stop and go": Kind((4.0, 7.0), weight=3),
    "crash": Kind(switch="crash=3"),
    "late": Kind((4.0, 8.0), switch="late=1.5"),
    "silent": Kind((4.0, 8.0), switch="silent"),
    "stuck": Kind((5.0, 5.0), switch="stuck=5"),
    "cut": Kind((3.0, 6.0), switch="cut"),
    "garbage": Kind((3.0, 6.0), switch="garbage"),
    "long-line": Kind(switch="long-line=3000000"),
    "flood": Kind(switch="flood=5000"),
    "refuse-expose": Kind((3.0, 6.0), switch="refuse-expose"),
    "unplugged": Kind((3.0, 6.0), switch="unplugged"),
    "unknown-id": Kind((3.0, 6.0), switch="unknown-id"),
    "manager kill -9": Kind(weight=1, target=MANAGER),
    "user who does not read": Kind((6.0, 6.0), weight=1, target=USER),
    "user who leaves": Kind(weight=1, target=USER),
    "burst of bad input": Kind(weight=1, target=USER),
}

KNOWN_BUGS: dict[str, str] = {}
"""Kinds left out until the program can bear them; `--with-known-bugs` takes them in.

Each with its reason, and a test that fails as expected in tests/faults.
"""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a plan.

    Attributes:
        at: when, in seconds from the first one.
        lasts: how long it is on, in seconds.
        camera: whom it strikes; empty for the manager.
    """

    number: int
    at: float
    kind: str
    camera: str
    lasts: float

    def __str__(self) -> str:
        return (
            f"{self.number:3d}  {self.at:6.1f} s  {self.kind:23s} {self.camera or '-':6s} "
            f"{self.lasts:.1f} s"
        )


def make(seed: int, seconds: float, cameras: list[str], known_bugs: bool = False) -> list[Fault]:
    """A fault every `EVERY` seconds; the same for the same arguments.

    The first faults are one of each kind, in random order, then by their weights.
    """
    dice = random.Random(seed)
    kinds = [kind for kind in KINDS if known_bugs or kind not in KNOWN_BUGS]
    first = dice.sample(kinds, len(kinds))
    free = dict.fromkeys(cameras, 0.0)
    plan: list[Fault] = []
    for number in range(int(seconds / EVERY)):
        at = number * EVERY
        if number < len(first):
            kind = first[number]
        else:
            kind = dice.choices(kinds, [KINDS[kind].weight for kind in kinds])[0]
        lasts = dice.uniform(*KINDS[kind].lasts)
        rested = [camera for camera in cameras if free[camera] <= at]
        camera = dice.choice(rested or cameras)
        if KINDS[kind].target == MANAGER:
            camera = ""
        else:
            free[camera] = at + lasts + REST
        plan.append(Fault(number + 1, at, kind, camera, lasts))
    return plan
