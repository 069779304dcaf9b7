"""How the process ends or hangs when a fault says so."""

from __future__ import annotations

import os
import sys
import time
import traceback
from typing import NoReturn


class DeviceError(RuntimeError):
    """What a camera's library would raise."""


def print_traceback(message: str) -> None:
    """Print the traceback of a broken camera on stderr."""
    try:
        raise DeviceError(f"{message} (a simulated fault)")
    except DeviceError:
        traceback.print_exc(file=sys.stderr)
        sys.stderr.flush()


def die(code: int) -> NoReturn:
    """End the process at once, as a crash does: nothing is closed or said to the clients."""
    print_traceback("FLIGrabRow: the camera does not answer")
    os._exit(code)


def block(seconds: float | None) -> None:
    """Block the event loop's thread; None is for ever, and only SIGKILL ends it."""
    end = None if seconds is None else time.monotonic() + seconds
    while end is None or time.monotonic() < end:
        time.sleep(0.1 if end is None else min(0.1, max(0.0, end - time.monotonic())))
