"""How the pages of pictures are laid out: every picture at one size and windowed alike, in rows under one caption."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Grey = NDArray[np.uint8]
SIDE_PX = 300
_CAPTION_PX, _GAP_PX = 22, 4
_WHITE_PERCENTILE = 96.0
_QUALITY = 72


def framed(
    pixels: NDArray[np.floating], row_mm: float, column_mm: float, field_mm: float, centre_px: tuple[float, float] | None = None
) -> Grey:
    """(SIDE_PX, SIDE_PX) the square of ``field_mm`` around (column, row), by default the middle; black outside the picture.

    White is where a reader sets it, so that the brightest twentieth, fat under the skin mostly, is cut off, as in SPIDER's pictures.
    """
    rows, columns = pixels.shape
    column, row = centre_px or ((columns - 1) / 2, (rows - 1) / 2)
    half_columns, half_rows = field_mm / column_mm / 2, field_mm / row_mm / 2
    left, top = round(column - half_columns), round(row - half_rows)
    inside = pixels[max(top, 0) : top + round(2 * half_rows), max(left, 0) : left + round(2 * half_columns)]
    white = max(float(np.percentile(inside, _WHITE_PERCENTILE)), 1e-6)
    grey = Image.fromarray(np.clip(pixels / white * 255, 0, 255).astype(np.uint8))
    cut = grey.crop((left, top, left + round(2 * half_columns), top + round(2 * half_rows)))
    return np.asarray(cut.resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC))


def page(rows: Sequence[Sequence[Grey]], captions: Sequence[str]) -> Grey:
    """Rows of pictures, under each its caption (none where it is empty)."""
    width = max(len(row) for row in rows) * (SIDE_PX + _GAP_PX) - _GAP_PX
    strips = []
    for row, caption in zip(rows, captions, strict=True):
        strip = np.zeros((SIDE_PX + _GAP_PX, width), np.uint8)
        for place, picture in enumerate(row):
            left = place * (SIDE_PX + _GAP_PX)
            strip[:SIDE_PX, left : left + SIDE_PX] = picture
        strips.append(strip)
        if caption:
            strips.append(_written(caption, width))
    return np.vstack(strips)


def save(picture: Grey, path: Path) -> int:
    """Write a JPEG; returns its size in bytes."""
    Image.fromarray(picture).save(path, quality=_QUALITY, optimize=True)
    return path.stat().st_size


def _written(text: str, width: int) -> Grey:
    strip = Image.new("L", (width, _CAPTION_PX))
    ImageDraw.Draw(strip).text((4, 3), text, fill=225, font=ImageFont.load_default(size=13))
    return np.asarray(strip)
