"""From the heat of all sagittal stacks of a study to its levels: one chain of discs for the patient, then the landmarks of each level."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.localise.anatomy import (
    DISC_BACK_MM,
    DISC_FRONT_MM,
    FORAMEN_OFFSETS,
    SUBARTICULAR_OFFSETS,
    LevelFrame,
    canal_directions,
    disc_normal,
)
from lumbargrade.localise.candidates import SAME_PLACE_MM, Candidate, find_candidates
from lumbargrade.localise.chain import FIRST, LAST, Chain, best_chain
from lumbargrade.localise.channels import DISC_BACK, DISC_FRONT, FORAMEN_CHANNELS
from lumbargrade.localise.view import NAMED_CANALS, Landmark, StackView
from lumbargrade.study import LevelLocation
from lumbargrade.terms import LEVELS, Laterality, Level, SeriesRole

LEAST_HEAT = 0.15
"""Below this nothing was seen at a place."""
SEEN_HEAT, SEEN_MARGIN_HEAT = 0.3, 0.4
"""What a disc that counts has at least. Noise and other anatomy stay below: their margins reached 0.32, those of patients begin at 0.47."""
COLD = 0.1
"""A channel below this everywhere was never taught."""
MARGIN_REACH_MM, MIDDLE_MM = 12.0, 12.0
"""How far a disc's margin is sought around where it should be, in the picture, and across the slices."""
CANAL_WITHIN_MM = 20.0
"""How far across the slices the middle of the canal may lie from where all stacks together have it."""
FORAMEN_REACH_MM, FORAMEN_WITHIN_MM = 10.0, 9.0
"""How far from its mean place a foramen is sought, in the picture and across the slices."""
_FORAMINA = tuple(range(FORAMEN_CHANNELS.start, FORAMEN_CHANNELS.stop))


class FoundCanal(NamedTuple):
    """The (3,) canal across from a disc, with the heat there of its own name's channel and of all canals together."""

    point_lps_mm: FloatArray
    heat: float
    any_heat: float


@dataclass(frozen=True, slots=True, eq=False)
class FoundDisc:
    """One disc of the chain.

    Attributes:
        canal_lps_mm: (3,) the canal across from it; heat and any_heat there, of its own name's canal channel and of all together, are 0
            where the disc was only put between two that were seen.
        direction: (3,) unit vector to the head along the canal.
        front, back: its margins.
    """

    canal_lps_mm: FloatArray
    heat: float
    any_heat: float
    direction: FloatArray
    front: Landmark
    back: Landmark

    @property
    def is_seen(self) -> bool:
        """Whether canal and margins look like a disc's: noise may make the one warm or the other, hardly all."""
        return self.any_heat >= SEEN_HEAT and self.margin_heat >= SEEN_MARGIN_HEAT

    @property
    def margin_heat(self) -> float:
        """Of the fainter margin."""
        return min(self.front.heat, self.back.heat)


@dataclass(frozen=True, slots=True, eq=False)
class Spine:
    """The chain of discs that a study shows.

    Attributes:
        discs: by place along the chain (``chain.FIRST`` is L1/L2), without gaps.
        lead: of the chain over the next best naming.
        left: (3,) unit vector to the patient's left as the sagittal pictures have it, for patients do not lie straight on the table.
    """

    discs: dict[int, FoundDisc]
    lead: float
    left: FloatArray

    @property
    def knows_margins(self) -> bool:
        """Whether the network was taught more than the competition's labels tell: else margins and sacrum are cold everywhere."""
        return max(disc.margin_heat for disc in self.discs.values()) >= COLD

    def shows(self, place: int) -> bool:
        """Whether there is a disc that was seen at a place."""
        disc = self.discs.get(place)
        return disc is not None and (disc.is_seen or (not self.knows_margins and disc.any_heat >= SEEN_HEAT))


def find_spine(views: Sequence[StackView]) -> Spine | None:
    """The chain of discs, or None where nothing looks like one."""
    canals, lead = find_canals(views)
    if not canals:
        return None
    places = sorted(canals)
    directions = canal_directions(np.stack([canals[place].point_lps_mm for place in places]), np.array(places, float))
    left = np.mean([view.stack.left for view in views], axis=0)
    left /= np.linalg.norm(left)
    discs = {place: _disc(views, canals[place], direction, left) for place, direction in zip(places, directions, strict=True)}
    return Spine(discs, lead, left)


def find_canals(views: Sequence[StackView]) -> tuple[dict[int, FoundCanal], float]:
    """The canal at the discs by place along the chain, without gaps and empty where nothing looks like one; and the chain's lead."""
    candidates = find_candidates(views)
    chain = best_chain(candidates)
    return (_without_gaps(candidates, chain), chain.lead) if chain is not None else ({}, 0.0)


