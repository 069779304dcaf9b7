"""Cameras and connections for the tests; all are ended whatever happens."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from tests.simcamera.support import Client, Sim

Start = Callable[..., Awaitable[Sim]]
Connect = Callable[[Sim], Awaitable[Client]]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Start a camera with options and environment; its files are in ``tmp_path``."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(*options: str, **variables: str) -> Sim:
            sim = await Sim.start(
                "--name", "gfa1", "--data", str(tmp_path), "--size", "64", *options, **variables
            )
            stack.push_async_callback(sim.kill)
            return sim

        yield start


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Open a connection to a camera."""
    async with contextlib.AsyncExitStack() as stack:

        async def connect(sim: Sim) -> Client:
            client = await Client.connect(sim.port)
            stack.push_async_callback(client.close)
            return client

        yield connect


@pytest.fixture
async def sim(start: Start) -> Sim:
    """A healthy camera with a quick read-out."""
    return await start("--readout-time", "0")


@pytest.fixture
async def client(sim: Sim, connect: Connect) -> Client:
    """A connection to the healthy camera."""
    return await connect(sim)
