"""Headers and files as they occur: each oddity is read rightly, or left out and named."""

import contextlib
import copy
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import gdcm
import numpy as np
import pydicom
import pytest
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRBigEndian, ImplicitVRLittleEndian

from lumbargrade.dicom import HeaderProfile, TransferSyntax, find_studies, limits, read_study
from lumbargrade.errors import DicomError
from lumbargrade.study import Series, Stack, Study
from lumbargrade.terms import SeriesRole

Read = Callable[[Path], Study]
Write = Callable[..., Path]
Edit = Callable[[Path, Callable[[pydicom.Dataset], object]], None]


def codes(series: Series) -> list[str]:
    return [problem.code for problem in series.problems]


def by_number(series: Series) -> dict[int, np.ndarray]:
    return {instance.instance_number: instance.pixels for instance in series.instances}


def test_monochrome1_is_inverted_so_that_larger_is_brighter(
    sagittal_t2: Series, write_study: Write, edit: Edit, read_only_study: Read
) -> None:
    folder = write_study(sagittal_t2)
    for path in folder.rglob("*.dcm"):
        edit(path, lambda dataset: setattr(dataset, "PhotometricInterpretation", "MONOCHROME1"))
    (series,) = read_only_study(folder).series
    for number, pixels in by_number(sagittal_t2).items():
        np.testing.assert_array_equal(by_number(series)[number], 4095 - pixels)


def test_signed_pixels_and_rescaling_are_applied(sagittal_t2: Series, write_study: Write, edit: Edit, read_only_study: Read) -> None:
    folder = write_study(sagittal_t2)
    stored = np.arange(68 * 44, dtype=np.int16).reshape(68, 44) - 1000

    def make_signed(dataset: pydicom.Dataset) -> None:
        dataset.PixelRepresentation = 1
        dataset.PixelData = stored.tobytes()
        dataset.RescaleSlope, dataset.RescaleIntercept = "2.5", "-7"

    edit(folder / "202" / "3.dcm", make_signed)
    (series,) = read_only_study(folder).series
    np.testing.assert_allclose(by_number(series)[3], np.where(stored > 2047, stored - 4096, stored) * 2.5 - 7)
    np.testing.assert_array_equal(by_number(series)[2], by_number(sagittal_t2)[2])


def test_bits_above_bits_stored_do_not_reach_the_picture(
    sagittal_t2: Series, write_study: Write, edit: Edit, read_only_study: Read
) -> None:
    folder = write_study(sagittal_t2)
    overlay = by_number(sagittal_t2)[2].astype(np.uint16) | np.uint16(0xA000)
    edit(folder / "202" / "2.dcm", lambda dataset: setattr(dataset, "PixelData", overlay.tobytes()))
    (series,) = read_only_study(folder).series
    np.testing.assert_array_equal(by_number(series)[2], by_number(sagittal_t2)[2])


def test_float_pixels_are_read(sagittal_t2: Series, write_study: Write, edit: Edit, read_only_study: Read) -> None:
    folder = write_study(sagittal_t2)
    picture = np.linspace(-1.5, 3.5, 68 * 44, dtype=np.float32).reshape(68, 44)

    def make_float(dataset: pydicom.Dataset) -> None:
        del dataset.PixelData, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation
        dataset.BitsAllocated = 32
        dataset.FloatPixelData = picture.tobytes()

    edit(folder / "202" / "4.dcm", make_float)
    (series,) = read_only_study(folder).series
    np.testing.assert_array_equal(by_number(series)[4], picture)


@pytest.mark.parametrize(
    ("syntax", "bits"), [(gdcm.TransferSyntax.JPEGLosslessProcess14_1, 16), (gdcm.TransferSyntax.JPEGBaselineProcess1, 8)]
)
def test_jpeg_is_read(sagittal_t2: Series, write_study: Write, edit: Edit, read_only_study: Read, syntax: int, bits: int) -> None:
    folder = write_study(sagittal_t2, profile=HeaderProfile.SIEMENS)
    path = folder / "202" / "1.dcm"
    smooth = np.add.outer(np.arange(68), np.arange(44)).astype(f"<u{bits // 8}")

    def shrink(dataset: pydicom.Dataset) -> None:
        dataset.PixelData = smooth.tobytes()
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, min(bits, 12), min(bits, 12) - 1

    edit(path, shrink)
    compress_with_gdcm(path, syntax)
    (series,) = read_only_study(folder).series
    np.testing.assert_allclose(by_number(series)[1], smooth, atol=0 if bits == 16 else 3)


