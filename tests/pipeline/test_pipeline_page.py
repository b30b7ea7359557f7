"""The product's one page: what it merges, and what one study may cost the others."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lumbargrade.dicom import StudySource, find_studies, find_study
from lumbargrade.errors import ModelFileError
from lumbargrade.models import ModelBundle
from lumbargrade.pipeline import Pipeline, StudyFailure, for_each_study
from lumbargrade.study import Study, StudyGrades
from lumbargrade.terms import FINDINGS, LEVELS, Condition, Finding, Laterality, Level

RECESSES = [Finding(Condition.SUBARTICULAR_STENOSIS, side, Level.L4_L5) for side in Laterality]
CANAL = Finding(Condition.SPINAL_CANAL_STENOSIS, None, Level.L4_L5)


def test_the_answer_names_the_model_and_merges_problems_once_each(patient_grades: StudyGrades, pipeline: Pipeline) -> None:
    bundle = pipeline.bundle
    assert (patient_grades.model_name, patient_grades.model_version, patient_grades.model_sha256) == (
        bundle.name,
        bundle.version,
        bundle.sha256,
    )
    assert len(set(patient_grades.problems)) == len(patient_grades.problems)


def test_a_study_is_graded_from_its_files_as_from_memory(patient_folder: Path, patient_grades: StudyGrades, pipeline: Pipeline) -> None:
    graded = pipeline.grade_source(find_study(patient_folder))
    assert graded.seconds > 0
    assert graded.study.folder == "patient"
    for found, expected in zip(graded.grades.grades, patient_grades.grades, strict=True):
        np.testing.assert_allclose(found.probabilities.values, expected.probabilities.values, atol=1e-6)


def test_given_points_are_graded_and_the_canal_lies_between_the_recesses(
    patient_study: Study, patient_grades: StudyGrades, pipeline: Pipeline
) -> None:
    (location,) = [each for each in patient_grades.locations if each.level is Level.L4_L5]
    points = {recess: location.subarticular_lps_mm[recess.laterality] for recess in RECESSES}
    grades = {grade.finding: grade for grade in pipeline.grade_at(patient_study, points).grades}
    assert [finding for finding in FINDINGS if grades[finding].is_graded] == [CANAL, *RECESSES]
    middle = (points[RECESSES[0]] + points[RECESSES[1]]) / 2
    assert np.linalg.norm(grades[CANAL].evidence.point_lps_mm - middle) < 6
    assert {grade.reason for grade in grades.values() if not grade.is_graded} == {"no coordinates were given"}


def test_a_study_that_fails_is_a_value_and_costs_no_other(tmp_path: Path, write_small_study: Callable[[Path, str], Path]) -> None:
    for name in ("first", "second", "third", "fourth"):
        write_small_study(tmp_path / name, f"1.2.{len(name)}.{sum(map(ord, name))}")

    def step(source: StudySource) -> int:
        if source.folder == "second":
            return [1, 2, 3].index(len("DOE^JANE"))
        if source.folder == "third":
            raise OSError(28, "No space left on device", "results/third")
        return len(source.files)

    outcomes = {source.folder: source for source in find_studies(tmp_path)}
    results = dict(zip(outcomes, for_each_study(outcomes.values(), step), strict=True))
    assert (results["first"], results["fourth"]) == (3, 3)
    assert str(results["third"]) == "third: No space left on device: results/third"
    assert isinstance(results["second"], StudyFailure)
    assert str(results["second"]).startswith("second: internal error, ValueError in test_pipeline_page.py line ")
    assert "DOE" not in str(results["second"])


def test_a_refused_study_says_why_and_where(tmp_path: Path, pipeline: Pipeline) -> None:
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 and no more")
    (outcome,) = for_each_study(find_studies(tmp_path), pipeline.grade_source)
    assert isinstance(outcome, StudyFailure)
    assert outcome.folder == "broken"
    assert "\n" not in str(outcome)


def test_a_model_without_a_localiser_stops_the_batch(patient_folder: Path) -> None:
    empty = Pipeline(ModelBundle("hollow", "1", "0" * 64, ()))
    with pytest.raises(ModelFileError):
        list(for_each_study([find_study(patient_folder)], empty.grade_source))


def test_levels_are_found_in_order_from_the_head(patient_grades: StudyGrades) -> None:
    assert [location.level for location in patient_grades.locations] == list(LEVELS)
    heights = [location.canal_lps_mm[2] for location in patient_grades.locations]
    assert heights == sorted(heights, reverse=True)
