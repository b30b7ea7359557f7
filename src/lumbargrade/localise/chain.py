"""Which candidate is which disc: the best chain down the spine, found jointly by dynamic programming.

Taking each level's hottest place alone names a fifth of the discs wrongly; along a chain, the levels that are sure carry the others. The
chain may begin above L1/L2 and end at the remnant of a disc in the sacrum, so that what is seen there has a say in the count.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.localise.candidates import Candidate
from lumbargrade.terms import LEVELS

DISCS_ABOVE = 4
"""T9/T10 to T12/L1: what the tallest lumbar field of view shows."""
FIRST, LAST = DISCS_ABOVE, DISCS_ABOVE + len(LEVELS) - 1
"""Places of L1/L2 and L5/S1 along the chain."""
PLACES = DISCS_ABOVE + len(LEVELS) + 1

NEIGHBOUR_MM = (16.0, 58.0)
"""Canal points of neighbouring discs lie this far apart; the lordosis crowds the lowest two (1 of the 67 links below was shorter)."""
USUAL_NEIGHBOUR_MM = (20.0, 40.0)
"""64 of 67 links of 18 patients of the SPIDER data set (CC BY 4.0) lie within; the longest is 37.3 mm."""
UNUSUAL_COST_PER_MM = 0.1
"""So a link that skips a disc costs about 2, and one of a giant with disc spaces of 45 mm next to nothing."""
FREE_LENGTH_RATIO = 1.55
"""Neighbouring links differ by less in 95 % of 49 pairs of the same patients; skipping a disc doubles a link."""
LENGTH_RATIO_COST = 4.0
"""Per unit of the ratio's logarithm beyond the free one."""
STEEPEST_DEG = 75.0
"""A link leans at most this far from the patient's long axis (steep sacra, slips, scoliosis)."""
FREE_TURN_COSINE = 0.88
TURN_COST = 4.0
"""Per unit of cosine beyond the free turn of 28 degrees between neighbouring links."""
LEVEL_BONUS = 2.0
"""What naming a place one of the five levels is worth beyond its heat: a faint disc is taken when its heat exceeds about 0.1."""
MOST_MISSING = 2
"""Discs in a row that a chain may leave out."""
FLOOR, NOTHING_FLOOR = 0.01, 0.03
"""Least likelihood of any name, and of a place being none of the chain's discs."""


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """The chosen candidate of each place.

    Attributes:
        members: (10 places) candidate index, None where the place was left out.
        score: log likelihood of the names less the costs of the links, above naming nothing.
        lead: by how much the score exceeds that of the best chain that names every place otherwise.
    """

    members: tuple[int | None, ...]
    score: float
    lead: float


@dataclass(frozen=True, slots=True)
class _Path:
    score: float
    members: tuple[tuple[int, int], ...]
    """(place, candidate index), cranial first."""


class _Places:
    """The candidates' points, with what every link between two of them measures.

    Attributes:
        links: for each point the (index, discs left out between) of the points above it that a spine may come from.
    """

    def __init__(self, points: FloatArray) -> None:
        steps = points[None] - points[:, None]
        lengths = np.linalg.norm(steps, axis=2)
        units = steps / np.maximum(lengths, 1e-9)[..., None]
        self._lengths: list[list[float]] = lengths.tolist()
        self._cosines: list[list[list[float]]] = np.einsum("abi,bci->abc", units, units).tolist()
        is_steep = -units[..., 2] < math.cos(math.radians(STEEPEST_DEG))
        self.links = [
            [
                (before, span - 1)
                for before in range(index)
                for span in range(1, MOST_MISSING + 2)
                if not is_steep[before, index] and NEIGHBOUR_MM[0] <= lengths[before, index] / span <= NEIGHBOUR_MM[1]
            ]
            for index in range(len(points))
        ]

    def cost(self, before: tuple[tuple[int, int], ...], new: tuple[int, int]) -> float:
        """Of going on to ``new`` after the last one or two (place, candidate) members ``before``."""
        per_level = self._per_level(before[-1], new)
        cost = UNUSUAL_COST_PER_MM * max(USUAL_NEIGHBOUR_MM[0] - per_level, 0.0, per_level - USUAL_NEIGHBOUR_MM[1])
        if len(before) == 2:
            cosine = self._cosines[before[0][1]][before[1][1]][new[1]]
            cost += TURN_COST * max(0.0, FREE_TURN_COSINE - cosine)
            ratio = abs(math.log(per_level / self._per_level(*before)))
            cost += LENGTH_RATIO_COST * max(0.0, ratio - math.log(FREE_LENGTH_RATIO))
        return cost

    def _per_level(self, upper: tuple[int, int], lower: tuple[int, int]) -> float:
        """Millimetres a disc of the link between two members."""
        return self._lengths[upper[1]][lower[1]] / (lower[0] - upper[0])


def best_chain(candidates: Sequence[Candidate]) -> Chain | None:
    """The best joint assignment of candidates, given from the head down, to places, or None where none is worth naming."""
    if not candidates:
        return None
    gains = _gains(np.stack([candidate.heat for candidate in candidates]))
    places = _Places(np.stack([candidate.point_lps_mm for candidate in candidates]))
    best = _best_path(gains, places)
    if best is None:
        return None
    rival_gains = gains.copy()
    for place, index in best.members:
        rival_gains[index, place] = -np.inf
        if place < FIRST:  # one disc above L1/L2 looks like the next: calling it the next is no other naming
            rival_gains[index, :FIRST] = -np.inf
    rival = _best_path(rival_gains, places)
    members: list[int | None] = [None] * PLACES
    for place, index in best.members:
        members[place] = index
    return Chain(tuple(members), best.score, best.score - (rival.score if rival else 0.0))


def _gains(heat: FloatArray) -> FloatArray:
    """(candidates, 10 places) log likelihood ratio of each name to none, from (candidates, 7) heat taken as shares of a whole."""
    total = heat.sum(1, keepdims=True)
    named = heat / np.maximum(total, 1.0)
    nothing = np.maximum(1.0 - total, NOTHING_FLOOR)
    gains = np.log(named + FLOOR) - np.log(nothing)
    gains[:, 1:-1] += LEVEL_BONUS
    return np.repeat(gains, [DISCS_ABOVE, *[1] * (len(LEVELS) + 1)], axis=1)


def _best_path(gains: FloatArray, places: _Places) -> _Path | None:
    """Second-order dynamic programming: the state is the last two links' ends, so that turning can be weighed.

    ``gains`` is (candidates, places); -inf forbids a pair. A path may start and end anywhere and leave out places between.
    """
    ending: dict[tuple[int, int], dict[int | None, _Path]] = {}
    for index in range(len(gains)):
        for place in range(gains.shape[1]):
            own = float(gains[index, place])
            if not math.isfinite(own):
                continue
            paths: dict[int | None, _Path] = {None: _Path(own, ((place, index),))}
            for before, missing in places.links[index]:
                for path in ending.get((place - 1 - missing, before), {}).values():
                    score = path.score + own - places.cost(path.members[-2:], (place, index))
                    if math.isfinite(score) and (before not in paths or score > paths[before].score):
                        paths[before] = _Path(score, (*path.members, (place, index)))
            ending[place, index] = paths
    best = max((path for paths in ending.values() for path in paths.values()), key=lambda path: path.score, default=None)
    return best if best is not None and best.score > 0 else None
