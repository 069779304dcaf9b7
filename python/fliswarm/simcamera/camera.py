"""The simulated camera: the state of its hardware, its data folder, one exposure at a time."""

from __future__ import annotations

import asyncio
import math
import os
import re
import time
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fliswarm.simcamera import image
from fliswarm.simcamera.faults import Faults

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
"""What a camera may be called: its name becomes part of its files' names."""

COOLING_RATE = 10.0
"""Degrees that the sensor changes in a second; a real one takes minutes."""

COLDEST, WARMEST = -60.0, 40.0
"""The set points that the cooler accepts, in °C."""

MAX_BINNING = 16


class CameraError(Exception):
    """A camera refuses or fails; the text is a sentence for the user."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a camera is started with.

    Attributes:
        name: the camera's name, also the sender of its replies.
        data: the folder of its files; they go to ``data/gcam``.
        size: pixels of the sensor's side.
        readout_time: seconds.
        observatory: for the headers; empty leaves it out.
        version: of the simulator.
    """

    name: str = "camera"
    data: Path = Path("data")
    size: int = 512
    readout_time: float = 0.2
    observatory: str = ""
    version: str = "?"


@dataclass(slots=True)
class Exposure:
    """The exposure that is under way.

    Attributes:
        number: the sequence number of its file.
        path: where the file will be.
        image_type: object, flat, dark or bias.
        seconds: the exposure time.
        begun: when the shutter opened (monotonic clock).
        start: the same on the wall clock.
    """

    number: int
    path: Path
    image_type: str
    seconds: float
    begun: float = field(default_factory=time.monotonic)
    start: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def left(self) -> float:
        """Seconds of integration that remain."""
        return max(0.0, self.begun + self.seconds - time.monotonic())


