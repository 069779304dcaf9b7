"""A user who listens, and one who exposes all the time and checks every reply."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from astropy.io import fits

from fliswarm.client import ActorReply, Client, ClientError, parse_reply

from .fleet import Fleet

COMMAND = "talk -- expose 0.2"
DEADLINE = 10.0
"""Seconds within which every talk has to end.

To connect (1) + until a silent camera is given up (3) + the latest late camera (1.5) + the
exposure (0.3), and as much again for a computer with two cores and twenty cameras.
"""


@dataclass
class Listener:
    """Keeps the state of every camera, and when it changed, as told to everybody."""

    fleet: Fleet
    states: dict[str, str] = field(default_factory=dict)
    history: list[tuple[float, str, str]] = field(default_factory=list)
    lines: int = 0

    async def run(self) -> None:
        """Listen for ever; come again when the manager has gone."""
        while True:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                reader, writer = await asyncio.open_connection(
                    "127.0.0.1", self.fleet.port, limit=1 << 24
                )
                try:
                    writer.write(b"1 status\n")
                    while True:
                        self._hear(await reader.readuntil())
                finally:
                    writer.close()
            self.states.clear()
            await asyncio.sleep(0.1)

    def _hear(self, line: bytes) -> None:
        self.lines += 1
        reply = parse_reply(line.decode("utf-8", "replace").rstrip())
        if reply is None or "nodeState" not in reply.keywords:
            return
        name, state = reply.keywords["nodeState"][:2]
        if self.states.get(name) != state:
            self.states[name] = state
            self.history.append((time.monotonic(), name, state))

    @property
    def all_ready(self) -> bool:
        return [self.states.get(name) for name in self.fleet.names] == ["READY"] * len(
            self.fleet.names
        )


@dataclass
class Exposer:
    """Exposes on all cameras again and again.

    Attributes:
        lies: what was said and is not so, or did not end in time.
        told: when a verdict on a camera came, in words: (time, camera, verdict, began).
        seconds: of the verdicts ok.
        excused: whether the manager is being killed just now.
    """

    fleet: Fleet
    lies: list[str] = field(default_factory=list)
    told: list[tuple[float, str, str, float]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    verdicts: Counter[str] = field(default_factory=Counter)
    commands: int = 0
    broken: int = 0
    longest: float = 0.0
    excused: bool = False

    async def run(self) -> None:
        """Expose for ever."""
        while True:
            try:
                async with Client("127.0.0.1", self.fleet.port) as client:
                    while True:
                        await self._once(client)
            except ClientError as error:
                if not self.excused and "closed the connection" in str(error):
                    self.lies.append(f"the manager hung up: {error}")
                self.broken += 1
                await asyncio.sleep(0.2)

    async def _once(self, client: Client) -> None:
        began, clock = time.monotonic(), time.time()
        try:
            async with asyncio.timeout(DEADLINE):
                replies = await client.ask(COMMAND)
        except TimeoutError:
            self.lies.append(f"command {self.commands + 1} has not ended after {DEADLINE:g} s")
            raise ClientError("given up") from None
        self.commands += 1
        self.longest = max(self.longest, time.monotonic() - began)
        found = [reply.keywords["verdict"] for reply in replies if "verdict" in reply.keywords]
        for name, verdict, seconds, reason in found:
            self.told.append((time.monotonic(), name, f"{verdict} {reason}".strip(), began))
            self.verdicts[verdict] += 1
            if verdict == "ok":
                self.seconds.append(float(seconds))
        wrong = await asyncio.to_thread(check, self.fleet.names, replies, clock)
        self.lies += [f"command {self.commands}: {lie}" for lie in wrong]


def check(names: list[str], replies: list[ActorReply], began: float) -> list[str]:
    """What is not true in the replies of one exposure; files that are as they should be go."""
    lies = []
    found = [reply.keywords["verdict"] for reply in replies if "verdict" in reply.keywords]
    if [values[0] for values in found] != names:
        lies.append(f"verdicts of {[values[0] for values in found]}, not of all in order")
    files: dict[str, list[str]] = {name: [] for name in names}
    for reply in replies:
        if "filename" in reply.keywords:
            node, _, path = reply.keywords["filename"]
            files[node].append(path)
    said = [path for name in names for path in files[name]]
    bundles = [r.keywords["filename_bundle"] for r in replies if "filename_bundle" in r.keywords]
    if bundles != ([said] if said else []):
        lies.append(f"the bundle is {bundles}, the filenames are {said}")
    for name, verdict, _, _ in found:
        if verdict == "ok" and len(files[name]) != 1:
            lies.append(f"{name} is ok with {len(files[name])} files")
    lies += [lie for name in names for path in files[name] if (lie := _flaw(name, path, began))]
    done = sum(values[1] == "ok" for values in found)
    if (replies[-1].code == ":") != (done > 0):
        lies.append(f"{done} cameras did it, and the end is {replies[-1].code}")
    return lies


def _flaw(name: str, path: str, began: float) -> str:
    """What is wrong with a file that was named; it is removed when nothing is."""
    file = Path(path)
    try:
        with fits.open(file) as image:
            pixels = next(hdu for hdu in image if hdu.data is not None)
            camera, shape = image[0].header["CAMNAME"], pixels.data.shape
        made = file.stat().st_mtime
    except (OSError, KeyError, StopIteration) as error:
        return f"{name} names {path}, which cannot be read: {error}"
    if camera != name or shape != (64, 64) or made < began - 1:
        return f"{name} names {path}, an image of {camera}, {shape}, {began - made:.1f} s too old"
    file.unlink()
    return ""
