"""``lumbargrade score`` from the outside."""

import json
from pathlib import Path

import numpy as np
import pytest

from lumbargrade.cli import main
from lumbargrade.competition import StudyLabels, SubmissionScores, write_labels, write_out_of_fold, write_submission
from lumbargrade.evaluate import best_constant_score, score

REAL = Path(__file__).parents[2] / ".." / "shared" / "real"
FIELDS = (
    "score",
    "spinal_canal_stenosis",
    "neural_foraminal_narrowing",
    "subarticular_stenosis",
    "any_severe_spinal",
    "constant_prior",
    "rows",
)


def data(folder: Path, studies: int = 12) -> tuple[StudyLabels, SubmissionScores]:
    """Writes ``truth.csv`` and ``submission.csv``; labels with gaps, of which some but not all studies have a severe canal."""
    rng = np.random.default_rng(0)
    severities = rng.choice(3, (studies, 25), p=(0.7, 0.2, 0.1)).astype(np.int8)
    labels = StudyLabels(tuple(range(100, 100 + studies)), np.ma.MaskedArray(severities, rng.random((studies, 25)) < 0.1))
    scores = SubmissionScores(labels.study_ids, rng.dirichlet((5, 2, 2), (studies, 25)))
    write_labels(folder / "truth.csv", labels)
    write_submission(folder / "submission.csv", scores)
    return labels, scores


def run(folder: Path, *more: str) -> int:
    return main(["score", str(folder / "truth.csv"), str(folder / "submission.csv"), *more])


def test_json_holds_the_score_its_parts_and_the_best_constant(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels, scores = data(tmp_path)
    assert run(tmp_path, "--json") == 0
    values = json.loads(capsys.readouterr().out)
    expected = score(labels.severities, scores.scores)
    assert [name for name in FIELDS if name not in values] == []
    assert values["score"] == pytest.approx(expected.total, rel=1e-12)
    assert values["any_severe_spinal"] == pytest.approx(expected.any_severe_spinal, rel=1e-12)
    assert values["constant_prior"] == pytest.approx(best_constant_score(labels.severities).total, rel=1e-12)
    assert values["rows"] == labels.severities.count()
    assert values["score"] == pytest.approx(sum(values[name] for name in FIELDS[1:5]) / 4)


def test_text_shows_the_same_numbers_and_the_ratio(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels, scores = data(tmp_path)
    assert run(tmp_path) == 0
    lines = capsys.readouterr().out.splitlines()
    total, floor = score(labels.severities, scores.scores).total, best_constant_score(labels.severities).total
    assert lines[1].split() == ["score", f"{total:.4f}", f"{floor:.4f}", f"{total / floor:.3f}"]
    assert [line.split("  ")[1] for line in lines[2:6]] == [name.replace("_", " ") for name in FIELDS[1:5]]
    assert f"{labels.severities.count()} labelled rows of 12 studies" in lines[6]


def test_a_hold_out_is_scored_against_the_whole_truth_with_subset_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels, scores = data(tmp_path)
    held_out = SubmissionScores(scores.study_ids[:5], scores.scores[:5])
    write_out_of_fold(tmp_path / "submission.csv", held_out, np.zeros(5, np.int64))
    assert run(tmp_path) == 3
    assert "--subset" in capsys.readouterr().err
    assert run(tmp_path, "--subset", "--json") == 0
    values = json.loads(capsys.readouterr().out)
    assert values["studies"] == 5
    assert values["score"] == pytest.approx(score(labels.severities[:5], scores.scores[:5]).total, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("submission.csv", b"", "empty"),
        ("submission.csv", b"\x89PNG\r\n\x1a\n\x00\xff", "not a text file"),
        ("submission.csv", b"row_id,severe\n1,2\n", "columns normal_mild, moderate missing"),
        (
            "submission.csv",
            b"row_id,normal_mild,moderate,severe\n100_spinal_canal_stenosis_l1_l2,1,a,0\n",
            "All submission values must be numeric",
        ),
        (
            "submission.csv",
            b"row_id,normal_mild,moderate,severe\n100_spinal_canal_stenosis_l1_l2,1,-1,0\n",
            "All predictions must be at least zero",
        ),
        ("submission.csv", b"row_id,normal_mild,moderate,severe\n1_spinal_canal_stenosis_l1_l2,1,0,0\n", "no study in common"),
        ("truth.csv", b"patient,grade\nx,Severe\n", "neither column row_id nor study_id"),
    ],
)
def test_bad_input_ends_with_3_and_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes, says: str
) -> None:
    data(tmp_path)
    (tmp_path / name).write_bytes(content)
    assert run(tmp_path, "--subset") == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert says in captured.err
    assert captured.err.startswith("lumbargrade score: ")
    assert captured.err.count("\n") == 1


def test_a_missing_file_ends_with_3_and_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path) == 3
    assert str(tmp_path / "truth.csv") in capsys.readouterr().err


def test_the_real_sample_submission_scores_ln_3_in_every_condition(capsys: pytest.CaptureFixture[str]) -> None:
    folder = REAL / "rsna-study"
    if not folder.is_dir():
        pytest.skip("the real study is not here: ../shared/real/rsna-study")
    assert main(["score", str(folder / "train.csv"), str(folder / "sample_submission.csv"), "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert [values[name] for name in FIELDS[1:4]] == pytest.approx([np.log(3)] * 3)
    assert values["any_severe_spinal"] == pytest.approx(-np.log(2 / 3))
    assert values["rows"] == 25


def test_a_bootstrap_adds_an_interval(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data(tmp_path)
    assert run(tmp_path, "--bootstrap", "50") == 0
    assert "95 % of 50 resamples of the studies: score" in capsys.readouterr().out
    assert run(tmp_path, "--bootstrap", "50", "--json") == 0
    values = json.loads(capsys.readouterr().out)
    assert values["interval_95"]["low"] < values["score"] < values["interval_95"]["high"]


def test_a_negative_number_of_resamples_is_wrong_usage(tmp_path: Path) -> None:
    data(tmp_path)
    assert run(tmp_path, "--bootstrap", "-1") == 2
