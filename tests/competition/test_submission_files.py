"""Scores, tilting and the submission file."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lumbargrade.competition import (
    COLUMN_PRIOR,
    SubmissionScores,
    read_submission,
    read_submission_rows,
    tilt,
    untilt,
    write_out_of_fold,
    write_submission,
)
from lumbargrade.competition.names import row_id
from lumbargrade.errors import TableError
from lumbargrade.terms import FINDINGS

REAL = Path(__file__).parents[2] / ".." / "shared" / "real" / "rsna-study"
HEADER = "row_id,normal_mild,moderate,severe"


def random_scores(study_ids: tuple[int, ...], seed: int = 0) -> SubmissionScores:
    return SubmissionScores(study_ids, np.random.default_rng(seed).dirichlet((1, 1, 1), (len(study_ids), 25)))


def rows_of(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def test_tilt_of_a_worked_example() -> None:
    assert tilt([0.5, 0.25, 0.25]) == pytest.approx(np.array([1, 1, 2]) / 4)


def test_weighted_frequencies_of_a_condition_are_its_tilted_raw_frequencies() -> None:
    # Published for the canal: raw .8778 .0746 .0476, weighted .721 .123 .157.
    assert tilt([0.8778, 0.0746, 0.0476]) == pytest.approx([0.721, 0.123, 0.157], abs=1e-3)


@given(hnp.arrays(np.float64, (4, 3), elements=st.floats(1e-9, 1)))
def test_untilt_is_the_way_back(raw: np.ndarray) -> None:
    probabilities = raw / raw.sum(1, keepdims=True)
    assert untilt(tilt(probabilities)) == pytest.approx(probabilities, abs=1e-12)
    assert tilt(probabilities).sum(1) == pytest.approx(1)


def test_the_prior_has_25_rows_of_probabilities_and_cannot_be_changed() -> None:
    assert COLUMN_PRIOR.shape == (len(FINDINGS), 3)
    assert COLUMN_PRIOR.sum(1) == pytest.approx(1)
    assert (COLUMN_PRIOR > 0).all()
    assert not COLUMN_PRIOR.flags.writeable
    assert COLUMN_PRIOR[3, 2] == pytest.approx(0.129)  # severe canal at L4/L5


def test_rows_are_sorted_as_text_and_complete(tmp_path: Path) -> None:
    write_submission(tmp_path / "s.csv", random_scores((100289480, 1002894806, 7)))
    header, *rows = rows_of(tmp_path / "s.csv")
    names = [row[0] for row in rows]
    assert ",".join(header) == HEADER
    assert names == sorted(names)
    assert set(names) == {row_id(study_id, finding) for study_id in (7, 100289480, 1002894806) for finding in FINDINGS}
    assert len(names) == 75
    assert [path.name for path in tmp_path.iterdir()] == ["s.csv"]


def test_a_submission_survives_a_round_trip(tmp_path: Path) -> None:
    scores = random_scores((20, 3, 111))
    write_submission(tmp_path / "s.csv", scores)
    again = read_submission(tmp_path / "s.csv")
    order = [again.study_ids.index(study_id) for study_id in scores.study_ids]
    assert again.scores[order] == pytest.approx(scores.scores, abs=1e-15)


@settings(max_examples=30, deadline=None)
@given(hnp.arrays(np.float64, (25, 3), elements=st.sampled_from([0.0, 1e-300, 1e-9, 1e-6, 0.3, 1.0])))
def test_no_value_written_is_tiny_and_every_row_sums_to_one(tmp_path_factory: pytest.TempPathFactory, raw: np.ndarray) -> None:
    raw[:, 1] += 1e-3
    path = tmp_path_factory.mktemp("floor") / "s.csv"
    write_submission(path, SubmissionScores((1,), (raw / raw.sum(1, keepdims=True))[None]))
    values = np.array([row[1:] for row in rows_of(path)[1:]], np.float64)
    assert values.min() >= 1e-6
    assert values.sum(1) == pytest.approx(1, abs=1e-15)


def test_out_of_fold_scores_carry_the_fold_of_their_study_and_read_as_a_submission(tmp_path: Path) -> None:
    scores = random_scores((20, 3))
    write_out_of_fold(tmp_path / "oof.csv", scores, np.array([4, 1]))
    header, *rows = rows_of(tmp_path / "oof.csv")
    assert ",".join(header) == HEADER + ",fold"
    assert {(row[0].split("_")[0], row[4]) for row in rows} == {("20", "4"), ("3", "1")}
    assert read_submission(tmp_path / "oof.csv").study_ids == (20, 3)
    with pytest.raises(ValueError, match="folds must be"):
        write_out_of_fold(tmp_path / "oof.csv", scores, np.array([4, 1, 2]))


def test_scores_cannot_be_built_wrong() -> None:
    good = np.full((1, 25, 3), 1 / 3)
    for bad in (good * 1.01, good[:, :24], good * np.nan, good + np.array([0.4, -0.4, 0])):
        with pytest.raises(ValueError, match="scores must"):
            SubmissionScores((1,), bad)
    with pytest.raises(ValueError, match="different studies"):
        SubmissionScores((1, 1), np.concatenate([good, good]))


GOOD_ROW = "1_spinal_canal_stenosis_l1_l2,0.2,0.3,0.5\n"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (
            GOOD_ROW + "1_spinal_canal_stenosis_l2_l3,0.2,high,0.5\n",
            "line 3, column moderate: found 'high'; All submission values must be numeric",
        ),
        (GOOD_ROW + "1_spinal_canal_stenosis_l2_l3,0.2,,0.5\n", "column moderate: found ''; All submission values must be finite"),
        ("1_spinal_canal_stenosis_l2_l3,0.2,0.5,inf\n", "column severe: found 'inf'; All submission values must be finite"),
        ("1_spinal_canal_stenosis_l2_l3,0.2,0.5,nan\n", "All submission values must be finite"),
        ("1_spinal_canal_stenosis_l2_l3,-0.2,0.7,0.5\n", "column normal_mild: found '-0.2'; All predictions must be at least zero"),
        (GOOD_ROW + GOOD_ROW, "1 row ids occur more than once, such as 1_spinal_canal_stenosis_l1_l2"),
        (GOOD_ROW + "1_spinal_stenosis_l1_l2,0.2,0.3,0.5\n", "line 3, column row_id: found '1_spinal_stenosis_l1_l2'; a row id such as"),
    ],
)
def test_a_bad_row_is_named_with_the_metrics_own_words(tmp_path: Path, body: str, says: str) -> None:
    (tmp_path / "s.csv").write_text(f"{HEADER}\n{body}")
    with pytest.raises(TableError) as caught:
        read_submission_rows(tmp_path / "s.csv")
    assert says in str(caught.value)


def test_numbers_come_before_finiteness_and_finiteness_before_sign(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text(f"{HEADER}\n1_spinal_canal_stenosis_l1_l2,-1,inf,1\n1_spinal_canal_stenosis_l2_l3,a,1,1\n")
    with pytest.raises(TableError, match="numeric"):
        read_submission_rows(tmp_path / "s.csv")
    (tmp_path / "s.csv").write_text(f"{HEADER}\n1_spinal_canal_stenosis_l1_l2,-1,1,1\n1_spinal_canal_stenosis_l2_l3,1,inf,1\n")
    with pytest.raises(TableError, match="finite"):
        read_submission_rows(tmp_path / "s.csv")


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("row_id,normal_mild,severe\n1_spinal_canal_stenosis_l1_l2,0.5,0.5\n")
    with pytest.raises(TableError, match="column moderate missing"):
        read_submission(tmp_path / "s.csv")


def test_a_complete_submission_needs_25_rows_that_sum_to_one(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    write_submission(path, random_scores((1, 2)))
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:-2]))
    with pytest.raises(TableError, match="2 rows missing, such as 2_spinal_canal_stenosis_l4_l5"):
        read_submission(path)
    path.write_text("\n".join([*lines[:-1], lines[-1].split(",")[0] + ",0.3,0.3,0.3"]))
    with pytest.raises(TableError, match=r"1 rows do not sum to one, such as 2_spinal_canal_stenosis_l5_s1 \(0.9\)"):
        read_submission(path)


def test_the_real_sample_submission_is_written_back_as_it_was(tmp_path: Path) -> None:
    if not REAL.is_dir():
        pytest.skip("the real study is not here: ../shared/real/rsna-study")
    write_submission(tmp_path / "s.csv", read_submission(REAL / "sample_submission.csv"))
    ours, theirs = rows_of(tmp_path / "s.csv"), rows_of(REAL / "sample_submission.csv")
    assert [row[0] for row in ours] == [row[0] for row in theirs]
    assert [[float(cell) for cell in row[1:]] for row in ours[1:]] == [pytest.approx([1 / 3] * 3)] * 25
