"""Headers and files that are strange but legal: each is read rightly, or left out and named, and the order of the files decides nothing."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import DATA_ROOT
from pydicom.uid import ExplicitVRLittleEndian, MediaStorageDirectoryStorage, SecondaryCaptureImageStorage, generate_uid

from lumbargrade.cli import main
from lumbargrade.dicom import HeaderProfile, find_studies, read_study, write_series
from lumbargrade.dicom.tolerance import tolerant
from lumbargrade.errors import DicomError
from lumbargrade.geometry.affine import SliceAffine
from lumbargrade.geometry.orientation import AnatomicalPlane
from lumbargrade.pipeline import Pipeline
from lumbargrade.study import Instance, Series, Stack, Study, StudyGrades
from lumbargrade.terms import SeriesRole

Read = Callable[[Path], Study]
Write = Callable[..., Path]
Edit = Callable[[Path, Callable[[pydicom.Dataset], object]], None]
MakeStack = Callable[..., Stack]

SIEMENS = HeaderProfile.SIEMENS
T1, T2, AXIAL_T2, OTHER = SeriesRole.SAGITTAL_T1, SeriesRole.SAGITTAL_T2, SeriesRole.AXIAL_T2, SeriesRole.OTHER
REAL = Path(__file__).parents[2] / ".." / "shared" / "real"
SHIPPED = Path(DATA_ROOT)


def codes(series: Series) -> list[str]:
    return [problem.code for problem in series.problems]


def by_number(series: Series) -> dict[int, np.ndarray]:
    return {instance.instance_number: instance.pixels for instance in series.instances}


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def set_all(edit: Edit, folder: Path, **values: object) -> None:
    """Values in every file of a folder, whether or not the standard likes them."""
    with tolerant():
        for path in files(folder):
            edit(path, lambda dataset: [setattr(dataset, keyword, value) for keyword, value in values.items()])


# Multi-frame and tiled pictures, directories of media, encodings, private elements


def test_a_mosaic_is_not_taken_for_a_slice(whole_study: list[Series], write_study: Write, edit: Edit, read_only_study: Read) -> None:
    folder = write_study(*whole_study, profile=SIEMENS)
    for number in (2, 3):
        edit(folder / "202" / f"{number}.dcm", lambda dataset: setattr(dataset, "ImageType", ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]))
    (series,) = read_only_study(folder).with_role(T2)
    assert sorted(by_number(series)) == [1, 4, 5]
    assert codes(series)[0] == "mosaic"
    assert series.problems[0].message.endswith("left out (instance numbers 2, 3)")


def test_a_study_of_mosaics_alone_is_refused_with_that_reason(sagittal_t2: Series, write_study: Write, edit: Edit) -> None:
    folder = write_study(sagittal_t2, profile=SIEMENS)
    set_all(edit, folder, ImageType=["DERIVED", "PRIMARY", "MOSAIC"])
    (source,) = find_studies(folder)
    with pytest.raises(DicomError, match="5 pictures tiled from many slices"):
        read_study(source)


def test_a_dicomdir_beside_the_images_changes_nothing(
    sagittal_t2: Series, write_study: Write, read_only_study: Read, tmp_path: Path
) -> None:
    plain = read_only_study(write_study(sagittal_t2, profile=SIEMENS))
    media = media_with_directory(files(tmp_path / "study"), tmp_path / "media")
    (source,) = find_studies(media)
    assert len(source.files) == 5
    study = read_study(source)
    assert study.problems == plain.problems
    assert {number: pixels.sum() for number, pixels in by_number(study.series[0]).items()} == {
        number: pixels.sum() for number, pixels in by_number(sagittal_t2).items()
    }


def test_a_dicomdir_without_its_images_is_refused_with_what_was_found(sagittal_t2: Series, write_study: Write, tmp_path: Path) -> None:
    media = media_with_directory(files(write_study(sagittal_t2, profile=SIEMENS)), tmp_path / "media")
    (tmp_path / "alone").mkdir()
    shutil.copy(media / "DICOMDIR", tmp_path / "alone")
    for path in (tmp_path / "alone", media / "DICOMDIR"):
        with pytest.raises(DicomError, match=r"DICOM in 1 of 1 file\(s\), but no image; a folder of DICOM images or a \.zip is needed"):
            find_studies(path)


def media_with_directory(images: Sequence[Path], folder: Path) -> Path:
    """A medium as a hospital burns it (PS3.3 F): files under other names, and the directory of them."""
    folder.mkdir()
    directory = pydicom.Dataset()
    directory.FileSetID, directory.DirectoryRecordSequence = "MEDIUM", []
    for number, path in enumerate(images):
        shutil.copy(path, folder / f"IM{number:06}")
        header, record = pydicom.dcmread(path, stop_before_pixels=True), pydicom.Dataset()
        record.DirectoryRecordType, record.ReferencedFileID = "IMAGE", f"IM{number:06}"
        record.Rows, record.Columns, record.ImagePositionPatient = header.Rows, header.Columns, header.ImagePositionPatient
        record.ReferencedSOPInstanceUIDInFile = header.SOPInstanceUID
        directory.DirectoryRecordSequence.append(record)
    save(directory, folder / "DICOMDIR", MediaStorageDirectoryStorage)
    return folder


def save(dataset: pydicom.Dataset, path: Path, sop_class: str) -> None:
    """A data set that has no pixels as a file of its own."""
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID, dataset.file_meta.MediaStorageSOPInstanceUID = sop_class, generate_uid()
    dataset.save_as(path, enforce_file_format=True)


@pytest.mark.parametrize("order", ["little", "big"])
def test_implicit_and_big_endian_files_without_preamble_are_read(
    sagittal_t2: Series, write_study: Write, read_only_study: Read, order: str
) -> None:
    folder = write_study(sagittal_t2, profile=SIEMENS)
    path = folder / "202" / "1.dcm"
    dataset = pydicom.dcmread(path)
    if order == "big":
        dataset.PixelData = dataset.pixel_array.astype(">u2").tobytes()
    bare = pydicom.Dataset(dataset)
    bare.save_as(path, implicit_vr=order == "little", little_endian=order == "little")
    assert path.read_bytes()[128:132] != b"DICM"
    (series,) = read_only_study(folder).series
    np.testing.assert_array_equal(by_number(series)[1], by_number(sagittal_t2)[1])


def test_files_of_private_elements_alone_are_passed_over(
    sagittal_t2: Series, write_study: Write, read_only_study: Read, tmp_path: Path
) -> None:
    folder = write_study(sagittal_t2, profile=SIEMENS)
    private = pydicom.Dataset()
    private.private_block(0x0029, "SIEMENS CSA HEADER", create=True).add_new(0x10, "OB", b"SV10" + bytes(400))
    save(private, folder / "202" / "0.dcm", "1.3.12.2.1107.5.9.1")
    study = read_only_study(folder)
    assert sorted(by_number(study.series[0])) == [1, 2, 3, 4, 5]
    assert [problem.code for problem in study.problems] == ["no_sagittal_t1", "no_axial_t2"]
    (folder / "202" / "0.dcm").rename(tmp_path / "alone")
    with pytest.raises(DicomError, match="but no image"):
        find_studies(tmp_path / "alone")


def test_private_elements_among_the_others_change_nothing(
    sagittal_t2: Series, write_study: Write, edit: Edit, read_only_study: Read
) -> None:
    folder = write_study(sagittal_t2, profile=SIEMENS)
    plain = read_only_study(folder)

    def litter(dataset: pydicom.Dataset) -> None:
        item = pydicom.Dataset()
        item.ImagePositionPatient, item.EchoTime, item.Rows = [900, 900, 900], "1", 3
        for group in (0x0009, 0x0021, 0x0051, 0x7FE1):
            block = dataset.private_block(group, "LEFT BY SOMEONE", create=True)
            block.add_new(0x01, "SQ", [item])
            block.add_new(0x02, "UN", b"\xff\xfe\x00\xe0" * 9)
        dataset.add_new(0x0009_3304, "LO", "no creator")

    for path in files(folder):
        edit(path, litter)
    (series,) = read_only_study(folder).series
    assert (series.role, series.role_reason, codes(series)) == (T2, plain.series[0].role_reason, [])
    for number, pixels in by_number(sagittal_t2).items():
        np.testing.assert_array_equal(by_number(series)[number], pixels)


# What is there twice


def test_a_series_copied_into_another_folder_is_used_once_and_named_once(
    whole_study: list[Series], write_study: Write, read_only_study: Read
) -> None:
    folder = write_study(*whole_study, profile=SIEMENS)
    shutil.copytree(folder / "202", folder / "export" / "202")
    study = read_only_study(folder)
    (series,) = study.with_role(T2)
    assert sorted(by_number(series)) == [1, 2, 3, 4, 5]
    assert codes(series) == ["duplicate_instance"]
    assert series.problems[0].message == "5 copies of instances that are there already, left out (instance numbers 1, 2, 3, 4, 5)"
    assert study.problems == ()


def test_of_two_pictures_with_one_identity_the_same_is_used_whatever_the_files_are_called(
    sagittal_t2: Series, write_study: Write, edit: Edit, read_only_study: Read
) -> None:
    used = []
    for first, second in (("3a.dcm", "3b.dcm"), ("3b.dcm", "3a.dcm")):
        folder = write_study(sagittal_t2, folder=first, profile=SIEMENS) / "202"
        (folder / "3.dcm").rename(folder / first)
        shutil.copy(folder / first, folder / second)
        edit(folder / second, lambda dataset: setattr(dataset, "PixelData", (dataset.pixel_array // 2).tobytes()))
        (series,) = read_only_study(folder).series
        assert sorted(by_number(series)) == [1, 2, 3, 4, 5]
        assert codes(series) == ["conflicting_instance"]
        assert series.problems[0].message.endswith("(instance numbers 3)")
        used.append(by_number(series)[3])
    np.testing.assert_array_equal(*used)


def test_instances_that_share_a_uid_but_not_a_number_are_kept_and_named(
    sagittal_t2: Series, write_study: Write, edit: Edit, read_only_study: Read
) -> None:
    folder = write_study(sagittal_t2, profile=SIEMENS)
    for number in (2, 4):
        edit(folder / "202" / f"{number}.dcm", lambda dataset: setattr(dataset, "SOPInstanceUID", "1.2.3"))
    (series,) = read_only_study(folder).series
    assert sorted(by_number(series)) == [1, 2, 3, 4, 5]
    assert codes(series) == ["shared_instance_uid"]
    assert "(instance numbers 2, 4)" in series.problems[0].message


def test_frames_of_an_enhanced_series_share_a_uid_without_a_problem(
    whole_study: list[Series], write_study: Write, read_only_study: Read
) -> None:
    study = read_only_study(write_study(*whole_study, profile=HeaderProfile.ENHANCED))
    assert [(series.role, codes(series)) for series in study.series] == [(T1, []), (T2, []), (AXIAL_T2, [])]
    assert [len(list(series.instances)) for series in study.series] == [7, 5, 10]


@pytest.mark.parametrize("uids", [("1.2.111", "1.2.222"), ("1.2.222", "1.2.111")])
def test_a_series_exported_again_under_another_uid_is_used_once(
    whole_study: list[Series], write_study: Write, edit: Edit, read_only_study: Read, uids: tuple[str, str]
) -> None:
    folder = write_study(*whole_study, profile=SIEMENS)
    shutil.copytree(folder / "303", folder / "again")
    for name, uid in zip(("303", "again"), uids, strict=True):
        set_all(edit, folder / name, SeriesInstanceUID=uid)
    for path in files(folder / "again"):
        edit(path, lambda dataset: [setattr(dataset, "SOPInstanceUID", generate_uid()), setattr(dataset, "InstanceNumber", 90)])
    study = read_only_study(folder)
    (used,) = study.with_role(AXIAL_T2)
    (copied,) = study.with_role(OTHER)
    assert (used.series_instance_uid, copied.series_instance_uid) == ("1.2.111", "1.2.222")
    assert codes(copied)[-1] == "copied_series"
    assert copied.role_reason.endswith("; a copy of another series")


def test_a_second_acquisition_in_the_same_place_is_no_copy(
    whole_study: list[Series], write_study: Write, edit: Edit, read_only_study: Read
) -> None:
    folder = write_study(*whole_study, profile=SIEMENS)
    shutil.copytree(folder / "202", folder / "again")
    set_all(edit, folder / "again", SeriesInstanceUID="1.2.222")
    edit(folder / "again" / "3.dcm", lambda dataset: setattr(dataset, "PixelData", (dataset.pixel_array // 2).tobytes()))
    assert len(read_only_study(folder).with_role(T2)) == 2


def test_a_study_with_every_series_twice_is_graded_as_the_study(
    patient_folder: Path, tmp_path: Path, edit: Edit, pipeline: Pipeline, patient_grades: StudyGrades, read_only_study: Read
) -> None:
    for name in ("original", "copy"):
        shutil.copytree(patient_folder, tmp_path / "twice" / name)
    for index, folder in enumerate(sorted((tmp_path / "twice" / "copy").iterdir())):
        if index:  # the first keeps its UIDs, as a copied folder does
            set_all(edit, folder, SeriesInstanceUID=f"9.9.{index}")
    study = read_only_study(tmp_path / "twice")
    assert len(study.with_role(T1, T2, AXIAL_T2)) == len(list(patient_folder.iterdir()))
    for again, once in zip(pipeline.grade(study).grades, patient_grades.grades, strict=True):
        assert again.probabilities == once.probabilities


# Where slices lie


@pytest.mark.parametrize("position", ["HFP", "FFS", "FFP", "HFDL", "HFDR", "FFDL", "FFDR", "LFP", ""])
def test_a_patients_position_in_the_scanner_changes_nothing(
    whole_study: list[Series], write_study: Write, edit: Edit, read_only_study: Read, position: str
) -> None:
    """Positions and directions are the patient's already (PS3.3 C.7.6.2.1.1)."""
    folder = write_study(*whole_study, profile=SIEMENS)
    plain = read_only_study(folder)
    set_all(edit, folder, PatientPosition=position)
    study = read_only_study(folder)
    for series, before in zip(study.series, plain.series, strict=True):
        assert (series.role, series.role_reason, codes(series)) == (before.role, before.role_reason, codes(before))
        for instance, other in zip(series.instances, before.instances, strict=True):
            np.testing.assert_array_equal(instance.affine.origin_lps_mm, other.affine.origin_lps_mm)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_prone_or_feet_first_series_shows_the_same_at_the_same_place(
    sagittal_t2: Series, write_study: Write, read_only_study: Read, turns: int
) -> None:
    """Scanners store pictures of prone and feet-first patients turned, with directions to match."""
    turned = replace(sagittal_t2, stacks=tuple(Stack.ordered([quarter_turned(i, turns) for i in s.instances]) for s in sagittal_t2.stacks))
    (series,) = read_only_study(write_study(turned, profile=SIEMENS)).series
    assert series.role is T2
    assert series.stacks[0].plane is AnatomicalPlane.SAGITTAL
    found = {instance.instance_number: instance for instance in series.instances}
    for original in sagittal_t2.instances:
        places = np.array([[3.0, 5.0], [40.0, 60.0], [0.0, 67.0]])
        pixels = np.rint(found[original.instance_number].affine.to_px(original.affine.to_lps(places))).astype(int)
        wanted = [original.pixels[int(row), int(column)] for column, row in places]
        assert [found[original.instance_number].pixels[row, column] for column, row in pixels] == wanted


