"""The findings follow the patient: in whatever container, storage, position, order of numbers and pose a study reaches us."""

import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "validation"))
import left_is_left
from left_is_left import (
    COMBINATIONS,
    MIRRORED,
    POSES,
    POSITIONS,
    STORAGES,
    STRAIGHT,
    Combination,
    Container,
    Examination,
    Numbers,
    Picture,
    Pose,
    Storage,
    Written,
)

from lumbargrade.cli import main
from lumbargrade.competition import write_series_roles
from lumbargrade.dicom import HeaderProfile, find_study, read_study, write_series
from lumbargrade.phantom.patient import Patient
from lumbargrade.pipeline import Pipeline
from lumbargrade.terms import FINDINGS, Condition, Finding, Laterality, SeriesRole

CROP = np.s_[101:124, 93:110]
TILT = Pose("tilted", left_is_left.turned(0, 20.0))
SIDED = [condition for condition in Condition if condition.is_paired]
LEFT = [finding for finding in FINDINGS if finding.laterality is Laterality.LEFT]
OWN_SIDE_MM = 8.5
"""Less than half the distance between the subarticular zones of a level."""
_CONTAINERS, _NUMBERS = list(Container), list(Numbers)
GRADED = [
    *(
        Combination(_CONTAINERS[index % 3], storage, POSITIONS[(3 * index + 1) % 8], _NUMBERS[index % 2], MIRRORED)
        for index, storage in enumerate(STORAGES)
    ),
    Combination(Container.ENHANCED, Storage(1, True), "FFDR", Numbers.REVERSED, STRAIGHT),
    Combination(Container.FOLDER, Storage(3, False), "HFP", Numbers.REVERSED, POSES[2]),
    Combination(Container.ZIP, Storage(1, False), "FFS", Numbers.AS_THEY_ARE, POSES[3]),
    Combination(Container.ENHANCED, Storage(2, True), "HFDL", Numbers.AS_THEY_ARE, POSES[4]),
]
"""Every value of every dimension, every storage and every container of a mirrored patient."""
BY_COMMAND = [
    Combination(Container.FOLDER, Storage(2, False), "FFP", Numbers.REVERSED, MIRRORED),
    Combination(Container.ZIP, Storage(0, True), "HFDR", Numbers.AS_THEY_ARE, MIRRORED),
    Combination(Container.ENHANCED, Storage(3, True), "FFDL", Numbers.REVERSED, MIRRORED),
]


@pytest.fixture(scope="module")
def pictures(patient_folder: Path) -> list[Picture]:
    return left_is_left.read_pictures(patient_folder)


