"""Synthetic patients from the outside: pictures, truth, and where one is seen in the other."""

from pathlib import Path

import numpy as np
import pytest

from lumbargrade.dicom import HeaderProfile, find_study, read_study, write_series
from lumbargrade.geometry.resample import sample_bilinear
from lumbargrade.phantom.patient import CONFIGS, Patient, PhantomConfig, make_patient
from lumbargrade.phantom.protocol import ProtocolConfig
from lumbargrade.study import Instance, Series
from lumbargrade.terms import FINDING_INDEX, FINDINGS, Condition, Finding, Laterality, SeriesRole, Severity

PLAIN = PhantomConfig(protocol=ProtocolConfig(stir=0.0))
WITHOUT = PhantomConfig(protocol=ProtocolConfig(missing_series=1.0))
ROLES = {
    Condition.SPINAL_CANAL_STENOSIS: SeriesRole.SAGITTAL_T2,
    Condition.NEURAL_FORAMINAL_NARROWING: SeriesRole.SAGITTAL_T1,
    Condition.SUBARTICULAR_STENOSIS: SeriesRole.AXIAL_T2,
}


@pytest.fixture(scope="module")
def patient() -> Patient:
    return make_patient(2, PLAIN)


@pytest.fixture(scope="module")
def incomplete() -> Patient:
    return make_patient(3, WITHOUT)


def seen_in(patient: Patient, finding: Finding) -> tuple[Series, Instance]:
    landmark = patient.landmarks[finding]
    series = patient.study.series[landmark.series_index]
    return series, {instance.instance_number: instance for instance in series.instances}[landmark.instance_number]


def test_truth_is_the_25_findings_in_order(patient: Patient) -> None:
    assert tuple(truth.finding for truth in patient.truth) == FINDINGS
    assert all(truth.severity in Severity for truth in patient.truth)


def test_landmarks_lie_in_the_series_that_readers_marked(patient: Patient) -> None:
    assert len(patient.landmarks) > 15
    for finding in patient.landmarks:
        assert seen_in(patient, finding)[0].role is ROLES[finding.condition]


def test_landmark_goes_to_its_pixel_and_back(patient: Patient) -> None:
    for finding, landmark in patient.landmarks.items():
        series, instance = seen_in(patient, finding)
        pixel = np.array([[landmark.column_px, landmark.row_px]])
        assert instance.affine.to_px(landmark.point_lps_mm)[0] == pytest.approx(pixel[0], abs=1e-6)
        off_mm = float(np.linalg.norm(instance.affine.to_lps(pixel)[0] - landmark.point_lps_mm))
        assert off_mm == pytest.approx(abs(instance.affine.distances_mm(landmark.point_lps_mm)[0]), abs=1e-6)
        assert off_mm <= 5.0 / 2 + 1 + 1e-6
        rows, columns = instance.shape
        assert 0 <= landmark.column_px <= columns - 1
        assert 0 <= landmark.row_px <= rows - 1
        assert series.stacks[0].instances


def test_open_canals_are_bright_where_the_landmark_says(patient: Patient) -> None:
    shares = []
    for finding in patient.landmarks:
        if finding.condition is Condition.SPINAL_CANAL_STENOSIS and patient.truth[FINDING_INDEX[finding]].severity is Severity.NORMAL_MILD:
            _, instance = seen_in(patient, finding)
            column, row = round(patient.landmarks[finding].column_px), round(patient.landmarks[finding].row_px)
            tissue = instance.pixels[instance.pixels > np.percentile(instance.pixels, 40)]
            shares.append((tissue < instance.pixels[row - 2 : row + 3, column - 2 : column + 3].max()).mean())
    assert len(shares) >= 3
    assert min(shares) > 0.7
    assert np.mean(shares) > 0.85


def test_left_is_the_patients_left_in_headers_and_pictures(patient: Patient) -> None:
    for finding, landmark in patient.landmarks.items():
        if finding.laterality is Laterality.LEFT and finding.mirrored in patient.landmarks:
            other = patient.landmarks[finding.mirrored]
            assert landmark.point_lps_mm[0] > other.point_lps_mm[0] + 8
            if finding.condition is Condition.SUBARTICULAR_STENOSIS and landmark.instance_number == other.instance_number:
                assert landmark.column_px > other.column_px


