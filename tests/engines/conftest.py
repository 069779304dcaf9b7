"""A manager over the testbed's engines."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.testbed.testbed import Testbed

from .manager import Manager

MakeManager = Callable[..., Manager]


def free_port() -> int:
    """A port that nobody has just now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture
def make_manager(clean_testbed: Testbed, tmp_path: Path) -> Iterator[MakeManager]:
    """Start a manager with changes to the testbed's configuration; it ends with the test."""
    made: list[Manager] = []
    free = free_port()

    def make(path: Path | None = None, **changes: Any) -> Manager:
        actor = {"host": "127.0.0.1", "port": free, **changes.pop("actor", {})}
        config = clean_testbed.config(actor=actor, state_dir=str(tmp_path / "state"), **changes)
        manager = Manager(config, actor["port"], tmp_path / "state", path)
        made.append(manager)
        manager.start()
        return manager

    yield make
    for manager in made:
        manager.run("stop")


@pytest.fixture
def manager(make_manager: MakeManager) -> Manager:
    """A manager with the testbed's own configuration."""
    return make_manager()
