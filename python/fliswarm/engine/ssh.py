"""Engines over ssh: one ssh process a node brings the engine's socket to the manager.

The SDK's own ssh starts a process for each call, or needs a library that does not know ssh's
configuration, and neither has deadlines. Here the SDK speaks to a unix socket, as it does on
one computer, and ssh carries all connections to it.

ssh runs `cat` on the other side. Its echo tells that the connection stands, and it ends, and
ssh with it, when the manager is gone, killed or not.
"""

from __future__ import annotations

import contextlib
import fcntl
import math
import os
import select
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from ..config import Ssh, ssh_parts
from ..errors import EngineError, EngineTimeout, EngineUnreachable, EngineUntrusted, os_reason

OPTIONS = (
    "BatchMode=yes",  # never ask anybody anything
    "StrictHostKeyChecking=yes",
    "UpdateHostKeys=no",
    "ControlMaster=no",  # a connection of our own, whatever the user's configuration shares
    "ControlPath=none",
    "ForwardAgent=no",
    "ForwardX11=no",
    "PermitLocalCommand=no",
    "ExitOnForwardFailure=yes",
    "StreamLocalBindUnlink=yes",
    "StreamLocalBindMask=0177",
    "ServerAliveInterval=5",
    "ServerAliveCountMax=3",
    "LogLevel=INFO",  # says why the other side does not open the socket
)
ECHO = 2.0
"""How long the other side may take to echo, in seconds, before the connection counts as dead."""
FOLDER = "fliswarm-"
"""How the folders of the sockets on this side begin, among the temporary files."""
YOUNG = 60.0
"""A folder younger than this, in seconds, may not yet be held by its manager."""
KEPT = 4096
"""How much of what ssh says is kept, in bytes."""
PAGE = "docs/how-to/safe-engines.md"