class Camera:
    """One simulated camera.

    Attributes:
        area: (x0, x1, y0, y1) as last set; a fresh one starts at 0, as the real camera has it.
        binning: (horizontal, vertical).
    """

    def __init__(self, settings: Settings, faults: Faults) -> None:
        self.settings = settings
        self.faults = faults
        self.area = (0, settings.size, 0, settings.size)
        self.binning = (1, 1)
        self.set_point = -25.0
        self._warmth = (-25.0, time.monotonic())
        self._exposure: Exposure | None = None
        self._busy = False

    @property
    def name(self) -> str:
        """The camera's name."""
        return self.settings.name

    @property
    def folder(self) -> Path:
        """Where the files go."""
        return self.settings.data / "gcam"

    @property
    def window(self) -> tuple[int, int, int, int]:
        """The pixels read, (x0, y0, x1, y1), 0-indexed, the last excluded."""
        x0, x1, y0, y1 = self.area
        return max(x0 - 1, 0), max(y0 - 1, 0), x1, y1

    @property
    def temperature(self) -> float:
        """The sensor's temperature now, in °C."""
        then, when = self._warmth
        change = self.set_point - then
        reached = COOLING_RATE * (time.monotonic() - when)
        if abs(change) <= reached:
            return self.set_point
        return round(then + math.copysign(reached, change), 2)

    def status(self) -> dict[str, Any]:
        """The camera's status: keywords, order and types of sdss-flicamera 0.7.

        ``exposure_time_left`` is in milliseconds.
        """
        size = self.settings.size
        left = self._exposure.left if self._exposure else 0
        return {
            "camera": self.name,
            "model": "MicroLine ML4240",
            "serial": f"SIM{zlib.crc32(self.name.encode()) % 10_000_000:07d}",
            "fwrev": 0,
            "hwrev": 0,
            "hbin": self.binning[0],
            "vbin": self.binning[1],
            "visible_area": [0, 0, size, size],
            "image_area": list(self.window),
            "temperature_ccd": self.temperature,
            "temperature_base": -10.0,
            "exposure_time_left": round(left * 1000),
            "cooler_power": min(100.0, max(0.0, round(60 - 1.2 * (self.set_point + 25), 1))),
        }

    def set_area(self, area: tuple[int, int, int, int]) -> None:
        """Choose the part of the sensor that is read, (x0, x1, y0, y1), 1-indexed.

        Raises:
            CameraError: it is empty, or not on the sensor.
        """
        x0, x1, y0, y1 = area
        size = self.settings.size
        if not (0 <= x0 < x1 <= size and 0 <= y0 < y1 <= size):
            raise CameraError(f"the area {list(area)} does not fit in {size} x {size} pixels")
        self.area = area

    def set_binning(self, binning: tuple[int, int]) -> None:
        """Choose how many pixels are read as one.

        Raises:
            CameraError: outside 1 to `MAX_BINNING`.
        """
        if not all(1 <= factor <= MAX_BINNING for factor in binning):
            raise CameraError(f"a binning is from 1 to {MAX_BINNING}")
        self.binning = binning

    async def cool(self, set_point: float) -> None:
        """Set the sensor's temperature, in °C, and wait until it has it.

        Raises:
            CameraError: outside `COLDEST` to `WARMEST`.
        """
        if not COLDEST <= set_point <= WARMEST:
            raise CameraError(f"a set point is from {COLDEST:g} to {WARMEST:g} degrees")
        self._warmth = (self.temperature, time.monotonic())
        self.set_point = set_point
        await asyncio.sleep(abs(set_point - self._warmth[0]) / COOLING_RATE)

    @property
    def busy(self) -> str:
        """Why no exposure can begin now; empty when one can."""
        if not self._busy:
            return ""
        left = self._exposure.left if self._exposure else 0.0
        doing = f"integrating, {left:.1f} s left" if left else "reading or writing"
        return f"camera {self.name!r} is busy: an exposure is under way ({doing})"

    def claim(self) -> None:
        """Take the camera for an exposure; `release` gives it back.

        Raises:
            CameraError: it is busy.
        """
        if self._busy:
            raise CameraError(self.busy)
        self._busy = True

    def release(self) -> None:
        """Give the camera back."""
        self._busy = False
        self._exposure = None

    async def begin(self, image_type: str, seconds: float, number: int | None) -> Exposure:
        """Open the shutter.

        Args:
            image_type: object, flat, dark or bias.
            seconds: the exposure time; a bias takes 0 whatever is asked.
            number: of the file; None takes the one after the highest in the folder.

        Raises:
            CameraError: a bad exposure time, or there is such a file already.
        """
        if image_type == "bias":
            seconds = 0.0
        if not math.isfinite(seconds):
            raise CameraError("exposure time must be a finite number")
        if seconds < 0:
            raise CameraError("exposure time cannot be < 0")
        free, path = await asyncio.to_thread(self._free_path, number)
        self._exposure = Exposure(free, path, image_type, seconds)
        return self._exposure

    def _free_path(self, number: int | None) -> tuple[int, Path]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if number is None:
                number = self._highest() + 1
        except OSError as error:
            raise CameraError(f"cannot use {self.folder}: {error.strerror}") from error
        path = self.folder / f"gimg-{self.name}-{number:04d}.fits"
        if path.exists():
            raise CameraError(f"file {path} already exists; it is not overwritten")
        return number, path

    def _highest(self) -> int:
        pattern = re.compile(rf"gimg-{re.escape(self.name)}-(\d{{4,}})\.fits")
        with os.scandir(self.folder) as entries:
            matches = [pattern.fullmatch(entry.name) for entry in entries]
        return max((int(match[1]) for match in matches if match), default=0)

    async def read_out(self, exposure: Exposure) -> None:
        """Read the sensor, make the image and write its file; the loop goes on meanwhile.

        Raises:
            CameraError: the file cannot be written.
        """
        frame = image.Frame(
            camera=self.name,
            number=exposure.number,
            image_type=exposure.image_type,
            exposure_time=exposure.seconds,
            start=exposure.start,
            size=self.settings.size,
            window=self.window,
            binning=self.binning,
            temperature=self.temperature,
            observatory=self.settings.observatory,
            version=self.settings.version,
        )
        slower = self.faults.value("slow-readout") or 0.0
        readout = asyncio.sleep(self.settings.readout_time + slower)
        pixels, _ = await asyncio.gather(asyncio.to_thread(image.expose, frame), readout)
        try:
            await asyncio.to_thread(image.write, exposure.path, frame, pixels)
        except FileExistsError:
            raise CameraError(
                f"file {exposure.path} already exists; it is not overwritten"
            ) from None
        except OSError as error:
            raise CameraError(f"cannot write {exposure.path}: {error.strerror or error}") from error
