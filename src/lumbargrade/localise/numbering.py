"""What the names of the levels rest on, how sure they are, and what a reader must know about them."""

import math
from collections.abc import Sequence

import numpy as np

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.localise.chain import FIRST, LAST, MOST_MISSING
from lumbargrade.localise.channels import FIRST_SACRAL, SACRUM
from lumbargrade.localise.decode import Spine, find_canals
from lumbargrade.localise.view import StackView
from lumbargrade.study import LevelLocation, Numbering, Problem
from lumbargrade.terms import LEVELS

LEAD_SCALE, LEAD_OFFSET = 2.0, 0.0
"""Confidence is the logistic of (lead - offset) / scale."""
UNCERTAIN, UNKNOWN_WITHOUT_SACRUM = 0.8, 0.55
"""Below the first a reader is warned; below the second, without the sacrum, no level is named."""
LEAST_DISCS = 3
"""Fewer neighbouring discs do not make a lumbar spine."""
WITHOUT_SACRUM = 0.7
"""What is left of the confidence where the sacrum is not seen: one genuine volume cut at several heights got other names each time."""
SACRUM_HEAT, SACRUM_WITHIN_MM = 0.25, 30.0
"""What the sacrum has at least, so near to where S1 should be."""
LEAST_STEP = 0.7
"""Where discs were not seen above it, it lies at least so many of the last step between discs below the lowest for each of them."""
TRANSITIONAL = 0.7
"""From this probability on a reader is warned: at a half, 5 of 16 real patients of the SPIDER data set were."""
AGREEMENT_MM = 12.0
"""A third of the distance between levels, and what patients move between series."""


def number_levels(
    views: Sequence[StackView], spine: Spine, transitional: float | None, shift: int
) -> tuple[Numbering, tuple[Problem, ...]]:
    """How the discs of a spine got their names, and what is doubtful about it; ``transitional`` as in ``Numbering``."""
    sacrum = _sacrum(views, spine)
    confidence = (
        1 / (1 + math.exp(-(spine.lead - LEAD_OFFSET) / LEAD_SCALE)) * (WITHOUT_SACRUM if sacrum is None and spine.knows_margins else 1.0)
    )
    above = sum(place < FIRST - shift for place in spine.discs)
    problems = [_disagreement(view) for view in views if len(views) > 1 and not _agrees(view, spine)]
    if confidence < UNCERTAIN:
        problems.append(Problem("levels_uncertain", "Naming the disc levels one higher or lower would fit the pictures nearly as well."))
    if transitional is not None and transitional >= TRANSITIONAL:
        message = "The lumbosacral junction looks transitional (a sacralised L5 or a lumbarised S1): counting from it may be one off."
        problems.append(Problem("transitional_vertebra", message))
    if sacrum is None:
        message = "The sacrum is not in the pictures or was not recognised; the discs are named by their shape and place alone."
        problems.append(Problem("sacrum_not_seen", message))
    if shift:
        way = "lower" if shift > 0 else "higher"
        problems.append(Problem("levels_shifted", f"By request every disc is named {abs(shift)} level {way} than it was found to be."))
    basis = _basis(spine, sacrum is not None, above)
    return Numbering(basis, confidence, above, sacrum, transitional, shift), tuple(problems)


def why_not_lumbar(spine: Spine | None) -> str | None:
    """Why a chain of discs is no lumbar spine, in one phrase; None where it may be one."""
    if spine is None:
        return "no disc of a lumbar spine was recognised"
    longest = run = 0
    for place in range(FIRST, LAST + 1):
        run = run + 1 if spine.shows(place) else 0
        longest = max(longest, run)
    if longest < LEAST_DISCS:
        neighbours = "1 disc of a lumbar spine was" if longest == 1 else f"{longest or 'no'} neighbouring discs of a lumbar spine were"
        return f"{neighbours} recognised, at least {LEAST_DISCS} are needed"
    return None


def why_not_named(numbering: Numbering) -> str | None:
    """Why discs that are seen get no names, in one phrase; None where they do."""
    if numbering.sacrum_lps_mm is None and numbering.confidence < UNKNOWN_WITHOUT_SACRUM:
        return "the sacrum is not seen, and without it the discs fit several names nearly as well"
    return None


def absent_levels(locations: Sequence[LevelLocation]) -> tuple[Problem, ...]:
    """What to say of levels that have no location."""
    seen = {location.level for location in locations}
    absent = [level.value for level in LEVELS if level not in seen]
    if not absent:
        return ()
    return (Problem("levels_not_found", f"Not found on any sagittal series, perhaps outside the field of view: {', '.join(absent)}."),)


def _basis(spine: Spine, sacrum_seen: bool, above: int) -> str:
    counted = "counted up from the sacrum" if sacrum_seen else "named by shape and place, without the sacrum"
    seen = sum(spine.shows(place) for place in spine.discs if place <= LAST)
    remnant = "; a disc remnant between S1 and S2 is seen" if LAST + 1 in spine.discs else ""
    return f"Levels {counted}: {seen} discs above it are seen, {above} of them above L1/L2{remnant}."


def _sacrum(views: Sequence[StackView], spine: Spine) -> FloatArray | None:
    """(3,) the middle of S1; it lies below and before the canal at L5/S1, which is put where it should be if its disc was not seen."""
    lowest = max(place for place in spine.discs if place <= LAST)
    missing = LAST - lowest
    if missing > MOST_MISSING or lowest - 1 not in spine.discs:
        return None
    step = spine.discs[lowest].canal_lps_mm - spine.discs[lowest - 1].canal_lps_mm
    expected = spine.discs[lowest].canal_lps_mm + missing * step + np.array([0.0, -14.0, -20.0])
    marks = [view.near((channel,), expected, SACRUM_WITHIN_MM, SACRUM_WITHIN_MM) for view in views for channel in (FIRST_SACRAL, SACRUM)]
    best = max(marks, key=lambda mark: mark.heat)
    steps_below = (best.point_lps_mm - spine.discs[lowest].canal_lps_mm) @ step / (step @ step)
    is_below = not missing or steps_below >= missing * LEAST_STEP
    return best.point_lps_mm if is_below and best.heat >= SACRUM_HEAT else None


def _agrees(view: StackView, spine: Spine) -> bool:
    """Whether a stack by itself names discs as all stacks together do, or is in no position to say."""
    alone, lead = find_canals([view])
    if lead <= LEAD_OFFSET:
        return True
    shared = [place for place in alone if FIRST <= place <= LAST and place in spine.discs]
    distances = [float(np.linalg.norm((alone[place].point_lps_mm - spine.discs[place].canal_lps_mm)[1:])) for place in shared]
    return not distances or float(np.median(distances)) <= AGREEMENT_MM


def _disagreement(view: StackView) -> Problem:
    message = f"Sagittal series {view.series.series_instance_uid} by itself names the disc levels differently from all together."
    return Problem("levels_disagree", message)
