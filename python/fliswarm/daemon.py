"""The manager as a daemon: start returns when it listens, or says why it does not."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import logging.handlers
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
from daemonocle import Daemon
from sdsstools import get_logger

from . import pidfile
from .actor import FINISH, SwarmActor
from .config import SwarmConfig
from .config.redact import find_secrets, redact_text
from .errors import FliswarmError, os_reason
from .logthread import LogThread
from .pidfile import PidFile, PidFileError

LOG_BYTES = 10 << 20
"""How long a log file gets before it is rotated, in bytes; five old ones are kept."""
FILES, FILES_A_NODE = 500, 6
"""Open files that a manager and each of its nodes may need: users, logs, connections.

A node has four (calls, events, log, camera); a system's usual limit of 1024 would end at 250.
"""
START = 30.0
"""How long `start` waits for the actor to listen, in seconds."""

END = 15.0
"""How long the manager may take to end besides `FINISH`, in seconds."""
SAID = 5.0
"""How long a manager that is being started may take to write its pid, in seconds."""


class StartError(FliswarmError):
    """The manager does not start; the text says why."""


class _Quiet(Daemon):  # type: ignore[misc]
    """daemonocle without its own words: ours are said by the one who waits."""

    @classmethod
    def _echo(cls, message: str, stderr: bool = False, color: Any = None) -> None:
        return


def pid_path(config: SwarmConfig, given: str | None) -> Path:
    """Where the pid file is: as given, or `fliswarm.pid` in the state folder."""
    if given:
        return Path(given).expanduser().absolute()
    return config.state_dir / "fliswarm.pid"


def log_path(config: SwarmConfig, given: str | None) -> Path:
    """Where the log goes: as given, or in the log folder under the actor's name."""
    if given:
        return Path(given).expanduser().absolute()
    return (config.log_dir / f"{config.actor.name}.log").absolute()


def running_pid(pid_file: Path) -> int | None:
    """The pid of the manager that runs, 0 while it is being started; None if none does.

    Raises:
        StartError: the pid file cannot be read.
    """
    try:
        return pidfile.holder(pid_file)
    except PidFileError as error:
        raise StartError(str(error)) from error


def start(
    config: SwarmConfig,
    only: Sequence[str] | None,
    pid_file: Path,
    log_file: Path | None,
    foreground: bool,
) -> str:
    """Start the manager; in the foreground, until it ends.

    Returns:
        What was started, in words.

    Raises:
        StartError: it runs already, or it cannot listen.
    """
    try:
        config.state_dir.mkdir(parents=True, exist_ok=True)
        pid_file.parent.mkdir(parents=True, exist_ok=True)
        if log_file is not None:
            log_file.parent.mkdir(parents=True, exist_ok=True)
            log_file.open("a").close()
    except OSError as error:
        raise StartError(f"cannot write {error.filename}: {error.strerror}") from error
    try:
        held = PidFile(pid_file)
    except PidFileError as error:
        raise StartError(str(error)) from error
    if foreground:
        return _run_here(config, only, held, log_file)
    return _detach(config, only, held, log_file)


def _run_here(
    config: SwarmConfig, only: Sequence[str] | None, held: PidFile, log_file: Path | None
) -> str:
    try:
        with logging_set_up(log_file, to_terminal=True):
            try:
                held.write()
                asyncio.run(serve(config, only, lambda words: None))
            finally:
                held.remove()
    except OSError as error:
        raise StartError(_why(config, error)) from error
    return "fliswarm has ended"


def _detach(
    config: SwarmConfig, only: Sequence[str] | None, held: PidFile, log_file: Path | None
) -> str:
    """Fork the daemon and wait for its word on a pipe: how it listens, or why not."""
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)

    def work() -> None:
        def ready(words: str) -> None:
            with contextlib.suppress(OSError):
                os.write(writer, words.encode())
                os.close(writer)

        with logging_set_up(log_file, to_terminal=False):
            try:
                held.write()
                asyncio.run(serve(config, only, lambda words: ready(f"+{words}")))
            except OSError as error:
                logging.getLogger(__name__).exception("cannot start")
                ready(f"-{_why(config, error)}")
                raise
            except BaseException as error:
                logging.getLogger(__name__).exception("the manager died")
                ready(f"-{type(error).__name__}: {error}")
                raise
            finally:
                held.remove()

    sys.stdout.flush()
    sys.stderr.flush()
    if os.fork() == 0:
        os.close(reader)
        try:
            _Quiet(name="fliswarm", worker=work, detach=True).start()
        finally:
            os._exit(0)
    os.close(writer)
    held.leave()
    return _hear(reader, log_file)


