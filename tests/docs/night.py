"""Running what a page shows: commands in a folder, their output compared with the page's."""

from __future__ import annotations

import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil

from .markdown import Block

SHOWN = "/home/you/night"
"""The folder of the commands, as the pages call it."""
WAIT = 15.0
"""How long a command marked `run: wait` may take to succeed, in seconds."""
TOKEN = "FLISWARM_DOCS_TEST"
_PORT = re.compile(r"\b199\d\d\b")


class Night:
    """A folder in which blocks are run one after another; `close` ends all that they began."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.token = secrets.token_hex(8)
        self.done: list[Block] = []
        programs = Path(sys.executable).parent
        self.environment = {
            **os.environ,
            "PATH": f"{programs}:{os.environ.get('PATH', '')}",
            "HOME": str(folder),
            "COLUMNS": "400",
            TOKEN: self.token,
        }

    def write(self, block: Block) -> None:
        """Write a file that a page shows, with our folder and free ports in it."""
        text = block.text.replace(SHOWN, str(self.folder))
        ports = list(dict.fromkeys(_PORT.findall(text)))
        for shown, free in zip(ports, free_ports(len(ports)), strict=True):
            text = text.replace(shown, str(free))
        (self.folder / block.mark[1]).write_text(text)

    def run(self, block: Block) -> None:
        """Run the commands of a block and compare what they print."""
        how = block.mark[1]
        for command, shown in block.commands:
            code, output = self._until(command, WAIT if how == "wait" else 0)
            assert code == (int(how) if how.isdigit() else 0), f"{command}\n{output}"
            self.compare(shown, output, f"{block.place}: {command}")
        self.done.append(block)

    def shell(self, command: str) -> tuple[int, str]:
        """Exit code and output of a command."""
        done = subprocess.run(
            ["/bin/bash", "-c", command],
            cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout

    def compare(self, shown: list[str], output: str, place: str) -> None:
        """Each line shown must have been printed, but for numbers, times and ids.

        The order is not compared: cameras speak when they like.
        """
        printed = [self._plain(line) for line in output.splitlines()]
        for line in shown:
            pattern = ".*".join(map(re.escape, self._plain(line).split("…")))
            if not any(re.fullmatch(pattern, candidate) for candidate in printed):
                raise AssertionError(f"{place}\nnot printed: {line}\nprinted:\n{output}")

    def close(self) -> None:
        """End every process that was begun here."""
        for process in psutil.process_iter():
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied, PermissionError):
                if process.environ().get(TOKEN) == self.token:
                    process.send_signal(signal.SIGKILL)

    def _until(self, command: str, seconds: float) -> tuple[int, str]:
        until = time.monotonic() + seconds
        while True:
            code, output = self.shell(command)
            if code == 0 or time.monotonic() >= until:
                return code, output

    def _plain(self, line: str) -> str:
        text = line.replace(str(self.folder), SHOWN).rstrip()
        text = re.sub(r"\b[0-9a-f]{12}\b", "ID", re.sub(" +", " ", text))
        text = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d([.,]\d+)?Z?", "TIME", text)
        return re.sub(r"(?<![A-Za-z\d.])\d+(\.\d+)?", "0", text)


def free_ports(count: int) -> list[int]:
    """Ports that nobody has just now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