def quarter_turned(instance: Instance, turns: int) -> Instance:
    """The same slice stored after so many quarter turns of ``numpy.rot90``."""
    for _ in range(turns):
        affine, (_, columns) = instance.affine, instance.shape
        last = affine.to_lps(np.array([[columns - 1.0, 0.0]]))[0]
        turned = SliceAffine(last, affine.row_direction, -affine.column_direction, affine.row_spacing_mm, affine.column_spacing_mm)
        instance = replace(instance, affine=turned, pixels=np.ascontiguousarray(np.rot90(instance.pixels)))
    return instance


def test_an_oblique_sagittal_series_is_sagittal(
    make_series: Callable[..., Series], make_stack: MakeStack, write_study: Write, read_only_study: Read
) -> None:
    oblique = make_series(T2, "202", make_stack(AnatomicalPlane.SAGITTAL, 7, tilt_deg=28.0))
    (series,) = read_only_study(write_study(oblique, profile=SIEMENS)).series
    assert (series.role, codes(series)) == (T2, [])
    assert series.stacks[0].spacing_mm == pytest.approx(4.4, abs=1e-3)


def test_a_coronal_series_is_left_out_with_its_reason(
    make_series: Callable[..., Series], make_stack: MakeStack, write_study: Write, read_only_study: Read
) -> None:
    coronal = make_series(T2, "202", make_stack(AnatomicalPlane.CORONAL, 7, tilt_deg=20.0))
    (series,) = read_only_study(write_study(coronal, profile=SIEMENS)).series
    assert (series.role, series.role_reason) == (OTHER, "coronal by orientation; coronal series are not used")


