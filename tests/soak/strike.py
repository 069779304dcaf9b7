"""How each fault is done, and undone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from dataclasses import dataclass

from .fleet import Fleet, wait
from .plan import KINDS, MANAGER, USER, Fault
from .watchers import Exposer

BAD_INPUT = (
    b"\n" * 500,
    b"\xff\xfe\x00\n" * 200,
    b"talk 'unbalanced\n" * 100,
    b'1 talk "also\n' * 100,
    b"2 nosuchcommand --what\n" * 100,
    b"3 talk -n nobody status\n" * 100,
    b"4 talk --timeout -5 status\n",
    b"5 talk\n",
    b"x" * 3_000_000 + b"\n",
    b"999999999999999999999 status\n",
)


@dataclass
class Struck:
    """A fault that was done, with the times (monotonic seconds) of its begin and its end."""

    fault: Fault
    began: float
    over: float
    note: str = ""


class Striker:
    """Does the faults of a plan; `done` keeps them."""

    def __init__(self, fleet: Fleet, exposer: Exposer) -> None:
        self.fleet = fleet
        self.exposer = exposer
        self.done: list[Struck] = []
        self.problems: list[str] = []
        self.kills: int = 0

    async def strike(self, fault: Fault) -> None:
        """Do one fault, to its end."""
        kind = KINDS[fault.kind]
        struck = Struck(fault, time.monotonic(), time.monotonic())
        self.done.append(struck)
        if kind.target == MANAGER:
            await self._kill_manager()
        elif kind.target == USER:
            await self._user(fault)
        elif kind.switch:
            await self._switch(fault, kind.switch, struck)
        else:
            await self._signal(fault, struck)
        struck.over = time.monotonic()

    async def _signal(self, fault: Fault, struck: Struck) -> None:
        pid = self.fleet.camera_pid(fault.camera)
        if pid is None:
            struck.note = "it was dead already"
        elif fault.kind == "kill -9":
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        else:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                try:
                    await asyncio.sleep(fault.lasts)
                finally:
                    os.kill(pid, signal.SIGCONT)

    async def _switch(self, fault: Fault, switch: str, struck: Struck) -> None:
        if not await self.fleet.tell(fault.camera, f"fault {switch}"):
            struck.note = "the camera did not answer"
            return
        if fault.lasts:
            await asyncio.sleep(fault.lasts)
            if fault.kind != "stuck" and not await self.clear(fault.camera):
                struck.note = "cleared late"

    async def clear(self, camera: str, limit: float = 20.0) -> bool:
        """Switch off all faults of a camera, now or when it answers again."""
        until = time.monotonic() + limit
        while not await self.fleet.tell(camera, "fault --clear"):
            if time.monotonic() > until:
                return False
            await asyncio.sleep(0.2)
        return True

    async def _kill_manager(self) -> None:
        self.exposer.excused = True
        try:
            await self.fleet.kill_manager()
            self.kills += 1
            await self.fleet.start()
            commands = self.exposer.commands
            await wait(lambda: self.exposer.commands > commands, 30, "a command after the kill")
        finally:
            self.exposer.excused = False

    async def _user(self, fault: Fault) -> None:
        with contextlib.suppress(ConnectionError):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.fleet.port)
            try:
                if fault.kind == "user who leaves":
                    writer.write(b"1 talk -- status\n")
                    await writer.drain()
                elif fault.kind == "user who does not read":
                    await self.fleet.tell(fault.camera, "fault flood=20000")
                    writer.write(f"1 talk -n {fault.camera} -- status\n".encode())
                    await asyncio.sleep(fault.lasts)
                else:
                    for part in BAD_INPUT:
                        writer.write(part)
                    await writer.drain()
                    await self._all_refused(reader)
            finally:
                writer.transport.abort()

    async def _all_refused(self, reader: asyncio.StreamReader) -> None:
        """Every line of the burst is answered by a failure: none is lost, none hangs."""
        wanted = sum(part.count(b"\n") for part in BAD_INPUT)
        failed = 0
        try:
            async with asyncio.timeout(20):
                while failed < wanted:
                    words = (await reader.readuntil()).split(b" ", 3)
                    failed += words[2].strip() == b"f"
        except (TimeoutError, asyncio.IncompleteReadError):
            self.problems.append(f"of {wanted} bad lines {failed} were refused")
