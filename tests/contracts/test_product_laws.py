"""What any localiser and grader that ships must obey, on a synthetic patient and on a genuine one."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from lumbargrade.dicom import find_study, read_study
from lumbargrade.grade import read_sites, sites_from_locations
from lumbargrade.grade.context import CONTEXT
from lumbargrade.pipeline import Pipeline
from lumbargrade.study import Instance, LevelLocation, Stack, Study, StudyGrades
from lumbargrade.terms import FINDINGS, LEVELS, Condition, Finding, Laterality, SeriesRole

GENUINE = Path(__file__).parents[2] / ".." / "shared" / "real" / "rsna-study" / "train_images" / "1002894806"
MIRROR = np.array([-1.0, 1.0, 1.0])


def with_instances(study: Study, change: Callable[[Instance], Instance]) -> Study:
    return replace(
        study,
        series=tuple(
            replace(series, stacks=tuple(Stack.ordered([change(instance) for instance in stack.instances]) for stack in series.stacks))
            for series in study.series
        ),
    )


def mirrored(study: Study) -> Study:
    def change(instance: Instance) -> Instance:
        affine = instance.affine
        reflected = replace(
            affine,
            origin_lps_mm=affine.origin_lps_mm * MIRROR,
            column_direction=affine.column_direction * MIRROR,
            row_direction=affine.row_direction * MIRROR,
        )
        return replace(instance, affine=reflected)

    return with_instances(study, change)


def translated(study: Study, shift_mm: np.ndarray) -> Study:
    return with_instances(
        study, lambda instance: replace(instance, affine=replace(instance.affine, origin_lps_mm=instance.affine.origin_lps_mm + shift_mm))
    )


def reordered(study: Study) -> Study:
    """Series, stacks and instances from last to first."""
    series = (
        replace(series, stacks=tuple(Stack.ordered(list(stack.instances[::-1])) for stack in series.stacks[::-1]))
        for series in study.series[::-1]
    )
    return replace(study, series=tuple(series))


def points_of(locations: tuple[LevelLocation, ...]) -> np.ndarray:
    """(levels, 5, 3): canal, left and right foramen, left and right subarticular zone."""
    return np.array(
        [
            [each.canal_lps_mm, *(of[side] for of in (each.foramen_lps_mm, each.subarticular_lps_mm) for side in Laterality)]
            for each in locations
        ]
    ).reshape(-1, 5, 3)


def probabilities_of(grades: StudyGrades) -> dict[Finding, tuple[float, float, float]]:
    return {grade.finding: grade.probabilities.values for grade in grades.grades if grade.probabilities}


def assert_same(found: StudyGrades, expected: StudyGrades, tolerance: float = 1e-5) -> None:
    """The same findings graded, with the same probabilities."""
    first, second = probabilities_of(found), probabilities_of(expected)
    assert list(first) == list(second)
    np.testing.assert_allclose(list(first.values()), list(second.values()), atol=tolerance)


def assert_swapped(found: StudyGrades, straight: StudyGrades, tolerance: float = 1e-5) -> None:
    """Left and right exchanged, and nothing else."""
    first, second = probabilities_of(found), probabilities_of(straight)
    assert set(first) == {finding.mirrored for finding in second}
    wanted = [finding for finding in FINDINGS if finding in second]
    np.testing.assert_allclose([first[f.mirrored] for f in wanted], [second[f] for f in wanted], atol=tolerance)
    swapped = points_of(straight.locations)[:, [0, 2, 1, 4, 3]] * MIRROR
    np.testing.assert_allclose(points_of(found.locations), swapped, atol=1e-2)


@dataclass(frozen=True)
class Subject:
    study: Study
    grades: StudyGrades


@pytest.fixture(scope="module", params=["synthetic", "genuine"])
def subject(request: pytest.FixtureRequest, pipeline: Pipeline) -> Subject:
    if request.param == "synthetic":
        return Subject(request.getfixturevalue("patient_study"), request.getfixturevalue("patient_grades"))
    if not GENUINE.is_dir():
        pytest.skip("the genuine study is not here: ../shared/real/rsna-study")
    study = read_study(find_study(GENUINE))
    return Subject(study, pipeline.grade(study))


def test_every_finding_of_a_complete_study_is_graded_and_its_probabilities_sum_to_one(subject: Subject) -> None:
    assert tuple(probabilities_of(subject.grades)) == FINDINGS
    np.testing.assert_allclose(np.sum(list(probabilities_of(subject.grades).values()), 1), 1, atol=1e-6)
    assert [location.level for location in subject.grades.locations] == list(LEVELS)


def test_the_order_of_series_and_instances_is_irrelevant(subject: Subject, pipeline: Pipeline) -> None:
    again = pipeline.grade(reordered(subject.study))
    assert_same(again, subject.grades)
    np.testing.assert_allclose(points_of(again.locations), points_of(subject.grades.locations), atol=1e-2)


def test_a_mirrored_patient_swaps_sides(subject: Subject, pipeline: Pipeline) -> None:
    assert_swapped(pipeline.grade(mirrored(subject.study)), subject.grades)


def test_a_translated_patient_moves_the_points_by_as_much_and_keeps_the_grades(subject: Subject, pipeline: Pipeline) -> None:
    shift_mm = np.array([31.3, -57.9, 412.7])
    moved = pipeline.grade(translated(subject.study, shift_mm))
    np.testing.assert_allclose(points_of(moved.locations), points_of(subject.grades.locations) + shift_mm, atol=1e-2)
    assert_same(moved, subject.grades)
    for before, after in zip(subject.grades.grades, moved.grades, strict=True):
        np.testing.assert_allclose(after.evidence.point_lps_mm, before.evidence.point_lps_mm + shift_mm, atol=1e-2)


def test_sites_read_together_are_read_as_each_alone_but_for_what_hears_them_together(subject: Subject, pipeline: Pipeline) -> None:
    sites = sites_from_locations(subject.grades.locations, pipeline.locate(subject.study).moved_mm)
    networks = {name: network for name, network in pipeline.bundle.members[0].networks.items() if name != CONTEXT}
    together = read_sites(subject.study, sites, networks)
    for finding in FINDINGS[::6]:
        (alone,) = read_sites(subject.study, {finding: sites[finding]}, networks).values()
        np.testing.assert_allclose(alone.logits.values, together[finding].logits.values, atol=1e-4)


@pytest.mark.parametrize(
    ("role", "condition"),
    [
        (SeriesRole.SAGITTAL_T1, Condition.NEURAL_FORAMINAL_NARROWING),
        (SeriesRole.AXIAL_T2, Condition.SUBARTICULAR_STENOSIS),
    ],
)
def test_without_a_series_its_findings_are_not_graded_and_say_so(
    role: SeriesRole, condition: Condition, patient_study: Study, pipeline: Pipeline
) -> None:
    less = replace(patient_study, series=tuple(series for series in patient_study.series if series.role is not role))
    grades = pipeline.grade(less).grades
    words = role.value.replace("_", " ").replace("t1", "T1").replace("t2", "T2")
    assert {grade.reason for grade in grades if grade.finding.condition is condition} == {f"no {words} series"}
    assert all(grade.is_graded for grade in grades if grade.finding.condition is not condition)