def test_a_sagittal_slice_that_is_missing_in_the_middle_is_named(
    make_series: Callable[..., Series], make_stack: MakeStack, write_study: Write, read_only_study: Read
) -> None:
    folder = write_study(make_series(T2, "202", make_stack(AnatomicalPlane.SAGITTAL, 9)), profile=SIEMENS)
    (folder / "202" / "5.dcm").unlink()
    (series,) = read_only_study(folder).series
    (problem,) = series.problems
    assert problem.code == "slice_gap"
    assert problem.message == "slices are missing: 8.8 mm between instances 4 and 6, 4.4 mm between the others"
    assert np.round(np.diff(series.stacks[0].positions_mm), 2).tolist() == [4.4] * 3 + [8.8] + [4.4] * 3


def test_axial_blocks_may_lie_apart(
    make_series: Callable[..., Series], make_stack: MakeStack, write_study: Write, read_only_study: Read
) -> None:
    folder = write_study(make_series(AXIAL_T2, "303", make_stack(AnatomicalPlane.AXIAL, 15)), profile=SIEMENS)
    for number in (6, 7, 8, 9, 10):
        (folder / "303" / f"{number}.dcm").unlink()
    (series,) = read_only_study(folder).series
    assert (series.role, codes(series)) == (AXIAL_T2, [])


