"""The neural foramina of one level, sought to either side of its canal point."""

import numpy as np

from lumbargrade.localise.candidates import HEAT_MM, PEAK_REACH, Heat, average_over_neighbours, heat_centroid
from lumbargrade.localise.channels import FORAMEN_CHANNELS, heat_to_input_px
from lumbargrade.localise.prepare import PreparedStack
from lumbargrade.localise.stack_levels import Landmark
from lumbargrade.terms import Laterality

LATERAL_MM = (8.0, 32.0)
"""Distance of a foramen from the canal point, across the sagittal planes."""
ANTERIOR_MM = (-8.0, 28.0)
CRANIOCAUDAL_MM = (-16.0, 16.0)
SMALLEST_HEAT = 0.1
CENTROID_SLICES_MM = 7.0


class ForamenSearch:
    """Finds foramina in one stack's (slices, 10, rows, columns) heat; averages over slices once for all levels."""

    def __init__(self, stack: PreparedStack, heat: Heat) -> None:
        self._stack = stack
        self._heat = heat[:, FORAMEN_CHANNELS]
        self._averaged = average_over_neighbours(self._heat, stack.offsets_mm)

    def find(self, level_index: int, canal_heat_px: tuple[float, float], canal_offset_mm: float, side: Laterality) -> Landmark | None:
        """The hottest place of a level's foramen channel on one side of the canal; None where nothing is warm enough.

        ``canal_heat_px`` is the canal point as (row, column) of the heat-map.
        """
        lateral = side.lps_sign * (self._stack.offsets_mm - canal_offset_mm)
        slices = np.flatnonzero((lateral >= LATERAL_MM[0]) & (lateral <= LATERAL_MM[1]))
        if slices.size == 0:
            return None
        row, column = canal_heat_px
        rows = _window(row, CRANIOCAUDAL_MM, self._heat.shape[2])
        columns = _window(column, (-ANTERIOR_MM[1], -ANTERIOR_MM[0]), self._heat.shape[3])
        window = self._averaged[slices, level_index, rows, columns]
        if window.size == 0:
            return None
        place = np.unravel_index(int(window.argmax()), window.shape)
        peak = float(window[place])
        if peak < SMALLEST_HEAT:
            return None
        return self._refined(level_index, int(slices[place[0]]), rows.start + int(place[1]), columns.start + int(place[2]), slices, peak)

    def _refined(self, level_index: int, best: int, row: int, column: int, slices: np.ndarray, peak: float) -> Landmark:
        offsets = self._stack.offsets_mm
        near = slices[np.abs(offsets[slices] - offsets[best]) <= CENTROID_SLICES_MM]
        refined_row, refined_column = heat_centroid(self._averaged[best, level_index], row, column)
        top, left = max(row - PEAK_REACH, 0), max(column - PEAK_REACH, 0)
        around = self._heat[near, level_index, top : row + PEAK_REACH + 1, left : column + PEAK_REACH + 1]
        weights = around.astype(np.float64).sum((1, 2)) ** 2
        point_px = np.array([[heat_to_input_px(refined_column), heat_to_input_px(refined_row)]])
        return Landmark(self._stack.to_lps(point_px, float(weights @ offsets[near] / weights.sum())), min(peak, 1.0))


def _window(center: float, reach_mm: tuple[float, float], size: int) -> slice:
    first, last = (round(center + reach / HEAT_MM) for reach in reach_mm)
    return slice(min(max(first, 0), size), min(max(last + 1, 0), size))
