"""Where a stack's canal heat-maps peak: the places that a level may be."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.localise.channels import CANAL_CHANNELS, STRIDE, heat_to_input_px
from lumbargrade.localise.prepare import GRID_MM, PreparedStack

Heat = NDArray[np.float32]

HEAT_MM = GRID_MM * STRIDE
NEIGHBOUR_SLICES_MM = 4.0
"""Slices are averaged with a Gaussian of this width before peaks are sought: one noisy slice alone makes no level."""
SMALLEST_HEAT = 0.06
MOST_CANDIDATES = 14
"""Twice the discs that a lumbar field of view shows."""
PEAK_REACH = 2
"""Heat pixels (6 mm) on each side within which a peak must be the highest, and over which its centre is refined."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """One peak of the canal heat of all levels together.

    Attributes:
        point_px: (1, 2) refined in-plane position (column, row) on the prepared grid.
        offset_mm: through-plane position along the stack's ``left``.
        place_mm: (3,) the same in millimetres: to posterior, to the feet, to the left.
        level_heat: (5,) heat of each level here.
    """

    point_px: FloatArray
    offset_mm: float
    place_mm: FloatArray
    level_heat: FloatArray


def find_candidates(stack: PreparedStack, heat: Heat) -> list[Candidate]:
    """The strongest peaks of (slices, 10, rows, columns) heat, cranial first."""
    canal = heat[:, CANAL_CHANNELS]
    level_maps = average_over_neighbours(canal, stack.offsets_mm).max(0)
    any_level = np.minimum(level_maps.sum(0), 1.0)
    any_level_by_slice = np.minimum(canal.sum(1), 1.0)
    candidates = [_candidate(stack, level_maps, any_level, any_level_by_slice, row, column) for row, column in _peaks(any_level)]
    return sorted(candidates, key=lambda candidate: float(candidate.place_mm[1]))


def average_over_neighbours(heat: Heat, offsets_mm: FloatArray) -> Heat:
    """Heat with every slice averaged with its neighbours, weighted by distance; slices of any spacing."""
    weights = np.exp(-((offsets_mm[:, None] - offsets_mm) ** 2) / (2 * NEIGHBOUR_SLICES_MM**2))
    weights /= weights.sum(1, keepdims=True)
    return np.asarray(np.tensordot(weights.astype(np.float32), heat, 1))


def heat_centroid(heat: Heat, row: int, column: int) -> tuple[float, float]:
    """(row, column) centre of the heat around a peak of one map, weighted by its square."""
    top, left = max(row - PEAK_REACH, 0), max(column - PEAK_REACH, 0)
    weights = heat[top : row + PEAK_REACH + 1, left : column + PEAK_REACH + 1].astype(np.float64) ** 2
    rows, columns = np.mgrid[top : top + weights.shape[0], left : left + weights.shape[1]]
    return float((rows * weights).sum() / weights.sum()), float((columns * weights).sum() / weights.sum())


def _peaks(heat: Heat) -> list[tuple[int, int]]:
    """(row, column) of the highest pixels of their neighbourhood, strongest first."""
    width = 2 * PEAK_REACH + 1
    padded = np.pad(heat, PEAK_REACH)
    highest = np.lib.stride_tricks.sliding_window_view(padded, (width, width)).max((2, 3))
    found = np.argwhere((heat == highest) & (heat > SMALLEST_HEAT))
    strongest = sorted(((int(row), int(column)) for row, column in found), key=lambda place: -float(heat[place]))
    apart: list[tuple[int, int]] = []
    for row, column in strongest:  # a plateau of equal pixels is one peak
        if all(max(abs(row - r), abs(column - c)) > PEAK_REACH for r, c in apart):
            apart.append((row, column))
    return apart[:MOST_CANDIDATES]


def _candidate(stack: PreparedStack, level_maps: Heat, any_level: Heat, by_slice: Heat, row: int, column: int) -> Candidate:
    near = np.s_[..., max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
    refined_row, refined_column = heat_centroid(any_level, row, column)
    point = np.array([[heat_to_input_px(refined_column), heat_to_input_px(refined_row)]])
    slice_weights = by_slice[near].astype(np.float64).sum((1, 2)) ** 2
    offset = float(slice_weights @ stack.offsets_mm / slice_weights.sum())
    return Candidate(point, offset, np.array([*(point[0] * GRID_MM), offset]), level_maps[near].astype(np.float64).max((1, 2)))
