"""simulate: files on disk, told as if the cameras wrote them now."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .conftest import Swarm
from .running import using


@pytest.fixture
async def files(tmp_path: Path, swarm: Swarm) -> AsyncIterator[str]:
    """A pattern of files; a simulation that still runs is ended afterwards."""
    folder = tmp_path / "files"
    make(folder)
    yield f"{folder}/*.fits"
    await swarm.user.ask("simulate --stop")


def make(folder: Path) -> None:
    folder.mkdir()
    for name in ("gimg-gfa1-0001", "gimg-gfa1-0002", "gimg-gfa10-0003", "gimg-gfa2-0001"):
        (folder / f"{name}.fits").touch()


async def test_each_camera_tells_its_own_files_until_stopped(swarm: Swarm, files: str) -> None:
    number = swarm.user.send(f"simulate --delay 0.02 '{files}'")
    async with using(swarm.actor) as other:
        lines: list[str] = []
        while len(lines) < 9:
            line = await swarm.user.line()
            lines += [line.split(" ", 2)[2]] if f" {number} i " in line else []
        assert (await other.ask("simulate --stop"))[-1] == ":"
    rest = await swarm.user.answer(number)
    assert rest[-1] == ': text="the simulation was stopped"'
    folder = files.removesuffix("/*.fits")
    assert [line for line in lines if "=gfa1" in line][:3] == [
        f"i filename=gfa1,gfa1,{folder}/gimg-gfa1-0001.fits",
        f"i filename=gfa1,gfa1,{folder}/gimg-gfa1-0002.fits",
        f"i filename=gfa1,gfa1,{folder}/gimg-gfa1-0001.fits",
    ]
    assert {line for line in lines if "=gfa2" in line} == {
        f"i filename=gfa2,gfa2,{folder}/gimg-gfa2-0001.fits"
    }


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("simulate", "a path pattern is needed"),
        ("simulate '/no/such/*.fits'", "no file matches /no/such/*.fits"),
        ("simulate --stop", "no simulation is running"),
        ("simulate --delay 0 x", "0.0 is not in the range"),
        ("simulate --delay soon x", "'soon' is not a valid"),
        ("simulate --delay nan /etc/hosts", "is not"),
    ],
)  # fmt: skip
async def test_what_cannot_be_simulated_is_said(
    command: str, words: str, swarm: Swarm, files: str
) -> None:
    try:
        lines = await swarm.user.ask(command, limit=1.5)
    except TimeoutError:
        lines = ["it runs"]
    assert words in lines[-1]
    assert lines[-1].startswith("f error=fliswarm,")


async def test_there_is_one_simulation_at_a_time(swarm: Swarm, files: str) -> None:
    number = swarm.user.send(f"simulate '{files}'")
    async with using(swarm.actor) as other:
        await swarm.user.hears(f" {number} i filename=gfa1")
        assert (await other.ask(f"simulate '{files}'"))[-1] == (
            'f error=fliswarm,"a simulation is running; end it with simulate --stop"'
        )
        await other.ask("simulate --stop")
    with contextlib.suppress(TimeoutError):
        await swarm.user.answer(number, limit=3)


async def test_of_two_simulations_at_once_one_is_refused(swarm: Swarm, files: str) -> None:
    numbers = [swarm.user.send(f"simulate '{files}'") for _ in range(2)]
    with contextlib.suppress(TimeoutError):
        await swarm.user.hears("a simulation is running", limit=1.0)
    await swarm.user.ask("simulate --stop")
    assert any(f" {numbers[1]} f " in line for line in swarm.user.unasked)
