"""``lumbargrade grade`` from the outside: names, batches, models and everything that is no study."""

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest

from lumbargrade.cli import main

SmallStudy = Callable[[Path, str], Path]
FILES = {"result.json", "findings.csv", "report.html"}


def grade(output: Path, *studies: Path, more: tuple[str, ...] = ()) -> int:
    return main(["grade", *map(str, studies), "--output", str(output), *more])


def result(folder: Path) -> dict:
    return json.loads((folder / "result.json").read_text())


def test_one_study_is_one_line_and_three_files(patient_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert grade(tmp_path / "out", patient_folder) == 0
    captured = capsys.readouterr()
    folder = tmp_path / "out" / "patient"
    assert {path.name for path in folder.iterdir()} == FILES
    severities = [entry["severity"] for entry in result(folder)["findings"]]
    counts = f"{severities.count('severe')} severe, {severities.count('moderate')} moderate, 25 of 25 graded"
    assert captured.out == f"patient: {counts}; {folder / 'report.html'}\n"
    assert captured.err == ""


def test_studies_of_one_name_keep_apart(tmp_path: Path, write_small_study: SmallStudy, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = write_small_study(tmp_path / "a" / "scan", "1.2.1"), write_small_study(tmp_path / "b" / "scan", "1.2.2")
    assert grade(tmp_path / "out", first, second, more=("--quiet",)) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"scan", "scan-2"}
    assert {result(tmp_path / "out" / name)["study"]["study_instance_uid"] for name in ("scan", "scan-2")} == {"1.2.1", "1.2.2"}
    captured = capsys.readouterr()
    assert captured.out.count("\n") == 2
    assert captured.err == ""


def test_a_batch_says_which_study_failed_shows_progress_and_ends_with_4(
    tmp_path: Path, write_small_study: SmallStudy, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, name in enumerate(("good", "lost", "fine")):
        write_small_study(tmp_path / "in" / name, f"1.2.3.{number}")
    for path in (tmp_path / "in" / "lost").rglob("*.dcm"):
        dataset = pydicom.dcmread(path)
        del dataset.ImagePositionPatient
        dataset.save_as(path)
    (tmp_path / "in" / "broken.zip").write_bytes(b"PK\x03\x04 and no more")
    assert grade(tmp_path / "out", tmp_path / "in") == 4
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"good", "fine"}
    captured = capsys.readouterr()
    assert sorted(line.split(":")[0] for line in captured.out.splitlines()) == ["fine", "good"]
    failures = [line for line in captured.err.replace("\r", "\n").splitlines() if line.startswith("lumbargrade grade: ")]
    assert sorted(line.split(": ")[1] for line in failures) == ["broken", "lost"]
    assert "grading" in captured.err


def test_a_zip_is_a_study(tmp_path: Path, write_small_study: SmallStudy) -> None:
    folder = write_small_study(tmp_path / "scan", "1.2.3")
    shutil.make_archive(str(tmp_path / "packed"), "zip", folder)
    assert grade(tmp_path / "out", tmp_path / "packed.zip") == 0
    assert result(tmp_path / "out" / "packed")["study"]["folder"] == "packed"


@pytest.mark.parametrize("escape", ["../../..", "/tmp", "..\\..", "."])
def test_names_inside_an_archive_cannot_leave_the_output(escape: str, tmp_path: Path, write_small_study: SmallStudy) -> None:
    folders = {name: write_small_study(tmp_path / name, f"1.2.{number}") for number, name in enumerate(("x", "y"))}
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        for path in folders["x"].rglob("*.dcm"):
            archive.write(path, f"{escape}/{path.name}")
        for path in folders["y"].rglob("*.dcm"):
            archive.write(path, f"inside/{path.name}")
    before = set(tmp_path.rglob("*"))
    assert grade(tmp_path / "deep" / "out", tmp_path / "evil.zip", more=("--quiet",)) == 0
    written = {path for path in set(tmp_path.rglob("*")) - before if path.is_file()}
    assert len(written) == 6
    assert all(path.parent.parent == tmp_path / "deep" / "out" for path in written)


def test_a_name_with_a_line_break_stays_on_its_line(
    tmp_path: Path, write_small_study: SmallStudy, capsys: pytest.CaptureFixture[str]
) -> None:
    assert grade(tmp_path / "out", write_small_study(tmp_path / "two\nlines", "1.2.3")) == 0
    assert capsys.readouterr().out.count("\n") == 1


def test_results_of_an_earlier_run_are_replaced(tmp_path: Path, write_small_study: SmallStudy) -> None:
    write_small_study(tmp_path / "scan", "1.2.3")
    stale = tmp_path / "out" / "scan"
    stale.mkdir(parents=True)
    for name in FILES:
        (stale / name).write_text("stale")
    assert grade(tmp_path / "out", tmp_path / "scan") == 0
    assert all((stale / name).read_text() != "stale" for name in FILES)


def test_a_study_that_fails_leaves_earlier_results(tmp_path: Path, write_small_study: SmallStudy) -> None:
    folder = write_small_study(tmp_path / "scan", "1.2.3")
    assert grade(tmp_path / "out", folder) == 0
    before = (tmp_path / "out" / "scan" / "result.json").read_bytes()
    for path in folder.rglob("*.dcm"):
        path.write_bytes(path.read_bytes()[:600])
    assert grade(tmp_path / "out", folder) == 3
    assert (tmp_path / "out" / "scan" / "result.json").read_bytes() == before


def test_without_axial_series_the_rest_is_graded(patient_folder: Path, tmp_path: Path) -> None:
    assert grade(tmp_path / "all", patient_folder) == 0
    axial = {each["series_instance_uid"] for each in result(tmp_path / "all" / "patient")["series"] if each["role"] == "axial_t2"}
    (tmp_path / "less").mkdir()
    for path in patient_folder.rglob("*.dcm"):
        if pydicom.dcmread(path, stop_before_pixels=True).SeriesInstanceUID not in axial:
            shutil.copy(path, tmp_path / "less" / f"{path.parent.name}-{path.name}")
    assert grade(tmp_path / "out", tmp_path / "less") == 0
    answer = result(tmp_path / "out" / "less")
    assert "no_axial_t2" in {problem["code"] for problem in answer["problems"]}
    for entry in answer["findings"]:
        missing = entry["condition"] == "subarticular_stenosis"
        assert entry["status"] == ("not_graded" if missing else "graded")
        assert entry["reason"] == ("no axial T2 series" if missing else None)
        assert (entry["severity"] is None) is missing


def test_a_truncated_file_among_good_ones_is_named_and_costs_nothing_else(patient_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(patient_folder, tmp_path / "damaged")
    victim = sorted((tmp_path / "damaged").rglob("*.dcm"))[0]
    victim.write_bytes(victim.read_bytes()[: victim.stat().st_size // 2])
    assert grade(tmp_path / "out", tmp_path / "damaged") == 0
    answer = result(tmp_path / "out" / "damaged")
    assert [problem["message"].split(":")[0][:5] for problem in answer["problems"] if "instance" in problem["code"]] == ["file "]
    assert sum(entry["status"] == "graded" for entry in answer["findings"]) >= 20


@pytest.mark.parametrize("kind", ["missing", "empty folder", "text file", "5,000 junk files", "truncated zip"])
def test_what_is_no_study_ends_with_3_one_line_and_no_output(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "input.zip"
    if kind in ("empty folder", "5,000 junk files"):
        path.mkdir()
        for number in range(5000 if kind.startswith("5") else 0):
            (path / f"{number}.dcm").write_bytes(b"junk" * (number % 50))
    elif kind != "missing":
        path.write_bytes(b"hello" if kind == "text file" else b"PK\x03\x04 and no more")
    assert grade(tmp_path / "out", path) == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("lumbargrade grade: ")
    assert captured.err.count("\n") == 1
    assert not any((tmp_path / "out").glob("*/*"))


def test_one_bad_path_of_two_ends_with_4(tmp_path: Path, write_small_study: SmallStudy, capsys: pytest.CaptureFixture[str]) -> None:
    good = write_small_study(tmp_path / "scan", "1.2.3")
    assert grade(tmp_path / "out", good, tmp_path / "absent") == 4
    captured = capsys.readouterr()
    assert captured.out.startswith("scan: ")
    assert "absent" in captured.err


@pytest.mark.parametrize("kind", ["empty folder", "changed weights"])
def test_a_model_that_is_missing_or_changed_ends_with_5(
    kind: str, tmp_path: Path, write_small_study: SmallStudy, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "model"
    model.mkdir()
    if kind == "changed weights":
        (model / "net.onnx").write_bytes(b"not what was trained")
        manifest = {"schema": "lumbargrade/model/1", "name": "m", "version": "1", "members": [], "files": {"net.onnx": "0" * 64}}
        (model / "manifest.json").write_text(json.dumps(manifest))
    assert grade(tmp_path / "out", write_small_study(tmp_path / "scan", "1.2.3"), more=("--models", str(model))) == 5
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_an_output_that_is_a_file_is_wrong_usage(tmp_path: Path, write_small_study: SmallStudy, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").write_text("mine")
    assert grade(tmp_path / "out", write_small_study(tmp_path / "scan", "1.2.3")) == 2
    assert (tmp_path / "out").read_text() == "mine"
    assert str(tmp_path / "out") in capsys.readouterr().err


def test_wrong_usage_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["grade"])
    assert stop.value.code == 2
    assert "usage: lumbargrade grade" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["grade", "demo", "predict"])
def test_help_shows_an_example_and_loads_nothing_heavy(command: str) -> None:
    heavy = "{'numpy', 'pydicom', 'onnxruntime', 'numba', 'torch', 'PIL', 'jinja2'}"
    calls = f"try: main(['{command}', '--help'])\nfinally: assert not {heavy} & set(sys.modules)"
    script = f"import sys; from lumbargrade.cli import main\n{calls}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert f"example: lumbargrade {command}" in done.stdout