class Tunnel:
    """The way to one engine; `open` is for threads, `close` may be called from anywhere.

    Args:
        node: the node's name, for errors.
        address: ``ssh://user@host``, with port and path of the socket where they are others.
        keys: the key and the known hosts to use, where they are not ssh's own.
        timeout: for making the connection, in seconds.
    """

    def __init__(self, node: str, address: str, keys: Ssh | None, timeout: float) -> None:
        self.node = node
        self.user, self.host, self.port, self.path = ssh_parts(address)
        self.keys = keys or Ssh()
        self.timeout = timeout
        self._folder = ""
        self._hold: int | None = None
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._said = b""
        self._echoes = 0
        self._doubted = False
        self._closed = False
        self._failed: tuple[float, EngineError] | None = None

    @property
    def address(self) -> str:
        """The engine's address on this side."""
        return f"unix://{self.path_here}"

    @property
    def path_here(self) -> str:
        """The path of the engine's socket on this side; it is there once `open` has been called."""
        return f"{self._folder}/s"

    def open(self) -> None:
        """Make the connection if it does not stand.

        Raises:
            EngineError: it cannot be made; those who waited meanwhile get the same error.
        """
        asked = time.monotonic()
        with self._lock:
            if self._failed is not None and self._failed[0] > asked:
                raise self._failed[1]
            if self._stands():
                return
            self._drop()
            try:
                self._start()
            except EngineError as error:
                self._drop()
                self._failed = (time.monotonic(), error)
                raise

    def doubt(self) -> None:
        """A call was not answered: before the next, see whether the connection still stands."""
        self._doubted = True

    def explain(self, tried: str) -> EngineUnreachable | None:
        """Why a connection through the tunnel broke off, if ssh has said so; for threads."""
        with self._lock:
            process = self._process
            self._listen()
            said, self._said = self._said.decode("utf-8", "replace"), b""
        if "open failed: " in said:
            words = (
                f"nobody answers at {self.path} of {self.host}: does Docker run there, may "
                f"{self.user or 'the user of ssh'} use it, does sshd forward sockets?"
            )
            error = EngineUnreachable(self.node, words, tried=tried)
            error.refused = True
            return error
        if process is not None and process.poll() is not None:
            last = said.strip().splitlines()[-1:] or [f"exit code {process.returncode}"]
            return EngineUnreachable(self.node, f"ssh ended: {last[0].strip()}", tried=tried)
        return None

    def close(self) -> None:
        """End ssh; the tunnel cannot be opened again."""
        self._closed = True
        self._drop()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
        hold, self._hold = self._hold, None
        if hold is not None:
            os.close(hold)

    # ssh itself

    def _command(self) -> list[str]:
        options = (*OPTIONS, f"ConnectTimeout={max(1, math.ceil(self.timeout))}")
        words = ["ssh", "-T", *(word for option in options for word in ("-o", option))]
        if self.keys.key:
            words += ["-o", "IdentitiesOnly=yes", "-i", self.keys.key]
        if self.keys.known_hosts:
            words += ["-o", f"UserKnownHostsFile={self.keys.known_hosts}"]
        if self.user:
            words += ["-l", self.user]
        if self.port:
            words += ["-p", str(self.port)]
        return [*words, "-L", f"{self.path_here}:{self.path}", "--", self.host, "cat"]

    def _start(self) -> None:
        if self._closed:
            raise EngineUnreachable(self.node, "the manager ends")
        self._check_files()
        if not self._folder:
            clear_left()
            self._folder = tempfile.mkdtemp(prefix=FOLDER)
            self._hold = _hold(self._folder)
        self._said, self._doubted = b"", False
        try:
            process = subprocess.Popen(
                self._command(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # no terminal to ask on; ends with what it starts
            )
        except OSError as error:
            raise EngineUnreachable(self.node, f"cannot run ssh: {os_reason(error)}") from error
        self._process = process
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
        if self._closed or not self._echo(self.timeout):
            raise self._why(process)

    def _check_files(self) -> None:
        for name, path in self.keys.model_dump().items():
            try:
                if path is not None:
                    with Path(path).open("rb") as file:
                        file.read(1)
            except OSError as error:
                reason = f"cannot read {path} (ssh.{name}): {os_reason(error)}"
                raise EngineUntrusted(self.node, reason) from error

    def _stands(self) -> bool:
        process = self._process
        if process is None or process.poll() is not None:
            return False
        doubted, self._doubted = self._doubted, False
        return not doubted or self._echo(ECHO)

    def _echo(self, seconds: float) -> bool:
        """Whether the other side repeats a word in time; False also when ssh has ended."""
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            return False
        self._echoes += 1
        word = f"fliswarm {self._echoes}\n".encode()
        heard = b""
        until = time.monotonic() + seconds
        try:
            os.write(process.stdin.fileno(), word)
            while word not in heard and (left := until - time.monotonic()) > 0:
                select.select([process.stdout], [], [], left)
                part = os.read(process.stdout.fileno(), KEPT)
                if not part:
                    return False
                heard = heard[-KEPT:] + part
        except BlockingIOError:
            return False
        except (OSError, ValueError):  # ended, or closed by `close`
            return False
        return word in heard

    def _listen(self) -> None:
        """Take what ssh has said: it stops when nobody reads."""
        process = self._process
        if process is not None and process.stderr is not None:
            with contextlib.suppress(OSError, ValueError):
                while part := os.read(process.stderr.fileno(), KEPT):
                    self._said = (self._said + part)[-KEPT:]

    def _drop(self) -> None:
        """End ssh and all that it has started; a thread sees it out."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        name = f"engine-{self.node}"
        threading.Thread(target=self._see_out, args=(process,), name=name, daemon=True).start()

    def _see_out(self, process: subprocess.Popen[bytes]) -> None:
        process.wait()
        with self._lock:  # nobody reads
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()

    def _why(self, process: subprocess.Popen[bytes]) -> EngineError:
        """Why there is no connection, from what ssh has said."""
        tried = f"ssh {self.user}@{self.host}" if self.user else f"ssh {self.host}"
        try:
            process.wait(0.2)
        except subprocess.TimeoutExpired:
            return EngineTimeout(self.node, "no connection", tried=tried, seconds=self.timeout)
        self._listen()
        text = self._said.decode("utf-8", "replace").strip()
        if words := _distrust(text, self.user, self.host):
            return EngineUntrusted(self.node, f"{words}; {PAGE}", tried=tried)
        last = text.splitlines()[-1].strip() if text else f"ssh ended with {process.returncode}"
        error = EngineUnreachable(self.node, last.rpartition(": ")[2].lower(), tried=tried)
        error.refused = "connection refused" in text.lower()
        return error


def _hold(folder: str | Path) -> int | None:
    """A descriptor that holds a folder for as long as we live; None if another holds it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def clear_left() -> None:
    """Remove the folders of managers that were killed: ours, of some age, held by nobody."""
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER}????????"):
        with contextlib.suppress(OSError):
            found = folder.lstat()
            if found.st_uid != os.getuid() or time.time() - found.st_mtime < YOUNG:
                continue
            if set(os.listdir(folder)) <= {"s"} and (hold := _hold(folder)) is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(hold)


def _distrust(text: str, user: str | None, host: str) -> str:
    """Which side does not trust the other, and what to do; empty when it is not that."""
    login = f"{user}@{host}" if user else host
    if "IDENTIFICATION HAS CHANGED" in text:
        return (
            f"the host key of {host} is not the known one: ask why before you trust it; "
            f"`ssh-keygen -R {host}` forgets the old one"
        )
    if "Host key verification failed" in text or "host key is known" in text:
        return (
            f"the host key of {host} is not known: connect once by hand as the manager's user "
            f"(ssh {login}) and compare it"
        )
    if "Permission denied" in text:
        return (
            f"{login} refuses our key: put the manager's public key into its ~/.ssh/authorized_keys"
        )
    return ""
