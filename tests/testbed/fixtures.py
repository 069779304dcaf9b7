"""The fixtures for pytest; tests/conftest.py imports them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .hub import Hub
from .machine import why_not
from .testbed import Testbed

PATIENCE = 600
"""Seconds to wait for another process of this machine whose testbed or hub is up."""


@pytest.fixture(scope="session")
def testbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testbed]:
    """Three engines with the camera image, up for the whole session.

    What a test does to it stays; `clean_testbed` starts from a clean state.
    """
    if reason := why_not():
        pytest.skip(f"testbed: {reason}")
    bed = Testbed(tmp_path_factory.mktemp("testbed"))
    bed.up(PATIENCE)
    try:
        yield bed
    finally:
        bed.down()


@pytest.fixture
def clean_testbed(testbed: Testbed) -> Iterator[Testbed]:
    """The testbed with every fault undone and no container and volume, before and after."""
    testbed.heal()
    yield testbed
    testbed.heal()


@pytest.fixture
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """The real hub, running; new for each test (3 s), since it remembers keywords."""
    hub = Hub(tmp_path_factory.mktemp("hub"))
    hub.start(PATIENCE)
    try:
        yield hub
    finally:
        hub.stop()
