"""A manager run as a user runs it: the command `fliswarm` with a configuration file."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from fliswarm.client import ActorReply, Client

FLISWARM = Path(sys.executable).with_name("fliswarm")


class Manager:
    """One daemon; `send` talks to its port."""

    def __init__(self, config: Path, port: int, state_dir: Path, path: Path | None = None) -> None:
        self.config = config
        self.port = port
        self.pid_file = state_dir / "fliswarm.pid"
        search = os.environ.get("PATH", "")
        self.env = {**os.environ, "PATH": f"{path}:{search}" if path else search}
        self.log = state_dir / "log" / "fliswarm.log"

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [str(FLISWARM), "-c", str(self.config), *words]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=False, env=self.env
        )

    def start(self) -> None:
        done = self.run("start")
        assert done.returncode == 0, done.stderr

    def stop(self) -> None:
        done = self.run("stop")
        assert done.returncode == 0, done.stderr

    @property
    def pid(self) -> int:
        return int(self.pid_file.read_text())

    def kill(self) -> None:
        """As the kernel does it when memory is short."""
        pid = self.pid
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not Path(f"/proc/{pid}").exists(), 5, "the manager is dead")

    async def send(self, command: str, limit: float = 60) -> list[ActorReply]:
        """All replies to one command; the last is its end."""
        async with asyncio.timeout(limit), Client("127.0.0.1", self.port) as client:
            return await client.ask(command)

    async def state(self, node: str) -> list[str]:
        """What nodeState says of a node now."""
        return keyword(await self.send("status"), "nodeState", node)[0]

    async def wait_state(
        self, node: str, state: str, limit: float, layer: str | None = None
    ) -> list[str]:
        """Wait until a node is in a state (for a reason at a layer); returns its nodeState."""
        until = time.monotonic() + limit
        while True:
            found = await self.state(node)
            if found[1] == state and layer in (None, found[2]):
                return found
            assert time.monotonic() < until, f"{node} is not {state} after {limit} s: {found}"
            await asyncio.sleep(0.1)


def keyword(replies: list[ActorReply], name: str, node: str | None = None) -> list[list[str]]:
    """The values of a keyword, of one node or of all."""
    found = [reply.keywords[name] for reply in replies if name in reply.keywords]
    return [values for values in found if node is None or (values and values[0] == node)]


def wait_until(condition: Callable[[], bool], limit: float, what: str) -> None:
    until = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < until, f"not so after {limit} s: {what}"
        time.sleep(0.02)
