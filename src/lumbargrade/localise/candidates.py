"""The places that a disc level may be: where the canal's heat peaks on any stack, joined over stacks in the patient."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.localise.view import NAMED_CANALS, StackView

SMALLEST_HEAT = 0.06
MOST_CANDIDATES = 16
"""More than twice the discs that a lumbar field of view shows."""
SAME_PLACE_MM = 10.0
"""A third of the distance between levels: closer peaks of two stacks are one place, seen from the side; patients move up to 8 mm."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """One place.

    Attributes:
        point_lps_mm: (3,) where the stack that shows it best has it.
        heat: (7,) of ``NAMED_CANALS``, the mean over the stacks that show the place.
    """

    point_lps_mm: FloatArray
    heat: FloatArray


def find_candidates(views: Sequence[StackView]) -> list[Candidate]:
    """The strongest places, from the head down."""
    found = [(strength, point, view) for view in views for strength, point in _peaks(view)]
    found.sort(key=lambda each: (-round(each[0], 5), *each[1][:0:-1].tolist()))  # ties by height: a mirrored patient's fall the same way
    apart: list[tuple[FloatArray, StackView]] = []
    for _, point, view in found:
        if all(np.linalg.norm((point - other)[1:]) > SAME_PLACE_MM for other, _ in apart):
            apart.append((point, view))
    candidates = []
    for point, finder in apart[:MOST_CANDIDATES]:
        showing = [view for view in views if view.shows(point)] or [finder]
        candidates.append(Candidate(point, np.mean([view.canal_heat_at(point) for view in showing], axis=0)))
    return sorted(candidates, key=lambda candidate: -float(candidate.point_lps_mm[2]))


def _peaks(view: StackView) -> list[tuple[float, FloatArray]]:
    """Strength and place of each; the strength may exceed 1, so that stacks which both are sure of a place still differ in it."""
    every = np.arange(len(view.heat))
    by_slice = view.heat[:, list(NAMED_CANALS)].sum(1)
    any_level = view.canal_maps.sum(0)
    peaks = view.peaks(np.minimum(any_level, 1.0), SMALLEST_HEAT, MOST_CANDIDATES)
    return [(float(any_level[row, column]), view.centre(by_slice, every, row, column)) for row, column in peaks]
