"""What can be counted without a network: how much of a site is bright, beside what is usual.

Fluid around the roots is bright on T2, and fat around them on T1; both go where there is no room. The share of bright pixels in a fixed
window at the site is plain to check, and errs in other ways than a network does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lumbargrade.geometry.resample import box_mean
from lumbargrade.grade.crop import Crop
from lumbargrade.grade.recipe import CANAL_AXIAL, CANAL_SAGITTAL, FORAMEN_SAGITTAL, SUBARTICULAR_AXIAL, CropRecipe

REFERENCE_MM = 24.0
"""Radius of the circle around the site whose dark and bright pixels say what dark and bright are in this picture."""
BRIGHT_PERCENTILE = 99.0


@dataclass(frozen=True, slots=True)
class Window:
    """Where bright pixels are counted, and from when on a pixel is bright.

    Attributes:
        center_mm, radii_mm: of an ellipse, along the columns and along the rows of the crop, from the site.
        dark_percentile: of the reference circle's pixels: what is dark there.
        threshold: bright is what lies above this part of the way from dark to bright.
        usual: median share of normal or mildly narrowed sites.
    """

    center_mm: tuple[float, float]
    radii_mm: tuple[float, float]
    dark_percentile: float
    threshold: float
    usual: float


WINDOWS: dict[CropRecipe, Window] = {
    CANAL_SAGITTAL: Window((0.0, 0.0), (8.0, 3.0), 30.0, 0.6, 0.46),
    CANAL_AXIAL: Window((0.0, -1.0), (11.0, 9.0), 10.0, 0.3, 0.6),
    FORAMEN_SAGITTAL: Window((0.0, 2.0), (6.0, 9.0), 50.0, 0.6, 0.25),
    SUBARTICULAR_AXIAL: Window((0.0, 0.0), (4.0, 4.0), 10.0, 0.3, 0.65),
}
"""Chosen, and usual shares measured, on 60 synthetic patients (``validation/openness.py``)."""


def openness(crops: Sequence[Crop]) -> float:
    """The bright share of a site over the usual one: the mean of what its pictures show, of which there is at least one."""
    return float(np.mean([bright_share(crop.pixels, crop.recipe) / WINDOWS[crop.recipe].usual for crop in crops]))


def bright_share(pixels: NDArray[np.float32], recipe: CropRecipe) -> float:
    """0..1, the share of bright pixels in the recipe's window, on the middle one of (slices, wide, wide) alone."""
    window, count = WINDOWS[recipe], recipe.wide_px
    place = (np.arange(count) - (count - 1) / 2) * recipe.spacing_mm
    across, down = place[None], place[:, None]
    picture = box_mean(pixels[len(pixels) // 2], 3, (0, 1))
    dark, bright = np.percentile(picture[across**2 + down**2 <= REFERENCE_MM**2], [window.dark_percentile, BRIGHT_PERCENTILE])
    (x, y), (width, height) = window.center_mm, window.radii_mm
    inside = ((across - x) / width) ** 2 + ((down - y) / height) ** 2 <= 1
    return float((picture[inside] > dark + window.threshold * (bright - dark)).mean())
