"""Pictures that are not what they are taken for are warned of, and ordinary ones are not."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "validation"))
import picture_checks

from lumbargrade.pipeline import Pipeline
from lumbargrade.study import Instance, LevelLocation, Series, Stack, Study, StudyGrades
from lumbargrade.terms import SeriesRole

CODES = ("another_contrast", "metal", "unsteady_pictures")
Change = Callable[[Instance], Instance]


def doubts(study: Study, pipeline: Pipeline) -> list[tuple[str, SeriesRole]]:
    """What is warned of, with the role of the series that the warning names."""
    problems = [problem for problem in pipeline.locate(study).problems if problem.code in CODES]
    return [
        (problem.code, series.role)
        for problem in problems
        for series in study.series
        if f"series {series.series_instance_uid} " in problem.message
    ]


def changed(study: Study, role: SeriesRole, change: Change) -> Study:
    def of(series: Series) -> Series:
        stacks = tuple(Stack(tuple(change(each) for each in stack.instances)) for stack in series.stacks)
        return replace(series, stacks=stacks) if series.role is role else series

    return replace(study, series=tuple(map(of, study.series)))


def test_an_ordinary_patient_is_not_warned_of(patient_study: Study, pipeline: Pipeline) -> None:
    assert doubts(patient_study, pipeline) == []


def test_t1_that_is_taken_for_t2_and_t2_that_is_taken_for_t1_are_warned_of(patient_study: Study, pipeline: Pipeline) -> None:
    other = {SeriesRole.SAGITTAL_T1: SeriesRole.SAGITTAL_T2, SeriesRole.SAGITTAL_T2: SeriesRole.SAGITTAL_T1}
    exchanged = replace(patient_study, series=tuple(replace(each, role=other.get(each.role, each.role)) for each in patient_study.series))
    found = doubts(exchanged, pipeline)
    assert {role for code, role in found if code == "another_contrast"} == set(other)


def darkened(centers_lps_mm: Sequence[np.ndarray], radius_mm: float, share: float) -> Change:
    """Balls around points that keep a share of their signal."""

    def change(instance: Instance) -> Instance:
        rows, columns = np.mgrid[: instance.shape[0], : instance.shape[1]]
        points = instance.affine.to_lps(np.stack([columns.ravel(), rows.ravel()], 1).astype(float)).reshape(*instance.shape, 3)
        inside = np.any([np.linalg.norm(points - center, axis=2) < radius_mm for center in centers_lps_mm], 0)
        return replace(instance, pixels=np.where(inside, share * instance.pixels, instance.pixels))

    return change


def test_axial_pictures_with_a_dark_canal_at_every_level_are_warned_of(
    patient_study: Study, patient_grades: StudyGrades, pipeline: Pipeline
) -> None:
    canals = [location.canal_lps_mm for location in patient_grades.locations]
    study = changed(patient_study, SeriesRole.AXIAL_T2, darkened(canals, 15.0, 0.15))
    assert doubts(study, pipeline) == [("another_contrast", SeriesRole.AXIAL_T2)]


@pytest.mark.parametrize(("radius_mm", "is_metal"), [(3.0, False), (8.0, True)])
def test_a_large_place_without_signal_is_warned_of_as_metal(
    radius_mm: float, is_metal: bool, patient_study: Study, patient_grades: StudyGrades, pipeline: Pipeline
) -> None:
    """As around a screw, in the middle of L4."""
    upper, lower = (location.disc_center_lps_mm for location in patient_grades.locations[2:4])
    study = changed(patient_study, SeriesRole.SAGITTAL_T1, darkened([(upper + lower) / 2], radius_mm, 0.02))
    assert doubts(study, pipeline) == ([("metal", SeriesRole.SAGITTAL_T1)] if is_metal else [])


def test_a_patient_who_does_not_lie_still_is_warned_of(patient_study: Study, pipeline: Pipeline) -> None:
    found = doubts(picture_checks.with_motion(patient_study, 3.0, np.random.default_rng(4)), pipeline)
    assert {code for code, _ in found} == {"unsteady_pictures"}
    assert {role for _, role in found} == {SeriesRole.SAGITTAL_T2, SeriesRole.AXIAL_T2}  # motion of the T1 is not seen in this patient


def test_nothing_is_said_of_pictures_in_which_no_level_was_found(patient_study: Study) -> None:
    from lumbargrade.localise.doubts import doubtful_pictures

    locations: tuple[LevelLocation, ...] = ()
    assert doubtful_pictures(patient_study, [], locations, {}) == ()