def _disc(views: Sequence[StackView], canal: FoundCanal, direction: FloatArray, left: FloatArray) -> FoundDisc:
    ahead = LevelFrame.at(canal.point_lps_mm, direction, left).anterior
    front, back = (
        _best([view.near((channel,), canal.point_lps_mm + ahead_mm * ahead, MARGIN_REACH_MM, MIDDLE_MM) for view in views])
        for channel, ahead_mm in ((DISC_FRONT, DISC_FRONT_MM), (DISC_BACK, DISC_BACK_MM))
    )
    return FoundDisc(*canal, direction, front, back)


def locate(views: Sequence[StackView], spine: Spine, confidence: float, shift: int) -> tuple[LevelLocation, ...]:
    """The levels of a spine, from the head down, with all their landmarks.

    ``shift`` moves the names: with +1 the disc found to be L4/L5 is called L5/S1.
    """
    return tuple(
        _level(views, LEVELS[place + shift - FIRST], disc, spine.left, confidence)
        for place, disc in sorted(spine.discs.items())
        if FIRST <= place + shift <= LAST
    )


def _level(views: Sequence[StackView], level: Level, disc: FoundDisc, left: FloatArray, confidence: float) -> LevelLocation:
    canal = _canal(views, disc)
    is_seen = disc.margin_heat >= LEAST_HEAT
    normal = disc_normal(disc.front.point_lps_mm, disc.back.point_lps_mm, disc.direction, left) if is_seen else disc.direction
    frame = LevelFrame.at(canal, normal, left)
    middle = (disc.front.point_lps_mm + disc.back.point_lps_mm) / 2
    return LevelLocation(
        level,
        canal,
        middle if is_seen else canal + (DISC_BACK_MM + DISC_FRONT_MM) / 2 * frame.anterior,
        normal,
        {side: _foramen(views, frame.place(FORAMEN_OFFSETS[level], side)) for side in Laterality},
        {side: frame.place(SUBARTICULAR_OFFSETS[level], side) for side in Laterality},
        float(np.clip(disc.heat**0.5 * confidence, 0.0, 1.0)),
    )


def _canal(views: Sequence[StackView], disc: FoundDisc) -> FloatArray:
    """Where the canal is graded: as the sagittal T2 has it, or without one the T1.

    Along the canal, where its heat tells little, the point is put halfway to being across from the disc's margin.
    """
    if not disc.any_heat:
        return disc.canal_lps_mm
    order = (SeriesRole.SAGITTAL_T2, SeriesRole.SAGITTAL_T1)
    canal = _seen(views, order, NAMED_CANALS, disc.canal_lps_mm, SAME_PLACE_MM / 2, CANAL_WITHIN_MM)
    if disc.margin_heat < LEAST_HEAT:
        return canal
    return np.asarray(canal + disc.direction * float((disc.back.point_lps_mm - canal) @ disc.direction) / 2)


def _foramen(views: Sequence[StackView], expected_lps_mm: FloatArray) -> FloatArray:
    """Where a foramen is graded: as the sagittal T1 has it, or without one the T2; where it is expected if neither shows it."""
    order = (SeriesRole.SAGITTAL_T1, SeriesRole.SAGITTAL_T2)
    return _seen(views, order, _FORAMINA, expected_lps_mm, FORAMEN_REACH_MM, FORAMEN_WITHIN_MM)


def _seen(
    views: Sequence[StackView],
    order: tuple[SeriesRole, ...],
    channels: Sequence[int],
    expected_lps_mm: FloatArray,
    reach_mm: float,
    within_mm: float,
) -> FloatArray:
    """(3,) the hottest place near an expected one in the first kind of series that shows any heat there; else the expected one."""
    for role in order:
        marks = [view.near(channels, expected_lps_mm, reach_mm, within_mm) for view in views if view.series.role is role]
        best = _best(marks) if marks else None
        if best is not None and best.heat >= LEAST_HEAT and np.linalg.norm(best.point_lps_mm - expected_lps_mm) <= reach_mm + within_mm:
            return best.point_lps_mm
    return expected_lps_mm


def _best(marks: Sequence[Landmark]) -> Landmark:
    return max(marks, key=lambda mark: mark.heat)


def _channel(place: int) -> int:
    """The index in ``NAMED_CANALS`` of a place of the chain."""
    return max(place - FIRST + 1, 0)


def _without_gaps(candidates: Sequence[Candidate], chain: Chain) -> dict[int, FoundCanal]:
    """By place; those that were left out lie between their neighbours, without heat."""
    found: dict[int, FoundCanal] = {}
    for place, index in enumerate(chain.members):
        if index is not None:
            heat = candidates[index].heat
            found[place] = FoundCanal(candidates[index].point_lps_mm, min(float(heat[_channel(place)]), 1.0), min(float(heat.sum()), 1.0))
    for place in range(min(found), max(found)):
        if place not in found:
            below = min(other for other in found if other > place)
            above_lps_mm, below_lps_mm = found[place - 1].point_lps_mm, found[below].point_lps_mm
            found[place] = FoundCanal(above_lps_mm + (below_lps_mm - above_lps_mm) / (below - place + 1), 0.0, 0.0)
    return found