def test_a_series_of_one_slice_has_no_role(
    make_series: Callable[..., Series], make_stack: MakeStack, write_study: Write, read_only_study: Read
) -> None:
    (series,) = read_only_study(write_study(make_series(T2, "202", make_stack(AnatomicalPlane.SAGITTAL, 1)), profile=SIEMENS)).series
    assert (series.role, series.role_reason) == (OTHER, "1 slices; at least 3 are needed")


def test_a_three_plane_localiser_without_a_telling_name_is_left_out(
    make_series: Callable[..., Series], make_stack: MakeStack, whole_study: list[Series], write_study: Write, read_only_study: Read
) -> None:
    planes = [make_stack(plane, 3, first=1 + 10 * index) for index, plane in enumerate(AnatomicalPlane)]
    study = read_only_study(write_study(*whole_study, make_series(T2, "404", *planes), profile=SIEMENS))
    (series,) = study.with_role(OTHER)
    assert series.role_reason == "3 orthogonal orientations in 9 slices: a localiser"
    assert study.problems == ()


@pytest.mark.parametrize("slices", [64, 192])
def test_an_isotropic_volume_is_graded_within_bounds(
    slices: int, patient_study: Study, patient_grades: StudyGrades, tmp_path: Path
) -> None:
    """T2 SPACE: 0.9 mm in every direction and hundreds of slices; resampled from the synthetic patient's sagittal T2."""
    (t2,) = patient_study.with_role(T2)
    write_series(tmp_path / "space" / "t2", "1.2.3", isotropic(t2, slices, 0.9), SIEMENS)
    measured = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path / "space"), str(tmp_path / "out")], capture_output=True, text=True, check=True
    )
    seconds, mebibytes = map(float, measured.stdout.split()[-2:])
    assert seconds < 15
    assert mebibytes < 700
    result = json.loads((tmp_path / "out" / "space" / "result.json").read_text())
    assert [level["level"] for level in result["levels"]] == [location.level.value for location in patient_grades.locations]
    for level, location in zip(result["levels"], patient_grades.locations, strict=True):
        assert np.linalg.norm(np.array(level["canal_point_lps_mm"]) - location.canal_lps_mm) < 5
    canal = [entry for entry in result["findings"] if entry["condition"] == "spinal_canal_stenosis"]
    assert [entry["status"] for entry in canal] == ["graded"] * 5


MEASURE = """
import resource, subprocess, sys
subprocess.run([sys.executable, "-m", "lumbargrade", "grade", sys.argv[1], "--output", sys.argv[2], "--quiet"], check=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
"""


