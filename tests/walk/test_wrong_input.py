"""What shows no lumbar spine is refused with a reason: real MR of other anatomy, noise, nothing at all, and too little of a spine.

The real pictures are those that pydicom (heads, an abdomen, scanner pilots) and nibabel (heads, and a scanner's test object) bring along
for their own tests. A knee and a cervical spine are not at hand: what lies above and below the lumbar discs is cut out of a synthetic
patient instead, and out of a genuine thoracolumbar volume where the shared one is here.
"""

import gzip
import json
import warnings
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from pydicom.data import DATA_ROOT, get_testdata_files
from scipy.ndimage import gaussian_filter

from lumbargrade.cli import main
from lumbargrade.geometry.affine import SliceAffine
from lumbargrade.phantom.patient import Patient
from lumbargrade.pipeline import Pipeline
from lumbargrade.study import Instance, Series, SeriesTiming, Stack, Study, StudyGrades
from lumbargrade.terms import SeriesRole

NIBABEL = Path(nibabel.__file__).parent
THORACOLUMBAR = Path(__file__).parents[2] / ".." / "shared" / "real" / "t2-volume-mit" / "t2_lumbar.nii.gz"
HEADS = ("anatomical.nii", "reoriented_anat_moved.nii", "example4d.nii.gz", "example4d+orig.HEAD", "functional.nii", "tiny.mnc")
PICTURES = ("MR_small.dcm", "examples_overlay.dcm", "0.dcm", "decimal_rescale.dcm", "slicethickness_empty_string.dcm")
TEST_OBJECT = NIBABEL / "tests" / "data" / "phantom_EPI_asc_CLEAR_2_1.REC"
"""27 pictures of 64 x 64 pixels, 3.75 mm each, 8 mm apart."""


