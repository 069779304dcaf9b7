"""Both programs run once; every test looks at what was recorded."""

from __future__ import annotations

import asyncio

import pytest

from . import environment
from .record import Pair, Recorder


@pytest.fixture(scope="package")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pair]:
    try:
        old = environment.command()
    except environment.CannotFetch as error:
        pytest.skip(f"pip cannot fetch sdss-fliswarm 0.7.0: {error}")
    return asyncio.run(Recorder(old, tmp_path_factory.mktemp("beside")).all())