def isotropic(series: Series, slices: int, spacing_mm: float) -> Series:
    """As many sagittal slices around the middle of a series, linear from slice to slice, the nearest pixel within one."""
    stack = series.stacks[0]
    first, positions = stack.instances[0], stack.positions_mm
    volume = np.stack([instance.pixels for instance in stack.instances])
    rows, columns = (int(count * mm / spacing_mm) for count, mm in zip(first.shape, pixel_mm(first), strict=True))
    nearest = [
        np.minimum((np.arange(n) * spacing_mm / mm).astype(int), m - 1)
        for n, mm, m in zip((rows, columns), pixel_mm(first), first.shape, strict=True)
    ]
    volume = volume[:, nearest[0]][:, :, nearest[1]]
    places = positions.mean() + (np.arange(slices) - (slices - 1) / 2) * spacing_mm
    instances = []
    for number, place in enumerate(places, 1):
        depth = float(np.interp(place, positions, np.arange(len(positions))))
        below = min(int(depth), len(positions) - 2)
        pixels = volume[below] * np.float32(below + 1 - depth) + volume[below + 1] * np.float32(depth - below)
        origin = first.affine.origin_lps_mm + (place - positions[0]) * stack.normal
        affine = replace(first.affine, origin_lps_mm=origin, column_spacing_mm=spacing_mm, row_spacing_mm=spacing_mm)
        instances.append(Instance(f"1.2.4.{number}", number, affine, pixels))
    return replace(series, series_instance_uid="1.2.4", description="t2_space_sag_iso", stacks=(Stack.ordered(instances),))


def pixel_mm(instance: Instance) -> tuple[float, float]:
    return instance.affine.row_spacing_mm, instance.affine.column_spacing_mm


# What was done to the pictures


@pytest.mark.parametrize("role", [T1, T2])
def test_a_series_with_an_agent_in_its_header_is_used_and_named_where_there_is_no_other(
    whole_study: list[Series], write_study: Write, edit: Edit, read_only_study: Read, role: SeriesRole
) -> None:
    folder = write_study(*whole_study, profile=SIEMENS)
    set_all(edit, folder / {T1: "101", T2: "202"}[role], ContrastBolusAgent="Gadovist 7.5 ml for JANE")
    study = read_only_study(folder)
    (series,) = study.with_role(role)
    (problem,) = series.problems
    assert problem.code == "contrast_enhanced"
    assert "JANE" not in problem.message
    assert study.problems == ()


@pytest.mark.parametrize(
    ("description", "is_named"),
    [
        ("T1 SAG +C", True),
        ("T1 SAG + C", True),
        ("SAG T1 POST GAD", True),
        ("t1_tse_sag_km", True),
        ("SAG T1 POST CONTRAST", True),
        ("SAG T1 W/O CONTRAST", False),
        ("SAG T1 PRE CONTRAST", False),
        ("SAG T1 non-contrast", False),
        ("t1_tse_sag ohne KM", False),
        ("SAG T1 W/WO CONTRAST", False),
        ("SAG T1 POST OP", False),
        ("SAG T1 C+T+L SPINE", False),
        ("SAG T1", False),
    ],
)
def test_descriptions_of_contrast_are_understood(
    whole_study: list[Series], write_study: Write, edit: Edit, read_only_study: Read, description: str, is_named: bool
) -> None:
    folder = write_study(whole_study[0], profile=SIEMENS)
    set_all(edit, folder, SeriesDescription=description, ProtocolName="L-SPINE W/WO CONTRAST +C")
    (series,) = read_only_study(folder).with_role(T1)
    assert codes(series) == (["contrast_enhanced"] if is_named else [])


@pytest.mark.parametrize("agent", ["", "NONE", "No", " n/a ", "0"])
def test_an_agent_that_is_none_is_not_named(sagittal_t2: Series, write_study: Write, edit: Edit, read_only_study: Read, agent: str) -> None:
    folder = write_study(sagittal_t2, profile=SIEMENS)
    set_all(edit, folder, ContrastBolusAgent=agent)
    assert codes(read_only_study(folder).series[0]) == []


@pytest.mark.parametrize(("administered", "expected"), [("YES", ["contrast_enhanced"]), ("NO", []), (None, ["contrast_enhanced"])])
def test_an_enhanced_instance_says_of_its_frames_whether_an_agent_was_given(
    sagittal_t2: Series, write_study: Write, edit: Edit, read_only_study: Read, administered: str | None, expected: list[str]
) -> None:
    folder = write_study(sagittal_t2, profile=HeaderProfile.ENHANCED)
    agent, usage = pydicom.Dataset(), pydicom.Dataset()
    agent.CodeMeaning = "Gadobutrol"
    usage.ContrastBolusAgentNumber, usage.ContrastBolusAgentAdministered = 1, administered

    def inject(dataset: pydicom.Dataset) -> None:
        dataset.ContrastBolusAgentSequence = [agent]
        if administered is not None:
            dataset.SharedFunctionalGroupsSequence[0].ContrastBolusUsageSequence = [usage]

    for path in files(folder):
        edit(path, inject)
    (series,) = read_only_study(folder).series
    assert (series.role, codes(series)) == (T2, expected)


