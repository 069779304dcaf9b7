"""Exposures: the lines, the files, and what else the camera does meanwhile."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from fliswarm.protocol import Code
from tests.simcamera.conftest import Connect, Start
from tests.simcamera.support import DEADLINE, Client, Sim, values


def state(name: str, kind: str, remaining: float, seconds: float, stack: int) -> dict[str, Any]:
    return {
        "exposure_state": {
            "camera": "gfa1",
            "state": name,
            "image_type": kind,
            "remaining_time": remaining,
            "exposure_time": seconds,
            "current_stack": stack,
            "n_stack": stack,
        }
    }


async def test_the_lines_of_an_exposure(client: Client, sim: Sim) -> None:
    data = await client.data("expose -n 5 0.25")
    assert json.dumps(data) == json.dumps(
        [
            {"text": "exposing camera 'gfa1'"},
            state("integrating", "object", 0.25, 0.25, 1),
            state("reading", "object", 0.0, 0.25, 1),
            state("done", "object", 0.0, 0.25, 0),
            {"filename": {"camera": "gfa1", "filename": f"{sim.folder}/gimg-gfa1-0005.fits"}},
            state("idle", "NA", 0.0, 0.0, 0),
        ]
    )


@pytest.mark.parametrize("kind", ["object", "flat", "dark", "bias"])
async def test_each_type_of_image(client: Client, kind: str) -> None:
    path = await client.filename(f"expose --{kind} {'' if kind == 'bias' else 0.5}")
    with fits.open(path) as hdus:
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "RAW"]
        pixels, header = hdus["RAW"].data, hdus["RAW"].header
        assert hdus[0].header["SIMULATD"] is True
    assert pixels.dtype == np.uint16
    assert pixels.shape == (64, 64)
    assert header["CAMNAME"] == "gfa1"
    assert header["IMAGETYP"] == kind
    assert header["EXPTIME"] == (0.0 if kind == "bias" else 0.5)
    assert header["CCDTEMP"] == -25.0
    assert header["SEQID"] == 1
    assert header["DATE-OBS"].startswith("20")
    assert "OBSERVAT" not in header
    mean, spread = pixels.mean(), pixels.std()
    if kind in ("bias", "dark"):
        assert 1090 < mean < 1115
        assert 14 < spread < 21
    elif kind == "flat":
        assert 3500 < mean < 4600
        assert spread < 300
    else:
        assert pixels.max() > 1300
        assert np.median(pixels) < 1300


async def test_the_observatory_is_in_the_header(start: Start, connect: Connect) -> None:
    client = await connect(await start(OBSERVATORY="LCO"))
    header = fits.getheader(await client.filename("expose 0"))
    assert header["OBSERVAT"] == "LCO"


async def test_numbers_go_on_from_the_highest(client: Client, sim: Sim) -> None:
    names = [(await client.filename(f"expose {option} 0")).name for option in ("", "-n 12", "")]
    assert names == ["gimg-gfa1-0001.fits", "gimg-gfa1-0012.fits", "gimg-gfa1-0013.fits"]
    # Files of other cameras, and other files, do not count.
    for name in ("gimg-gfa10-0500.fits", "gimg-gfa1-0600.fits.gz", "gimg-gfa1-77.fits"):
        (sim.folder / name).touch()
    assert (await client.filename("expose 0")).name == "gimg-gfa1-0014.fits"
    assert (await client.filename("expose -n 12345 0")).name == "gimg-gfa1-12345.fits"


async def test_a_count_makes_as_many_files(client: Client) -> None:
    replies = await client.ask("expose -c 2 -n 7 0")
    names = [Path(value["filename"]).name for value in values(replies, "filename")]
    assert names == ["gimg-gfa1-0007.fits", "gimg-gfa1-0008.fits"]
    assert values(replies, "text")[::2] == ["Taking exposure 1 of 2", "Taking exposure 2 of 2"]


async def test_no_file_is_overwritten(client: Client, sim: Sim) -> None:
    path = await client.filename("expose -n 3 0")
    before = path.read_bytes()
    replies = await client.ask("expose -n 3 0")
    assert replies[-2].code is Code.ERROR
    assert replies[-2].data["error"]["camera"] == "gfa1"
    assert f"{path} already exists" in replies[-2].data["error"]["error"]
    assert replies[-1].code is Code.FAILED
    assert replies[-1].data == {"error": "One or more cameras failed to expose."}
    assert path.read_bytes() == before
    assert [file.name for file in sim.folder.iterdir()] == [path.name]


async def test_a_file_that_appears_meanwhile_stays(client: Client, sim: Sim) -> None:
    command = client.send("expose -n 3 0.3")
    while "exposure_state" not in (await client.reply()).data:
        pass
    path = sim.folder / "gimg-gfa1-0003.fits"
    path.write_text("precious")
    assert (await client.replies(command))[-1].code is Code.FAILED
    assert path.read_text() == "precious"
    assert list(sim.folder.iterdir()) == [path]


async def test_a_file_appears_whole_or_not_at_all(client: Client, sim: Sim) -> None:
    """Look at the folder all the time while a large image is written."""
    command = client.send("expose -c 10 0")
    collecting = asyncio.create_task(client.replies(command))
    sizes: set[int] = set()
    while not collecting.done():
        sizes |= {path.stat().st_size for path in sim.folder.glob("gimg-*")}
        await asyncio.sleep(0)
    assert len(values(await collecting, "filename")) == 10
    assert sizes <= {path.stat().st_size for path in sim.folder.iterdir()}
    assert len(sizes) == 1


@pytest.mark.parametrize("seconds", ["-1", "nan", "inf"])
async def test_a_bad_exposure_time_fails(client: Client, seconds: str) -> None:
    replies = await client.ask(f"expose {seconds}")
    assert "exposure time" in replies[-2].data["error"]["error"]
    assert replies[-1].code is Code.FAILED


async def test_no_exposure_time_fails(client: Client) -> None:
    assert await client.failure("expose") == {"error": "Exposure time not provided."}


async def test_a_folder_that_is_gone_fails_the_exposure(client: Client, sim: Sim) -> None:
    sim.folder.rmdir()
    sim.folder.write_text("no folder")
    replies = await client.ask("expose 0")
    assert "cannot use" in replies[-2].data["error"]["error"]
    assert replies[-1].code is Code.FAILED


async def test_one_exposure_at_a_time(sim: Sim, connect: Connect) -> None:
    one, other = await connect(sim), await connect(sim)
    first = one.send("expose 0.5")
    while "exposure_state" not in (await one.reply()).data:
        pass
    for client in (one, other):
        assert "busy" in (await client.failure("expose 0.1"))["error"]
        assert "busy" in (await client.failure("reconnect"))["error"]["error"]
    (status,) = values(await other.ask("status"), "status")
    assert 0 < status["exposure_time_left"] <= 500
    assert (await one.replies(first))[-1].code is Code.DONE
    assert await other.filename("expose 0")
    assert len(list(sim.folder.iterdir())) == 2


async def test_pings_are_answered_all_the_while(start: Start, connect: Connect) -> None:
    """Nothing comes during the integration; a ping is quick even while the image is made."""
    sim = await start("--size", "2048")
    exposing, pinging = await connect(sim), await connect(sim)
    exposing.send("expose 1.0")
    while (await exposing.reply()).data.get("exposure_state") is None:
        pass
    collecting = asyncio.create_task(exposing.reply())
    loop = asyncio.get_running_loop()
    begun = loop.time()
    while not collecting.done():
        await pinging.data("ping")
    assert (await collecting).data["exposure_state"]["state"] == "reading"
    assert 0.9 < loop.time() - begun < DEADLINE / 2
    slowest = 0.0
    writing = asyncio.create_task(exposing.filename_of_last())
    while not writing.done():
        before = loop.time()
        await pinging.data("ping")
        slowest = max(slowest, loop.time() - before)
    assert (await writing).exists()
    assert slowest < 1.0


async def test_stars_stay_and_brighten(start: Start, connect: Connect) -> None:
    client = await connect(await start("--size", "256", "--readout-time", "0"))
    short = fits.getdata(await client.filename("expose 0.2")).astype(float) - 1100
    long = fits.getdata(await client.filename("expose 0.8")).astype(float) - 1100
    place = np.unravel_index(short.argmax(), short.shape)
    assert np.hypot(*(np.subtract(np.unravel_index(long.argmax(), long.shape), place))) < 3
    y, x = place
    box = np.s_[max(0, y - 8) : y + 8, max(0, x - 8) : x + 8]
    assert long[box].sum() / short[box].sum() == pytest.approx(4, rel=0.15)


async def test_area_and_binning_shape_the_image(client: Client) -> None:
    await client.data("area 1 32 1 64")
    await client.data("binning 2 4")
    path = await client.filename("expose --flat 0.5")
    header = fits.getheader(path)
    assert fits.getdata(path).shape == (16, 16)
    assert [header[word] for word in ("ENDX", "ENDY", "BINX", "BINY")] == [32, 64, 2, 4]