def agreement(patient: Patient, mirrored: bool = False, off_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> float:
    """Correlation of axial and sagittal T2 where their slices meet by the headers, or would if one were mirrored or elsewhere."""
    (sagittal,) = patient.study.with_role(SeriesRole.SAGITTAL_T2)
    canal = np.mean([patient.landmarks[f].point_lps_mm for f in patient.landmarks if f.condition is Condition.SPINAL_CANAL_STENOSIS], 0)
    pairs = []
    for series in patient.study.with_role(SeriesRole.AXIAL_T2):
        for instance in series.instances:
            column, row = np.meshgrid(np.arange(instance.shape[1]), np.arange(instance.shape[0]))
            points = instance.affine.to_lps(np.stack([column.ravel(), row.ravel()], 1))
            near = (np.abs(points - canal) < (30, 45, 200)).all(1)
            points, values = points[near] + off_mm, instance.pixels.ravel()[near]
            if mirrored:
                points = points * (-1, 1, 1) + (2 * canal[0], 0, 0)
            for cut in sagittal.instances:
                met = np.abs(cut.affine.distances_mm(points)) < 0.3
                rows, columns = cut.shape
                pixels = cut.affine.to_px(points[met])
                inside = ((pixels >= 0) & (pixels <= (columns - 1, rows - 1))).all(1)
                pairs.append(np.stack([values[met][inside], sample_bilinear(cut.pixels, pixels[inside])], 1))
    met_values = np.concatenate(pairs)
    assert len(met_values) > 1000
    return float(np.corrcoef(met_values.T)[0, 1])


def test_axial_and_sagittal_pictures_agree_where_their_headers_say_they_meet(patient: Patient) -> None:
    met = agreement(patient)
    assert met > 0.5
    assert met > agreement(patient, mirrored=True) + 0.2
    for axis in range(3):
        for sign in (-1, 1):
            off_mm = np.zeros(3)
            off_mm[axis] = 6 * sign
            assert met > agreement(patient, off_mm=tuple(off_mm)) + 0.01


def test_what_is_not_scanned_has_no_landmark(patient: Patient, incomplete: Patient) -> None:
    present = {series.role for series in incomplete.study.series}
    assert len(present) == 2
    assert incomplete.landmarks
    assert all(ROLES[finding.condition] in present for finding in incomplete.landmarks)
    assert len(incomplete.truth) == len(FINDINGS)


def test_short_axials_leave_upper_findings_unseen() -> None:
    short = make_patient(1, PhantomConfig(protocol=ProtocolConfig(short_axials=1.0)))
    levels = {finding.level.value for finding in short.landmarks if finding.condition is Condition.SUBARTICULAR_STENOSIS}
    assert "L1/L2" not in levels
    assert "L5/S1" in levels


def test_the_same_seed_and_configuration_give_the_same_patient_however_many_threads(incomplete: Patient) -> None:
    again = make_patient(3, WITHOUT, workers=3)
    assert again.study.study_instance_uid == incomplete.study.study_instance_uid
    for first, second in zip(incomplete.study.series, again.study.series, strict=True):
        assert (first.series_instance_uid, first.folder) == (second.series_instance_uid, second.folder)
        for one, other in zip(first.instances, second.instances, strict=True):
            assert np.array_equal(one.pixels, other.pixels)
            assert np.array_equal(one.affine.origin_lps_mm, other.affine.origin_lps_mm)
    assert {f: (m.column_px, m.row_px) for f, m in incomplete.landmarks.items()} == {
        f: (m.column_px, m.row_px) for f, m in again.landmarks.items()
    }


def test_another_seed_is_another_patient(patient: Patient, incomplete: Patient) -> None:
    assert patient.study.study_instance_uid != incomplete.study.study_instance_uid
    assert not np.array_equal(patient.anatomy.bones.body_height, incomplete.anatomy.bones.body_height)


def test_identifiers_are_valid_and_unlike(patient: Patient) -> None:
    instances = [instance.sop_instance_uid for series in patient.study.series for instance in series.instances]
    uids = [patient.study.study_instance_uid, *(series.series_instance_uid for series in patient.study.series), *instances]
    assert len(set(uids)) == len(uids)
    assert all(uid.startswith("2.25.") and uid[5:].isdecimal() and len(uid) <= 64 for uid in uids)
    folders = [series.folder for series in patient.study.series]
    assert len(set(folders)) == len(folders)


@pytest.mark.parametrize("profile", [HeaderProfile.COMPETITION, HeaderProfile.SIEMENS])
def test_files_read_back_are_the_study_in_memory(patient: Patient, tmp_path: Path, profile: HeaderProfile) -> None:
    for series in patient.study.series:
        write_series(tmp_path / series.folder, patient.study.study_instance_uid, series, profile)
    roles = {series.folder: series.role for series in patient.study.series} if profile is HeaderProfile.COMPETITION else None
    read = {series.folder: series for series in read_study(find_study(tmp_path), roles).series}
    assert set(read) == {series.folder for series in patient.study.series}
    for series in patient.study.series:
        found = read[series.folder]
        assert found.role is series.role
        assert [len(stack.instances) for stack in found.stacks] == [len(stack.instances) for stack in series.stacks]
        for one, other in zip(series.instances, found.instances, strict=True):
            assert one.instance_number == other.instance_number
            assert np.array_equal(one.pixels, other.pixels)
            assert one.affine.origin_lps_mm == pytest.approx(other.affine.origin_lps_mm, abs=1e-3)
            corner = np.array([[one.shape[1] - 1.0, one.shape[0] - 1.0]])
            assert one.affine.to_lps(corner)[0] == pytest.approx(other.affine.to_lps(corner)[0], abs=1e-3)


def test_mixed_takes_turns() -> None:
    assert CONFIGS["mixed"] == (*CONFIGS["physics"], *CONFIGS["randomised"])


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 0"):
        make_patient(-1, PLAIN)
