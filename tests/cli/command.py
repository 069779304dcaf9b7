"""The command `fliswarm` as a user runs it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import yaml

from tests.actor.running import free_ports

FLISWARM = Path(sys.executable).with_name("fliswarm")
DEADLINE = 60.0


class Cli:
    """The command with a configuration of its own in a folder."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        self.folder = folder
        self.port, camera = free_ports(2)
        self.file = folder / "swarm.yaml"
        self.state = folder / "state"
        self.pid_file = self.state / "fliswarm.pid"
        self.log = self.state / "log" / "fliswarm.log"
        self.content: dict[str, Any] = {
            "actor": {"port": self.port},
            "state_dir": str(self.state),
            "defaults": {
                "command": ["{python}", "-m", "fliswarm.simcamera"],
                "environment": {"SIMCAMERA_DATA": str(folder / "data"), "SIMCAMERA_SIZE": 32},
            },
            "nodes": {"gfa1": {"host": "127.0.0.1", "port": camera, "docker-client": "process://"}},
            **changes,
        }
        self.write()

    def write(self) -> None:
        self.file.write_text(yaml.safe_dump(self.content, sort_keys=False))

    def run(
        self, *words: str, config: bool = True, cwd: Path | None = None, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return subprocess.run(
            self.words(*words, config=config), capture_output=True, text=True, check=False,
            timeout=DEADLINE, cwd=cwd or self.folder, env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def words(self, *words: str, config: bool = True) -> list[str]:
        return [str(FLISWARM), *(["-c", str(self.file)] if config else []), *words]

    def good(self, *words: str, **options: Any) -> str:
        """Run it; it must succeed. What it said."""
        done = self.run(*words, **options)
        assert done.returncode == 0, (done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        return done.stdout

    def bad(self, *words: str, code: int = 1, **options: Any) -> str:
        """Run it; it must fail with this code, in words. What it said on stderr."""
        done = self.run(*words, **options)
        assert done.returncode == code, (done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        return done.stderr

    @property
    def pid(self) -> int:
        return int(self.pid_file.read_text())

    def camera_pid(self, node: str = "gfa1") -> int:
        (record,) = (self.state / "processes" / node).glob("*.json")
        return int(json.loads(record.read_text())["pid"])

    def clean(self) -> None:
        """End all that was started, whatever state it is in."""
        for path in [*self.folder.rglob("*.pid"), *self.state.glob("processes/*/*.json")]:
            with contextlib.suppress(ValueError, psutil.Error):
                text = path.read_text()
                found = psutil.Process(json.loads(text)["pid"] if "{" in text else int(text))
                if any(str(self.folder) in text for text in _about(found)):
                    found.kill()


def _about(process: psutil.Process) -> list[str]:
    return [*process.cmdline(), *process.environ().values()]


def until(condition: Callable[[], Any], limit: float = 20.0) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def gone(pid: int) -> bool:
    """Whether a process is over."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def kill(pid: int, number: signal.Signals) -> None:
    os.kill(pid, number)
    until(lambda: gone(pid))
