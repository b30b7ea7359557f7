"""Taking pictures out of slices on any grid of patient points."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lumbargrade.geometry.affine import FloatArray, SliceAffine

Image = NDArray[np.float32]


def sample_bilinear(image: Image, points_px: FloatArray, outside: float = 0.0) -> Image:
    """Bilinear values of a (rows, columns) image at (..., 2) pixel positions (column, row); ``outside`` beyond the pixel centres."""
    rows, columns = image.shape
    column, row = points_px[..., 0], points_px[..., 1]
    inside = (column >= 0) & (column <= columns - 1) & (row >= 0) & (row <= rows - 1)
    column = np.clip(column, 0, columns - 1)
    row = np.clip(row, 0, rows - 1)
    left = np.minimum(column.astype(np.intp), max(columns - 2, 0))
    top = np.minimum(row.astype(np.intp), max(rows - 2, 0))
    right, bottom = np.minimum(left + 1, columns - 1), np.minimum(top + 1, rows - 1)
    u, v = (column - left).astype(np.float32), (row - top).astype(np.float32)
    upper = image[top, left] * (1 - u) + image[top, right] * u
    lower = image[bottom, left] * (1 - u) + image[bottom, right] * u
    return np.where(inside, upper * (1 - v) + lower * v, np.float32(outside)).astype(np.float32)


def smooth_for_spacing(image: Image, affine: SliceAffine, spacing_mm: float) -> Image:
    """The image box-averaged so that sampling it every ``spacing_mm`` does not alias; unchanged where pixels are already that coarse."""
    for axis, pixel_mm in ((0, affine.row_spacing_mm), (1, affine.column_spacing_mm)):
        width = round(spacing_mm / pixel_mm)
        if width > 1:
            image = box_mean(image, width, [axis])
    return image


def box_mean(images: Image, width: int, axes: Sequence[int]) -> Image:
    """The mean over ``width`` pixels along each of the axes, around every pixel, of those that lie inside the images."""
    for axis in axes:
        count = images.shape[axis]
        nothing = np.zeros([1 if a == axis else n for a, n in enumerate(images.shape)])
        sums = np.concatenate([nothing, np.cumsum(images, axis=axis, dtype=np.float64)], axis)
        upper = np.minimum(np.arange(count) + width // 2 + 1, count)
        lower = np.maximum(np.arange(count) - (width - 1) // 2, 0)
        shape = [-1 if a == axis else 1 for a in range(images.ndim)]
        images = ((np.take(sums, upper, axis) - np.take(sums, lower, axis)) / (upper - lower).reshape(shape)).astype(np.float32)
    return images


def grid_lps(center_lps_mm: FloatArray, right: FloatArray, down: FloatArray, shape: tuple[int, int], spacing_mm: float) -> FloatArray:
    """(rows, columns, 3) LPS points of a flat grid around a centre; ``right`` and ``down`` are unit vectors of growing column and row."""
    rows, columns = shape
    v = (np.arange(rows) - (rows - 1) / 2) * spacing_mm
    u = (np.arange(columns) - (columns - 1) / 2) * spacing_mm
    return np.asarray(center_lps_mm + v[:, None, None] * down + u[None, :, None] * right)
