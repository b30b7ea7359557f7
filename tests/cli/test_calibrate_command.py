"""``lumbargrade calibrate`` from the outside; that calibrations are right is shown with training's tests."""

from pathlib import Path

import pytest

from lumbargrade.cli import main


def test_what_is_no_data_set_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calibrate", str(tmp_path), "--output", str(tmp_path / "run")]) == 3
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_folder_that_holds_something_is_not_written_into(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "kept.txt").write_text("kept")
    assert main(["calibrate", str(tmp_path), "--output", str(tmp_path / "run")]) == 2
    assert "new or empty" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["kept.txt"]


def test_no_workers_is_wrong_usage(tmp_path: Path) -> None:
    assert main(["calibrate", str(tmp_path), "--output", str(tmp_path / "run"), "--workers", "0"]) == 2