def compress_with_gdcm(path: Path, syntax: int) -> None:
    reader, writer, change = gdcm.ImageReader(), gdcm.ImageWriter(), gdcm.ImageChangeTransferSyntax()
    reader.SetFileName(str(path))
    assert reader.Read()
    change.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    writer.SetFileName(str(path))
    assert writer.Write()


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_the_native_encodings_are_read(sagittal_t2: Series, write_study: Write, read_only_study: Read, syntax: str) -> None:
    folder = write_study(sagittal_t2)
    path = folder / "202" / "1.dcm"
    dataset = pydicom.dcmread(path)
    little_endian = syntax == ImplicitVRLittleEndian
    if not little_endian:
        dataset.PixelData = dataset.pixel_array.astype(">u2").tobytes()
    dataset.file_meta.TransferSyntaxUID = syntax
    pydicom.dcmwrite(path, dataset, implicit_vr=little_endian, little_endian=little_endian, force_encoding=True)
    (series,) = read_only_study(folder).series
    np.testing.assert_array_equal(by_number(series)[1], by_number(sagittal_t2)[1])


@pytest.mark.parametrize("keep_meta", [False, True])
def test_a_file_without_preamble_is_read(sagittal_t2: Series, write_study: Write, read_only_study: Read, keep_meta: bool) -> None:
    folder = write_study(sagittal_t2)
    path = folder / "202" / "1.dcm"
    content = path.read_bytes()
    meta_length = 12 + int.from_bytes(content[140:144], "little")
    path.write_bytes(content[132:] if keep_meta else content[132 + meta_length :])
    (series,) = read_only_study(folder).series
    np.testing.assert_array_equal(by_number(series)[1], by_number(sagittal_t2)[1])


def test_numbers_that_skip_and_run_backwards_keep_their_places(sagittal_t2: Series, write_study: Write, read_only_study: Read) -> None:
    numbers = [5049, 49, 48, 9, 2]
    stack = Stack(tuple(replace(i, instance_number=n) for i, n in zip(sagittal_t2.instances, numbers, strict=True)))
    (series,) = read_only_study(write_study(replace(sagittal_t2, stacks=(stack,)))).series
    assert [instance.instance_number for instance in series.stacks[0].instances] == numbers
    assert (np.diff(series.stacks[0].positions_mm) > 0).all()
    assert series.stacks[0].spacing_mm == pytest.approx(4.4, abs=1e-3)


def test_slices_of_different_shape_share_a_stack(sagittal_t2: Series, write_study: Write, edit: Edit, read_only_study: Read) -> None:
    folder = write_study(sagittal_t2)

    def crop(dataset: pydicom.Dataset) -> None:
        pixels = dataset.pixel_array[:40, :30].copy()
        dataset.Rows, dataset.Columns, dataset.PixelData = 40, 30, pixels.tobytes()

    edit(folder / "202" / "2.dcm", crop)
    (series,) = read_only_study(folder).series
    assert [instance.shape for instance in series.stacks[0].instances].count((40, 30)) == 1
    assert len(series.stacks) == 1


def test_a_header_without_spacing_between_slices_modality_or_location_is_enough(
    sagittal_t2: Series, write_study: Write, edit: Edit, read_only_study: Read
) -> None:
    folder = write_study(sagittal_t2)
    for path in folder.rglob("*.dcm"):
        edit(path, lambda dataset: [dataset.pop(k) for k in (0x00180088, 0x00201041, 0x00185100, 0x00200052, 0x00180050, 0x00100020)])
    (series,) = read_only_study(folder).series
    assert series.role is SeriesRole.SAGITTAL_T2
    assert series.stacks[0].spacing_mm == pytest.approx(4.4, abs=1e-3)


