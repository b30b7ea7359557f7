"""How well levels are located and named: points and distances in, shares with their intervals out."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.terms import LEVELS

WITHIN_MM = (3.0, 5.0, 10.0)
SAME_DISC_MM = 15.0
"""Half the usual distance between neighbouring discs: a point farther from every disc lies at none."""

Spine = Mapping[int, FloatArray]
"""(3,) LPS canal points by place: 0 is L1/L2 and 4 is L5/S1, discs above L1/L2 are negative."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and the middle 95 % of it over resamples of the patients, None with fewer than two; None where infinite."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class DistanceSummary:
    """Distances of sites from the truth.

    Attributes:
        within: the share of all sites within each of ``WITHIN_MM``; a site that was not located is in none.
        median_mm: over all sites, one that was not located being infinitely far.
    """

    patients: int
    sites: int
    located: int
    within: tuple[Estimate, ...]
    median_mm: Estimate


def summarise_distances(distances_mm: Sequence[float | None], patients: Sequence[str], repeats: int, seed: int = 0) -> DistanceSummary:
    """Summarise one distance a site, None where it was not located, with the percentile bootstrap by patient (Efron and Tibshirani 1993).

    Raises:
        ValueError: no site.
    """
    if not distances_mm:
        raise ValueError("at least one site is needed")
    distances = np.array([np.inf if each is None else each for each in distances_mm])
    names, owners = np.unique(np.array(patients), return_inverse=True)
    found = _statistics(distances)
    estimates = [Estimate(_finite(value)) for value in found]
    if len(names) > 1:
        low, high = _interval(distances, owners, len(names), repeats, seed)
        estimates = [Estimate(*map(_finite, values)) for values in zip(found, low, high, strict=True)]
    return DistanceSummary(len(names), len(distances), int(np.isfinite(distances).sum()), tuple(estimates[:-1]), estimates[-1])


def _interval(distances: FloatArray, owners: NDArray[np.intp], patients: int, repeats: int, seed: int) -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(seed)
    draws = []
    for _ in range(repeats):
        times = np.bincount(rng.integers(0, patients, patients), minlength=patients)
        draws.append(_statistics(np.repeat(distances, times[owners])))
    ordered = np.sort(draws, axis=0)  # picked and not interpolated: medians may be infinite
    outside = int(0.025 * repeats)
    return ordered[outside], ordered[repeats - 1 - outside]


def _statistics(distances: FloatArray) -> FloatArray:
    return np.array([*((distances <= limit).mean() for limit in WITHIN_MM), np.median(distances)])


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


class Naming(Enum):
    """How the levels of a patient were named, over all five that are visible."""

    RIGHT = "all right"
    LOWER = "shifted down"
    HIGHER = "shifted up"
    INCOMPLETE = "right but for missing ones"
    PARTLY = "some wrong"
    NOTHING = "none located"


def naming_of(located: Spine, true: Spine) -> Naming:
    """Right where every visible lumbar level was located nearest to its own disc; shifted where most points lie at other discs.

    Shifted down: discs bear the name of a lower level (the disc L4/L5 is called L5/S1). Distances are as seen from the side.
    """
    if not located:
        return Naming.NOTHING
    offsets = {place: _offset(place, point, true) for place, point in located.items()}
    visible = [place for place in true if 0 <= place < len(LEVELS)]
    if all(offsets.get(place) == 0 for place in visible):
        return Naming.RIGHT
    if all(offsets[place] == 0 for place in visible if place in offsets):
        return Naming.INCOMPLETE
    counts = Counter(offset for offset in offsets.values() if offset is not None)
    usual = min(counts, key=lambda offset: (-counts[offset], abs(offset)), default=0)
    return Naming.PARTLY if usual == 0 else Naming.LOWER if usual > 0 else Naming.HIGHER


def _offset(place: int, point: FloatArray, true: Spine) -> int | None:
    """By how many levels too low a point is named; None where it lies at no known disc."""
    distances = {other: float(np.linalg.norm((point - each)[1:])) for other, each in true.items()}
    nearest = min(distances, key=lambda other: distances[other], default=None)
    return None if nearest is None or distances[nearest] > SAME_DISC_MM else place - nearest


@dataclass(frozen=True, slots=True)
class FlagCounts:
    """How many of the patients in question, and of the others, were flagged."""

    cases: int
    cases_flagged: int
    others: int
    others_flagged: int


def count_flags(cases: Sequence[bool], flagged: Sequence[bool]) -> FlagCounts:
    """Count flags among cases and others, one entry a patient in both."""
    is_case, is_flagged = np.array(cases, bool), np.array(flagged, bool)
    return FlagCounts(*(int(which.sum()) for which in (is_case, is_case & is_flagged, ~is_case, ~is_case & is_flagged)))
