"""``lumbargrade phantom`` from the outside."""

import json
from pathlib import Path

import pytest

from lumbargrade.cli import main
from lumbargrade.competition import Split, open_data_set


def run(folder: Path, *more: str) -> int:
    return main(["phantom", "--output", str(folder), "--studies", "1", "--workers", "1", *more])


def test_one_study_is_written_and_a_second_run_finds_it_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "set", "--seed", "6", "--quiet") == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert captured.out == f"{tmp_path / 'set'}: 1 study with truth\n"
    (study_id,) = open_data_set(tmp_path / "set").study_ids(Split.TRAIN)
    truth = tmp_path / "set" / "truth" / str(study_id) / "truth.json"
    written = truth.stat().st_mtime_ns
    assert run(tmp_path / "set", "--seed", "6") == 0
    assert "1/1" in capsys.readouterr().err
    assert truth.stat().st_mtime_ns == written


def test_a_profile_writes_what_that_vendors_scanners_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "set", "--seed", "6", "--quiet", "--profile", "ge") == 0
    (study,) = (tmp_path / "set" / "studies").iterdir()
    capsys.readouterr()
    assert main(["inspect", str(study), "--json", "--quiet"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {"sagittal_t1", "sagittal_t2", "axial_t2"} <= {series["role"] for series in found["series"]}
    assert sorted(path.name for path in study.rglob("IM000001"))


def test_another_seed_in_the_same_folder_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "phantom.json").write_text("{}")
    assert run(tmp_path, "--quiet") == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("lumbargrade phantom: ")
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize(
    "more", [("--config", "unheard"), ("--profile", "unheard"), ("--seed", "-3"), ("--workers", "0"), ("--studies", "0")]
)
def test_senseless_options_end_with_2_and_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, str]) -> None:
    assert run(tmp_path / "set", "--quiet", *more) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("lumbargrade phantom: ")
    assert captured.err.count("\n") == 1
    assert not (tmp_path / "set").exists()