@pytest.fixture(scope="module")
def examination(pictures: list[Picture], pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Examination:
    return Examination(pictures, pipeline, tmp_path_factory.mktemp("examination"))


@pytest.fixture
def _without_key_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two thirds of the time would go into drawing them, and what they show cannot be read back."""
    for name in ("key_image", "overview_image"):
        monkeypatch.setattr(f"lumbargrade.report.html.{name}", lambda *anything: None)


@pytest.fixture(scope="module")
def small(patient: Patient, tmp_path_factory: pytest.TempPathFactory) -> list[Picture]:
    """Three sagittal and three axial slices, cut down to a lopsided corner of unequal spacings; one of the axial ones tilted.

    Under the competition's short headers, which are written and read in half the time.
    """
    chosen = []
    for role, slices in ((SeriesRole.SAGITTAL_T2, slice(4, 7)), (SeriesRole.AXIAL_T2, slice(12, 15))):
        (series,) = patient.study.with_role(role)
        folder = tmp_path_factory.mktemp("small")
        write_series(folder, patient.study.study_instance_uid, series, HeaderProfile.COMPETITION)
        chosen += sorted(left_is_left.read_pictures(folder), key=lambda picture: picture.number)[slices]
    tilted = [replace(picture, plane=picture.plane.moved(TILT)) for picture in chosen[5:]]
    return [_cut(picture) for picture in (*chosen[:5], *tilted)]


def _cut(picture: Picture) -> Picture:
    rows, columns = CROP
    plane = picture.plane
    cut = replace(plane, origin=plane.at(columns.start, rows.start), across=1.3 * plane.across)
    return replace(picture, pixels=picture.pixels[CROP], plane=cut)


def test_the_patient_is_lopsided_enough_to_tell_left_from_right(examination: Examination) -> None:
    answers = examination.expected.answers
    for condition in SIDED:
        sides = [(answers[finding], answers[finding.mirrored]) for finding in LEFT if finding.condition is condition]
        assert all(np.abs(left.probabilities - right.probabilities).max() > 0.01 for left, right in sides)
        assert any(left.severity != right.severity for left, right in sides)


def test_left_findings_lie_on_the_patients_left(examination: Examination, patient: Patient) -> None:
    """The other laws compare the study with itself; this one and the next hold it against the truth."""
    answers = examination.expected.answers
    assert left_is_left.on_the_wrong_side(answers) == []
    for finding in (*LEFT, *(finding.mirrored for finding in LEFT)):
        assert np.linalg.norm(answers[finding].point_lps_mm - patient.landmarks[finding].point_lps_mm) < OWN_SIDE_MM
    exchanged = {finding: answers[finding.mirrored] for finding in FINDINGS}
    assert len(left_is_left.on_the_wrong_side(exchanged)) == len(LEFT)


def test_the_side_that_is_truly_worse_is_graded_worse(examination: Examination, patient: Patient) -> None:
    def severity(finding: Finding) -> float:
        return float(examination.expected.answers[finding].probabilities @ [0, 1, 2])

    truth = {each.finding: each.severity for each in patient.truth}
    unequal = [finding for finding in LEFT if truth[finding] != truth[finding.mirrored]]
    assert {finding.condition for finding in unequal} == set(SIDED)
    for finding in unequal:
        assert (severity(finding) > severity(finding.mirrored)) == (truth[finding] > truth[finding.mirrored]), finding


@pytest.mark.parametrize("container", Container, ids=lambda container: container.value)
def test_every_combination_is_read_with_the_same_pixels_at_the_same_places(
    container: Container, small: list[Picture], tmp_path: Path
) -> None:
    base = read_study(find_study(left_is_left.write(small, Combination(), tmp_path / "base").path))
    assert [len(series.stacks) for series in base.series] in ([1, 2], [2, 1])
    wrong = {}
    fingerprints = defaultdict(set)
    for index, combination in enumerate(each for each in COMBINATIONS if each.container is container):
        study = read_study(find_study(left_is_left.write(small, combination, tmp_path / str(index)).path))
        wrong |= {str(combination): what for what in [left_is_left.misread(study, base, combination.pose)] if what}
        fingerprints[replace(combination, position="HFS")].add(left_is_left.fingerprint(study))
    assert wrong == {}
    assert {len(each) for each in fingerprints.values()} == {1}, "PatientPosition has changed what is read"
    assert len(fingerprints) * len(POSITIONS) == len(COMBINATIONS) / len(Container)


@pytest.mark.usefixtures("_without_key_images")
@pytest.mark.parametrize("combination", GRADED, ids=str)
def test_findings_follow_the_patient(combination: Combination, examination: Examination) -> None:
    assert examination.examine(combination).complaints == []


def test_left_foramen_is_the_right_one_after_a_mirror_in_every_file_of_the_grade_command(
    handful: list[Written], examination: Examination, tmp_path: Path
) -> None:
    assert main(["grade", *(str(written.path) for written in handful), "--output", str(tmp_path), "--quiet"]) == 0
    for name, written in zip(("study", "study-2", "study-3"), handful, strict=True):
        said = left_is_left.read_documents(tmp_path / name)
        assert left_is_left.compare(said, examination.expected, MIRRORED, written.planes).complaints == [], name


def test_left_foramen_is_the_right_one_after_a_mirror_in_the_submission(
    handful: list[Written], examination: Examination, tmp_path: Path
) -> None:
    """In the competition's layout, where a study's folder holds an archive or multi-frame files as well as it holds single slices."""
    images = tmp_path / "data" / "test_images"
    images.mkdir(parents=True)
    for study_id, written in enumerate(handful, 1):
        if written.path.is_dir():
            written.path.rename(images / str(study_id))
        else:
            (images / str(study_id)).mkdir()
            written.path.rename(images / str(study_id) / written.path.name)
    roles = dict(enumerate((series.role for series in sorted(examination.base.series, key=lambda each: each.series_instance_uid)), 1))
    write_series_roles(tmp_path / "data" / "test_series_descriptions.csv", dict.fromkeys((1, 2, 3), roles))
    output = tmp_path / "submission.csv"
    assert main(["predict", str(tmp_path / "data"), "--output", str(output), "--workers", "1", "--quiet"]) == 0
    for study_id in (1, 2, 3):
        said = left_is_left.said_in_submission(output.read_text(), study_id)
        found, wanted = (
            [said[finding.mirrored] for finding in FINDINGS],
            [examination.expected.answers[finding].probabilities for finding in FINDINGS],
        )
        np.testing.assert_allclose(found, wanted, atol=left_is_left.MOST_DIFFERENCE)


@pytest.fixture
def handful(pictures: list[Picture], tmp_path: Path) -> list[Written]:
    return [left_is_left.write(pictures, each, tmp_path / f"written{index}") for index, each in enumerate(BY_COMMAND)]


@pytest.mark.parametrize("document", ["result", "table", "page", "submission"])
def test_sides_exchanged_in_one_document_alone_are_complained_of(document: str, examination: Examination) -> None:
    said = examination.said
    expected = examination.expected
    assert left_is_left.compare(said, expected, STRAIGHT, expected.planes).complaints == []
    exchanged = {finding: getattr(said, document)[finding.mirrored] for finding in FINDINGS}
    outcome = left_is_left.compare(replace(said, **{document: exchanged}), expected, STRAIGHT, expected.planes)
    assert len(outcome.complaints) >= 2 * len(LEFT)


def test_a_study_stored_otherwise_than_its_header_says_is_complained_of(small: list[Picture], tmp_path: Path) -> None:
    base = read_study(find_study(left_is_left.write(small, Combination(), tmp_path / "base").path))
    lying = [replace(picture, pixels=picture.pixels[:, ::-1]) for picture in small]
    study = read_study(find_study(left_is_left.write(lying, Combination(), tmp_path / "lying").path))
    assert len(left_is_left.misread(study, base, STRAIGHT)) == len(small)