def test_a_plain_series_is_preferred_to_an_enhanced_one_of_the_same_place(
    whole_study: list[Series], write_study: Write, edit: Edit, read_only_study: Read
) -> None:
    folder = write_study(*whole_study, profile=SIEMENS)
    shutil.copytree(folder / "101", folder / "0after")
    set_all(edit, folder / "0after", SeriesInstanceUID="1.0", ContrastBolusAgent="GADO")
    for path in files(folder / "0after"):
        edit(path, lambda dataset: setattr(dataset, "PixelData", (dataset.pixel_array // 2).tobytes()))
    study = read_only_study(folder)
    (used,) = study.with_role(T1)
    (other,) = study.with_role(OTHER)
    assert (codes(used), codes(other)) == ([], ["contrast_enhanced"])
    assert other.series_instance_uid == "1.0"
    assert other.role_reason.endswith("; a plain series is used instead")


def test_a_plain_series_of_another_region_is_not_preferred(
    whole_study: list[Series], write_study: Write, edit: Edit, read_only_study: Read
) -> None:
    folder = write_study(*whole_study, profile=SIEMENS)
    shutil.copytree(folder / "101", folder / "thoracic")
    set_all(edit, folder / "101", ContrastBolusAgent="GADO")
    set_all(edit, folder / "thoracic", SeriesInstanceUID="1.0")
    for path in files(folder / "thoracic"):
        edit(path, lambda dataset: dataset.ImagePositionPatient.__setitem__(2, dataset.ImagePositionPatient[2] + 250))
    assert [codes(series) for series in read_only_study(folder).with_role(T1)] == [["contrast_enhanced"], []]


def test_a_series_table_outranks_the_agent(whole_study: list[Series], write_study: Write, edit: Edit) -> None:
    folder = write_study(*whole_study, profile=SIEMENS)
    shutil.copytree(folder / "101", folder / "102")
    set_all(edit, folder / "102", SeriesInstanceUID="1.0", ContrastBolusAgent="GADO")
    (source,) = find_studies(folder)
    study = read_study(source, roles={"101": T1, "102": T1})
    assert len(study.with_role(T1)) == 2


def test_fat_suppressed_axials_are_used_and_named_where_there_are_no_others(
    whole_study: list[Series], write_study: Write, edit: Edit, read_only_study: Read
) -> None:
    folder = write_study(*whole_study, profile=SIEMENS)
    shutil.copytree(folder / "303", folder / "fs")
    set_all(edit, folder / "fs", SeriesInstanceUID="1.0", SeriesDescription="t2_tse_tra_fs")
    for path in files(folder / "fs"):
        edit(path, lambda dataset: setattr(dataset, "PixelData", (dataset.pixel_array // 2).tobytes()))
    both = read_only_study(folder)
    assert [codes(series) for series in both.with_role(AXIAL_T2)] == [[]]
    shutil.rmtree(folder / "303")
    (series,) = read_only_study(folder).with_role(AXIAL_T2)
    assert codes(series) == ["fat_suppressed"]


@pytest.mark.parametrize("description", ["t1_tse_tra_fs +C", "AX T1 FS POST GD"])
def test_enhanced_fat_suppressed_axial_t1_is_left_out_with_its_reason(
    whole_study: list[Series], write_study: Write, edit: Edit, read_only_study: Read, description: str
) -> None:
    folder = write_study(*whole_study, profile=SIEMENS)
    set_all(edit, folder / "303", SeriesDescription=description, EchoTime="11", RepetitionTime="600")
    study = read_only_study(folder)
    (series,) = study.with_role(OTHER)
    assert series.role_reason.endswith("contrast-enhanced, fat-suppressed, only axial T2 is used")
    assert [problem.code for problem in study.problems] == ["no_axial_t2"]


@pytest.mark.parametrize(
    ("image_type", "word"),
    [
        (["DERIVED", "SECONDARY", "MIP"], "projection"),
        (["DERIVED", "PRIMARY", "PROJECTION IMAGE", "MIP"], "projection"),
        (["DERIVED", "SECONDARY", "M", "NORM", "SUB"], "subtraction"),
        (["DERIVED", "PRIMARY", "DIFFUSION", "ADC"], "diffusion"),
        (["ORIGINAL", "PRIMARY", "P", "ND"], "phase"),
        (["ORIGINAL", "PRIMARY", "LOCALIZER", "NONE"], "localiser"),
    ],
)
def test_projections_subtractions_and_maps_are_left_out_by_their_image_type(
    sagittal_t2: Series, write_study: Write, edit: Edit, read_only_study: Read, image_type: list[str], word: str
) -> None:
    folder = write_study(sagittal_t2, profile=SIEMENS)
    set_all(edit, folder, ImageType=image_type, SeriesDescription="t2 sag")
    study = read_only_study(folder)
    assert study.series[0].role is OTHER
    assert word in study.series[0].role_reason
    assert "no_sagittal_t2" in [problem.code for problem in study.problems]


def test_a_reformat_is_used_and_named(sagittal_t2: Series, write_study: Write, edit: Edit, read_only_study: Read) -> None:
    folder = write_study(sagittal_t2, profile=SIEMENS)
    set_all(edit, folder, ImageType=["DERIVED", "SECONDARY", "MPR"])
    (series,) = read_only_study(folder).series
    assert (series.role, codes(series)) == (T2, ["derived"])


def test_a_secondary_capture_that_says_where_it_lies_is_left_out(
    sagittal_t2: Series, write_study: Write, edit: Edit, read_only_study: Read
) -> None:
    folder = write_study(sagittal_t2, profile=SIEMENS)
    set_all(edit, folder, SOPClassUID=SecondaryCaptureImageStorage)
    (series,) = read_only_study(folder).series
    assert (series.role, series.role_reason) == (OTHER, "a secondary capture, no picture of a scanner")


# What people type


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"BodyPartExamined": "HEAD"}, "head"),
        ({"BodyPartExamined": "BRAIN"}, "head"),
        ({"BodyPartExamined": "KNEE"}, "knee"),
        ({"BodyPartExamined": "CSPINE"}, "cervical spine"),
        ({"BodyPartExamined": "TSPINE"}, "thoracic spine"),
        ({"BodyPartExamined": "", "SeriesDescription": "SAG T2 C-SPINE"}, "cervical spine"),
        ({"BodyPartExamined": "LSPINE", "SeriesDescription": "t2 sag HWS"}, "cervical spine"),
        ({"BodyPartExamined": "SPINE"}, None),
        ({"BodyPartExamined": "TLSPINE"}, None),
        ({"BodyPartExamined": "TSPINE LSPINE"}, None),
        ({"BodyPartExamined": "", "SeriesDescription": "SAG T2 THORACIC + LUMBAR"}, None),
        ({"BodyPartExamined": "LSSPINE"}, None),
        ({"BodyPartExamined": "", "SeriesDescription": "SAG T2 C-T-L SPINE"}, None),
        ({"BodyPartExamined": "", "SeriesDescription": "t2 thoracolumbar"}, None),
        ({"BodyPartExamined": ""}, None),
    ],
)
def test_another_body_part_in_the_header_is_a_warning(
    sagittal_t2: Series, write_study: Write, edit: Edit, read_only_study: Read, values: dict[str, str], expected: str | None
) -> None:
    folder = write_study(sagittal_t2, profile=SIEMENS)
    set_all(edit, folder, **values)
    (series,) = read_only_study(folder).series
    assert series.role is T2
    assert codes(series) == ([] if expected is None else ["other_body_part"])
    if expected is not None:
        assert f"({expected})" in series.problems[0].message


def test_a_region_in_the_words_of_enhanced_mr_is_understood(
    sagittal_t2: Series, write_study: Write, edit: Edit, read_only_study: Read
) -> None:
    folder = write_study(sagittal_t2, profile=HeaderProfile.ENHANCED)

    def move(dataset: pydicom.Dataset) -> None:
        dataset.BodyPartExamined = ""
        dataset.SharedFunctionalGroupsSequence[0].FrameAnatomySequence[0].AnatomicRegionSequence[0].CodeMeaning = "Knee"

    for path in files(folder):
        edit(path, move)
    assert codes(read_only_study(folder).series[0]) == ["other_body_part"]


@pytest.mark.parametrize(
    ("values", "is_child"),
    [
        ({"PatientAge": "011Y"}, True),
        ({"PatientAge": "008M"}, True),
        ({"PatientAge": "017Y", "PatientBirthDate": "19500101"}, True),
        ({"PatientAge": "018Y"}, False),
        ({"PatientAge": "000Y"}, False),
        ({"PatientAge": "eleven"}, False),
        ({"PatientBirthDate": "20051231", "StudyDate": "20231230"}, True),
        ({"PatientBirthDate": "20051231", "StudyDate": "20231231"}, False),
        ({"PatientBirthDate": "2010.01.01", "StudyDate": "2020.01.01"}, True),
        ({"PatientBirthDate": "20000101", "StudyDate": "20000101"}, False),
        ({"PatientBirthDate": "19500101"}, False),
        ({}, False),
    ],
)
def test_a_child_is_named_without_its_age_or_dates(
    sagittal_t2: Series, write_study: Write, edit: Edit, read_only_study: Read, values: dict[str, str], is_child: bool
) -> None:
    folder = write_study(sagittal_t2, profile=SIEMENS)
    set_all(edit, folder, **values)
    problems = [problem for problem in read_only_study(folder).problems if problem.code == "child"]
    assert len(problems) == is_child
    assert [problem.message for problem in problems] in (
        [],
        ["by the header the patient is younger than 18; the networks know adults alone"],
    )


@pytest.mark.parametrize("keyword", ["PatientAge", "BodyPartExamined", "ContrastBolusAgent", "SeriesDescription", "ImageType"])
def test_a_clue_that_cannot_be_read_costs_no_picture(
    sagittal_t2: Series, write_study: Write, edit: Edit, read_only_study: Read, keyword: str
) -> None:
    folder = write_study(sagittal_t2, profile=SIEMENS)
    set_all(edit, folder, **{keyword: "043Y"})
    for path in files(folder):
        content, tag = path.read_bytes(), pydicom.tag.Tag(keyword)
        head = tag.group.to_bytes(2, "little") + tag.element.to_bytes(2, "little")
        assert content.count(head) == 1
        path.write_bytes(re.sub(re.escape(head) + b"..", head + b"FD", content))
    (series,) = read_only_study(folder).series
    assert (series.role, len(by_number(series)), codes(series)) == (T2, 5, [])


TEXTS = {
    "Latin-1": ("ISO_IR 100", "J\xfcrgen t2 Wirbels\xe4ule".encode("latin-1")),
    "UTF-8": ("ISO_IR 192", "Jürgen t2 Wirbelsäule".encode()),
    "Japanese": ("\\ISO 2022 IR 87", b"\x1b$B;3ED\x1b(B t2"),
    "Japanese katakana": ("ISO 2022 IR 13\\ISO 2022 IR 87", b"\xd4\xcf\xc0\xde t2"),
    "Korean": ("\\ISO 2022 IR 149", b"\x1b$)C\xb1\xe8\xc8\xf1 t2"),
    "Chinese": ("GB18030", "腰椎 t2".encode("gb18030")),
    "unknown set": ("KLINGON_1", b"J\xfcrgen t2"),
    "invalid in its set": ("ISO_IR 192", b"J\xfcrgen t2 \xff\xfe"),
    "none declared": ("", b"J\xfcrgen t2"),
    "broken escapes": ("\\ISO 2022 IR 87", b"\x1b$B;3E\x1b\x1b t2"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_texts_in_any_character_set_are_read_as_far_as_they_can_be(
    sagittal_t2: Series, write_study: Write, edit: Edit, tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    declared, text = TEXTS[name]
    folder = write_study(sagittal_t2, profile=SIEMENS)
    set_all(edit, folder, EchoTime=None, SpecificCharacterSet="C" * 40, SeriesDescription="D" * 40, PatientName="N" * 40)
    for path in files(folder):
        content = path.read_bytes()
        for letter, value in ((b"C", declared.encode()), (b"D", text), (b"N", text)):
            assert content.count(letter * 40) == 1
            content = content.replace(letter * 40, value.ljust(40))
        path.write_bytes(content)
    (source,) = find_studies(folder)
    study = read_study(source, with_identifiers=True)
    (series,) = study.series
    assert (series.role, len(by_number(series)), codes(series)) == (T2, 5, [])
    assert "description says so" in series.role_reason
    assert study.identifiers is not None
    assert study.identifiers.patient_name is not None
    assert main(["inspect", str(folder), "--include-identifiers"]) == 0
    assert capfd.readouterr().err == ""


# How pixels are stored


def eight_bits(dataset: pydicom.Dataset, picture: np.ndarray) -> np.ndarray:
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    stored = (picture % 256).astype(np.uint8)
    dataset.PixelData = stored.tobytes()
    dataset["PixelData"].VR = "OB"
    return stored


def thirty_two_bits(dataset: pydicom.Dataset, picture: np.ndarray) -> np.ndarray:
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 32, 32, 31
    stored = (picture * 1000).astype(np.uint32)
    dataset.PixelData = stored.tobytes()
    return stored


def thirty_two_signed_bits(dataset: pydicom.Dataset, picture: np.ndarray) -> np.ndarray:
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 32, 32, 31, 1
    stored = ((picture - 2000) * 1000).astype(np.int32)
    dataset.PixelData = stored.tobytes()
    return stored


def floats(dataset: pydicom.Dataset, picture: np.ndarray) -> np.ndarray:
    return as_float(dataset, "FloatPixelData", 32, (picture / 7).astype(np.float32))


def double_floats(dataset: pydicom.Dataset, picture: np.ndarray) -> np.ndarray:
    return as_float(dataset, "DoubleFloatPixelData", 64, (picture / 7).astype(np.float64))


def as_float(dataset: pydicom.Dataset, keyword: str, bits: int, stored: np.ndarray) -> np.ndarray:
    del dataset.PixelData, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation
    dataset.BitsAllocated = bits
    setattr(dataset, keyword, stored.tobytes())
    return stored


@pytest.mark.parametrize("store", [eight_bits, thirty_two_bits, thirty_two_signed_bits, floats, double_floats])
def test_pixels_of_any_width_are_read(
    sagittal_t2: Series, write_study: Write, edit: Edit, read_only_study: Read, store: Callable[[pydicom.Dataset, np.ndarray], np.ndarray]
) -> None:
    folder = write_study(sagittal_t2, profile=SIEMENS)
    wanted: dict[int, np.ndarray] = {}
    for path in files(folder):
        edit(path, lambda dataset: wanted.update({int(dataset.InstanceNumber): store(dataset, dataset.pixel_array)}))
    (series,) = read_only_study(folder).series
    assert (series.role, codes(series)) == (T2, [])
    for number, pixels in by_number(series).items():
        np.testing.assert_array_equal(pixels, wanted[number].astype(np.float32))


def test_numbers_too_large_for_a_float_are_dark(sagittal_t2: Series, write_study: Write, edit: Edit, read_only_study: Read) -> None:
    folder = write_study(sagittal_t2, profile=SIEMENS)
    huge = np.full((68, 44), 1e300)
    huge[0, :3] = np.nan, np.inf, 5
    edit(folder / "202" / "3.dcm", lambda dataset: as_float(dataset, "DoubleFloatPixelData", 64, huge))
    (series,) = read_only_study(folder).series
    assert by_number(series)[3][0, :4].tolist() == [0, 0, 5, 0]


# Files that we did not write, through the command line


@pytest.mark.skipif(not (SHIPPED / "test_files").is_dir(), reason="this pydicom carries no test files")
def test_every_file_that_pydicom_installs_is_read_or_refused_in_one_line(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    told = assert_answered(files(SHIPPED), capfd)
    assert caplog.records == []  # outside of tests, what nobody handles goes to stderr
    assert told[0] > 30
    assert told[3] > 100


@pytest.mark.skipif(not REAL.is_dir(), reason="the real pictures are not here: ../shared/real")
def test_every_real_file_is_read_or_refused_in_one_line(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    told = assert_answered(files(REAL), capfd)
    assert caplog.records == []
    assert told[0] >= 78
    assert told[3] > 300


def assert_answered(paths: Sequence[Path], capfd: pytest.CaptureFixture[str]) -> dict[int, int]:
    """How many files each exit code has; nothing but our own one line reaches stderr, wherever it comes from."""
    told = {0: 0, 3: 0}
    for path in paths:
        code = main(["inspect", str(path), "--json"])
        captured = capfd.readouterr()
        assert code in told, path
        told[code] += 1
        assert captured.err.count("\n") == (code == 3), (path, captured.err)
        assert (not captured.err) == (code == 0), (path, captured.err)
        assert captured.err.startswith("lumbargrade inspect: " if code else ""), (path, captured.err)
        assert bool(captured.out) == (code == 0), path
    return told
