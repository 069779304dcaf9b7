"""The pixels of a simulated exposure and the FITS file they go to.

numpy and astropy are imported when the first image is made, so that the actor starts
quickly. Everything here blocks; the caller runs it in a thread.
"""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[np.float64]

GAIN = 1.46
"""Electrons per ADU (the value in the headers of sdss-flicamera 0.7)."""

READ_NOISE = 17.2
"""Read noise in ADU (the value in the headers of sdss-flicamera 0.7)."""

PIXEL_SCALE = 0.1476
"""Arcseconds per unbinned pixel (the value in the headers of sdss-flicamera 0.7)."""

BIAS_LEVEL = 1100.0
"""ADU that a pixel reads without light."""

DARK_CURRENT = 0.8
"""Electrons per pixel and second without light, at -25 °C."""

SKY = 60.0
"""Electrons per pixel and second from the sky."""

FLAT = 9000.0
"""Electrons per pixel and second of a flat's lamp."""

BRIGHTEST = 4e5
"""Electrons per second of the brightest star."""

SEEING = 1.1
"""Full width of a star at half its height, in arcseconds."""

MOFFAT_BETA = 3.0
"""How steeply a star's wings fall."""

STARS_PER_SIDE = 0.1
"""Stars per pixel of the frame's side: 51 on a frame of 512 x 512."""


@dataclass(frozen=True, slots=True)
class Frame:
    """All that an image and its header are made from.

    Attributes:
        camera: the camera's name; the positions of the stars follow from it.
        number: the sequence number in the file's name.
        image_type: object, flat, dark or bias.
        exposure_time: seconds; 0 for a bias.
        start: when the shutter opened.
        size: pixels of the whole sensor's side.
        window: first and last pixel read, (x0, y0, x1, y1); 0-indexed, the last excluded.
        binning: (horizontal, vertical).
        temperature: of the sensor, in °C.
        observatory: for the header; empty leaves the card out.
        version: of the simulator.
    """

    camera: str
    number: int
    image_type: str
    exposure_time: float
    start: datetime
    size: int
    window: tuple[int, int, int, int]
    binning: tuple[int, int]
    temperature: float
    observatory: str
    version: str


def expose(frame: Frame) -> NDArray[np.uint16]:
    """The pixels of an exposure, with photon and read noise, as a 16-bit camera gives them."""
    import numpy as np  # noqa: PLC0415 (late: see the module's docstring)

    noise = np.random.default_rng()
    x0, y0, x1, y1 = frame.window
    electrons = noise.poisson(_light(frame)[y0:y1, x0:x1])
    binned = _binned(electrons, frame.binning)
    counts = binned / GAIN + noise.normal(BIAS_LEVEL, READ_NOISE, binned.shape)
    return np.clip(np.rint(counts), 0, 65535).astype(np.uint16)


def _light(frame: Frame) -> Pixels:
    """The expected electrons of each pixel of the whole sensor."""
    import numpy as np  # noqa: PLC0415

    shape = (frame.size, frame.size)
    if frame.image_type == "bias":
        return np.zeros(shape)
    dark = DARK_CURRENT * 2 ** ((frame.temperature + 25) / 7) * frame.exposure_time
    if frame.image_type == "dark":
        return np.full(shape, dark)
    # The fixed pattern and the stars belong to the camera: the same in every exposure.
    fixed = np.random.default_rng(zlib.crc32(frame.camera.encode()))
    sensitivity = _vignetting(frame.size) * fixed.normal(1.0, 0.01, shape)
    is_flat = frame.image_type == "flat"
    rate = np.full(shape, FLAT) if is_flat else SKY + _stars(frame.size, fixed)
    light: Pixels = np.clip(rate * sensitivity, 0, None) * frame.exposure_time + dark
    return light


def _vignetting(size: int) -> Pixels:
    """How much of the light reaches each pixel: all in the middle, less in the corners."""
    import numpy as np  # noqa: PLC0415

    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    vignetting: Pixels = 1 - 0.12 * (x**2 + y**2)
    return vignetting


