"""From the heat of all sagittal stacks of a study to its levels: one chain of discs for the patient, then the landmarks of each level."""

from collections.abc import Sequence
from dataclasses import dataclass

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
from lumbargrade.localise.chain import FIRST, LAST, PLACES, Chain, best_chain
from lumbargrade.localise.channels import DISC_BACK, DISC_FRONT, FORAMEN_CHANNELS
from lumbargrade.localise.view import NAMED_CANALS, Landmark, StackView
from lumbargrade.study import LevelLocation
from lumbargrade.terms import LEVELS, Laterality, Level, SeriesRole

LEAST_HEAT = 0.15
"""Below this nothing was seen at a place."""
MARGIN_REACH_MM, MIDDLE_MM = 12.0, 12.0
"""How far a disc's margin is sought around where it should be, in the picture, and across the slices."""
CANAL_WITHIN_MM = 20.0
"""How far across the slices the middle of the canal may lie from where all stacks together have it."""
FORAMEN_REACH_MM, FORAMEN_WITHIN_MM = 10.0, 9.0
"""How far from its mean place a foramen is sought, in the picture and across the slices."""
_FORAMINA = tuple(range(FORAMEN_CHANNELS.start, FORAMEN_CHANNELS.stop))


@dataclass(frozen=True, slots=True, eq=False)
class FoundDisc:
    """One disc of the chain; both heats are 0 where it was only put between two that were seen.

    Attributes:
        heat: of its own name's canal channel. any_heat: of all canal channels together.
    """

    canal_lps_mm: FloatArray
    heat: float
    any_heat: float


@dataclass(frozen=True, slots=True, eq=False)
class Spine:
    """The chain of discs that a study shows.

    Attributes:
        discs: by place along the chain (``chain.FIRST`` is L1/L2), without gaps.
        lead: of the chain over the next best naming.
    """

    discs: dict[int, FoundDisc]
    lead: float


def find_spine(views: Sequence[StackView]) -> Spine | None:
    """The chain of discs, or None where nothing looks like one."""
    candidates = find_candidates(views)
    chain = best_chain(candidates)
    return None if chain is None else Spine(_without_gaps(candidates, chain), chain.lead)


def locate(views: Sequence[StackView], spine: Spine, confidence: float, shift: int) -> tuple[LevelLocation, ...]:
    """The levels of a spine, from the head down, with all their landmarks.

    ``shift`` moves the names: with +1 the disc found to be L4/L5 is called L5/S1.
    """
    places = sorted(spine.discs)
    directions = canal_directions(np.stack([spine.discs[place].canal_lps_mm for place in places]), np.array(places, float))
    return tuple(
        _level(views, place, LEVELS[place + shift - FIRST], spine.discs[place], direction, confidence)
        for place, direction in zip(places, directions, strict=True)
        if FIRST <= place + shift <= LAST
    )


def _level(
    views: Sequence[StackView], place: int, level: Level, disc: FoundDisc, direction: FloatArray, confidence: float
) -> LevelLocation:
    rough = LevelFrame.at(disc.canal_lps_mm, direction)
    canal = _canal(views, disc)
    front, back = (
        _best([view.near((channel,), canal + ahead_mm * rough.anterior, MARGIN_REACH_MM, MIDDLE_MM) for view in views])
        for channel, ahead_mm in ((DISC_FRONT, DISC_FRONT_MM), (DISC_BACK, DISC_BACK_MM))
    )
    seen = min(front.heat, back.heat) >= LEAST_HEAT
    normal = disc_normal(front.point_lps_mm, back.point_lps_mm, direction) if seen else direction
    frame = LevelFrame.at(canal, normal)
    center = (front.point_lps_mm + back.point_lps_mm) / 2 if seen else canal + (DISC_BACK_MM + DISC_FRONT_MM) / 2 * frame.anterior
    foramina = {side: _foramen(views, frame.place(FORAMEN_OFFSETS[level], side)) for side in Laterality}
    return LevelLocation(
        level,
        canal,
        center,
        normal,
        foramina,
        {side: frame.place(SUBARTICULAR_OFFSETS[level], side) for side in Laterality},
        float(np.clip(disc.heat**0.5 * confidence, 0.0, 1.0)),
    )


def _canal(views: Sequence[StackView], disc: FoundDisc) -> FloatArray:
    """Where the canal is graded: as the sagittal T2 has it, or without one the T1."""
    if not disc.any_heat:
        return disc.canal_lps_mm
    order = (SeriesRole.SAGITTAL_T2, SeriesRole.SAGITTAL_T1)
    return _seen(views, order, NAMED_CANALS, disc.canal_lps_mm, SAME_PLACE_MM / 2, CANAL_WITHIN_MM)


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


def _found(candidate: Candidate, place: int) -> FoundDisc:
    return FoundDisc(candidate.point_lps_mm, min(float(candidate.heat[_channel(place)]), 1.0), min(float(candidate.heat.sum()), 1.0))


def _without_gaps(candidates: Sequence[Candidate], chain: Chain) -> dict[int, FoundDisc]:
    """The discs by place, with those that were left out put between their neighbours."""
    discs = {place: _found(candidates[index], place) for place, index in enumerate(chain.members) if index is not None}
    for place in range(min(discs), max(discs)):
        if place not in discs:
            above, below = place - 1, min(other for other in discs if other > place)
            fraction = 1 / (below - above)
            step = discs[below].canal_lps_mm - discs[above].canal_lps_mm
            discs[place] = FoundDisc(discs[above].canal_lps_mm + fraction * step, 0.0, 0.0)
    return {place: discs[place] for place in range(PLACES) if place in discs}
