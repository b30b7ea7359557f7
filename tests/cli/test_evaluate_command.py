"""``lumbargrade evaluate`` from the outside."""

import json
from pathlib import Path

import numpy as np
import pytest

from lumbargrade.cli import main
from lumbargrade.competition import StudyLabels, SubmissionScores, tilt, write_labels, write_submission


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """``truth.csv`` with labels drawn from the probabilities that ``submission.csv`` tilts."""
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet((3, 1, 1), (40, 25))
    severities = (rng.random((40, 25, 1)) > probabilities.cumsum(2)).sum(2).astype(np.int8)
    labels = StudyLabels(tuple(range(100, 140)), np.ma.MaskedArray(severities, rng.random((40, 25)) < 0.1))
    write_labels(tmp_path / "truth.csv", labels)
    write_submission(tmp_path / "submission.csv", SubmissionScores(labels.study_ids, tilt(probabilities)))
    return tmp_path


def evaluated(folder: Path, capsys: pytest.CaptureFixture[str], *more: str) -> dict:
    assert main(["evaluate", str(folder / "truth.csv"), str(folder / "submission.csv"), "--json", *more]) == 0
    return json.loads(capsys.readouterr().out)


def test_each_condition_is_followed_by_its_levels(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = evaluated(folder, capsys, "--bootstrap", "50")
    assert (found["schema"], found["studies"], found["resamples"]) == ("lumbargrade/evaluation/1", 40, 50)
    assert [group["level"] for group in found["groups"]][:7] == [None, "L1/L2", "L2/L3", "L3/L4", "L4/L5", "L5/S1", None]
    for group in found["groups"]:
        assert 0.4 < group["auc_severe"]["value"] <= 1
        assert group["weighted_log_loss"]["low"] < group["weighted_log_loss"]["value"] < group["weighted_log_loss"]["high"]
    assert sum(sum(group["labelled"]) for group in found["groups"] if group["level"] is None) > 850


def test_the_log_losses_are_those_of_the_metric(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = evaluated(folder, capsys, "--bootstrap", "0")
    assert main(["score", str(folder / "truth.csv"), str(folder / "submission.csv"), "--json"]) == 0
    metric = json.loads(capsys.readouterr().out)
    for group in found["groups"]:
        if group["level"] is None:
            assert group["weighted_log_loss"]["value"] == pytest.approx(metric[group["condition"]], rel=1e-9)
            assert group["weighted_log_loss"]["low"] is None


def test_the_tilt_is_undone_before_calibration_is_measured(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    probable, tilted = (evaluated(folder, capsys, "--bootstrap", "0", *more)["groups"][6] for more in ((), ("--untilted",)))
    assert probable["calibration_error_severe"]["value"] < 0.1 < tilted["calibration_error_severe"]["value"]


def test_the_table_has_a_row_a_group_and_says_how_many_studies(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(folder / "truth.csv"), str(folder / "submission.csv"), "--bootstrap", "20"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + 18 + 1
    assert lines[0].startswith("condition")
    assert "ECE severe" in lines[0]
    assert lines[-1].startswith("40 studies; ")


@pytest.mark.parametrize(("content", "code"), [("row_id,normal_mild,moderate,severe\n", 3), ("nonsense\n1\n", 3)])
def test_predictions_that_cannot_be_used_are_one_line(folder: Path, content: str, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "submission.csv").write_text(content)
    assert main(["evaluate", str(folder / "truth.csv"), str(folder / "submission.csv")]) == code
    assert capsys.readouterr().err.count("\n") == 1


def test_fewer_than_no_resamples_is_wrong_usage(folder: Path) -> None:
    assert main(["evaluate", str(folder / "truth.csv"), str(folder / "submission.csv"), "--bootstrap", "-1"]) == 2