def _hear(reader: int, log_file: Path | None) -> str:
    """The daemon's word, `START` seconds at most."""
    said = b""
    until = time.monotonic() + START
    with os.fdopen(reader, "rb", buffering=0) as pipe:
        while time.monotonic() < until:
            ready, _, _ = select.select([pipe], [], [], 0.5)
            if ready:
                part = pipe.read(4096)
                if not part:
                    break
                said += part
                if said.startswith(b"+"):
                    break
    words = said.decode("utf-8", "replace")
    if words.startswith("+"):
        return words[1:]
    where = f"; see {log_file}" if log_file else ""
    raise StartError((words[1:] or "fliswarm ended before it listened") + where)


def _why(config: SwarmConfig, error: OSError) -> str:
    place = f"{config.actor.host}:{config.actor.port}"
    return f"cannot listen on {place}: {os_reason(error)}"


async def serve(
    config: SwarmConfig, only: Sequence[str] | None, ready: Callable[[str], None]
) -> None:
    """Run the actor until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    # What is there now stays, and a large swarm makes thousands of short-lived objects a
    # command: looking for cycles as often as Python does takes a fifth of such a command's time.
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
    _allow_files(FILES + FILES_A_NODE * len(config.nodes))
    actor = SwarmActor(config, _sdss_logger(), only)
    await actor.start()
    if not (sys.stdin and sys.stdin.isatty()):  # there it says that the terminal is gone
        loop.add_signal_handler(signal.SIGHUP, actor.order, "reload")
    ready(f"fliswarm listens on {actor.host}:{actor.port} with pid {os.getpid()}")
    try:
        # It may take half a second for 500 nodes; what a name tells is hidden from the start.
        FORM.secrets = await asyncio.to_thread(find_secrets, config)
        await ended.wait()
    finally:
        await actor.stop()


def _allow_files(needed: int) -> None:
    """Raise the soft limit of open files where it is too low; say so if the hard one is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if most < needed:
        logging.getLogger(__name__).warning(
            "%d open files may be needed, the limit is %d (LimitNOFILE= of the service)",
            needed, most,
        )  # fmt: skip
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _sdss_logger() -> Any:
    """The logger that sdss-clu insists on, without handlers of its own."""
    log = get_logger("fliswarm.clu", capture_exceptions=False, capture_warnings=False)
    log.removeHandler(log.sh)
    return log


class _Discreet(logging.Formatter):
    """Lines without secrets; a command, for instance, is logged as the user gave it."""

    converter = staticmethod(time.gmtime)
    secrets: tuple[str, ...] = ()

    def format(self, record: logging.LogRecord) -> str:
        """The line, or the lines of an error."""
        return redact_text(super().format(record), self.secrets)


FORM = _Discreet("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
"""The form of every line of the log; times are UTC."""


@contextlib.contextmanager
def logging_set_up(log_file: Path | None, to_terminal: bool) -> Iterator[None]:
    """The only place where logging is configured; times are UTC.

    When the log's disk or terminal hangs at the end, the process ends with it (status 1).
    """
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    logging.getLogger("fliswarm").setLevel(logging.DEBUG if to_terminal else logging.INFO)
    handlers: list[logging.Handler] = []
    if to_terminal:
        handlers.append(logging.StreamHandler())
    if log_file is not None:
        handlers.append(
            logging.handlers.RotatingFileHandler(log_file, maxBytes=LOG_BYTES, backupCount=5)
        )
    for handler in handlers:
        handler.setFormatter(FORM)
    thread = LogThread(handlers)
    root.addHandler(thread)
    try:
        yield
    finally:
        if not thread.finish():
            # Python's own way out would wait for the thread that waits for the disk.
            os._exit(1)
        root.removeHandler(thread)


def stop(pid_file: Path) -> str:
    """Stop the manager and wait for its end.

    Raises:
        StartError: it does not end, or it is not ours to end.
    """
    pid = _said(pid_file)
    if pid is None:
        return "fliswarm is not running"
    limit = FINISH + END
    try:
        process = psutil.Process(pid)
        # Only who holds the file is ended: its number may be older than the one who holds it.
        if not pidfile.holds(pid, pid_file):
            raise StartError(f"pid {pid} does not hold {pid_file}; try again")
        process.terminate()
        process.wait(limit)
    except psutil.NoSuchProcess:
        pass
    except (PidFileError, psutil.AccessDenied):
        raise StartError(f"pid {pid} ({pid_file}) belongs to another user") from None
    except psutil.TimeoutExpired:
        hand = f"`kill -9 {pid}` ends it, and containers keep running"
        if process.status() == psutil.STATUS_STOPPED:
            hand = f"it is stopped (SIGSTOP): `kill -CONT {pid}` lets it end"
        raise StartError(f"pid {pid} has not ended after {limit:g} s; {hand}") from None
    return f"fliswarm (pid {pid}) has ended; containers keep running"


def _said(pid_file: Path) -> int | None:
    """The manager's pid, waited for while it is being started; None if none runs.

    Raises:
        StartError: it does not say it.
    """
    until = time.monotonic() + SAID
    while (pid := running_pid(pid_file)) == 0:
        if time.monotonic() > until:
            raise StartError(f"fliswarm is being started ({pid_file}); try again")
        time.sleep(0.05)
    return pid
