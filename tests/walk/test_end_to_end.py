"""From DICOM files to result.json through the command line, the answer held against the files by an independent reader."""

import json
from pathlib import Path

import numpy as np
import pydicom
import pytest

from lumbargrade.cli import main
from lumbargrade.study import StudyGrades
from lumbargrade.terms import FINDINGS, INTENDED_USE, LEVELS

TOP = {"schema", "study", "series", "levels", "findings", "problems", "model", "software", "seconds", "intended_use"}
SERIES = {"series_instance_uid", "role", "role_reason", "instances", "stacks", "problems"}
FINDING = {"condition", "laterality", "level", "status", "reason", "severity", "probabilities", "evidence"}
EVIDENCE = {"series_instance_uid", "sop_instance_uid", "instance_number", "column_px", "row_px", "point_lps_mm"}


@pytest.fixture(scope="module")
def output(patient_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("walk") / "results"
    assert main(["grade", str(patient_folder), "--output", str(folder)]) == 0
    return folder / "patient"


@pytest.fixture(scope="module")
def result(output: Path) -> dict:
    return json.loads((output / "result.json").read_text())


def test_result_json_has_every_promised_field(result: dict) -> None:
    assert result.keys() >= TOP
    assert result["schema"] == "lumbargrade/result/1"
    assert result["study"].keys() >= {"study_instance_uid", "folder"}
    assert {series["role"] for series in result["series"]} == {"axial_t2", "sagittal_t1", "sagittal_t2"}
    assert all(series.keys() >= SERIES for series in result["series"])
    assert [level["level"] for level in result["levels"]] == [level.value for level in LEVELS]
    assert all(0 <= level["confidence"] <= 1 and len(level["canal_point_lps_mm"]) == 3 for level in result["levels"])
    assert [(each["condition"], each["laterality"], each["level"]) for each in result["findings"]] == [
        (finding.condition.value, finding.laterality and finding.laterality.value, finding.level.value) for finding in FINDINGS
    ]
    assert result["model"].keys() >= {"name", "version", "sha256"}
    assert len(result["model"]["sha256"]) == 64
    assert result["intended_use"] == INTENDED_USE
    assert 0 < result["seconds"] < 60


def test_every_finding_is_graded_with_calibrated_probabilities_of_the_pipeline(result: dict, patient_grades: StudyGrades) -> None:
    for entry, grade in zip(result["findings"], patient_grades.grades, strict=True):
        assert entry.keys() >= FINDING
        assert (entry["status"], entry["reason"]) == ("graded", None)
        values = [entry["probabilities"][name] for name in ("normal_mild", "moderate", "severe")]
        assert sum(values) == pytest.approx(1, abs=3e-6)
        assert entry["severity"] == max(entry["probabilities"], key=entry["probabilities"].get)
        np.testing.assert_allclose(values, grade.probabilities.values, atol=2e-6)


def test_evidence_is_a_pixel_of_a_file_that_lies_where_it_says(result: dict, patient_folder: Path) -> None:
    headers = {}
    for path in patient_folder.rglob("*.dcm"):
        header = pydicom.dcmread(path, stop_before_pixels=True)
        headers[header.SOPInstanceUID] = header
    for entry in result["findings"]:
        evidence = entry["evidence"]
        assert evidence.keys() >= EVIDENCE
        header = headers[evidence["sop_instance_uid"]]
        assert (header.SeriesInstanceUID, header.InstanceNumber) == (evidence["series_instance_uid"], evidence["instance_number"])
        assert 0 <= evidence["column_px"] <= header.Columns - 1
        assert 0 <= evidence["row_px"] <= header.Rows - 1
        across, down = np.reshape(header.ImageOrientationPatient, (2, 3)).astype(float)
        row_mm, column_mm = map(float, header.PixelSpacing)
        pixel = (
            np.array(header.ImagePositionPatient, float) + across * column_mm * evidence["column_px"] + down * row_mm * evidence["row_px"]
        )
        off = np.array(evidence["point_lps_mm"]) - pixel
        np.testing.assert_allclose([off @ across, off @ down], 0, atol=0.05)
        assert abs(off @ np.cross(across, down)) <= 6.1


def test_left_findings_lie_on_the_patients_left(result: dict) -> None:
    points = {(each["condition"], each["laterality"], each["level"]): each["evidence"]["point_lps_mm"] for each in result["findings"]}
    for condition in ("neural_foraminal_narrowing", "subarticular_stenosis"):
        for level in LEVELS:
            left, right = points[condition, "left", level.value], points[condition, "right", level.value]
            assert left[0] - right[0] > 8


def test_the_report_and_the_table_tell_the_same(output: Path, result: dict) -> None:
    lines = (output / "findings.csv").read_text().splitlines()
    assert len(lines) == 26
    for line, entry in zip(lines[1:], result["findings"], strict=True):
        assert line.startswith(f"{entry['condition']},{entry['laterality'] or ''},{entry['level']},graded,{entry['severity']},")
    page = (output / "report.html").read_text()
    assert "Research use only" in page
    assert result["model"]["version"] in page


def test_no_name_of_the_patient_leaves_the_files(output: Path) -> None:
    for path in output.iterdir():
        assert "PHANTOM^SYNTHETIC" not in path.read_text()
