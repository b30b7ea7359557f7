"""``lumbargrade train``: what it says and how it ends when it cannot train."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lumbargrade.cli import main
from lumbargrade.competition import LabelCoordinate, StudyLabels, write_coordinates, write_labels, write_series_roles
from lumbargrade.terms import FINDINGS, SeriesRole


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Tables of three studies whose pictures are missing."""
    root = tmp_path / "data"
    (root / "train_images").mkdir(parents=True)
    ids = (7, 8, 9)
    write_labels(root / "train.csv", StudyLabels(ids, np.ma.MaskedArray(np.zeros((3, 25), np.int8))))
    write_coordinates(root / "train_label_coordinates.csv", [LabelCoordinate(each, 1, 1, FINDINGS[0], 5.0, 5.0) for each in ids])
    write_series_roles(root / "train_series_descriptions.csv", {each: {1: SeriesRole.AXIAL_T2} for each in ids})
    return root


def test_studies_that_cannot_be_read_are_a_line_each_and_none_left_is_an_error(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", str(data), "--output", str(tmp_path / "run"), "--config", "smoke", "--workers", "1", "--quiet"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[1] for line in lines[:3]] == [f"study {each} is left out" for each in (7, 8, 9)]
    assert len(lines) == 4
    assert "0 usable studies for 5 folds" in lines[3]


def test_an_unknown_configuration_is_wrong_usage(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", str(data), "--output", str(tmp_path / "run"), "--config", "huge"]) == 2
    assert "no configuration 'huge'; there are default" in capsys.readouterr().err


def test_a_missing_table_is_unusable_input(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "train.csv").unlink()
    assert main(["train", str(data), "--output", str(tmp_path / "run")]) == 3
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "train.csv: no such table; training needs" in error


def test_studies_of_a_held_out_phantom_are_never_learnt_from(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "phantom.json").write_text('{"schema": "lumbargrade/phantom/1", "config": "heldout-shapes"}')
    assert main(["train", str(data), "--output", str(tmp_path / "run"), "--config", "smoke"]) == 3
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "phantom configuration heldout-shapes, which is held out" in error
    assert not (tmp_path / "run").exists()


def test_an_output_that_is_a_file_is_one_line(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run").write_text("a file")
    assert main(["train", str(data), "--output", str(tmp_path / "run")]) == 3
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("option", ["--folds", "--workers"])
def test_zero_folds_or_workers_are_wrong_usage(option: str, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["train", str(data), "--output", "run", option, "0"])
    assert "0 is not at least 1" in capsys.readouterr().err


def test_without_torch_the_command_says_what_to_install(data: Path, tmp_path: Path) -> None:
    script = "import sys; sys.modules['torch'] = None; from lumbargrade.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", script, "train", str(data), "--output", str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "lumbargrade train: training needs torch, which is not installed; pip install lumbargrade[train]\n"


def test_help_shows_an_example_and_loads_no_torch() -> None:
    script = "import sys; from lumbargrade.cli import main\ntry: main(['train', '--help'])\nfinally: assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "example: lumbargrade train" in done.stdout
