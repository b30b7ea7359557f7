"""A genuine study of the competition through the command line: it shows that the chain works on real files, and no more."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest

from lumbargrade.cli import main

DATA = Path(__file__).parents[2] / ".." / "shared" / "real" / "rsna-study"
STUDY = DATA / "train_images" / "1002894806"
pytestmark = pytest.mark.skipif(not STUDY.is_dir(), reason="the genuine study is not here: ../shared/real/rsna-study")
CANAL_MM, SITE_MM = 8.0, 10.0


def graded(study: Path, output: Path) -> dict:
    assert main(["grade", str(study), "--output", str(output)]) == 0
    return json.loads((output / study.name / "result.json").read_text())


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> dict:
    return graded(STUDY, tmp_path_factory.mktemp("genuine"))


@pytest.fixture(scope="module")
def labelled_lps() -> dict[tuple[str, str | None, str], np.ndarray]:
    """The readers' points in the patient, from the headers by an independent reader."""
    points = {}
    with (DATA / "train_label_coordinates.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            header = pydicom.dcmread(STUDY / row["series_id"] / f"{row['instance_number']}.dcm", stop_before_pixels=True)
            across, down = np.reshape(header.ImageOrientationPatient, (2, 3)).astype(float)
            row_mm, column_mm = map(float, header.PixelSpacing)
            name = row["condition"].lower()
            side = next((side for side in ("left", "right") if name.startswith(side)), None)
            point = np.array(header.ImagePositionPatient, float) + across * column_mm * float(row["x"]) + down * row_mm * float(row["y"])
            points[name.removeprefix(f"{side} ").replace(" ", "_"), side, row["level"]] = point
    return points


def probabilities(result: dict) -> np.ndarray:
    """(25, 3)"""
    return np.array([list(entry["probabilities"].values()) for entry in result["findings"]])


def test_all_25_findings_are_graded(result: dict) -> None:
    assert [entry["reason"] for entry in result["findings"] if entry["status"] != "graded"] == []


def test_canal_points_lie_within_8_mm_of_the_readers(result: dict, labelled_lps: dict) -> None:
    assert len(result["levels"]) == 5
    for level in result["levels"]:
        wanted = labelled_lps["spinal_canal_stenosis", None, level["level"]]
        assert np.linalg.norm(np.array(level["canal_point_lps_mm"]) - wanted) < CANAL_MM, level["level"]


def test_evidence_beside_the_canal_lies_within_10_mm_of_the_readers(result: dict, labelled_lps: dict) -> None:
    for entry in result["findings"]:
        if entry["laterality"]:
            site = entry["condition"], entry["laterality"], entry["level"]
            assert np.linalg.norm(np.array(entry["evidence"]["point_lps_mm"]) - labelled_lps[site]) < SITE_MM, site


def test_names_and_order_of_files_change_nothing(result: dict, tmp_path: Path) -> None:
    flat = tmp_path / STUDY.name
    flat.mkdir()
    files = sorted(STUDY.rglob("*.dcm"))
    for number, index in enumerate(np.random.default_rng(5).permutation(len(files))):
        shutil.copy(files[index], flat / f"{number:04d}")
    again = graded(flat, tmp_path / "out")
    np.testing.assert_allclose(probabilities(again), probabilities(result), atol=1e-5)


def test_a_mirrored_patient_swaps_sides(result: dict, tmp_path: Path) -> None:
    for path in STUDY.rglob("*.dcm"):
        dataset = pydicom.dcmread(path)
        dataset.ImagePositionPatient[0] *= -1
        dataset.ImageOrientationPatient[0] *= -1
        dataset.ImageOrientationPatient[3] *= -1
        target = tmp_path / STUDY.name / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        dataset.save_as(target)
    found = graded(tmp_path / STUDY.name, tmp_path / "out")["findings"]
    mirrored = {(each["condition"], each["laterality"], each["level"]): each for each in found}
    other = {"left": "right", "right": "left", None: None}
    swapped = [mirrored[each["condition"], other[each["laterality"]], each["level"]] for each in result["findings"]]
    np.testing.assert_allclose(probabilities({"findings": swapped}), probabilities(result), atol=1e-5)
