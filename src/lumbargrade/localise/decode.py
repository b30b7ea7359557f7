"""From one stack's heat-maps to its levels."""

from collections.abc import Sequence

import numpy as np

from lumbargrade.localise.candidates import Candidate, Heat, find_candidates
from lumbargrade.localise.chain import Chain, best_chain
from lumbargrade.localise.channels import input_to_heat_px
from lumbargrade.localise.foramina import ForamenSearch
from lumbargrade.localise.prepare import PreparedStack
from lumbargrade.localise.stack_levels import Landmark, StackLevel, StackLevels
from lumbargrade.terms import LEVELS, Laterality

BRIDGED_HEAT = 0.05
"""The heat given to a level that was not seen but lies between two that were."""


def decode_stack(series: str, stack: PreparedStack, heat: Heat) -> StackLevels | None:
    """The levels in (slices, 10, rows, columns) heat of a prepared stack; None where no canal is seen.

    Levels that the field of view leaves out are absent; one missing between two others is put in the middle, with little heat.
    """
    candidates = find_candidates(stack, heat)
    chain = best_chain(candidates)
    if chain is None:
        return None
    named = _bridged(candidates, chain)
    search = ForamenSearch(stack, heat)
    levels = {}
    for index, (candidate, canal_heat) in named.items():
        column, row = (input_to_heat_px(float(position)) for position in candidate.point_px[0])
        seen = {side: search.find(index, (row, column), candidate.offset_mm, side) for side in Laterality}
        canal = Landmark(stack.to_lps(candidate.point_px, candidate.offset_mm), canal_heat)
        levels[LEVELS[index]] = StackLevel(canal, {side: point for side, point in seen.items() if point is not None})
    return StackLevels(series, levels, chain.margin)


def _bridged(candidates: Sequence[Candidate], chain: Chain) -> dict[int, tuple[Candidate, float]]:
    """Level index to candidate and heat, with levels that were left out interpolated between their neighbours."""
    named = {
        level: (candidates[index], min(float(candidates[index].level_heat[level]), 1.0))
        for level, index in enumerate(chain.members)
        if index is not None
    }
    for level in range(min(named), max(named)):
        if level in named:
            continue
        above = max(other for other in named if other < level)
        below = min(other for other in named if other > level)
        named[level] = (_between(named[above][0], named[below][0], (level - above) / (below - above)), BRIDGED_HEAT)
    return dict(sorted(named.items()))


def _between(above: Candidate, below: Candidate, fraction: float) -> Candidate:
    return Candidate(
        above.point_px + fraction * (below.point_px - above.point_px),
        above.offset_mm + fraction * (below.offset_mm - above.offset_mm),
        above.place_mm + fraction * (below.place_mm - above.place_mm),
        np.zeros(len(LEVELS)),
    )
