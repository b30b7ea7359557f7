"""The measured patients summed up: distances, slices, names, flags."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lumbargrade.evaluate.levels import DistanceSummary, FlagCounts, Naming, count_flags, summarise_distances
from lumbargrade.level_evaluation.measured import Anatomy, MeasuredPatient
from lumbargrade.terms import LEVELS, Level

REPEATS = 1000
TRANSITIONAL_CODE = "transitional_vertebra"
DOUBT_CODES = frozenset(("levels_uncertain", TRANSITIONAL_CODE, "levels_disagree"))
"""Problems that warn of wrong level names."""


@dataclass(frozen=True, slots=True)
class DistanceRow:
    """The sites of one kind in patients of one anatomy; ``level`` is None for all levels together."""

    anatomy: Anatomy
    kind: str
    level: Level | None
    summary: DistanceSummary


@dataclass(frozen=True, slots=True)
class SliceRow:
    """How many sites of a kind are read on the reader's slice or one beside it."""

    kind: str
    sites: int
    within_one: int


@dataclass(frozen=True, slots=True)
class NamingRow:
    """How many patients of one anatomy were named how, and how many of the misnamed and of the others were warned of."""

    anatomy: Anatomy
    counts: dict[Naming, int]
    warned: FlagCounts


@dataclass(frozen=True, slots=True)
class LevelSummary:
    """All tables. ``transitional`` is None where the anatomy is not known; ``median_seconds`` is of locating a study, reading apart."""

    distances: tuple[DistanceRow, ...]
    slices: tuple[SliceRow, ...]
    naming: tuple[NamingRow, ...]
    transitional: FlagCounts | None
    median_seconds: float


def summarise(patients: Sequence[MeasuredPatient], repeats: int = REPEATS) -> LevelSummary:
    """Sum up at least one patient; intervals are from ``repeats`` resamples of the patients."""
    kinds = list(dict.fromkeys(site.kind for patient in patients for site in patient.distances))
    groups = [(anatomy, [each for each in patients if each.anatomy is anatomy]) for anatomy in Anatomy]
    distances = [
        row
        for anatomy, group in groups
        for kind in kinds
        for level in (None, *LEVELS)
        if (row := _distance_row(anatomy, group, kind, level, repeats)) is not None
    ]
    naming = [_naming_row(anatomy, named) for anatomy, group in groups if (named := [each for each in group if each.naming is not None])]
    known = [patient for patient in patients if patient.anatomy is not Anatomy.UNKNOWN]
    is_transitional = [patient.anatomy is Anatomy.TRANSITIONAL for patient in known]
    transitional = count_flags(is_transitional, [TRANSITIONAL_CODE in patient.problems for patient in known]) if known else None
    seconds = float(np.median([patient.seconds for patient in patients]))
    return LevelSummary(tuple(distances), _slice_rows(patients), tuple(naming), transitional, seconds)


def _distance_row(
    anatomy: Anatomy, patients: Sequence[MeasuredPatient], kind: str, level: Level | None, repeats: int
) -> DistanceRow | None:
    sites = [
        (site.distance_mm, patient.name)
        for patient in patients
        for site in patient.distances
        if site.kind == kind and level in (None, site.level)
    ]
    if not sites:
        return None
    return DistanceRow(anatomy, kind, level, summarise_distances([each for each, _ in sites], [name for _, name in sites], repeats))


def _slice_rows(patients: Sequence[MeasuredPatient]) -> tuple[SliceRow, ...]:
    checks = [check for patient in patients for check in patient.slices]
    kinds = dict.fromkeys(check.kind for check in checks)
    by_kind = {kind: [check.is_within_one for check in checks if check.kind == kind] for kind in kinds}
    return tuple(SliceRow(kind, len(found), sum(found)) for kind, found in by_kind.items())


def _naming_row(anatomy: Anatomy, patients: Sequence[MeasuredPatient]) -> NamingRow:
    counts = {naming: sum(patient.naming is naming for patient in patients) for naming in Naming}
    warned = count_flags([is_misnamed(each) for each in patients], [bool(DOUBT_CODES & set(each.problems)) for each in patients])
    return NamingRow(anatomy, counts, warned)


def is_misnamed(patient: MeasuredPatient) -> bool:
    """Whether levels were named, and some of them wrongly."""
    return patient.naming in (Naming.LOWER, Naming.HIGHER, Naming.PARTLY)
