"""Folders, file names and transfer syntaxes of whole studies."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest

from lumbargrade.dicom import HeaderProfile, TransferSyntax, find_study, read_study, syntax_of, write_secondary_capture, write_study
from lumbargrade.errors import DicomError
from lumbargrade.study import Series, Study


@pytest.fixture
def study(whole_study: list[Series]) -> Study:
    return Study("2.25.5", "study", tuple(whole_study))


@pytest.mark.parametrize(
    ("profile", "first"),
    [
        (HeaderProfile.PHILIPS, "DICOM/IM_0001"),
        (HeaderProfile.GE, "DICOM/PA000001/ST000001/SE000001/IM000001"),
        (HeaderProfile.CANON, "SE0001/IM0001"),
    ],
)
def test_files_are_counted_in_the_vendors_way(study: Study, tmp_path: Path, profile: HeaderProfile, first: str) -> None:
    write_study(tmp_path, study, profile, TransferSyntax.EXPLICIT_LITTLE_ENDIAN)
    files = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert len(files) == 22
    assert files[0] == first
    assert not any(file.endswith(".partial") for file in files)


@pytest.mark.parametrize(("profile", "files"), [(HeaderProfile.SIEMENS, 22), (HeaderProfile.ENHANCED, 3)])
def test_files_are_named_by_their_instance_uid(study: Study, tmp_path: Path, profile: HeaderProfile, files: int) -> None:
    write_study(tmp_path, study, profile, TransferSyntax.EXPLICIT_LITTLE_ENDIAN)
    paths = list(tmp_path.rglob("*.dcm"))
    assert len(paths) == files
    if profile is HeaderProfile.SIEMENS:
        assert all(path.stem == pydicom.dcmread(path).SOPInstanceUID for path in paths)


def test_some_series_are_counted_against_their_instance_numbers(sagittal_t2: Series, tmp_path: Path) -> None:
    orders = Counter()
    for number in range(40):
        uid = f"2.25.{number + 10}"
        series = Series(uid, "1", "", sagittal_t2.timing, sagittal_t2.role, "", sagittal_t2.stacks)
        folder = tmp_path / str(number)
        write_study(folder, Study("2.25.5", "s", (series,)), HeaderProfile.CANON, TransferSyntax.EXPLICIT_LITTLE_ENDIAN)
        numbers = [pydicom.dcmread(path).InstanceNumber for path in sorted((folder / "SE0001").iterdir())]
        assert numbers in ([1, 2, 3, 4, 5], [5, 4, 3, 2, 1])
        orders[numbers[0]] += 1
    assert 4 <= orders[5] <= 20


def test_every_transfer_syntax_comes_up_and_one_study_has_one() -> None:
    found = Counter(syntax_of(Study(f"2.25.{number}", "", ())) for number in range(400))
    assert set(found) == set(TransferSyntax)
    assert found.most_common(1)[0][0] is TransferSyntax.EXPLICIT_LITTLE_ENDIAN


def test_a_scanned_page_is_an_image_that_cannot_be_placed(study: Study, tmp_path: Path, read_only_study: Callable[[Path], Study]) -> None:
    page = np.arange(35, dtype=np.uint8).reshape(7, 5)
    path = write_secondary_capture(tmp_path / "study" / "SCAN" / "IM0001", study.study_instance_uid, page)
    np.testing.assert_array_equal(pydicom.dcmread(path).pixel_array, page)
    with pytest.raises(DicomError, match="none of 1 DICOM images"):
        read_study(find_study(tmp_path / "study"))
    write_study(tmp_path / "study", study, HeaderProfile.CANON, TransferSyntax.JPEG_LS)
    read = read_only_study(tmp_path / "study")
    assert len(read.series) == 3
    assert [problem.code for problem in read.problems] == ["no_geometry"]
