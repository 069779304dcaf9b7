"""What is asked of both programs, step by step, and what is kept of their answers."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from ..fleet.fleet import StubFleet
from ..fleet.odd import ODD
from .session import Session

NAMES = ("gfa1", "gfa2", "fvc")
ROUNDS = 2

Act = Callable[[Session, StubFleet], Awaitable[list[str]]]


@dataclass(frozen=True)
class Step:
    """One step: its name, and what is done; what it returns is compared."""

    name: str
    act: Act


def ask(command: str) -> Step:
    async def act(session: Session, fleet: StubFleet) -> list[str]:
        return await session.ask(command)

    return Step(command, act)


async def _greeting(session: Session, fleet: StubFleet) -> list[str]:
    lines = await session.wait(lambda lines: any("version" in line for line in lines))
    fleet.hub.met.set()
    if session.is_old:
        await session.wait(lambda lines: "0 0 : " in lines)
    return lines


async def _broadcasts(session: Session, fleet: StubFleet) -> list[str]:
    """What cameras say unasked, in every code; the last line shows that all have come."""
    since = len(session.lines)
    for name in ("gfa1", "fvc"):
        camera = fleet.nodes[name].camera
        for code in ">diwef:":
            camera.broadcast({"text": f"unasked {code}"}, code)
        camera.broadcast({"error": "the cooler is off"}, "w")
        camera.broadcast({"temperature": {"ccd": -25.5, "base": -10.0}, "alarm": True})
        camera.broadcast({})
        camera.broadcast({"text": "the last"})
    return await session.wait(lambda lines: sum("the last" in line for line in lines) == 2, since)


def simulate(name: str, files: Path) -> Step:
    """Two rounds of `simulate`, then its end, told by a second command."""

    async def act(session: Session, fleet: StubFleet) -> list[str]:
        since = len(session.lines)
        number = session.send(f"simulate {files} --delay 0.5")
        wanted = ROUNDS * len(NAMES)
        rounds = await session.wait(lambda lines: len(_files(lines)) >= wanted, since)
        stop = session.send("simulate --stop")
        for one in (stop, number):
            await session.end(one, since)
        ends = [line for line in session.lines[since:] if not _files([line])]
        return _files(rounds)[:wanted] + ends

    return Step(name, act)


def _files(lines: list[str]) -> list[str]:
    return [line for line in lines if re.match(r"\d+ \d+ i filename=", line)]


async def _hard_reboot(session: Session, fleet: StubFleet) -> list[str]:
    """The old program never ends it; its last word is the volumes of all nodes."""
    since = len(session.lines)
    number = session.send("reboot --hard")
    if not session.is_old:
        return await session.end(number, since)
    return await session.wait(lambda lines: any("volume=fvc,home" in x for x in lines), since)


COMMANDS = [
    "status", "ping", "version", "help", "help talk", "help reconnect",
    "talk status", "talk -n gfa1,gfa2 status", "talk -n gfa1 -- expose -n 12 15.0",
    "talk -c gfa -- expose -n 13 1.0", "talk -c gfa ping", "talk -n gfa1 fail", "talk fail",
    "talk -n gfa1 help", "talk nonsense", "talk version", "talk list",
    'talk -n gfa1 expose "1"', 'talk -n gfa1 -- temperature -25 "two words"',
    "talk -n gfa1 abort", "talk -n gfa1 ping", "talk -n gfa1 -c gfa ping",
    "talk -n gfa1,nope ping", "talk --nope ping", "talk", "talk -n nope ping",
    "talk -c nope ping", "nonsense", "simulate",
]  # fmt: skip
ENABLING = [
    "disable gfa1", "status", "talk ping", "talk -n gfa1 ping", "enable nope", "enable gfa1",
    "talk ping", "status", "disable --all", "talk ping", "status", "enable --all", "talk ping",
]  # fmt: skip
# The first takes over the containers that were there, which are nobody's.
LIFECYCLE = [
    "reconnect --force", "reconnect -c gfa", "reconnect", "reconnect -n gfa1 --force", "status",
    "talk status",
]  # fmt: skip


def main_script(folder: Path) -> list[Step]:
    """The steps, in order; `folder` holds the files for simulate."""
    odd = [f"talk -n gfa1 odd {name}" for name in ODD]
    return _numbered([
        Step("greeting", _greeting),
        *map(ask, COMMANDS + odd),
        Step("broadcasts", _broadcasts),
        simulate("simulate one file", folder / "image-0001.fits"),
        simulate("simulate a file a camera", folder / "gimg-*.fits"),
        *map(ask, ENABLING + LIFECYCLE),
    ])  # fmt: skip


def foreign_script(folder: Path) -> list[Step]:
    """Containers that are nobody's, and no --force."""
    return [Step("greeting", _greeting), *map(ask, ["reconnect -n fvc", "reconnect -n nope"])]


def power_script(folder: Path) -> list[Step]:
    return [
        Step("greeting", _greeting),
        ask("tron-reconnect"),
        Step("reboot --hard", _hard_reboot),
    ]


SCRIPTS = {"main": main_script, "foreign": foreign_script, "power": power_script}


def names(script: str) -> list[str]:
    """The names of a script's steps."""
    return [step.name for step in SCRIPTS[script](Path())]


def _numbered(steps: list[Step]) -> list[Step]:
    """The second step of a name is `name #2`."""
    seen: dict[str, int] = {}
    made = []
    for step in steps:
        count = seen[step.name] = seen.get(step.name, 0) + 1
        made.append(Step(f"{step.name} #{count}" if count > 1 else step.name, step.act))
    return made
