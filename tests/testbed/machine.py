"""What the testbed needs of the machine: commands, processes it can find again, one owner."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, TypeVar

import psutil

T = TypeVar("T")

MARK = "FLIS_TESTBED"
"""Environment variable that all our processes carry, so that a later run finds them."""

COMMANDS = ("dockerd", "containerd", "runc", "docker-init", "docker-registry")
TOOLS = ("debootstrap", "ip", "nsenter")


class TestbedError(Exception):
    """The testbed cannot do what was asked; its text says why."""

    __test__ = False


def why_not() -> str | None:
    """Why real engines cannot run here, in a few words; None when they can."""
    if sys.platform != "linux":
        return "not Linux"
    if os.geteuid() != 0:
        return "not root"
    missing = [name for name in (*COMMANDS, *TOOLS) if shutil.which(name) is None]
    if missing:
        return f"not installed: {', '.join(missing)} (run tests/system_packages.py)"
    try:
        run("unshare", "--net", "--mount", "true")
    except TestbedError as error:
        return f"no network namespaces here ({error})"
    return None


def run(*command: str | Path, seconds: float = 60) -> str:
    """Run a command to its end and return what it printed.

    Raises:
        TestbedError: it failed or took longer than `seconds`.
    """
    words = [str(word) for word in command]
    try:
        result = subprocess.run(words, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        raise TestbedError(f"`{' '.join(words)}` took longer than {seconds} s") from None
    if result.returncode:
        said = (result.stderr or result.stdout).strip()[-1500:]
        raise TestbedError(f"`{' '.join(words)}` failed: {said}")
    return result.stdout


def wait_until(condition: Callable[[], T], what: str, seconds: float) -> T:
    """Ask again and again until the answer is true-like; return it.

    Raises:
        TestbedError: `seconds` passed before that.
    """
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise TestbedError(f"waited {seconds} s for {what}")
        time.sleep(0.02)
    return answer


def port_answers(host: str, port: int, seconds: float = 1.0) -> bool:
    """Whether a TCP connection to a port is accepted."""
    try:
        with socket.create_connection((host, port), timeout=seconds):
            return True
    except OSError:
        return False


def demand_free(host: str, port: int, purpose: str, seconds: float = 3) -> None:
    """Make sure that a TCP port can be listened on.

    Args:
        host: this machine's address; empty for all of them.
        port: the port.
        purpose: what needs it, for the message.
        seconds: how long a program that was just ended may take to let it go.

    Raises:
        TestbedError: another program has it; the text names it.
    """
    try:
        wait_until(lambda: _can_listen(host, port), purpose, seconds)
    except TestbedError:
        owner = _listener(port) or "an unknown program"
        where = f"port {port} of {host or 'this machine'}"
        raise TestbedError(f"{purpose} needs {where}, which {owner} has") from None


def _can_listen(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _listener(port: int) -> str | None:
    for found in psutil.net_connections("tcp"):
        if found.status == psutil.CONN_LISTEN and found.laddr.port == port and found.pid:
            return f"process {found.pid} ({psutil.Process(found.pid).name()})"
    return None


class Service:
    """A long-running process of ours: its output goes to a file, it can be found again."""

    def __init__(self, role: str, log: Path) -> None:
        self.role = role
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None

    def start(
        self, *command: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None
    ) -> None:
        """Start it in a session of its own; output is appended to the log."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=cwd,
                env={**os.environ, **(env or {}), MARK: self.role},
            )

    @property
    def running(self) -> bool:
        """Whether the process that we started has not ended."""
        return self.process is not None and self.process.poll() is None

    def wait_ready(self, condition: Callable[[], bool], seconds: float) -> None:
        """Wait until a condition holds; an early end of the process ends the waiting.

        Raises:
            TestbedError: with the end of the log.
        """
        try:
            wait_until(lambda: not self.running or condition(), f"{self.role} to start", seconds)
        except TestbedError as error:
            raise TestbedError(f"{error}; its log ends:\n{self.tail()}") from None
        if not self.running:
            raise TestbedError(f"{self.role} ended at its start; its log ends:\n{self.tail()}")

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if the process still runs."""
        if self.running and self.process:
            self.process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = 30) -> None:
        """Send a signal and wait for the end; SIGKILL when it takes too long."""
        if self.process is None:
            return
        self.send(number)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def tail(self, size: int = 1500) -> str:
        """The last bytes of the log."""
        return self.log.read_bytes()[-size:].decode(errors="replace") if self.log.exists() else ""


def marked(*roles: str) -> list[psutil.Process]:
    """Our processes with one of these roles, from this run or an earlier one."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) in roles and process.pid != os.getpid():
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def kill(processes: Iterable[psutil.Process], seconds: float = 20) -> None:
    """SIGKILL these processes and wait until they are gone.

    Raises:
        TestbedError: one is still there after `seconds`.
    """
    victims = list(processes)
    for process in victims:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    wait_until(lambda: not any(map(lives, victims)), "killed processes to be gone", seconds)


def lives(process: psutil.Process) -> bool:
    """Whether a process exists and is no zombie; process 1 of some machines reaps slowly."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def claim(name: str, patience: float = 0) -> IO[str]:
    """Become the machine's only user of something until the returned file is closed.

    Args:
        name: what is claimed, one word.
        patience: seconds to wait for the present owner.

    Raises:
        TestbedError: another process still has it; the text names it.
    """
    path = Path(tempfile.gettempdir()) / f"flis-{name}-{os.getuid()}.lock"
    file = path.open("a+")

    def taken() -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    try:
        wait_until(taken, name, patience)
    except TestbedError:
        file.seek(0)
        owner = file.read().strip() or "unknown"
        file.close()
        raise TestbedError(f"process {owner} of this machine uses the {name}") from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file
