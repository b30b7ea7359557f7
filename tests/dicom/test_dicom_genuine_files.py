"""Files that we did not write: a genuine study of the competition, and those that pydicom ships for its own tests."""

from pathlib import Path

import pydicom
import pytest

from lumbargrade.dicom import find_studies, read_study
from lumbargrade.errors import DicomError
from lumbargrade.terms import SeriesRole

GENUINE = Path(__file__).parents[2] / ".." / "shared" / "real" / "rsna-study" / "train_images" / "1002894806"
SHIPPED = Path(pydicom.__file__).parent / "data" / "test_files"


@pytest.mark.skipif(not GENUINE.is_dir(), reason="the genuine study (shared/real/rsna-study) is not here")
def test_the_genuine_study_has_its_roles_and_blocks() -> None:
    (source,) = find_studies(GENUINE)
    assert (source.folder, len(source.files)) == ("1002894806", 78)
    study = read_study(source)
    assert study.study_instance_uid == "1002894806"
    assert study.problems == ()
    found = {series.folder: (series.role, [len(stack.instances) for stack in series.stacks]) for series in study.series}
    assert found == {
        "801316590": (SeriesRole.SAGITTAL_T2, [18]),
        "866293114": (SeriesRole.SAGITTAL_T1, [18]),
        "1252873726": (SeriesRole.AXIAL_T2, [8, 8, 8, 8, 10]),
    }
    assert all(series.problems == () for series in study.series)


@pytest.mark.skipif(not SHIPPED.is_dir(), reason="this pydicom carries no test files")
def test_every_file_that_pydicom_ships_is_read_or_refused_in_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    read, refused = set(), set()
    for path in sorted(path for path in SHIPPED.rglob("*") if path.is_file()):
        try:
            studies = [read_study(source) for source in find_studies(path)]
        except DicomError as error:
            refused.add(path.name)
            lines = str(error).count("\n")
        else:
            read.add(path.name)
            lines = 0
            assert all(instance.pixels.ndim == 2 for study in studies for series in study.series for instance in series.instances)
        assert lines == 0
    assert {
        "MR_small.dcm",
        "MR_small_RLE.dcm",
        "MR_small_implicit.dcm",
        "MR_small_jp2klossless.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
    } <= read
    assert {"README.txt", "DICOMDIR", "test-SR.dcm", "rtplan.dcm", "MR_truncated.dcm", "SC_rgb_rle.dcm"} <= refused
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(not (SHIPPED / "MR_small.dcm").is_file(), reason="this pydicom carries no test files")
@pytest.mark.parametrize("name", ["RLE", "implicit", "bigendian", "expb", "jp2klossless", "jpeg_ls_lossless", "padded"])
def test_one_picture_is_the_same_in_every_encoding(name: str) -> None:
    pictures = []
    for path in (SHIPPED / "MR_small.dcm", SHIPPED / f"MR_small_{name}.dcm"):
        (series,) = read_study(find_studies(path)[0]).series
        pictures.append(next(series.instances).pixels)
    assert (pictures[0] == pictures[1]).all()
    assert pictures[0].max() > pictures[0].min()