def test_of_two_instances_in_one_place_the_lower_number_stays(
    sagittal_t2: Series, write_study: Write, edit: Edit, read_only_study: Read
) -> None:
    folder = write_study(sagittal_t2)
    place = pydicom.dcmread(folder / "202" / "2.dcm").ImagePositionPatient
    edit(folder / "202" / "5.dcm", lambda dataset: setattr(dataset, "ImagePositionPatient", place))
    (series,) = read_only_study(folder).series
    assert sorted(by_number(series)) == [1, 2, 3, 4]
    assert codes(series) == ["duplicate_position"]
    assert "instance numbers 5" in series.problems[0].message


def test_missing_instance_numbers_are_given_in_the_order_of_the_files(
    sagittal_t2: Series, write_study: Write, edit: Edit, read_only_study: Read
) -> None:
    folder = write_study(sagittal_t2)
    for name in ("2.dcm", "3.dcm"):
        edit(folder / "202" / name, lambda dataset: dataset.pop("InstanceNumber"))
    (series,) = read_only_study(folder).series
    assert sorted(by_number(series)) == [1, 4, 5, 6, 7]
    np.testing.assert_array_equal(by_number(series)[6], by_number(sagittal_t2)[2])
    assert codes(series) == ["no_instance_number"]


@pytest.mark.parametrize("keyword", ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"])
def test_an_instance_without_geometry_is_left_out_and_named(
    sagittal_t2: Series, write_study: Write, edit: Edit, read_only_study: Read, keyword: str
) -> None:
    folder = write_study(sagittal_t2)
    edit(folder / "202" / "4.dcm", lambda dataset: dataset.pop(keyword))
    (series,) = read_only_study(folder).series
    assert sorted(by_number(series)) == [1, 2, 3, 5]
    assert codes(series) == ["no_geometry", "slice_gap"]
    assert "instance numbers 4" in series.problems[0].message


@pytest.mark.parametrize("value", [[0, 0, 0, 0, 0, 0], [1, 0, 0, 1, 0, 0], [1, 0, 0], [9, 0, 0, 0, 9, 0]])
def test_senseless_directions_count_as_none(
    sagittal_t2: Series, write_study: Write, edit: Edit, read_only_study: Read, value: list[float]
) -> None:
    folder = write_study(sagittal_t2)
    edit(folder / "202" / "4.dcm", lambda dataset: setattr(dataset, "ImageOrientationPatient", value))
    assert codes(read_only_study(folder).series[0]) == ["no_geometry", "slice_gap"]


@pytest.mark.parametrize("syntax", TransferSyntax)
@pytest.mark.parametrize("share", [0.02, 0.1, 0.5, 0.95])
def test_a_truncated_file_is_named_and_the_others_are_used(
    whole_study: list[Series], write_study: Write, read_only_study: Read, syntax: TransferSyntax, share: float
) -> None:
    folder = write_study(*whole_study, syntax=syntax)
    path = folder / "202" / "3.dcm"
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    study = read_only_study(folder)
    numbers = sorted(by_number(study.with_role(SeriesRole.SAGITTAL_T2)[0]))
    if numbers == [1, 2, 4, 5]:
        assert all(problem.message.startswith("file 10 of 22") for problem in study.problems)
    else:
        # A codestream cut near its end still decodes; what was there before the cut must be right, and no frame may be lost silently.
        assert numbers == [1, 2, 3, 4, 5]
        assert syntax.is_encapsulated
        assert share == 0.95


def test_random_damage_never_raises_anything_but_a_dicom_error(
    sagittal_t2: Series, write_study: Write, capfd: pytest.CaptureFixture[str]
) -> None:
    generator = np.random.default_rng(7)
    for syntax in TransferSyntax:
        folder = write_study(sagittal_t2, folder=f"study {syntax.name}", syntax=syntax, profile=HeaderProfile.SIEMENS)
        good = {path: path.read_bytes() for path in folder.rglob("*.dcm")}
        for _ in range(12):
            for path, content in good.items():
                damaged = np.frombuffer(content, np.uint8).copy()
                damaged[generator.integers(132, len(damaged), 12)] = generator.integers(0, 256, 12)
                path.write_bytes(damaged.tobytes())
            with contextlib.suppress(DicomError):
                studies = [read_study(source) for source in find_studies(folder)]
                assert all(np.isfinite(i.pixels).all() for study in studies for series in study.series for i in series.instances)
    assert capfd.readouterr() == ("", "")


def test_another_modality_is_other_and_named(sagittal_t2: Series, write_study: Write, edit: Edit, read_only_study: Read) -> None:
    folder = write_study(sagittal_t2)
    for path in folder.rglob("*.dcm"):
        edit(path, lambda dataset: setattr(dataset, "Modality", "CT"))
    (series,) = read_only_study(folder).series
    assert series.role is SeriesRole.OTHER
    assert codes(series) == ["not_mr"]


def test_a_colour_picture_is_left_out_and_named(whole_study: list[Series], write_study: Write, edit: Edit, read_only_study: Read) -> None:
    folder = write_study(*whole_study)

    def colour(dataset: pydicom.Dataset) -> None:
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 3, "RGB"

    edit(folder / "101" / "1.dcm", colour)
    study = read_only_study(folder)
    assert [problem.code for problem in study.problems] == ["unusable_instance"]
    assert "colour" in study.problems[0].message


def test_of_two_echoes_the_later_is_used(
    sagittal_t2: Series, make_stack: Callable[..., Stack], write_study: Write, edit: Edit, read_only_study: Read
) -> None:
    folder = write_study(sagittal_t2, profile=HeaderProfile.SIEMENS)
    second = replace(sagittal_t2, stacks=(Stack(tuple(replace(i, instance_number=i.instance_number + 50) for i in sagittal_t2.instances)),))
    write_study(second, profile=HeaderProfile.SIEMENS)
    for number in range(1, 6):
        edit(folder / "202" / f"{number}.dcm", lambda dataset: setattr(dataset, "EchoTime", 15))
    (series,) = read_only_study(folder).series
    assert sorted(by_number(series)) == [51, 52, 53, 54, 55]
    assert codes(series) == ["several_echoes"]
    assert series.role is SeriesRole.SAGITTAL_T2


def test_an_enhanced_instance_is_read_frame_by_frame(
    tmp_path: Path, sagittal_t2: Series, write_study: Write, read_only_study: Read
) -> None:
    folder = write_study(sagittal_t2, profile=HeaderProfile.SIEMENS)
    files = [pydicom.dcmread(folder / "202" / f"{number}.dcm") for number in (1, 2, 3, 4, 5)]
    merge_to_enhanced(files).save_as(tmp_path / "enhanced.dcm")
    (series,) = read_only_study(tmp_path / "enhanced.dcm").series
    assert series.role is SeriesRole.SAGITTAL_T2
    assert series.timing.echo_time_ms == 105
    assert sorted(by_number(series)) == [1, 2, 3, 4, 5]
    for instance, written in zip(series.instances, sagittal_t2.instances, strict=True):
        assert instance.instance_number == written.instance_number
        np.testing.assert_allclose(instance.pixels, written.pixels * written.instance_number + 5, rtol=1e-6)
        np.testing.assert_allclose(instance.affine.origin_lps_mm, written.affine.origin_lps_mm, atol=1e-4)


def merge_to_enhanced(files: list[pydicom.Dataset]) -> pydicom.Dataset:
    """One multi-frame instance whose frames are rescaled by their own number, plus 5."""
    merged = copy.deepcopy(files[0])
    merged.SOPClassUID = merged.file_meta.MediaStorageSOPClassUID = EnhancedMRImageStorage
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "EchoTime", "RepetitionTime"):
        delattr(merged, keyword)
    merged.NumberOfFrames = len(files)
    merged.PixelData = b"".join(file.PixelData for file in files)
    shared, measures, orientation, echo = (pydicom.Dataset() for _ in range(4))
    measures.PixelSpacing = files[0].PixelSpacing
    orientation.ImageOrientationPatient = files[0].ImageOrientationPatient
    echo.EffectiveEchoTime = 105.0
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence, shared.MREchoSequence = [measures], [orientation], [echo]
    merged.SharedFunctionalGroupsSequence = [shared]
    merged.PerFrameFunctionalGroupsSequence = []
    for number, file in enumerate(files, 1):
        group, position, values = (pydicom.Dataset() for _ in range(3))
        position.ImagePositionPatient = file.ImagePositionPatient
        values.RescaleSlope, values.RescaleIntercept = str(number), "5"
        group.PlanePositionSequence, group.PixelValueTransformationSequence = [position], [values]
        merged.PerFrameFunctionalGroupsSequence.append(group)
    return merged


