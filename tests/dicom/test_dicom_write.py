"""What the writer puts into files, and that the reader gets it back."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from lumbargrade.dicom import HOSPITAL_PROFILES, HeaderProfile, TransferSyntax, write_series
from lumbargrade.geometry.orientation import AnatomicalPlane
from lumbargrade.study import Series, Stack, Study
from lumbargrade.terms import SeriesRole

COMPETITION_ELEMENTS = [
    *("SOPInstanceUID", "ContentDate", "ContentTime", "SeriesDescription", "PatientID", "SliceThickness", "SpacingBetweenSlices"),
    *("PatientPosition", "StudyInstanceUID", "SeriesInstanceUID", "InstanceNumber", "ImagePositionPatient", "ImageOrientationPatient"),
    *("FrameOfReferenceUID", "SliceLocation", "SamplesPerPixel", "PhotometricInterpretation", "Rows", "Columns", "PixelSpacing"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "WindowCenter", "WindowWidth", "PixelData"),
]

Read = Callable[[Path], Study]
Write = Callable[..., Path]


ROUNDING = {HeaderProfile.PHILIPS: 0.52}
"""Half a step of a vendor that rescales 0 to 4095 onto 0 to 4000; nobody else rounds whole grey values."""


@pytest.mark.parametrize("profile", HeaderProfile)
@pytest.mark.parametrize("syntax", TransferSyntax)
def test_what_is_written_is_read_back(
    whole_study: list[Series], write_study: Write, read_only_study: Read, syntax: TransferSyntax, profile: HeaderProfile
) -> None:
    study = read_only_study(write_study(*whole_study, profile=profile, syntax=syntax))
    assert not study.problems
    assert [series.role for series in study.series] == [series.role for series in whole_study]
    for series, original in zip(study.series, whole_study, strict=True):
        assert not series.problems
        assert [len(stack.instances) for stack in series.stacks] == [len(stack.instances) for stack in original.stacks]
        numbers = sorted(instance.instance_number for instance in original.instances)
        for instance, written in zip(series.instances, original.instances, strict=True):
            frame = numbers.index(written.instance_number) + 1
            assert instance.instance_number == (frame if profile is HeaderProfile.ENHANCED else written.instance_number)
            np.testing.assert_allclose(instance.pixels, written.pixels, rtol=0, atol=ROUNDING.get(profile, 0))
            corners = np.array([[0.0, 0.0], [43.0, 0.0], [0.0, 67.0]])
            np.testing.assert_allclose(instance.affine.to_lps(corners), written.affine.to_lps(corners), atol=1e-4)


def around_zero(stack: Stack, left_mm: float) -> Stack:
    """The same slices, beginning at a place to the left."""
    shift = np.array([left_mm - stack.instances[0].affine.origin_lps_mm[0], 0, 0])
    affines = [replace(each.affine, origin_lps_mm=each.affine.origin_lps_mm + shift) for each in stack.instances]
    return Stack.ordered([replace(each, affine=affine) for each, affine in zip(stack.instances, affines, strict=True)])


@pytest.mark.parametrize("profile", HeaderProfile)
def test_what_lies_on_the_patients_left_is_found_there(
    profile: HeaderProfile, make_stack: Callable[..., Stack], make_series: Callable[..., Series], tmp_path: Path, read_only_study: Read
) -> None:
    """An axial series with one bright pixel at x = +10 mm, a sagittal one whose bright slice lies there."""
    axial, sagittal = around_zero(make_stack(AnatomicalPlane.AXIAL, 5), -12.0), around_zero(make_stack(AnatomicalPlane.SAGITTAL, 12), 26.0)
    for instance in (*axial.instances, *sagittal.instances):
        instance.pixels[:] = 5
    for instance in axial.instances:
        instance.pixels[30, round((10 - instance.affine.origin_lps_mm[0]) / 0.55)] = 900
    nearest = min(sagittal.instances, key=lambda instance: abs(instance.affine.to_lps(np.array([[20.0, 30.0]]))[0, 0] - 10))
    nearest.pixels[30, 20] = 900
    write_series(tmp_path / "a", "1.2.3", make_series(SeriesRole.AXIAL_T2, "1", axial), profile)
    write_series(tmp_path / "s", "1.2.3", make_series(SeriesRole.SAGITTAL_T2, "2", sagittal), profile)
    for series in read_only_study(tmp_path).series:
        bright = max(series.instances, key=lambda instance: float(instance.pixels.max()))
        row, column = np.unravel_index(int(bright.pixels.argmax()), bright.shape)
        assert bright.affine.to_lps(np.array([[column, row]], float))[0, 0] == pytest.approx(10, abs=3)


def test_a_competition_header_has_the_27_elements_and_no_others(whole_study: list[Series], write_study: Write) -> None:
    folder = write_study(*whole_study, syntax=TransferSyntax.RLE)
    files = [pydicom.dcmread(path) for path in folder.rglob("*.dcm")]
    assert len(files) == 22
    assert all(sorted(element.keyword for element in file) == sorted(COMPETITION_ELEMENTS) for file in files)
    assert {file.file_meta.MediaStorageSOPClassUID.name for file in files} == {"Enhanced MR Image Storage"}
    assert {file.SeriesInstanceUID for file in files} == {"1002003004.101", "1002003004.202", "1002003004.303"}
    assert len({file.FrameOfReferenceUID for file in files}) == 3
    assert pydicom.dcmread(folder / "303" / "12.dcm").SOPInstanceUID == "1002003004.1.12"


def test_a_competition_axial_series_has_a_window_on_every_slice(whole_study: list[Series], write_study: Write) -> None:
    folder = write_study(*whole_study)
    windows = {name: {pydicom.dcmread(path).WindowCenter for path in (folder / name).iterdir()} for name in ("202", "303")}
    assert len(windows["202"]) == 1
    assert len(windows["303"]) > 1


@pytest.mark.parametrize("profile", HOSPITAL_PROFILES)
def test_a_hospital_header_has_valid_and_distinct_identifiers(
    whole_study: list[Series], write_study: Write, profile: HeaderProfile
) -> None:
    folder = write_study(*whole_study, profile=profile)
    files = [pydicom.dcmread(path) for path in folder.rglob("*.dcm")]
    identifiers = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")
    assert all(file[name].value.is_valid and "." in file[name].value for file in files for name in identifiers)
    instances = 3 if profile is HeaderProfile.ENHANCED else 22
    assert [len({file[name].value for file in files}) for name in identifiers] == [1, 3, instances, 1]
    assert {(file.Modality, str(file.PatientName), file.PatientBirthDate) for file in files} == {("MR", "PHANTOM^SYNTHETIC", "")}
    assert all(file.file_meta.MediaStorageSOPClassUID == file.SOPClassUID for file in files)


def test_three_studies_in_a_hundred_have_a_frame_of_reference_for_each_series(
    whole_study: list[Series], write_study: Write, tmp_path: Path
) -> None:
    one_slice = [replace(series, stacks=(Stack(series.stacks[0].instances[:1]),)) for series in whole_study[:2]]
    frames = []
    for number in range(300):
        folder = write_study(*one_slice, folder=f"study {number}", uid=f"1.2.3.{number}", profile=HeaderProfile.CANON)
        paths = folder.rglob("*.dcm")
        frames.append(len({pydicom.dcmread(path, specific_tags=["FrameOfReferenceUID"]).FrameOfReferenceUID for path in paths}))
    assert 3 <= frames.count(2) <= 18
    assert set(frames) == {1, 2}


def test_pixels_beyond_12_bit_are_clipped_and_others_rounded(sagittal_t2: Series, write_study: Write, read_only_study: Read) -> None:
    first = next(sagittal_t2.instances)
    first.pixels[0, :4] = (-3.0, 9000.0, 7.4, 7.6)
    study = read_only_study(write_study(sagittal_t2))
    np.testing.assert_array_equal(next(study.series[0].instances).pixels[0, :4], (0, 4095, 7, 8))


def test_no_half_written_file_stays_behind(sagittal_t2: Series, write_study: Write) -> None:
    assert {path.suffix for path in (write_study(sagittal_t2) / "202").iterdir()} == {".dcm"}