def dicom_bytes(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def is_mr(path: Path) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some of the files are broken on purpose
        try:
            return pydicom.dcmread(BytesIO(dicom_bytes(path)), specific_tags=["Modality"], stop_before_pixels=True).get("Modality") == "MR"
        except (pydicom.errors.InvalidDicomError, EOFError):
            return False


def mr_files() -> list[Path]:
    """MR images among the files that pydicom and nibabel install; none is fetched."""
    paths = [Path(path) for path in sorted(get_testdata_files()) if Path(path).is_relative_to(DATA_ROOT)]
    return [path for path in (*paths, *sorted((NIBABEL / "nicom" / "tests" / "data").glob("*.dcm*"))) if path.is_file() and is_mr(path)]


MR_FILES = mr_files()


def sagittal_study(volume: np.ndarray, spacing_mm: tuple[float, float, float], role: SeriesRole = SeriesRole.SAGITTAL_T2) -> Study:
    """A (left, posterior, feet) volume as the sagittal series of a study, whatever it shows."""
    left_mm, posterior_mm, feet_mm = spacing_mm
    middle = (np.array(volume.shape) - 1) / 2 * spacing_mm
    instances = []
    for index, picture in enumerate(volume):
        corner = np.array([index * left_mm - middle[0], -middle[1], middle[2]])
        affine = SliceAffine(corner, np.array([0.0, 1, 0]), np.array([0.0, 0, -1]), posterior_mm, feet_mm)
        instances.append(Instance(f"1.2.{index}", index + 1, affine, np.ascontiguousarray(picture.T, np.float32)))
    series = Series("1.2", "sagittal", "", SeriesTiming(), role, "taken for it", (Stack.ordered(instances),))
    return Study("1", "wrong", (series,))


def volume_study(path: Path) -> Study:
    """A NIfTI, AFNI or MINC volume as a sagittal series; its first moment where it has several."""
    image = nibabel.as_closest_canonical(nibabel.load(path))
    voxels = np.asarray(image.dataobj)
    first = voxels.reshape(*voxels.shape[:3], -1)[..., 0]
    spacing = [float(size) for size in nibabel.affines.voxel_sizes(image.affine)]
    return sagittal_study(first[::-1, ::-1, ::-1], (spacing[0], spacing[1], spacing[2]))


def assert_refused(grades: StudyGrades) -> str:
    """No level is named and no finding graded, all for one reason, which is returned."""
    assert grades.locations == ()
    assert grades.numbering is None
    assert not any(grade.is_graded for grade in grades.grades)
    (reason,) = {grade.reason for grade in grades.grades}
    assert reason in {problem.message[:1].lower() + problem.message[1:].rstrip(".") for problem in grades.problems}
    return reason


def assert_names_no_level(study: Study, pipeline: Pipeline) -> None:
    assert assert_refused(pipeline.grade(study)).startswith("no lumbar level could be named: ")


@pytest.mark.parametrize("path", MR_FILES, ids=lambda path: path.name)
def test_a_real_mr_file_of_other_anatomy_is_refused_by_the_command_line(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "file.dcm").write_bytes(dicom_bytes(path))
    code = main(["grade", str(tmp_path / "in"), "--output", str(tmp_path / "out")])
    captured = capsys.readouterr()
    if code == 3:
        assert captured.out == ""
        assert captured.err.startswith("lumbargrade grade: ")
        assert captured.err.count("\n") == 1
        return
    assert code == 0
    result = json.loads((tmp_path / "out" / "in" / "result.json").read_text())
    assert [entry["status"] for entry in result["findings"]] == ["not_graded"] * 25
    (reason,) = {entry["reason"] for entry in result["findings"]}
    assert reason.startswith(("the study has no sagittal T1 or T2 series", "no lumbar level could be named: "))
    assert captured.out == f"in: 0 of 25 graded: {reason}; {tmp_path / 'out' / 'in' / 'report.html'}\n"


def test_those_files_are_many_and_some_can_be_read() -> None:
    assert len(MR_FILES) > 25
    assert {path.name for path in MR_FILES} >= {"MR_small.dcm", "examples_overlay.dcm", "0.dcm"}


@pytest.mark.parametrize(
    "name", ["MR_small.dcm", "examples_overlay.dcm", "0.dcm", "decimal_rescale.dcm", "slicethickness_empty_string.dcm"]
)
def test_a_picture_of_other_anatomy_that_was_taken_for_a_sagittal_series_is_refused(name: str, pipeline: Pipeline) -> None:
    (path,) = [path for path in MR_FILES if path.name == name]
    dataset = pydicom.dcmread(path)
    row_mm, column_mm = map(float, dataset.PixelSpacing)
    picture = dataset.pixel_array if dataset.pixel_array.ndim == 2 else dataset.pixel_array.mean(-1)
    assert_names_no_level(sagittal_study(np.repeat(picture.T[None], 5, 0), (4.0, column_mm, row_mm)), pipeline)


@pytest.mark.parametrize("name", HEADS)
def test_heads_that_were_taken_for_a_sagittal_series_are_refused(name: str, pipeline: Pipeline) -> None:
    assert_names_no_level(volume_study(NIBABEL / "tests" / "data" / name), pipeline)


def test_a_scanners_test_object_is_refused(pipeline: Pipeline) -> None:
    pictures = np.fromfile(TEST_OBJECT, "<i2").reshape(27, 64, 64)
    assert_names_no_level(sagittal_study(pictures[::3], (8.0, 3.75, 3.75)), pipeline)


@pytest.mark.parametrize("role", [SeriesRole.SAGITTAL_T1, SeriesRole.SAGITTAL_T2])
@pytest.mark.parametrize("smoothness_mm", [0.0, 1.5, 4.0, 10.0])
def test_noise_is_refused_however_smooth(smoothness_mm: float, role: SeriesRole, pipeline: Pipeline) -> None:
    rng = np.random.default_rng(round(10 * smoothness_mm))
    smooth = [gaussian_filter(rng.normal(size=(280, 300)), smoothness_mm) for _ in range(9)]
    volume = np.abs(np.array(smooth) / np.std(smooth) + 1.5) * 200
    assert_names_no_level(sagittal_study(volume, (4.4, 1.0, 1.1), role), pipeline)


@pytest.mark.parametrize("value", [0.0, 700.0])
def test_a_stack_without_any_picture_in_it_is_refused(value: float, pipeline: Pipeline) -> None:
    assert_names_no_level(sagittal_study(np.full((9, 260, 250), value), (4.4, 1.0, 1.1)), pipeline)


def cut(study: Study, top_mm: float, bottom_mm: float) -> Study:
    """The sagittal series of a study, rows between two heights (LPS z at the middle of the row) alone."""

    def instance(whole: Instance) -> Instance:
        rows, columns = whole.shape
        middles = np.stack([np.full(rows, (columns - 1) / 2), np.arange(rows)], 1)
        heights = whole.affine.to_lps(middles)[:, 2]
        kept = np.flatnonzero((heights <= top_mm) & (heights >= bottom_mm))
        corner = whole.affine.to_lps(np.array([[0.0, float(kept[0])]]))[0]
        return replace(whole, affine=replace(whole.affine, origin_lps_mm=corner), pixels=whole.pixels[kept[0] : kept[-1] + 1])

    sagittal = study.with_role(SeriesRole.SAGITTAL_T1, SeriesRole.SAGITTAL_T2)
    return replace(
        study,
        series=tuple(
            replace(series, stacks=tuple(Stack.ordered([instance(each) for each in stack.instances]) for stack in series.stacks))
            for series in sagittal
        ),
    )


@pytest.mark.parametrize(
    ("first", "last"),
    [(None, "T12/L1"), ("L4/L5", None), ("L5/S1", None), ("L2/L3", "L3/L4")],
    ids=["thorax", "two discs and sacrum", "sacrum", "two discs alone"],
)
def test_fewer_than_three_lumbar_discs_of_a_synthetic_patient_are_refused(
    first: str | None, last: str | None, patient: Patient, pipeline: Pipeline
) -> None:
    """A field of view that begins 12 mm above the back of the first disc and ends as far below that of the last."""
    heights = {disc.name: float(disc.back_lps_mm[2]) for disc in patient.spine.discs}
    top = heights[first] + 12 if first else np.inf
    bottom = heights[last] - 12 if last else -np.inf
    assert_names_no_level(cut(patient.study, top, bottom), pipeline)


@pytest.mark.xfail(reason="without the sacrum the present localiser takes thoracic discs for lumbar ones in this volume", strict=True)
def test_the_thoracic_part_of_a_genuine_spine_is_refused(pipeline: Pipeline) -> None:
    """The upper 100 of 201 mm of a volume whose lower end lies at L5."""
    if not THORACOLUMBAR.is_file():
        pytest.skip("the genuine thoracolumbar volume is not here: ../shared/real/t2-volume-mit")
    assert_names_no_level(cut(volume_study(THORACOLUMBAR), np.inf, 0.5), pipeline)
