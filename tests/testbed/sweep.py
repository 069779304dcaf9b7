"""Clean up after a testbed, this run's or one that was killed: processes, mounts, network."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from . import cache, network
from .engine import CGROUP, ROLE, RUNTIME
from .machine import TestbedError, kill, marked, run, wait_until

STATE = RUNTIME / "state.json"
"""Where the folder of the present testbed is written down, for a later run that cleans up."""

CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class State:
    """The testbed that is up, or was when its owner was killed.

    Attributes:
        root: its folder.
        nodes: the names of its nodes.
        kept: whether it was left running on purpose.
    """

    root: Path
    nodes: tuple[str, ...]
    kept: bool


def remember(root: Path, nodes: tuple[str, ...], kept: bool = False) -> None:
    """Write down that a testbed lives in this folder."""
    RUNTIME.mkdir(exist_ok=True)
    STATE.write_text(json.dumps({"root": str(root), "nodes": nodes, "kept": kept}))


def remembered() -> State | None:
    """What is written down; None when no testbed is up."""
    try:
        state = json.loads(STATE.read_text())
        return State(Path(state["root"]), tuple(state["nodes"]), bool(state["kept"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def demand_not_kept() -> None:
    """Make sure that no testbed was left running on purpose.

    Raises:
        TestbedError: one was.
    """
    state = remembered()
    if state and state.kept and marked(ROLE):
        raise TestbedError(
            f"a testbed is up in {state.root}; `python -m tests.testbed down` ends it"
        )


def sweep(root: Path | None = None) -> None:
    """Remove every trace of a testbed but its logs and data.

    Args:
        root: a testbed's folder to clean besides the one that is written down.
    """
    found = remembered()
    roots = {folder for folder in (root, found.root if found else None) if folder}
    _kill_processes()
    _remove_cgroups()
    network.remove_all()
    for folder in (cache.FOLDER, RUNTIME, *roots):
        _unmount(folder)
    for folder in roots:
        _remove_engines(folder)
    shutil.rmtree(RUNTIME, ignore_errors=True)


def _kill_processes() -> None:
    """Kill the engines first, since they start new processes, then all containers."""
    kill(marked(ROLE))
    for folder in _cgroups("freezer"):
        with contextlib.suppress(OSError):
            (folder / "freezer.state").write_text("THAWED")
    kill(_contained())
    kill(marked(ROLE))


def _contained() -> Iterator[psutil.Process]:
    """The processes in our engines' containers."""
    for path in Path("/proc").glob("[0-9]*/cgroup"):
        try:
            if f":/{CGROUP}/" in path.read_text():
                yield psutil.Process(int(path.parent.name))
        except (OSError, psutil.NoSuchProcess):
            continue


def _cgroups(controller: str = "*") -> list[Path]:
    """Our control groups, innermost first; both versions of the kernel's interface."""
    tops = [*CGROUPS.glob(f"{controller}/{CGROUP}"), *CGROUPS.glob(CGROUP)]
    return [Path(folder) for top in tops for folder, _, _ in os.walk(top, topdown=False)]


def _remove_cgroups() -> None:
    """Remove our control groups; the kernel may take a moment to see that they are empty."""

    def removed() -> bool:
        for folder in _cgroups():
            with contextlib.suppress(OSError):
                folder.rmdir()
        return not _cgroups()

    wait_until(removed, "our control groups to be empty", 10)


def _unmount(root: Path) -> None:
    """Unmount everything under a folder, innermost first."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [line.split()[4].replace("\\040", " ") for line in lines]
    for point in reversed([name for name in points if name.startswith(f"{root}/")]):
        run("umount", "--lazy", point)


def _remove_engines(root: Path) -> None:
    """Remove the engines and the registry with their images; logs and data stay."""
    for name in ("engines", "registry"):
        shutil.rmtree(root / name, ignore_errors=True)
