"""Which files make a study, wherever they lie and whatever they are called."""

import os
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lumbargrade.dicom import StudySource, find_studies, limits, read_study
from lumbargrade.errors import DicomError
from lumbargrade.study import Series

Write = Callable[..., Path]


def counts(sources: list[StudySource]) -> dict[str, int]:
    return {source.folder: len(source.files) for source in sources}


def pack(folder: Path, archive: Path) -> Path:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        for path in sorted(folder.rglob("*")):
            opened.write(path, path.relative_to(folder))
    return archive


def test_series_folders_of_one_uid_are_one_study(whole_study: list[Series], write_study: Write) -> None:
    assert counts(find_studies(write_study(*whole_study))) == {"study": 22}


def test_a_folder_of_studies_gives_each_its_own_name(whole_study: list[Series], write_study: Write) -> None:
    write_study(*whole_study, folder="set/41", uid="41")
    folder = write_study(whole_study[0], folder="set/5", uid="5").parent
    assert counts(find_studies(folder)) == {"5": 7, "41": 22}


def test_studies_of_one_patient_are_found_below_the_patients_folder(whole_study: list[Series], write_study: Write) -> None:
    for uid in ("1", "2"):
        write_study(whole_study[0], folder=f"export/DICOM/PAT1/ST{uid}", uid=uid)
    write_study(whole_study[1], folder="export/DICOM/PAT2/ST1", uid="3")
    root = write_study(whole_study[2], folder="export/DICOM/PAT2/ST1", uid="3").parents[2]
    assert counts(find_studies(root)) == {"ST1": 7, "ST2": 7, "PAT2": 15}


def test_studies_mixed_in_one_folder_are_told_apart(sagittal_t2: Series, write_study: Write) -> None:
    flat = replace(sagittal_t2, folder="")
    folder = write_study(flat, folder="mixed", uid="7")
    for path in write_study(flat, folder="other", uid="8").iterdir():
        shutil.copy(path, folder / f"b{path.name}")
    assert counts(find_studies(folder)) == {"mixed": 5, "mixed-2": 5}


def test_two_studies_spread_over_neighbouring_series_folders_stay_whole(whole_study: list[Series], write_study: Write) -> None:
    write_study(*whole_study, folder="export", uid="1")
    again = [replace(series, folder=f"{series.folder}-again") for series in whole_study]
    assert counts(find_studies(write_study(*again, folder="export", uid="2"))) == {"export": 22, "export-2": 22}


def test_a_copy_of_a_study_is_a_source_of_its_own(sagittal_t2: Series, write_study: Write) -> None:
    write_study(sagittal_t2, folder="set/a", uid="1")
    write_study(sagittal_t2, folder="set/copy", uid="1")
    folder = write_study(sagittal_t2, folder="set/b", uid="2").parent
    assert counts(find_studies(folder)) == {"a": 5, "b": 5, "copy": 5}


def test_an_archive_is_read_like_its_folder(whole_study: list[Series], write_study: Write, tmp_path: Path) -> None:
    folder = write_study(*whole_study)
    (from_folder,), (from_archive,) = find_studies(folder), find_studies(pack(folder, tmp_path / "packed.zip"))
    assert from_archive.folder == "packed"
    pairs = zip(read_study(from_folder).series, read_study(from_archive).series, strict=True)
    for one, other in pairs:
        assert (one.series_instance_uid, one.folder, one.role) == (other.series_instance_uid, other.folder, other.role)
        for a, b in zip(one.instances, other.instances, strict=True):
            np.testing.assert_array_equal(a.pixels, b.pixels)


