"""Which candidate is which level: the best chain of five, found jointly by dynamic programming.

Taking each level's hottest place alone names a fifth of the discs wrongly; along a chain, the levels that are sure carry the others.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.localise.candidates import Candidate
from lumbargrade.terms import LEVELS

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
STEEPEST_DEG = 65.0
"""A link leans at most this far from the patient's long axis (steep sacra, slips, scoliosis)."""
FREE_TURN_COSINE = 0.88
TURN_COST = 4.0
"""Per unit of cosine beyond the free turn of 28 degrees between neighbouring links."""
MISSING_COST = 3.0
"""What leaving a level out costs, as heat's logarithm: a level is taken when its heat exceeds about 0.04."""
HEAT_FLOOR = 0.01
MARGIN_SCALE = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """The chosen candidate of each level.

    Attributes:
        members: candidate index per level, None where the level was left out.
        score: sum of log heat less the costs, above leaving out all levels.
        margin: 0..1, how far the best chain that names every place otherwise falls short.
    """

    members: tuple[int | None, ...]
    score: float
    margin: float


@dataclass(frozen=True, slots=True)
class _Path:
    score: float
    members: tuple[tuple[int, int], ...]
    """(level index, candidate index), cranial first."""


def best_chain(candidates: Sequence[Candidate]) -> Chain | None:
    """The best joint assignment of candidates to levels, or None where no candidate is worth naming."""
    if not candidates:
        return None
    gains = np.log(np.stack([c.level_heat for c in candidates]) + HEAT_FLOOR) + MISSING_COST
    points = np.stack([c.place_mm for c in candidates])
    best = _best_path(gains, points)
    if best is None:
        return None
    rival_gains = gains.copy()
    for level, index in best.members:
        rival_gains[index, level] = -np.inf
    rival = _best_path(rival_gains, points)
    lead = best.score - (rival.score if rival else 0.0)
    members: list[int | None] = [None] * len(LEVELS)
    for level, index in best.members:
        members[level] = index
    return Chain(tuple(members), best.score, 1 - math.exp(-max(lead, 0.0) / MARGIN_SCALE))


def _best_path(gains: FloatArray, points: FloatArray) -> _Path | None:
    """Second-order dynamic programming: the state is the last two links' ends, so that turning can be weighed.

    ``gains`` is (candidates, levels); -inf forbids a pair. A path may start and end at any level and leave out levels between.
    """
    paths: dict[tuple[int, int, int | None], _Path] = {}
    for level in range(gains.shape[1]):
        for index in range(gains.shape[0]):
            if not np.isfinite(gains[index, level]):
                continue
            own = float(gains[index, level])
            paths[level, index, None] = _Path(own, ((level, index),))
            for path in [path for (before, _, _), path in paths.items() if before < level]:
                previous = path.members[-1][1]
                score = path.score + own - _link_cost(points, path.members[-2:], (level, index))
                known = paths.get((level, index, previous))
                if math.isfinite(score) and (known is None or score > known.score):
                    paths[level, index, previous] = _Path(score, (*path.members, (level, index)))
    best = max(paths.values(), key=lambda path: path.score, default=None)
    return best if best is not None and best.score > 0 else None


def _link_cost(points: FloatArray, before: tuple[tuple[int, int], ...], new: tuple[int, int]) -> float:
    """The cost of going on to ``new`` after the last one or two members ``before``; infinite where no spine goes."""
    link, per_level = _link(points, before[-1], new)
    length = float(np.linalg.norm(link))
    if not NEIGHBOUR_MM[0] <= per_level <= NEIGHBOUR_MM[1] or link[1] < length * math.cos(math.radians(STEEPEST_DEG)):
        return math.inf
    cost = UNUSUAL_COST_PER_MM * max(USUAL_NEIGHBOUR_MM[0] - per_level, 0.0, per_level - USUAL_NEIGHBOUR_MM[1])
    if len(before) == 2:
        earlier, earlier_per_level = _link(points, before[0], before[1])
        cosine = float(earlier @ link) / (float(np.linalg.norm(earlier)) * length)
        cost += TURN_COST * max(0.0, FREE_TURN_COSINE - cosine)
        ratio = abs(math.log(per_level / earlier_per_level))
        cost += LENGTH_RATIO_COST * max(0.0, ratio - math.log(FREE_LENGTH_RATIO))
    return cost


def _link(points: FloatArray, upper: tuple[int, int], lower: tuple[int, int]) -> tuple[FloatArray, float]:
    """The (3,) vector between two (level, candidate) members, and its length per level in millimetres."""
    link = points[lower[1]] - points[upper[1]]
    return link, float(np.linalg.norm(link)) / (lower[0] - upper[0])
