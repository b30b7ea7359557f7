"""Series that a study holds twice, or in a better version: of each the one that is graded."""

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from lumbargrade.dicom.doubts import CONTRAST_ENHANCED, FAT_SUPPRESSED
from lumbargrade.dicom.slices import is_same_picture
from lumbargrade.geometry.affine import FloatArray
from lumbargrade.study import Instance, Problem, Series
from lumbargrade.terms import SeriesRole

_SECOND_CHOICE = frozenset({CONTRAST_ENHANCED, FAT_SUPPRESSED})
"""Codes of the problems of series that are used only where there is no other of their role."""
_SAME_REGION_MM = 60.0
"""Middles of two series of one region lie nearer than this; of a lumbar and a thoracic one of the same patient, much farther."""


def without_repeats(series: Sequence[Series], given: Collection[str]) -> tuple[Series, ...]:
    """The series, of which copies, and those to which another of their role is preferred, have lost their role and say why.

    Which series is read first decides nothing.

    Args:
        given: names of folders whose series keep their role, because a table says so.
    """
    ranked = sorted((each for each in series if each.role is not SeriesRole.OTHER), key=lambda each: each.series_instance_uid)
    settled = {id(each): each for each in series}
    for index, each in enumerate(ranked):
        if each.folder not in given and any(_is_copy(each, other) for other in ranked[:index]):
            message = "all its pictures are those of another series, which is used instead"
            settled[id(each)] = _without_role(each, "a copy of another series", Problem("copied_series", message))
    used = [each for each in ranked if settled[id(each)] is each]
    plain = [each for each in used if _is_plain(each)]
    for each in used:
        if each.folder not in given and not _is_plain(each) and any(_shows_the_same(each, other) for other in plain):
            settled[id(each)] = _without_role(each, "a plain series is used instead")
    return tuple(settled[id(each)] for each in series)


def _without_role(series: Series, why: str, *problems: Problem) -> Series:
    reason = f"{series.role_reason}; {why}"
    return replace(series, role=SeriesRole.OTHER, role_reason=reason, problems=(*series.problems, *problems))


def _is_copy(series: Series, other: Series) -> bool:
    """Whether two series hold the same pictures, whatever their numbers and identifiers are."""
    first, second = _by_place(series), _by_place(other)
    return len(first) == len(second) and all(is_same_picture(*pair) for pair in zip(first, second, strict=True))


def _by_place(series: Series) -> list[Instance]:
    return sorted(series.instances, key=lambda instance: np.round(instance.affine.origin_lps_mm, 1).tolist())


def _shows_the_same(series: Series, other: Series) -> bool:
    return other.role is series.role and float(np.linalg.norm(_middle(series) - _middle(other))) < _SAME_REGION_MM


def _middle(series: Series) -> FloatArray:
    """(3,) the mean middle of its pictures."""
    points = [each.affine.to_lps(np.array([[(each.shape[1] - 1) / 2, (each.shape[0] - 1) / 2]]))[0] for each in series.instances]
    return np.asarray(np.mean(points, axis=0))


def _is_plain(series: Series) -> bool:
    return all(problem.code not in _SECOND_CHOICE for problem in series.problems)