def test_a_folder_of_archives_and_folders_gives_a_source_for_each(whole_study: list[Series], write_study: Write, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    for uid in ("1", "2"):
        pack(write_study(*whole_study, folder=f"unpacked{uid}", uid=uid), tmp_path / "set" / f"s{uid}.zip")
    write_study(whole_study[0], folder="set/s3", uid="3")
    assert counts(find_studies(tmp_path / "set")) == {"s1": 22, "s2": 22, "s3": 7}


def test_an_archive_of_several_studies_gives_a_source_for_each(whole_study: list[Series], write_study: Write, tmp_path: Path) -> None:
    write_study(whole_study[0], folder="set/11", uid="11")
    folder = write_study(whole_study[1], folder="set/12", uid="12").parent
    assert counts(find_studies(pack(folder, tmp_path / "both.zip"))) == {"11": 7, "12": 5}


def test_names_that_occur_twice_are_numbered(sagittal_t2: Series, write_study: Write) -> None:
    for index, place in enumerate(("a/ST1", "a/ST2", "b/ST1", "b/ST2")):
        root = write_study(sagittal_t2, folder=f"set/{place}", uid=str(index)).parents[1]
    assert counts(find_studies(root)) == {"ST1": 5, "ST2": 5, "ST1-2": 5, "ST2-2": 5}


def test_names_say_nothing_and_junk_is_passed_over(sagittal_t2: Series, write_study: Write) -> None:
    folder = write_study(sagittal_t2)
    for path in sorted((folder / "202").iterdir()):
        path.rename(path.with_name(f"IMG{path.stem}.txt"))
    (folder / "notes.dcm").write_text("not an image")
    (folder / "empty").touch()
    (folder / "202" / "table.csv").write_text("a,b\n1,2\n")
    assert counts(find_studies(folder)) == {"study": 5}


def test_pipes_and_circular_links_are_passed_over(sagittal_t2: Series, write_study: Write) -> None:
    folder = write_study(sagittal_t2)
    os.mkfifo(folder / "pipe.dcm")
    (folder / "202" / "up").symlink_to(folder)
    (folder / "round").symlink_to(folder / "round")
    (folder / "dangling").symlink_to(folder / "nowhere")
    assert counts(find_studies(folder)) == {"study": 5}


def test_a_single_file_is_a_study(sagittal_t2: Series, write_study: Write) -> None:
    (source,) = find_studies(write_study(sagittal_t2) / "202" / "2.dcm")
    assert [instance.instance_number for instance in read_study(source).series[0].instances] == [2]


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda path: None, "no such file or folder"),
        (lambda path: path.mkdir(), "empty"),
        (lambda path: path.write_text("hello"), "1 file"),
        (lambda path: path.touch(), "1 file"),
        (lambda path: pack(path.parent, path), "1 file"),
    ],
)
def test_what_holds_no_image_is_refused_with_what_was_found(tmp_path: Path, prepare: Callable[[Path], object], words: str) -> None:
    prepare(tmp_path / "input")
    with pytest.raises(DicomError, match=words) as refusal:
        find_studies(tmp_path / "input")
    assert "is needed" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_broken_archive_among_good_ones_is_a_source_that_refuses(sagittal_t2: Series, write_study: Write, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    for uid in ("1", "2"):
        pack(write_study(sagittal_t2, folder=uid, uid=uid), tmp_path / "set" / f"s{uid}.zip")
    (tmp_path / "set" / "bad.zip").write_bytes((tmp_path / "set" / "s1.zip").read_bytes()[:3000])
    *good, bad = find_studies(tmp_path / "set")
    assert (counts(good), bad.folder) == ({"s1": 5, "s2": 5}, "bad")
    with pytest.raises(DicomError, match=r"bad\.zip: not a readable zip archive"):
        read_study(bad)


@pytest.mark.parametrize(("bound", "value"), [("MAX_ZIP_MEMBERS", 3), ("MAX_ZIP_TOTAL_BYTES", 1000), ("MAX_ZIP_RATIO", 0)])
def test_an_archive_beyond_a_bound_is_refused(
    sagittal_t2: Series, write_study: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str, value: int
) -> None:
    archive = pack(write_study(sagittal_t2), tmp_path / "packed.zip")
    monkeypatch.setattr(limits, "RATIO_FREE_BYTES", 100)
    monkeypatch.setattr(limits, bound, value)
    (source,) = find_studies(archive)
    with pytest.raises(DicomError, match=r"packed\.zip"):
        read_study(source)


def test_a_member_with_damaged_bytes_is_named_and_the_others_are_used(sagittal_t2: Series, write_study: Write, tmp_path: Path) -> None:
    archive = pack(write_study(sagittal_t2), tmp_path / "packed.zip")
    with zipfile.ZipFile(archive) as opened:
        third = opened.infolist()[3]
    content = bytearray(archive.read_bytes())
    middle = third.header_offset + third.compress_size // 2 + 200
    content[middle : middle + 40] = bytes(40)
    archive.write_bytes(content)
    study = read_study(find_studies(archive)[0])
    assert len(list(study.series[0].instances)) == 4
    assert [problem.code for problem in study.problems if "file" in problem.code or "readable" in problem.code] != []


def test_a_file_larger_than_the_bound_is_named(sagittal_t2: Series, write_study: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_study(sagittal_t2)
    with (folder / "202" / "1.dcm").open("ab") as stream:
        stream.write(bytes(2 * limits.MEBIBYTE))
    monkeypatch.setattr(limits, "MAX_FILE_BYTES", limits.MEBIBYTE)
    study = read_study(find_studies(folder)[0])
    assert study.problems[0].message == "file 1 of 5: larger than 1 MiB"


def test_many_levels_of_folders_do_not_exhaust_the_stack(tmp_path: Path, sagittal_t2: Series, write_study: Write) -> None:
    file = write_study(sagittal_t2) / "202" / "1.dcm"
    with zipfile.ZipFile(tmp_path / "deep.zip", "w") as archive:
        archive.write(file, "a/" * 5000 + "1.dcm")
        archive.write(file, "../../outside.dcm")
    (source,) = find_studies(tmp_path / "deep.zip")
    assert len(source.files) == 2
    assert not (tmp_path.parent / "outside.dcm").exists()


def test_files_of_random_bytes_are_passed_over_and_counted(tmp_path: Path) -> None:
    junk = np.random.default_rng(3).integers(0, 256, (300, 400), np.uint8)
    for index, content in enumerate(junk):
        (tmp_path / f"{index}.bin").write_bytes(content.tobytes())
    with pytest.raises(DicomError, match="300 file"):
        find_studies(tmp_path)
