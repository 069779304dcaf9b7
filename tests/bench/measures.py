"""What is measured of a program that runs. Each gives seconds, or what its words say."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from .processes import BenchError, Fleet, Running, User

SETTLE = 60.0
"""How long a program may take, in seconds, until all cameras answer."""
DEATHS = 3
GAP = 0.01
"""Between two pings during a burst, in seconds."""


@dataclass(frozen=True)
class Effort:
    """How much is measured: often enough for a median, seldom enough for a coffee."""

    rounds: int = 9
    small_rounds: int = 300
    bursts: int = 3
    lines: int = 20_000
    idle: float = 20.0


@dataclass
class Visit:
    """A program over a fleet, with a user, and what was found."""

    program: Running
    fleet: Fleet
    user: User
    effort: Effort
    found: dict[str, list[float]] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return len(self.fleet.names)

    def settle(self) -> None:
        """Wait until all cameras answer; ours must be watching all engines as well."""
        until = time.monotonic() + SETTLE
        while time.monotonic() < until:
            if self._settled():
                self.found["settled"] = [time.monotonic() - self.program.began]
                time.sleep(1)  # the last words of the start
                return
            time.sleep(0.1)
        raise BenchError(f"not all of {self.count} cameras answer after {SETTLE:g} s")

    def _settled(self) -> bool:
        if self.program.is_old:
            return self.user.ask("talk ping")[1].count(b"Pong") >= self.count
        return self.user.ask("status")[1].count(b",READY,") == self.count

    def take(self, name: str, function: Callable[[Visit], list[float]]) -> None:
        self.found[name] = function(self)


def ready(visit: Visit) -> list[float]:
    return [visit.program.ready]


def talk(visit: Visit) -> list[float]:
    """Seconds of `talk status` to all cameras."""
    few = visit.count <= 20
    times = []
    for _ in range(visit.effort.small_rounds if few else visit.effort.rounds):
        seconds, said = visit.user.ask("talk status")
        if said.count(b" i status=") != visit.count:
            raise BenchError(f"{said.count(b' i status=')} of {visit.count} cameras spoke")
        times.append(seconds)
    return times


def status(visit: Visit) -> list[float]:
    """Seconds of `status`."""
    times = []
    for _ in range(2 if visit.program.is_old else visit.effort.rounds):
        seconds, said = visit.user.ask("status")
        if said.count(b" i node=") < visit.count:
            raise BenchError(f"status speaks of {said.count(b' i node=')} of {visit.count}")
        times.append(seconds)
    return times


def memory(visit: Visit) -> list[float]:
    """Bytes that the process alone has (USS)."""
    return [float(visit.program.process.memory_full_info().uss)]


def idle(visit: Visit) -> list[float]:
    """The part of a core that the process uses when nobody asks for anything."""
    process = visit.program.process
    before, began = process.cpu_times(), time.monotonic()
    time.sleep(visit.effort.idle)
    after, seconds = process.cpu_times(), time.monotonic() - began
    return [(after.user + after.system - before.user - before.system) / seconds]


def burst(visit: Visit) -> list[float]:
    """Seconds until all lines of one camera's story have come."""
    times = []
    for _ in range(visit.effort.bursts):
        seconds, said = visit.user.ask(f"talk -n gfa1 burst {visit.effort.lines}")
        if said.count(b" i text=gfa1") != visit.effort.lines:
            raise BenchError("lines of the story are missing")
        times.append(seconds)
    return times


def ping_in_burst(visit: Visit) -> list[float]:
    """The slowest ping of another camera, by another user, during each burst."""
    slowest = []
    with visit.program.user() as second:
        for _ in range(visit.effort.bursts):
            over = threading.Event()
            story = threading.Thread(target=_story, args=(visit, over))
            story.start()
            pings = [0.0]
            while not over.is_set():
                pings.append(second.ask("talk -n gfa2 ping")[0])
                time.sleep(GAP)
            story.join()
            slowest.append(max(pings))
    return slowest


def _story(visit: Visit, over: threading.Event) -> None:
    try:
        visit.user.ask(f"talk -n gfa1 burst {visit.effort.lines}")
    finally:
        over.set()


def death(visit: Visit) -> list[float]:
    """Seconds from a container's death to the word of it that every user gets."""
    times = []
    with visit.program.user() as listener:
        for number in range(1, DEATHS + 1):
            name = visit.fleet.names[number * visit.count // (DEATHS + 1)]
            began = time.monotonic()
            visit.fleet.die(name)
            word = rb"(?m)^0 0 w (nodeState=%s,FAILED|error=%s,)" % ((name.encode(),) * 2)
            times.append(listener.wait(word, 30) - began)
            listener.wait(rb"(?m)^0 0 i nodeState=%s,READY" % name.encode(), 30)
    return times


MEASURES: dict[str, Callable[[Visit], list[float]]] = {
    "idle": idle, "ready": ready, "talk": talk, "status": status, "burst": burst,
    "ping": ping_in_burst, "death": death, "memory": memory,
}  # fmt: skip
"""In this order, since memory is what is left after all that."""
