"""Sagittal slices as the localiser sees them: one grid in millimetres, one orientation, two normalised channels."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lumbargrade.errors import InputError
from lumbargrade.geometry.affine import FloatArray, SliceAffine
from lumbargrade.geometry.resample import box_mean
from lumbargrade.study import Instance, Stack

GRID_MM = 1.5
"""Pixel of the localiser's input; its heat-maps are half as fine."""
PADDING_MULTIPLE = 32
"""The network halves its input five times."""
LOCAL_WINDOW_MM = 40.0
"""Width of the window of local normalisation: about one vertebra with its disc."""
CLOSEST_SLICES_MM = 2.5
"""Thinner stacks are thinned to this distance: nothing is gained below the through-plane width of the targets."""
LARGEST_FIELD_MM = 1200.0

Images = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class PreparedStack:
    """Sagittal slices on one in-plane grid: the same pixel of two slices lies on one line along the stack's normal.

    Attributes:
        pixels: (slices, rows, columns) float32 in the units of the file, 0 outside a slice's field of view. Columns grow to posterior, rows
            to the feet, slices to the patient's left; rows and columns are multiples of 32.
        affines: one per slice, of this grid.
    """

    pixels: Images
    affines: tuple[SliceAffine, ...]

    @property
    def left(self) -> FloatArray:
        """(3,) unit normal pointing to the patient's left."""
        return -self.affines[0].normal

    @property
    def offsets_mm(self) -> FloatArray:
        """(slices,) ascending distances from the first slice along ``left``."""
        origins = np.stack([affine.origin_lps_mm for affine in self.affines])
        return np.asarray((origins - origins[0]) @ self.left)

    def offset_mm(self, point_lps_mm: FloatArray) -> float:
        """Distance of a (3,) LPS point from the first slice along ``left``."""
        return float((point_lps_mm - self.affines[0].origin_lps_mm) @ self.left)

    def to_lps(self, point_px: FloatArray, offset_mm: float) -> FloatArray:
        """(3,) LPS of an in-plane position (column, row) at a distance from the first slice along ``left``."""
        return np.asarray(self.affines[0].to_lps(point_px)[0] + offset_mm * self.left)


def prepare_stack(stack: Stack, spacing_mm: float = GRID_MM) -> PreparedStack:
    """Put a sagittal stack on the localiser's grid. How the pixels were stored (flips, transposes, slice order) changes nothing.

    Raises:
        InputError: the slices together cover more than 1.2 m in-plane, so their positions cannot be right.
    """
    slices = [_canonical(instance) for instance in stack.instances]
    reference = slices[0].affine
    slices.sort(key=lambda instance: -float(reference.normal @ instance.affine.origin_lps_mm))
    slices = _thinned(slices, reference.normal)
    columns_mm = _grid_positions([_extent(s.affine, reference.column_direction, s.shape) for s in slices], spacing_mm)
    rows_mm = _grid_positions([_extent(s.affine, reference.row_direction, s.shape) for s in slices], spacing_mm)
    pixels = np.stack([_resample(s, reference, columns_mm, rows_mm, spacing_mm) for s in slices])
    corner = columns_mm[0] * reference.column_direction + rows_mm[0] * reference.row_direction
    affines = tuple(
        SliceAffine(
            corner + float(reference.normal @ s.affine.origin_lps_mm) * reference.normal,
            reference.column_direction,
            reference.row_direction,
            spacing_mm,
            spacing_mm,
        )
        for s in slices
    )
    return PreparedStack(pixels, affines)


def network_inputs(pixels: Images, spacing_mm: float = GRID_MM) -> Images:
    """The network's two channels of (n, rows, columns) slices, as (n, 2, rows, columns); training uses this very function.

    Channel 0 is scaled by the 2nd and 98th percentile of the slice's non-zero pixels, channel 1 by local mean and deviation, which takes
    out coil shading.
    """
    scaled = np.stack([_percentile_scaled(image) for image in pixels])
    width = 2 * round(LOCAL_WINDOW_MM / spacing_mm / 2) + 1
    mean = box_mean(scaled, width, (1, 2))
    deviation = np.sqrt(np.maximum(box_mean(scaled * scaled, width, (1, 2)) - mean * mean, 0))
    local = np.clip((scaled - mean) / (deviation + 0.03), -3, 3) * 0.5
    return np.stack([scaled - 0.5, local], 1).astype(np.float32)


