"""A contact sheet: several FITS images on one PNG, with their names and exposure times."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.visualization import AsinhStretch, ZScaleInterval
from PIL import Image, ImageDraw

EDGE = 384
"""The edge of one picture on the sheet, in pixels."""
CAPTION = 34
"""The height of the caption under it, in pixels."""


def make(images: Sequence[Path], target: Path) -> None:
    """Put the images beside each other, four in a row at most.

    Raises:
        OSError: an image cannot be read or the sheet cannot be written.
    """
    columns = min(len(images), 4)
    rows = -(-len(images) // columns)
    sheet = Image.new("RGB", (columns * EDGE, rows * (EDGE + CAPTION)), "black")
    pen = ImageDraw.Draw(sheet)
    for number, path in enumerate(images):
        x, y = number % columns * EDGE, number // columns * (EDGE + CAPTION)
        picture, caption = _picture(path)
        sheet.paste(picture, (x, y))
        pen.text((x + 6, y + EDGE + 4), caption, fill="white")
    sheet.save(target)


def _picture(path: Path) -> tuple[Image.Image, str]:
    with fits.open(path) as file:
        hdu = next(hdu for hdu in file if hdu.data is not None)
        data = np.asarray(hdu.data, dtype=float)
        header = hdu.header
    low, high = ZScaleInterval().get_limits(data)
    scaled = AsinhStretch()(np.clip((data - low) / max(high - low, 1.0) / 3, 0, 1))
    picture = Image.fromarray((255 * scaled).astype(np.uint8)).resize((EDGE, EDGE))
    caption = f"{path.name}\n{header.get('EXPTIME', '?')} s  {header.get('DATE-OBS', '')}"
    return picture, caption
