"""The pid file: who holds it is asked of the kernel."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from fliswarm import daemon
from fliswarm.pidfile import PidFile, PidFileError, holder


def test_it_is_held_until_it_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "x.pid"
    assert holder(path) is None
    held = PidFile(path)
    assert holder(path) == 0
    with pytest.raises(PidFileError, match="is being started by somebody else"):
        PidFile(path)
    held.write()
    assert holder(path) == os.getpid()
    with pytest.raises(PidFileError, match=f"runs already with pid {os.getpid()} "):
        PidFile(path)
    held.remove()
    assert holder(path) is None
    assert not path.exists()


def test_what_is_left_of_a_dead_manager_is_nobodys(tmp_path: Path) -> None:
    path = tmp_path / "x.pid"
    held = PidFile(path)
    held.write()
    held.leave()
    assert path.exists()
    assert holder(path) is None
    PidFile(path).remove()


def test_a_forked_child_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "x.pid"
    held = PidFile(path)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        held.write()
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    held.leave()
    os.close(reader)
    while holder(path) == 0:
        os.sched_yield()
    assert holder(path) == child
    os.close(writer)
    os.kill(child, 9)
    os.waitpid(child, 0)
    assert holder(path) is None


def test_a_process_that_does_not_hold_the_file_is_never_ended(tmp_path: Path) -> None:
    path = tmp_path / "x.pid"
    held = PidFile(path)
    with subprocess.Popen(["sleep", "100"]) as other:
        try:
            path.write_text(f"{other.pid}\n")
            with pytest.raises(daemon.StartError, match="does not hold"):
                daemon.stop(path)
            assert other.poll() is None
        finally:
            other.kill()
    held.remove()