def test_frames_that_lie_nowhere_are_refused(tmp_path: Path, sagittal_t2: Series, write_study: Write) -> None:
    folder = write_study(sagittal_t2)
    files = [pydicom.dcmread(path) for path in folder.rglob("*.dcm")]
    files[0].NumberOfFrames = len(files)
    files[0].PixelData = b"".join(file.PixelData for file in files)
    files[0].save_as(tmp_path / "frames.dcm")
    with pytest.raises(DicomError, match="5 without position"):
        read_study(find_studies(tmp_path / "frames.dcm")[0])


def test_more_pixels_than_the_bound_are_refused_before_decoding(
    sagittal_t2: Series, write_study: Write, edit: Edit, read_only_study: Read
) -> None:
    folder = write_study(sagittal_t2)
    edit(folder / "202" / "1.dcm", lambda dataset: dataset.update({"Rows": 65535, "Columns": 65535, "NumberOfFrames": "9999"}))
    study = read_only_study(folder)
    assert study.problems[0].code == "unusable_instance"
    assert "at most" in study.problems[0].message


def test_a_study_of_more_pixels_than_the_bound_keeps_what_fits(
    sagittal_t2: Series, write_study: Write, read_only_study: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_STUDY_PIXELS", 3 * 68 * 44)
    study = read_only_study(write_study(sagittal_t2))
    assert sorted(by_number(study.series[0])) == [1, 2, 3]
    assert [problem.code for problem in study.problems][:2] == ["unusable_instance"] * 2


def test_a_deflate_bomb_is_refused(sagittal_t2: Series, write_study: Write, read_only_study: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_study(sagittal_t2, syntax=TransferSyntax.DEFLATED)
    path = folder / "202" / "1.dcm"
    content = path.read_bytes()
    meta = content[: 144 + int.from_bytes(content[140:144], "little")]
    path.write_bytes(meta + zlib.compress(bytes(4 * limits.MEBIBYTE), wbits=-15))
    monkeypatch.setattr(limits, "MAX_INFLATED_BYTES", limits.MEBIBYTE)
    study = read_only_study(folder)
    assert study.problems[0].message == "file 1 of 5: inflates to more than 1 MiB"


def test_missing_roles_are_problems_of_the_study(sagittal_t2: Series, write_study: Write, read_only_study: Read) -> None:
    study = read_only_study(write_study(sagittal_t2))
    assert [problem.code for problem in study.problems] == ["no_sagittal_t1", "no_axial_t2"]


def test_a_given_role_outranks_the_images(sagittal_t2: Series, write_study: Write) -> None:
    (source,) = find_studies(write_study(sagittal_t2))
    (series,) = read_study(source, roles={"202": SeriesRole.SAGITTAL_T1}).series
    assert (series.role, series.role_reason) == (SeriesRole.SAGITTAL_T1, "given by the series table")


def test_progress_counts_every_file(sagittal_t2: Series, write_study: Write) -> None:
    seen: list[tuple[int, int]] = []
    (source,) = find_studies(write_study(sagittal_t2))
    read_study(source, progress=lambda done, count: seen.append((done, count)))
    assert seen == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]
