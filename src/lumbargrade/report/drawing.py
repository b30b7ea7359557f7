"""Marks on a grey picture: rings, ticks, lines, letters and a scale bar, thin and visible on black as on white."""

import base64
import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Color = tuple[int, int, int]
SITE_COLOR: Color = (255, 214, 10)
SALIENCY_COLOR: Color = (255, 90, 20)
CUT_COLOR: Color = (64, 210, 255)
TEXT_COLOR: Color = (255, 255, 255)

_FINER = 3
"""Marks are drawn this much finer than the picture and averaged down, which smooths their edges."""
_HALO = (0, 0, 0, 170)
_JPEG_QUALITY = 86


@dataclass(frozen=True, slots=True)
class Figure:
    """A finished picture: a JPEG data URI, its size in pixels, and what it shows in words."""

    data_uri: str
    width: int
    height: int
    description: str


class Canvas:
    """A grey picture and the marks on it. Positions are pixels (column, row), (0, 0) at the centre of the first."""

    def __init__(self, grey: NDArray[np.uint8]) -> None:
        self._grey = grey
        rows, columns = grey.shape
        self.width, self.height = columns, rows
        self._marks = Image.new("RGBA", (columns * _FINER, rows * _FINER))
        self._pen = ImageDraw.Draw(self._marks)
        self._tint: Image.Image | None = None

    def tint(self, strength: NDArray[np.float32], color: Color) -> None:
        """Colour on the picture, under the marks: (rows, columns) 0 for none to 1 for all."""
        alpha = np.round(255 * strength.clip(0, 1)).astype(np.uint8)
        self._tint = Image.merge("RGBA", (*(Image.new("L", (self.width, self.height), each) for each in color), Image.fromarray(alpha)))

    def line(self, start: tuple[float, float], end: tuple[float, float], color: Color, width: float = 1.3, opacity: float = 1.0) -> None:
        """A straight line with a dark halo."""
        ends = [_fine(start), _fine(end)]
        self._pen.line(ends, fill=(*_HALO[:3], round(_HALO[3] * opacity)), width=round((width + 1.6) * _FINER))
        self._pen.line(ends, fill=(*color, round(255 * opacity)), width=round(width * _FINER))

    def ring(self, center: tuple[float, float], radius: float, color: Color, width: float = 1.5) -> None:
        """A thin circle; nothing is drawn inside it."""
        for extra, fill in ((0.9, _HALO), (0.0, (*color, 255))):
            reach = (radius + width / 2 + extra) * _FINER
            x, y = _fine(center)
            self._pen.ellipse((x - reach, y - reach, x + reach, y + reach), outline=fill, width=round((width + 2 * extra) * _FINER))

    def dot(self, center: tuple[float, float], radius: float, color: Color) -> None:
        """A filled point."""
        x, y = _fine(center)
        for reach, fill in (((radius + 0.9) * _FINER, _HALO), (radius * _FINER, (*color, 255))):
            self._pen.ellipse((x - reach, y - reach, x + reach, y + reach), fill=fill)

    def text(self, position: tuple[float, float], words: str, anchor: str, color: Color = TEXT_COLOR, size: float = 14.0) -> None:
        """Words with a dark outline; ``anchor`` is Pillow's two letters (``lm``: the left middle of the words is at the position)."""
        font = ImageFont.load_default(size * _FINER)
        self._pen.text(
            _fine(position), words, fill=(*color, 255), font=font, anchor=anchor, stroke_width=_FINER, stroke_fill=(0, 0, 0, 255)
        )

    def scale_bar(self, length_mm: float, spacing_mm: float) -> None:
        """A bar of ``length_mm`` with its length beside it, at the lower right."""
        margin, length = 10.0, length_mm / spacing_mm
        x, y = self.width - 1 - margin, self.height - 1 - margin
        self.line((x - length, y), (x, y), TEXT_COLOR, width=2.0)
        self.text((x - length - 6, y), f"{length_mm:g} mm", "rm", size=16.0)

    def figure(self, description: str) -> Figure:
        """The picture with its marks."""
        stream = io.BytesIO()
        self._picture().save(stream, "JPEG", quality=_JPEG_QUALITY, subsampling=0, optimize=True)
        encoded = base64.b64encode(stream.getvalue()).decode("ascii")
        return Figure(f"data:image/jpeg;base64,{encoded}", self.width, self.height, description)

    def png(self) -> bytes:
        """The picture with its marks as a PNG file."""
        stream = io.BytesIO()
        self._picture().save(stream, "PNG", optimize=True)
        return stream.getvalue()

    def _picture(self) -> Image.Image:
        marks = self._marks.resize((self.width, self.height), Image.Resampling.BOX)
        picture = Image.fromarray(self._grey).convert("RGBA")
        if self._tint is not None:
            picture = Image.alpha_composite(picture, self._tint)
        return Image.alpha_composite(picture, marks).convert("RGB")


def _fine(position: tuple[float, float]) -> tuple[float, float]:
    """A pixel-centre position of the picture as one of the finer grid of marks."""
    return (position[0] + 0.5) * _FINER - 0.5, (position[1] + 0.5) * _FINER - 0.5
