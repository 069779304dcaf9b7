"""The command, with all that it starts ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .command import Cli


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    cli = Cli(tmp_path)
    yield cli
    cli.clean()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    """A manager that runs, with one camera that is ready, for all tests of a file."""
    cli = Cli(tmp_path_factory.mktemp("running"))
    try:
        cli.good("start")
        cli.good("send", "reconnect")
        yield cli
        cli.good("send", "stop", "--force")
        cli.good("stop")
    finally:
        cli.clean()
