"""What the writer puts into files, and that the reader gets it back."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest

from lumbargrade.dicom import HeaderProfile, TransferSyntax
from lumbargrade.study import Series, Study

COMPETITION_ELEMENTS = [
    *("SOPInstanceUID", "ContentDate", "ContentTime", "SeriesDescription", "PatientID", "SliceThickness", "SpacingBetweenSlices"),
    *("PatientPosition", "StudyInstanceUID", "SeriesInstanceUID", "InstanceNumber", "ImagePositionPatient", "ImageOrientationPatient"),
    *("FrameOfReferenceUID", "SliceLocation", "SamplesPerPixel", "PhotometricInterpretation", "Rows", "Columns", "PixelSpacing"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "WindowCenter", "WindowWidth", "PixelData"),
]

Read = Callable[[Path], Study]
Write = Callable[..., Path]


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
        for instance, written in zip(series.instances, original.instances, strict=True):
            assert instance.instance_number == written.instance_number
            np.testing.assert_array_equal(instance.pixels, written.pixels)
            corners = np.array([[0.0, 0.0], [43.0, 0.0], [0.0, 67.0]])
            np.testing.assert_allclose(instance.affine.to_lps(corners), written.affine.to_lps(corners), atol=1e-4)


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


def test_a_hospital_header_has_valid_and_distinct_identifiers(whole_study: list[Series], write_study: Write) -> None:
    folder = write_study(*whole_study, profile=HeaderProfile.HOSPITAL)
    files = [pydicom.dcmread(path) for path in folder.rglob("*.dcm")]
    identifiers = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")
    assert all(file[name].value.is_valid and "." in file[name].value for file in files for name in identifiers)
    assert [len({file[name].value for file in files}) for name in identifiers] == [1, 3, 22, 1]
    assert {(file.Modality, str(file.PatientName), file.PatientBirthDate) for file in files} == {("MR", "PHANTOM^SYNTHETIC", "")}


def test_pixels_beyond_12_bit_are_clipped_and_others_rounded(sagittal_t2: Series, write_study: Write, read_only_study: Read) -> None:
    first = next(sagittal_t2.instances)
    first.pixels[0, :4] = (-3.0, 9000.0, 7.4, 7.6)
    study = read_only_study(write_study(sagittal_t2))
    np.testing.assert_array_equal(next(study.series[0].instances).pixels[0, :4], (0, 4095, 7, 8))


def test_no_half_written_file_stays_behind(sagittal_t2: Series, write_study: Write) -> None:
    assert {path.suffix for path in (write_study(sagittal_t2) / "202").iterdir()} == {".dcm"}
