"""One sagittal stack with the network's heat on it: where its places are, in the patient."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.localise.channels import CANAL_ABOVE, CANAL_BELOW, CANAL_CHANNELS, STRIDE, heat_to_input_px, input_to_heat_px
from lumbargrade.localise.prepare import GRID_MM, PreparedStack
from lumbargrade.study import Series

Heat = NDArray[np.float32]

HEAT_MM = GRID_MM * STRIDE
NEIGHBOUR_SLICES_MM = 4.0
"""Slices are averaged with a Gaussian of this width before places are sought: one noisy slice alone makes none."""
PEAK_REACH = 2
"""Heat pixels (6 mm) on each side within which a peak must be the highest, and over which its centre is refined."""
FADED = 2.5
"""Reaches from the expected place at which heat counts a hundredth."""
NAMED_CANALS = (CANAL_ABOVE, *range(CANAL_CHANNELS.start, CANAL_CHANNELS.stop), CANAL_BELOW)
"""Channels of the canal from the head down: above L1/L2, the five levels, below L5/S1."""


@dataclass(frozen=True, slots=True, eq=False)
class Landmark:
    """A (3,) LPS point and its heat, 0..1."""

    point_lps_mm: FloatArray
    heat: float


@dataclass(frozen=True, eq=False)
class StackView:
    """A prepared stack and its (slices, 19, rows / 2, columns / 2) heat."""

    series: Series
    stack: PreparedStack
    heat: Heat

    @cached_property
    def averaged(self) -> Heat:
        """The heat with every slice averaged with its neighbours, weighted by distance; slices of any spacing."""
        offsets_mm = self.stack.offsets_mm
        weights = np.exp(-((offsets_mm[:, None] - offsets_mm) ** 2) / (2 * NEIGHBOUR_SLICES_MM**2))
        weights /= weights.sum(1, keepdims=True)
        return np.asarray(np.tensordot(weights.astype(np.float32), self.heat, 1))

    @cached_property
    def canal_maps(self) -> Heat:
        """(7, rows / 2, columns / 2) the hottest slice of each of ``NAMED_CANALS``."""
        return np.asarray(self.averaged[:, list(NAMED_CANALS)].max(0))

    def to_heat(self, point_lps_mm: FloatArray) -> tuple[float, float, float]:
        """(row, column) of the heat, and millimetres from the first slice to the patient's left, of a (3,) LPS point."""
        column, row = self.stack.affines[0].to_px(point_lps_mm[None])[0].tolist()
        return input_to_heat_px(row), input_to_heat_px(column), self.stack.offset_mm(point_lps_mm)

    def to_lps(self, row: float, column: float, offset_mm: float) -> FloatArray:
        """The way back from ``to_heat``."""
        return self.stack.to_lps(np.array([[heat_to_input_px(column), heat_to_input_px(row)]]), offset_mm)

    def shows(self, point_lps_mm: FloatArray) -> bool:
        """Whether a place lies inside the pictures, seen from the side."""
        row, column, _ = self.to_heat(point_lps_mm)
        rows, columns = self.heat.shape[2:]
        if not (0 <= row <= rows - 1 and 0 <= column <= columns - 1):
            return False
        around = np.s_[:, 2 * round(row) : 2 * round(row) + 2, 2 * round(column) : 2 * round(column) + 2]
        return bool((self.stack.pixels[around] > 0).any())

    def canal_heat_at(self, point_lps_mm: FloatArray) -> FloatArray:
        """(7,) heat of ``NAMED_CANALS`` within 4 mm of a place seen from the side, the mean over slices weighted by how much they show."""
        row, column, _ = self.to_heat(point_lps_mm)
        window = _near(round(row), round(column), 1)
        by_slice = self.averaged[:, list(NAMED_CANALS)][:, :, *window].max((2, 3)).astype(np.float64)
        weights = by_slice.sum(1) ** 2
        return np.asarray(weights @ by_slice / max(float(weights.sum()), 1e-12))

    def peaks(self, image: Heat, smallest: float, most: int) -> list[tuple[int, int]]:
        """(row, column) of the highest pixels of their neighbourhood in one map, strongest first."""
        width = 2 * PEAK_REACH + 1
        highest = np.lib.stride_tricks.sliding_window_view(np.pad(image, PEAK_REACH), (width, width)).max((2, 3))
        found = np.argwhere((image == highest) & (image > smallest))
        strongest = sorted(((int(row), int(column)) for row, column in found), key=lambda place: -float(image[place]))
        apart: list[tuple[int, int]] = []
        for row, column in strongest:  # a plateau of equal pixels is one peak
            if all(max(abs(row - r), abs(column - c)) > PEAK_REACH for r, c in apart):
                apart.append((row, column))
        return apart[:most]

    def slices_near(self, point_lps_mm: FloatArray, within_mm: float) -> NDArray[np.int64]:
        """The slices within so many millimetres of a place; the nearest one where there are none."""
        distances = np.abs(self.stack.offsets_mm - self.stack.offset_mm(point_lps_mm))
        return np.flatnonzero(distances <= within_mm) if distances.min() <= within_mm else np.array([int(distances.argmin())])

    def near(self, channels: Sequence[int], expected_lps_mm: FloatArray, reach_mm: float, within_mm: float) -> Landmark:
        """The hottest place of some channels together near an expected one, on slices within ``within_mm`` of it.

        Heat ``reach_mm`` away from the expected place, in the picture, counts half, farther away less and less.
        """
        row, column, _ = self.to_heat(expected_lps_mm)
        slices = self.slices_near(expected_lps_mm, within_mm)
        window = self._window(row, column, reach_mm)
        chosen = slices[:, None], np.array(channels), *window
        image = self.averaged[chosen].sum(1).max(0)
        rows, columns = np.mgrid[window]
        squared = ((rows - row) ** 2 + (columns - column) ** 2) * HEAT_MM**2
        place = np.unravel_index(int((image * np.exp2(-squared / reach_mm**2)).argmax()), image.shape)
        peak = int(place[0]), int(place[1])
        corner = window[0].start, window[1].start
        return Landmark(self.centre(self.heat[chosen].sum(1), slices, *peak, corner), min(float(image[peak]), 1.0))

    def _window(self, row: float, column: float, reach_mm: float) -> tuple[slice, slice]:
        """Rows and columns so far around a place that nothing beyond counts; at least one pixel, though the place lie outside."""
        half = round(FADED * reach_mm / HEAT_MM) + PEAK_REACH
        spans = []
        for middle, count in ((round(row), self.heat.shape[2]), (round(column), self.heat.shape[3])):
            first = min(max(middle - half, 0), count - 1)
            spans.append(slice(first, max(min(middle + half + 1, count), first + 1)))
        return spans[0], spans[1]

    def centre(self, by_slice: Heat, slices: NDArray[np.int64], row: int, column: int, corner: tuple[int, int] = (0, 0)) -> FloatArray:
        """(3,) LPS centre of the heat around a peak of some slices, given as (len(slices), rows, columns) from ``corner`` on."""
        refined_row, refined_column = heat_centroid(by_slice.max(0), row, column)
        around = by_slice[:, *_near(row, column, 1)].astype(np.float64).sum((1, 2)) ** 2
        offset = float(around @ self.stack.offsets_mm[slices] / max(around.sum(), 1e-12))
        return self.to_lps(corner[0] + refined_row, corner[1] + refined_column, offset)


def heat_centroid(heat: Heat, row: int, column: int) -> tuple[float, float]:
    """(row, column) centre of the heat around a peak of one map, weighted by its square."""
    window = _near(row, column, PEAK_REACH)
    weights = heat[window].astype(np.float64) ** 2
    rows, columns = np.mgrid[: weights.shape[0], : weights.shape[1]]
    total = max(float(weights.sum()), 1e-12)
    return window[0].start + float((rows * weights).sum()) / total, window[1].start + float((columns * weights).sum()) / total


def _near(row: int, column: int, reach: int) -> tuple[slice, slice]:
    return slice(max(row - reach, 0), max(row + reach + 1, 1)), slice(max(column - reach, 0), max(column + reach + 1, 1))
