"""``lumbargrade predict`` on a data set in the competition's layout, made of one synthetic patient and what goes wrong."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lumbargrade.cli import main
from lumbargrade.competition import (
    COLUMN_PRIOR,
    LabelCoordinate,
    SubmissionScores,
    read_submission,
    read_submission_rows,
    tilt,
    write_coordinates,
    write_series_roles,
    write_submission,
)
from lumbargrade.dicom import HeaderProfile, write_series
from lumbargrade.phantom.patient import Patient
from lumbargrade.study import StudyGrades
from lumbargrade.terms import FINDING_INDEX, Condition, Finding, Laterality, Level

GOOD, LOST = 4003253, 2000100
RECESSES = [Finding(Condition.SUBARTICULAR_STENOSIS, side, Level.L3_L4) for side in Laterality]
CANAL = Finding(Condition.SPINAL_CANAL_STENOSIS, None, Level.L3_L4)


@pytest.fixture(scope="module")
def data(patient: Patient, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good study and one of junk, in both splits; the test split has a sample submission."""
    root = tmp_path_factory.mktemp("data")
    for index, series in enumerate(patient.study.series, 1):
        write_series(
            root / "train_images" / str(GOOD) / str(index), str(GOOD), replace(series, folder=str(index)), HeaderProfile.COMPETITION
        )
    (root / "train_images" / str(LOST) / "7").mkdir(parents=True)
    (root / "train_images" / str(LOST) / "7" / "1.dcm").write_bytes(b"junk")
    shutil.copytree(root / "train_images", root / "test_images")
    roles = {GOOD: {index: series.role for index, series in enumerate(patient.study.series, 1)}}
    for split in ("train", "test"):
        write_series_roles(root / f"{split}_series_descriptions.csv", roles | {LOST: {7: patient.study.series[0].role}})
    write_submission(root / "sample_submission.csv", SubmissionScores((GOOD, LOST), np.full((2, 25, 3), 1 / 3)))
    return root


def predict(data: Path, output: Path, *more: str) -> int:
    return main(["predict", str(data), "--output", str(output), "--quiet", *more])


def test_good_studies_are_graded_and_tilted_and_lost_ones_get_the_prior(
    data: Path, tmp_path: Path, patient_grades: StudyGrades, capsys: pytest.CaptureFixture[str]
) -> None:
    assert predict(data, tmp_path / "s.csv", "--split", "train", "--workers", "2") == 4
    found = read_submission(tmp_path / "s.csv")
    scores = dict(zip(found.study_ids, found.scores, strict=True))
    assert set(scores) == {GOOD, LOST}
    np.testing.assert_allclose(scores[LOST], tilt(COLUMN_PRIOR), atol=1e-6)
    expected = [grade.probabilities.values for grade in patient_grades.grades]
    np.testing.assert_allclose(scores[GOOD], tilt(expected), atol=1e-4)
    captured = capsys.readouterr()
    assert captured.err.startswith(f"lumbargrade predict: {LOST}: ")
    assert captured.err.count("\n") == 1
    assert "1 of 2 studies read, 25 of 50 findings graded" in captured.out


def test_rows_are_those_of_the_sample_submission_sorted_by_row_id(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data, tmp_path / "data")
    sample = tmp_path / "data" / "sample_submission.csv"
    header, *rows = sample.read_text().splitlines()
    wanted = [row for row in rows if row.startswith(str(LOST)) or "subarticular" in row]
    sample.write_text("\n".join([header, *wanted[::-1]]) + "\n")
    assert predict(tmp_path / "data", tmp_path / "s.csv", "--workers", "1") == 4
    lines = (tmp_path / "s.csv").read_text().splitlines()
    assert lines[0] == "row_id,normal_mild,moderate,severe"
    assert [line.split(",")[0] for line in lines[1:]] == sorted(row.split(",")[0] for row in wanted)


def test_given_locations_are_used_and_other_findings_get_the_prior(
    data: Path, tmp_path: Path, patient: Patient, capsys: pytest.CaptureFixture[str]
) -> None:
    marks = {recess: patient.landmarks[recess] for recess in RECESSES}
    points = [
        LabelCoordinate(GOOD, mark.series_index + 1, mark.instance_number, recess, mark.column_px, mark.row_px)
        for recess, mark in marks.items()
    ]
    write_coordinates(tmp_path / "points.csv", points)
    assert predict(data, tmp_path / "s.csv", "--split", "train", "--locations", str(tmp_path / "points.csv"), "--workers", "1") == 4
    assert "3 of 50 findings graded" in capsys.readouterr().out
    found = read_submission(tmp_path / "s.csv")
    off = np.abs(found.scores[found.study_ids.index(GOOD)] - tilt(COLUMN_PRIOR)).max(1)
    assert set(np.flatnonzero(off > 1e-5)) == {FINDING_INDEX[finding] for finding in (CANAL, *RECESSES)}


def test_without_tables_the_folders_are_the_studies(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data / "train_images" / str(LOST), tmp_path / "data" / "test_images" / str(LOST))
    assert predict(tmp_path / "data", tmp_path / "new" / "s.csv", "--workers", "1") == 3  # not one study could be read
    assert read_submission_rows(tmp_path / "new" / "s.csv").study_ids == (LOST,)


@pytest.mark.parametrize(("more", "code"), [((), 3), (("--split", "train", "--models", "nowhere"), 5), (("--workers", "0"), 2)])
def test_what_cannot_work_is_one_line_before_any_work(
    more: tuple[str, ...], code: int, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train_images").symlink_to(data / "train_images")
    assert predict(tmp_path / "data", tmp_path / "s.csv", *more) == code
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "s.csv").exists()
