"""Cutting a square-pixel picture out of a slice, with its own way back to the patient."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lumbargrade.geometry.affine import FloatArray, SliceAffine
from lumbargrade.geometry.resample import grid_lps, sample_bilinear, smooth_for_spacing
from lumbargrade.study import Instance

WINDOW_PERCENTILES = (1.0, 99.5)
"""Black and white of a picture, in percent of its own pixels: robust to a few very bright ones (fat at the coil, flow)."""


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """A part of one slice, turned as it is stored.

    Attributes:
        grey: (rows, columns) uint8, windowed; black beyond the slice's edge.
        affine: where the crop's own pixels lie in the patient; both spacings are equal.
    """

    grey: NDArray[np.uint8]
    affine: SliceAffine


def cut_crop(instance: Instance, center_px: tuple[float, float], size_mm: tuple[float, float], spacing_mm: float) -> Crop:
    """A crop of ``size_mm`` (width, height) whose middle is ``center_px`` (column, row) of the slice."""
    affine = instance.affine
    columns, rows = (max(2, round(length / spacing_mm)) for length in size_mm)
    center_lps_mm = affine.to_lps(np.array([center_px], np.float64))[0]
    points = grid_lps(center_lps_mm, affine.column_direction, affine.row_direction, (rows, columns), spacing_mm)
    points_px = affine.to_px(points.reshape(-1, 3)).reshape(rows, columns, 2)
    values = sample_bilinear(smooth_for_spacing(instance.pixels, affine, spacing_mm), points_px, outside=np.nan)
    return Crop(windowed(values), SliceAffine(points[0, 0], affine.column_direction, affine.row_direction, spacing_mm, spacing_mm))


def windowed(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Grey 0..255 between two percentiles of the finite values; what is not finite is black."""
    finite = np.isfinite(values)
    if not finite.any():
        return np.zeros(values.shape, np.uint8)
    low, high = np.percentile(values[finite], WINDOW_PERCENTILES)
    scaled = (np.where(finite, values, low) - low) / max(float(high - low), 1e-6)
    return np.asarray(np.round(np.clip(scaled, 0.0, 1.0) * 255), np.uint8)


@dataclass(frozen=True, slots=True)
class EdgeLetters:
    """The side of the patient that each edge of a picture faces: R, L, A, P, H (head) or F (feet), as DICOM PS3.3 C.7.6.1.1.1."""

    left: str
    right: str
    top: str
    bottom: str


def edge_letters(affine: SliceAffine) -> EdgeLetters:
    """The letters of a picture, from its directions alone."""
    column, row = affine.column_direction, affine.row_direction
    return EdgeLetters(direction_letter(-column), direction_letter(column), direction_letter(-row), direction_letter(row))


def direction_letter(direction: FloatArray) -> str:
    """The letter of the LPS axis nearest to a (3,) direction."""
    axis = int(np.argmax(np.abs(direction)))
    return ("RL", "AP", "FH")[axis][int(direction[axis] > 0)]
