"""``lumbargrade inspect`` on files that the project's own writer made."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pydicom
import pytest

from lumbargrade.cli import main
from lumbargrade.dicom import HeaderProfile, write_series
from lumbargrade.geometry.affine import SliceAffine
from lumbargrade.study import Instance, Series, SeriesTiming, Stack
from lumbargrade.terms import SeriesRole


def sagittal(folder: str, timing: SeriesTiming) -> Series:
    column, row = np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, -1.0])
    instances = [
        Instance(
            f"1.2.{n}",
            n,
            SliceAffine(np.array([-9.0 + 4.5 * n, -80.0, 60.0]), column, row, 0.6, 0.7),
            np.full((40, 50), timing.echo_time_ms, np.float32),
        )
        for n in range(1, 6)
    ]
    return Series(f"1.2.9.{folder}", folder, "sag", timing, SeriesRole.OTHER, "", (Stack.ordered(instances),))


@pytest.fixture
def study(tmp_path: Path) -> Path:
    for folder, timing in (("t1", SeriesTiming(10.0, 560.0)), ("t2", SeriesTiming(105.0, 3200.0))):
        write_series(tmp_path / "study" / folder, "1.2.3", sagittal(folder, timing), HeaderProfile.SIEMENS)
    return tmp_path / "study"


def test_the_table_names_series_roles_reasons_and_problems(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(study)]) == 0
    output = capsys.readouterr().out
    assert "series 1  sagittal_t1  1 of 1  sagittal  5       4.50 mm  40x50   0.70x0.60 mm" in output
    assert "sagittal_t2: sagittal by orientation; T2: TE 105 ms, TR 3200 ms" in output
    assert "(no_axial_t2)" in output
    assert "PHANTOM" not in output


def test_folders_of_series_are_named_on_request_alone(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exports name them after patients."""
    assert main(["inspect", str(study), "--include-identifiers"]) == 0
    assert "t1      sagittal_t1  1 of 1  sagittal  5       4.50 mm  40x50   0.70x0.60 mm" in capsys.readouterr().out


def test_json_has_the_fields_of_the_result(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(study), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["study"] == {"study_instance_uid": "1.2.3", "folder": "study"}
    assert [(series["role"], series["instances"], series["stacks"], series["problems"]) for series in found["series"]] == [
        ("sagittal_t1", 5, 1, []),
        ("sagittal_t2", 5, 1, []),
    ]
    assert found["series"][0]["series_instance_uid"].startswith("2.25.")
    assert [problem["code"] for problem in found["problems"]] == ["no_axial_t2"]


def test_names_and_dates_in_the_files_stay_there(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for index, path in enumerate(sorted(study.rglob("*.dcm"))):
        dataset = pydicom.dcmread(path)
        dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate, dataset.StudyDate = "DOE^JANE", "ID4711", "19610203", "20230405"
        if index == 0:
            dataset.Rows = 9999
        dataset.save_as(path)
    assert main(["inspect", str(study)]) == 0
    assert main(["inspect", str(study), "--json"]) == 0
    captured = capsys.readouterr()
    assert "unreadable_instance" in captured.out
    assert not any(word in captured.out + captured.err for word in ("DOE", "JANE", "ID4711", "19610203", "20230405"))


@pytest.mark.parametrize("kind", ["missing", "empty folder", "text file"])
def test_unusable_input_is_one_line_and_exit_code_3(tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    path = tmp_path / "input"
    if kind == "empty folder":
        path.mkdir()
    elif kind == "text file":
        path.write_text("hello")
    assert main(["inspect", str(path)]) == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "is needed" in captured.err


def test_one_unusable_study_of_several_is_exit_code_4(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = study.parent / "other"
    write_series(other, "1.2.4", sagittal("t2", SeriesTiming(105.0, 3200.0)), HeaderProfile.SIEMENS)
    for path in other.iterdir():
        dataset = pydicom.dcmread(path)
        del dataset.ImagePositionPatient
        dataset.save_as(path)
    assert main(["inspect", str(study.parent), "--json"]) == 4
    captured = capsys.readouterr()
    assert json.loads(captured.out)["study"]["folder"] == "study"
    assert captured.err.startswith("lumbargrade inspect: other: ")


def test_help_shows_an_example_and_loads_no_dicom() -> None:
    script = "import sys; from lumbargrade.cli import main\ntry: main(['inspect', '--help'])\nfinally: assert 'pydicom' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "example: lumbargrade inspect" in done.stdout


def test_a_name_that_the_terminal_cannot_show_is_escaped(study: Path) -> None:
    strange = study.rename(study.with_name("脊椎"))
    script = "import sys; from lumbargrade.cli import main; sys.exit(main(['inspect', sys.argv[1]]))"
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252"}
    done = subprocess.run([sys.executable, "-c", script, str(strange)], capture_output=True, env=environment)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(rb"study \u810a\u690e")


def test_archives_inside_an_archive_are_mentioned(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inner, outer, alone = tmp_path / "inner.zip", tmp_path / "outer.zip", tmp_path / "alone.zip"
    with zipfile.ZipFile(inner, "w") as archive:
        archive.write(study / "t1" / "1.dcm", "1.dcm")
    with zipfile.ZipFile(outer, "w") as archive:
        archive.write(inner, "inner.zip")
        for file in (study / "t2").iterdir():
            archive.write(file, file.name)
    with zipfile.ZipFile(alone, "w") as archive:
        archive.write(inner, "inner.zip")
    assert main(["inspect", str(outer)]) == 0
    assert "1 archive(s) inside an archive were not opened" in capsys.readouterr().out
    assert main(["inspect", str(alone)]) == 3
    assert "unpack them first" in capsys.readouterr().err