def _canonical(instance: Instance) -> Instance:
    """The same slice, stored so that columns run to posterior and rows to the feet as nearly as its axes allow."""
    affine, pixels = instance.affine, instance.pixels
    kept = abs(affine.column_direction[1]) + abs(affine.row_direction[2])
    turned = abs(affine.row_direction[1]) + abs(affine.column_direction[2])
    origin, column, row = affine.origin_lps_mm, affine.column_direction, affine.row_direction
    column_mm, row_mm = affine.column_spacing_mm, affine.row_spacing_mm
    if turned > kept:
        pixels, column, row, column_mm, row_mm = pixels.T, row, column, row_mm, column_mm
    if column[1] < 0:
        origin = origin + (pixels.shape[1] - 1) * column_mm * column
        pixels, column = pixels[:, ::-1], -column
    if row[2] > 0:
        origin = origin + (pixels.shape[0] - 1) * row_mm * row
        pixels, row = pixels[::-1], -row
    upright = SliceAffine(origin, column, row, column_mm, row_mm)
    return Instance(instance.sop_instance_uid, instance.instance_number, upright, np.ascontiguousarray(pixels))


def _thinned(slices: list[Instance], normal: FloatArray) -> list[Instance]:
    """Every slice that lies at least ``CLOSEST_SLICES_MM`` from the one kept before it (less a rounding error)."""
    kept = slices[:1]
    for instance in slices[1:]:
        step = (kept[-1].affine.origin_lps_mm - instance.affine.origin_lps_mm) @ normal
        if step >= CLOSEST_SLICES_MM - 1e-3:
            kept.append(instance)
    return kept


def _extent(affine: SliceAffine, direction: FloatArray, shape: tuple[int, int]) -> tuple[float, float]:
    """First and last pixel edge of a canonical slice along one of the stack's in-plane directions, in mm from the patient origin."""
    along_columns = abs(float(affine.column_direction @ direction)) > 0.5
    pixel_mm, count = (affine.column_spacing_mm, shape[1]) if along_columns else (affine.row_spacing_mm, shape[0])
    start = float(affine.origin_lps_mm @ direction)
    return start - pixel_mm / 2, start + (count - 0.5) * pixel_mm


def _grid_positions(extents: list[tuple[float, float]], spacing_mm: float) -> FloatArray:
    first, last = min(start for start, _ in extents), max(end for _, end in extents)
    if last - first > LARGEST_FIELD_MM:
        raise InputError(f"sagittal slices cover {last - first:.0f} mm in-plane, at most {LARGEST_FIELD_MM:.0f} mm is possible")
    count = PADDING_MULTIPLE * math.ceil((last - first) / spacing_mm / PADDING_MULTIPLE - 1e-6)
    return np.asarray((first + last) / 2 + (np.arange(count) - (count - 1) / 2) * spacing_mm)


def _resample(instance: Instance, reference: SliceAffine, columns_mm: FloatArray, rows_mm: FloatArray, spacing_mm: float) -> Images:
    affine = instance.affine
    first_column, first_row = (float(affine.origin_lps_mm @ d) for d in (reference.column_direction, reference.row_direction))
    rows = _interpolated(instance.pixels.astype(np.float32), affine.row_spacing_mm, first_row, rows_mm, spacing_mm)
    return np.ascontiguousarray(_interpolated(rows.T, affine.column_spacing_mm, first_column, columns_mm, spacing_mm).T)


def _interpolated(lines: Images, pixel_mm: float, first_mm: float, grid_mm: FloatArray, spacing_mm: float) -> Images:
    """Linear interpolation between the lines of an image, widened to the coarser of the two pixels so that nothing aliases; 0 outside."""
    count, reach_mm = len(lines), max(pixel_mm, spacing_mm)
    first = np.ceil((grid_mm - reach_mm - first_mm) / pixel_mm).astype(np.intp)
    taps = first[:, None] + np.arange(math.floor(2 * reach_mm / pixel_mm) + 1)
    weights = np.maximum(0.0, 1.0 - np.abs(first_mm + taps * pixel_mm - grid_mm[:, None]) / reach_mm)
    weights[(taps < 0) | (taps >= count)] = 0
    edge_mm = pixel_mm / 2 + 1e-6
    inside = (grid_mm >= first_mm - edge_mm) & (grid_mm <= first_mm + (count - 1) * pixel_mm + edge_mm)
    weights *= (inside / np.maximum(weights.sum(1), 1e-9))[:, None]
    result = np.zeros((len(grid_mm), lines.shape[1]), np.float32)
    for tap, weight in zip(taps.clip(0, count - 1).T, weights.astype(np.float32).T, strict=True):
        result += weight[:, None] * lines[tap]
    return result


def _percentile_scaled(image: Images) -> Images:
    values = image[image > 0]
    if values.size < 100:
        return np.zeros_like(image)
    low, high = np.percentile(values[:: max(1, values.size // 8000)], (2, 98))
    return np.asarray(np.clip((image - low) / max(float(high - low), 1e-6), -0.5, 2.0), np.float32)