def _stars(size: int, fixed: np.random.Generator) -> Pixels:
    """The stars of a frame, in electrons per pixel and second."""
    import numpy as np  # noqa: PLC0415

    rate = np.zeros((size, size))
    count = max(5, round(size * STARS_PER_SIDE))
    places = fixed.uniform(0, size, (count, 2))
    # The brightest is always there; the others follow the counts of stars: many faint ones.
    brightness = BRIGHTEST * np.append(1.0, fixed.power(0.25, count - 1))
    width = SEEING / PIXEL_SCALE / 2 / np.sqrt(2 ** (1 / MOFFAT_BETA) - 1)
    reach = int(width * 12)
    for (x, y), flux in zip(places, brightness, strict=True):
        left, low = max(0, int(x) - reach), max(0, int(y) - reach)
        rows, columns = np.ogrid[low : min(size, int(y) + reach), left : min(size, int(x) + reach)]
        squared = ((columns - x) ** 2 + (rows - y) ** 2) / width**2
        peak = flux * (MOFFAT_BETA - 1) / (np.pi * width**2)
        rate[low : low + rows.size, left : left + columns.size] += (
            peak * (1 + squared) ** -MOFFAT_BETA
        )
    return rate


def _binned(electrons: NDArray[Any], binning: tuple[int, int]) -> NDArray[Any]:
    """The sums over blocks of pixels; what is left over at the edges is dropped."""
    horizontal, vertical = binning
    rows, columns = electrons.shape[0] // vertical, electrons.shape[1] // horizontal
    blocks = electrons[: rows * vertical, : columns * horizontal]
    binned: NDArray[Any] = blocks.reshape(rows, vertical, columns, horizontal).sum(axis=(1, 3))
    return binned


def _cards(frame: Frame) -> list[tuple[str, Any, str]]:
    """The header; words and comments as sdss-flicamera 0.7 writes them, where it has them."""
    x0, y0, x1, y1 = frame.window
    utc = frame.start.astimezone(UTC)
    cards: list[tuple[str, Any, str]] = [
        ("CAMNAME", frame.camera, "Camera name"),
        ("VCAM", frame.version, "Version of the camera simulator"),
        ("SIMULATD", True, "A simulated image, no sky"),
        ("IMAGETYP", frame.image_type, "The image type of the file"),
        ("SEQID", frame.number, "Sequence number of the exposure"),
        ("EXPTIME", frame.exposure_time, "Exposure time of single integration [s]"),
        ("EXPTIMEN", frame.exposure_time, "Total exposure time [s]"),
        ("STACK", 1, "Number of stacked frames"),
        ("TIMESYS", "UTC", "Time reference system"),
        ("DATE-OBS", utc.replace(tzinfo=None).isoformat(), "Start of the exposure [UTC]"),
        ("CCDTEMP", frame.temperature, "Degrees C"),
        ("BEGX", x0, "Window start pixel in X"),
        ("BEGY", y0, "Window start pixel in Y"),
        ("ENDX", x1, "Window end pixel in X"),
        ("ENDY", y1, "Window end pixel in Y"),
        ("BINX", frame.binning[0], "Binning in X"),
        ("BINY", frame.binning[1], "Binning in Y"),
        ("GAIN", GAIN, "The CCD gain [e-/ADUs]"),
        ("READNOIS", READ_NOISE, "The CCD read noise [ADUs]"),
        ("PIXELSC", PIXEL_SCALE, "Scale of unbinned pixel on sky [arcsec/pix]"),
    ]
    if frame.observatory:
        cards.append(("OBSERVAT", frame.observatory, "Observatory"))
    return cards


def write(path: Path, frame: Frame, pixels: NDArray[np.uint16]) -> None:
    """Write a FITS file that appears at once and whole.

    The pixels are in the extension RAW, as sdss-flicamera 0.7 has them; its primary header
    is empty, ours repeats the cards for tools that look nowhere else.

    Raises:
        FileExistsError: there is a file already; it stays as it is.
        OSError: the folder is gone, full or not ours.
    """
    from astropy.io import fits  # noqa: PLC0415

    header = fits.Header(_cards(frame))
    hdus = fits.HDUList(
        [fits.PrimaryHDU(header=header), fits.ImageHDU(pixels, header=header, name="RAW")]
    )
    half = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with half.open("wb") as file:
            hdus.writeto(file, checksum=True)
        _publish(half, path)
    finally:
        half.unlink(missing_ok=True)


def _publish(half: Path, path: Path) -> None:
    """Give a finished file its name, unless another has it."""
    try:
        os.link(half, path)
    except FileExistsError:
        raise
    except OSError:
        # Not every network file system has hard links.
        if path.exists():
            raise FileExistsError(path) from None
        half.rename(path)
