"""One file to attach to a ticket: all that is known of a node, without secrets."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import os
import platform
import tarfile
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import yaml

from . import __version__, findings, history
from .client import Client, ClientError
from .config import NodeConfig, SwarmConfig, redact
from .daemon import log_path
from .doctor import WHOLE, examine
from .engine import make_engine
from .errors import FliswarmError, os_reason
from .history import HistoryError
from .logfiles import form, last_lines

PART = 10.0
"""For one part of the report, in seconds; the doctor has its own limit."""
DAYS = 7
"""How far back the history goes in a report, in days."""
ENTRIES = 2000
"""How many of its newest commands and events, and of the camera's lines, a report has each."""
LOG_TAIL = 512 << 10
"""How much of the end of the manager's log, in bytes."""
PACKAGES = ("docker", "sdss-clu", "click", "pydantic", "daemonocle", "astropy", "rich")

Part = Callable[[], Awaitable[str]]


class Missing(FliswarmError):
    """A part that cannot be had; the text says why."""


class Report:
    """The report on one node.

    Args:
        config: the configuration.
        node: the node.
    """

    def __init__(self, config: SwarmConfig, node: NodeConfig) -> None:
        self.config = config
        self.node = node
        self.secrets = redact.find_secrets(config)
        self.made = datetime.now(UTC)

    @property
    def name(self) -> str:
        """The folder in the archive, and the start of the file's name."""
        return f"fliswarm-report-{self.node.name}-{self.made:%Y%m%dT%H%M%SZ}"

    async def write(self, target: Path) -> dict[str, str]:
        """Gather the parts, all at the same time, and write the archive whole or not at all.

        Returns:
            What is missing, and why, by the part's name.

        Raises:
            OSError: the file exists already, or cannot be written.
        """
        gathered = await asyncio.gather(*(self._gather(part) for _, part in self._parts().values()))
        texts = dict(zip(self._parts(), gathered, strict=True))
        missing = {name: str(text) for name, text in texts.items() if isinstance(text, Missing)}
        files = {name: text for name, text in texts.items() if isinstance(text, str)}
        content = self._pack({"README.txt": self._index(missing), **files})
        await asyncio.to_thread(_put, target, content)
        return missing

    def _parts(self) -> dict[str, tuple[str, Part]]:
        return {
            "status.txt": ("what the manager said of all nodes, as it came", self._status),
            "doctor.txt": ("what `fliswarm doctor` found at this node", self._doctor),
            "commands.json": (f"the commands of the last {DAYS} days", self._commands),
            "events.json": (f"deaths, restarts, changes of the last {DAYS} days", self._events),
            "camera.log": (f"the last {ENTRIES} lines that the camera printed", self._camera_log),
            "manager.log": ("the end of the manager's own log", self._manager_log),
            "container.json": ("the container as its engine shows it", self._container),
            "configuration.yaml": ("the configuration in force on disk", self._configuration),
            "versions.txt": ("the programs and their versions", self._versions),
        }

    async def _gather(self, part: Part) -> str | Missing:
        limit = WHOLE + PART if part == self._doctor else PART
        try:
            async with asyncio.timeout(limit):
                text = await part()
        except TimeoutError:
            return Missing(f"not had within {limit:g} s")
        except Missing as error:
            return error
        except (FliswarmError, OSError) as error:
            reason = os_reason(error) if isinstance(error, OSError) else str(error)
            return Missing(redact.redact_text(reason, self.secrets))
        except Exception as error:
            # A fault of ours in one part must not cost the others.
            return Missing(f"internal error {type(error).__name__}")
        return "\n".join(redact.redact_text(line, self.secrets) for line in text.split("\n"))

    def _index(self, missing: dict[str, str]) -> str:
        node = self.node
        lines = [
            f"fliswarm's report on {node.name}, made {self.made:%Y-%m-%d %H:%M:%S} UTC",
            f"by fliswarm {__version__} on {platform.node()}",
            "",
            f"{node.name} is the camera at {node.host}:{node.port}; its engine is at "
            f"{redact.redact_text(node.address, self.secrets)}.",
            "Secrets were taken out: *** stands in their place. All times are UTC.",
            "",
        ]
        for name, (what, _) in self._parts().items():
            lines.append(f"{name:20s} {what}")
            if name in missing:
                lines.append(f"{'':20s} MISSING: {missing[name]}")
        return "\n".join([*lines, ""])

    def _pack(self, files: dict[str, str]) -> bytes:
        buffer = io.BytesIO()
        with (
            gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as zipped,
            tarfile.open(fileobj=zipped, mode="w") as tar,
        ):
            for name, text in files.items():
                content = text.encode("utf-8", "replace")
                info = tarfile.TarInfo(f"{self.name}/{name}")
                info.size, info.mtime, info.mode = len(content), int(self.made.timestamp()), 0o600
                tar.addfile(info, io.BytesIO(content))
        return buffer.getvalue()

    # the parts

    async def _status(self) -> str:
        actor = self.config.actor
        host = "127.0.0.1" if actor.host == "0.0.0.0" else actor.host  # noqa: S104
        try:
            async with Client(host, actor.port) as client:
                return "\n".join([reply.raw async for reply in client.stream("status")])
        except ClientError as error:
            raise Missing(f"the manager does not answer: {error}") from error

    async def _doctor(self) -> str:
        found = await examine(self.config, [self.node.name])
        return findings.plain(found)

    async def _commands(self) -> str:
        return await asyncio.to_thread(self._rows, history.commands)

    async def _events(self) -> str:
        return await asyncio.to_thread(self._rows, history.events)

    def _rows(self, read: Callable[..., list[history.CommandRow] | list[history.EventRow]]) -> str:
        file = self.config.state_dir / history.FILE
        try:
            rows = read(file, self.node.name, self.made - timedelta(days=DAYS), ENTRIES)
        except HistoryError as error:
            raise Missing(str(error)) from error
        return json.dumps([asdict(row) for row in rows], indent=1, default=str)

    async def _camera_log(self) -> str:
        folder = self.config.camera_log_dir
        lines = await asyncio.to_thread(last_lines, folder, self.node.name, ENTRIES)
        if not lines:
            raise Missing(f"nothing was kept in {folder}")
        return "\n".join(form(line) for line in lines)

    async def _manager_log(self) -> str:
        return await asyncio.to_thread(_tail, log_path(self.config, None))

    async def _container(self) -> str:
        engine = make_engine(self.node, self.config.timeouts.engine, self.config.state_dir)
        try:
            seen = await engine.glance(self.node.container)
            if seen is None:
                raise Missing(f"there is no container {self.node.container}")
            document = await engine.document(seen[0])
        finally:
            engine.close()
        return json.dumps(redact.redact(document, self.secrets), indent=1, default=str)

    async def _configuration(self) -> str:
        return yaml.safe_dump(redact.show(self.config), sort_keys=False, width=100)

    async def _versions(self) -> str:
        lines = [f"fliswarm {__version__}", f"Python {platform.python_version()}"]
        lines += [f"{platform.system()} {platform.release()}"]
        for package in PACKAGES:
            try:
                lines.append(f"{package} {version(package)}")
            except PackageNotFoundError:
                lines.append(f"{package} is not installed")
        return "\n".join(lines)


def _tail(path: Path) -> str:
    """The end of a file, from a whole line on."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - LOG_TAIL))
        content = file.read()
    if size > LOG_TAIL:
        content = content.partition(b"\n")[2]
    return content.decode("utf-8", "replace")


def _put(target: Path, content: bytes) -> None:
    """Write a file whole or not at all, for its owner alone; never over another."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(content)
        os.link(part, target)  # fails where the file exists
    finally:
        part.unlink()
