"""Camera actors as local processes: the fleet on one computer, without Docker.

A process stands for a container: it has an id, a name, labels, a log and an exit code, kept as
one JSON file in the state folder, so that a manager that starts again finds it running and
adopts it. A process outlives the manager: it has a session of its own and writes its log itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from ..config import VolumeConfig
from ..config.redact import redact_text
from ..errors import EngineRefused, os_reason
from .base import ContainerSpec, EngineFacts, Event, Found
from .logline import LogLine
from .processlog import ProcessLog

POLL = 0.1
"""How often a process is looked at, in seconds, while somebody waits for its end."""
LOG_KEPT = 64 * 1024
"""How much of the end of a log is read, in bytes."""


@dataclass(slots=True)
class _Record:
    """What the state folder keeps of one process.

    `ticks` is its start in clock ticks since the computer's start, and `boot` the kernel's name
    for that start: with the pid they name a process for good, whatever the clock says. `born`
    stands in older records: the start in seconds since the epoch as psutil gives it.
    """

    id: str
    name: str
    command: list[str]
    environment: dict[str, str]
    labels: dict[str, str] = field(default_factory=dict)
    stop_signal: str = "SIGINT"
    pid: int | None = None
    ticks: int | None = None
    boot: str = ""
    born: float | None = None
    started_at: str = ""
    ended_at: str = ""
    exit_code: int | None = None


class ProcessEngine:
    """The processes of one node.

    Args:
        node: the node's name, for errors.
        folder: where records and logs are kept; made when needed.
    """

    address = "process://"
    has_images = False

    def __init__(self, node: str, folder: Path) -> None:
        self.node = node
        self.folder = folder
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._watchers: set[Callable[[Event], None]] = set()
        self._known: dict[str, _Record] | None = None

    # the verbs; see engine.base.Engine

    async def check(self) -> str:
        return "process"

    async def facts(self) -> EngineFacts:
        return EngineFacts("process")

    async def glance(self, name: str, timeout: float | None = None) -> tuple[str, str] | None:
        found = await self.find(name)
        return (found.id, found.state) if found else None

    async def find(self, name: str) -> Found | None:
        record = next((r for r in self._records() if r.name == name), None)
        return self._found(record) if record else None

    async def inspect(self, container_id: str) -> Found | None:
        record = self._load(container_id)
        return self._found(record) if record else None

    async def document(self, container_id: str) -> dict[str, Any]:
        return asdict(self._need(container_id, "inspect the container"))

    async def logs(self, container_id: str, lines: int) -> list[str]:
        try:
            with self._log(container_id).open("rb") as file:
                file.seek(0, os.SEEK_END)
                file.seek(max(0, file.tell() - LOG_KEPT))
                text = file.read().decode("utf-8", "replace")
        except FileNotFoundError:
            return []
        return text.splitlines()[-lines:]

    async def follow(
        self,
        container_id: str,
        take: Callable[[list[LogLine]], Awaitable[None]],
        since: str = "",
    ) -> None:
        record = next((r for r in self._records() if r.id.startswith(container_id)), None)
        if record is None:
            self._need(container_id, "follow the log")
            return

        began = record.started_at

        def is_over() -> bool:
            known = self._load(record.id)
            return known is None or known.started_at != began or not self._alive(known)

        try:
            await ProcessLog(self._log(record.id)).follow(is_over, take, since)
        except OSError as error:
            raise EngineRefused(
                self.node, os_reason(error), tried=f"follow the log of {record.name}"
            ) from error

    async def has_image(self, image: str) -> bool:
        return True

    async def image_digests(self, image: str) -> tuple[str, ...]:
        return ()

    async def registry_digest(self, image: str) -> str:
        return ""

    async def pull(self, image: str, timeout: float) -> None:
        return

    async def volumes(self, names: list[str]) -> dict[str, VolumeConfig | None]:
        return dict.fromkeys(names)

    async def create_volume(self, volume: VolumeConfig, labels: dict[str, str]) -> None:
        return

    async def remove_volume(self, name: str) -> None:
        return

    async def create(self, spec: ContainerSpec) -> str:
        if await self.find(spec.name):
            raise EngineRefused(
                self.node,
                f"the name {spec.name} is in use",
                tried=f"create {spec.name}",
                status=409,
            )
        record = _Record(
            secrets.token_hex(32),
            spec.name,
            list(spec.command),
            spec.environment,
            spec.labels,
            spec.stop_signal or "SIGINT",
        )
        self._save(record)
        return record.id

    async def start(self, container_id: str) -> None:
        record = self._need(container_id, "start")
        if self._alive(record):
            return
        try:
            with self._log(container_id).open("ab") as log:
                child = subprocess.Popen(
                    record.command,
                    env={**os.environ, **record.environment},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except (OSError, ValueError, IndexError) as error:
            words = error.strerror if isinstance(error, OSError) else str(error)
            reason = f"{words}: {redact_text(' '.join(record.command)) or 'no command'}"
            raise EngineRefused(self.node, reason, tried=f"start {record.name}") from error
        self._children[record.id] = child
        record.pid, record.exit_code = child.pid, None
        record.started_at, record.ended_at = _now(), ""
        # Nobody has waited for the child yet, so it has an entry even if it has ended.
        seen = _look(child.pid)
        record.ticks, record.boot, record.born = seen[1] if seen else None, _boot(), None
        self._save(record)
        self._tell("start", record)

    async def stop(self, container_id: str, grace: float) -> None:
        record = self._load(container_id)
        if record is None or record.pid is None:
            return
        number = getattr(signal, record.stop_signal, signal.SIGTERM)
        for number_now, seconds in ((number, grace), (signal.SIGKILL, 5.0)):
            if not self._alive(record):
                break
            with contextlib.suppress(ProcessLookupError):
                os.killpg(record.pid, number_now)  # it leads its own session and group
            await self._ends(record, seconds)
        await _end_group(record)

    async def rename(self, container_id: str, name: str) -> None:
        record = self._need(container_id, "rename")
        if any(other.name == name for other in self._records()):
            raise EngineRefused(self.node, f"the name {name} is in use", status=409)
        record.name = name
        self._save(record)
        self._tell("rename", record)

    async def remove(self, container_id: str) -> None:
        record = self._load(container_id)
        if record is None:
            return
        await self.stop(container_id, 0)
        self._children.pop(container_id, None)
        del self._all[container_id]
        self._file(container_id).unlink(missing_ok=True)
        ProcessLog(self._log(container_id)).remove()
        self._tell("destroy", record)

    async def watch(
        self,
        name: str,
        on_event: Callable[[Event], None],
        on_open: Callable[[], None],
        since: float | None = None,
    ) -> None:
        def pass_on(event: Event) -> None:
            if event.name == name:
                on_event(event)

        self._watchers.add(pass_on)
        try:
            on_open()
            seen = {record.id: self._is_over(record) for record in self._records()}
            while True:
                for record in self._records():
                    over = self._is_over(record)
                    if over and seen.get(record.id) != over:
                        self._tell("die", record)
                    seen[record.id] = over
                await asyncio.sleep(POLL)
        finally:
            self._watchers.discard(pass_on)

    def limit(self, timeout: float) -> None:
        pass

    def close(self) -> None:
        self._watchers.clear()

    # records

    def _file(self, container_id: str) -> Path:
        return self.folder / f"{container_id[:12]}.json"

    def _log(self, container_id: str) -> Path:
        return self.folder / f"{container_id[:12]}.log"

    @property
    def _all(self) -> dict[str, _Record]:
        """The records, read from the folder once: the manager is the only one who writes."""
        if self._known is None:
            found = (_read(path) for path in sorted(self.folder.glob("*.json")))
            self._known = {record.id: record for record in found if record is not None}
        return self._known

    def _load(self, container_id: str) -> _Record | None:
        return self._all.get(container_id)

    def _save(self, record: _Record) -> None:
        """Write a record whole or not at all."""
        self._all[record.id] = record
        self.folder.mkdir(parents=True, exist_ok=True)
        part = self._file(record.id).with_suffix(".part")
        # For us alone: the camera's environment is in it.
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(json.dumps(asdict(record)))
        part.replace(self._file(record.id))

    def _records(self) -> list[_Record]:
        return list(self._all.values())

    def _need(self, container_id: str, verb: str) -> _Record:
        record = self._load(container_id)
        if record is None:
            raise EngineRefused(
                self.node, f"no process {container_id[:12]}", tried=verb, status=404
            )
        return record

    # processes

    def _alive(self, record: _Record) -> bool:
        """Whether the very process of the record runs; notes its end."""
        alive = self._runs(record)
        if not alive and record.started_at and not record.ended_at:
            record.ended_at = _now()
            self._save(record)
        return alive

    def _runs(self, record: _Record) -> bool:
        """The same; notes the exit code of a child."""
        if record.pid is None:
            return False
        child = self._children.get(record.id)
        if child is not None:
            code = child.poll()
            if code is not None and record.exit_code is None:
                # As Docker says it: 137 for a process that signal 9 ended.
                record.exit_code = 128 - code if code < 0 else code
            return code is None
        seen = _look(record.pid)
        return seen is not None and seen[0] != "Z" and _is_his(record, seen[1])

    def _is_over(self, record: _Record) -> str:
        """The start of a process that has ended; empty for one that runs or never did."""
        return "" if self._alive(record) else record.started_at

    async def _ends(self, record: _Record, seconds: float) -> None:
        until = time.monotonic() + seconds
        while self._alive(record) and time.monotonic() < until:
            await asyncio.sleep(min(POLL, 0.02))

    def _found(self, record: _Record) -> Found:
        alive = self._alive(record)
        state = "running" if alive else "exited" if record.started_at else "created"
        return Found(
            id=record.id,
            name=record.name,
            image=redact_text(" ".join(record.command[:3])),
            state=state,
            exit_code=None if alive else record.exit_code,
            started_at=record.started_at,
            ended_at="" if alive else record.ended_at,
            labels=record.labels,
        )

    def _tell(self, action: str, record: _Record) -> None:
        event = Event(action, record.id, record.name, time.time())
        for on_event in list(self._watchers):
            on_event(event)


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def _read(path: Path) -> _Record | None:
    try:
        return _Record(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _look(pid: int) -> tuple[str, int] | None:
    """State and start of a process, in clock ticks since the computer's start; None for none.

    Fields 3 and 22 of /proc/PID/stat, see proc(5); the name before may have any characters.
    """
    try:
        words = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    return words[0], int(words[19])


def _boot() -> str:
    """The kernel's name for this start of the computer, see random(4)."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _is_his(record: _Record, ticks: int) -> bool:
    """Whether a process that has the pid of a record and started then is the record's own."""
    if record.ticks is not None:
        return (record.ticks, record.boot) == (ticks, _boot())
    with contextlib.suppress(psutil.NoSuchProcess):
        return record.born is not None and psutil.Process(record.pid).create_time() == record.born
    return False


async def _end_group(record: _Record) -> None:
    """Kill what a process has started and left behind, and wait until it is gone.

    While one of its group lives, the kernel gives its pid to nobody else. So a stranger of
    that pid shows that there is nobody left.
    """
    until = time.monotonic() + 1.0
    with contextlib.suppress(ProcessLookupError, PermissionError):
        while record.pid is not None and time.monotonic() < until:
            leader = _look(record.pid)
            if not (_is_his(record, leader[1]) if leader else record.boot == _boot()):
                return
            os.killpg(record.pid, signal.SIGKILL)
            await asyncio.sleep(0.01)
