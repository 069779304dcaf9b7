"""The pid file: locked by the manager that runs, so that nobody has to guess whether one does.

The lock is the file's own (`fcntl(2)`, open file description locks, Linux 3.15): it is inherited by
the daemon that `start` forks, ends with the last process that holds it, however that dies, and
can be asked for without taking it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import struct
from pathlib import Path

from .errors import FliswarmError, os_reason

LONGEST = 32
"""How many bytes a pid file may have; a longer file is somebody's, and is not written over."""
_FLOCK = "hhqqi4x"
"""`struct flock` of Linux: type, whence, start, length, pid."""


class PidFileError(FliswarmError):
    """The pid file cannot be used, or a manager holds it; the text says which and why."""


class PidFile:
    """A pid file that this process holds, until `remove` or its end.

    Raises:
        PidFileError: another manager holds it, or it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._fd = _take(path)
        except OSError as error:
            raise PidFileError(f"cannot write {path}: {os_reason(error)}") from error

    def write(self) -> None:
        """Write the number of this process; called by the one that stays."""
        os.truncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def leave(self) -> None:
        """Close it here; a forked process still holds it."""
        os.close(self._fd)

    def remove(self) -> None:
        """Remove the file and let it go."""
        with contextlib.suppress(OSError):
            self.path.unlink()
        os.close(self._fd)


def _take(path: Path) -> int:
    """Open and lock the file.

    Raises:
        OSError: it cannot be opened, locked or emptied.
        PidFileError: it is held, or is no pid file.
    """
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode) or found.st_size > LONGEST:
                raise PidFileError(f"cannot write {path}: there is something that is no pid file")
            try:
                fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _lock(fcntl.F_WRLCK))
            except (BlockingIOError, PermissionError):
                raise PidFileError(_held(path, fd)) from None
            # The one before may have removed the file between our opening and our lock.
            if path.exists() and os.path.samestat(found, path.stat()):
                os.truncate(fd, 0)
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def _lock(kind: int) -> bytes:
    return struct.pack(_FLOCK, kind, os.SEEK_SET, 0, 0, 0)


def _held(path: Path, fd: int) -> str:
    pid = _number(os.pread(fd, LONGEST, 0))
    if pid is None:
        return f"fliswarm is being started by somebody else ({path})"
    return f"fliswarm runs already with pid {pid} ({path})"


def _number(text: bytes) -> int | None:
    word = text.strip()
    return int(word) if word.isdigit() and int(word) > 0 else None


def holder(path: Path) -> int | None:
    """The number of the manager that holds the pid file; 0 before it says; None if none does.

    Raises:
        PidFileError: the file is there and cannot be read.
    """
    text = _look(path)
    return None if text is None else (_number(text) or 0)


def _look(path: Path) -> bytes | None:
    """What a held pid file says; None for one that nobody holds."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise PidFileError(f"cannot read {path}: {os_reason(error)}") from error
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        answer = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, _lock(fcntl.F_RDLCK))
        if struct.unpack(_FLOCK, answer)[0] == fcntl.F_UNLCK:
            return None
        return os.pread(fd, LONGEST, 0)
    finally:
        os.close(fd)


def holds(pid: int, path: Path) -> bool:
    """Whether this process has the pid file open, by /proc.

    Raises:
        PidFileError: the process is somebody else's.
    """
    try:
        wanted = path.stat()
        for entry in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.stat(f"/proc/{pid}/fd/{entry}"), wanted):
                    return True
    except (FileNotFoundError, ProcessLookupError):
        return False
    except PermissionError as error:
        raise PidFileError(f"pid {pid} belongs to another user ({path})") from error
    return False
