"""The truth, wide or long, and its rows matched to those of a submission."""

import random
from pathlib import Path

import numpy as np
import pytest

from lumbargrade.competition import (
    Coverage,
    StudyLabels,
    SubmissionScores,
    match_submission,
    read_solution,
    read_submission_rows,
    write_labels,
    write_submission,
)
from lumbargrade.competition.names import row_id
from lumbargrade.errors import TableError
from lumbargrade.terms import FINDINGS

LONG_HEADER = "row_id,normal_mild,moderate,severe,sample_weight"


def labels_of(study_ids: tuple[int, ...], missing: float = 0.2) -> StudyLabels:
    rng = np.random.default_rng(len(study_ids))
    values = rng.integers(0, 3, (len(study_ids), 25)).astype(np.int8)
    return StudyLabels(study_ids, np.ma.MaskedArray(values, rng.random(values.shape) < missing))


def long_lines(labels: StudyLabels) -> list[str]:
    lines = []
    for study, study_id in enumerate(labels.study_ids):
        for index, finding in enumerate(FINDINGS):
            severity = labels.severities[study, index]
            if severity is not np.ma.masked:
                one_hot = ",".join(str(int(severity == column)) for column in range(3))
                lines.append(f"{row_id(study_id, finding)},{one_hot},{2 ** int(severity)}")
    return lines


def written(folder: Path, study_ids: tuple[int, ...]) -> Path:
    scores = np.random.default_rng(8).dirichlet((1, 1, 1), (len(study_ids), 25))
    write_submission(folder / "submission.csv", SubmissionScores(study_ids, scores))
    return folder / "submission.csv"


def test_the_wide_and_the_long_file_give_the_same_solution(tmp_path: Path) -> None:
    labels = labels_of((8, 5, 13))
    write_labels(tmp_path / "wide.csv", labels)
    (tmp_path / "long.csv").write_text("\n".join([LONG_HEADER, *long_lines(labels)]))
    wide, long = read_solution(tmp_path / "wide.csv"), read_solution(tmp_path / "long.csv")
    assert wide.study_ids == long.study_ids
    assert wide.severities.tolist() == long.severities.tolist()
    labelled = ~wide.severities.mask
    assert wide.sample_weights[labelled].tolist() == long.sample_weights[labelled].tolist()
    assert set(wide.sample_weights[labelled].tolist()) == {1.0, 2.0, 4.0}


def test_the_long_files_own_weights_count(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(f"{LONG_HEADER},Usage\n3_spinal_canal_stenosis_l1_l2,0,1,0,7.5,Public\n")
    assert read_solution(tmp_path / "t.csv").sample_weights[0, 0] == 7.5


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("3_spinal_canal_stenosis_l1_l2,0,-1,0,1", "column moderate: found '-1'; All labels must be at least zero"),
        ("3_spinal_canal_stenosis_l1_l2,0.3,0.3,0.4,1", "one 1 and two 0"),
        ("3_spinal_canal_stenosis_l1_l2,1,0,0,0", "column sample_weight: found '0'; a number above zero is needed"),
        ("3_spinal_canal_stenosis_l1_l2,1,0,x,1", "column severe: found 'x'; a finite number is needed"),
    ],
)
def test_a_bad_row_of_the_long_truth_is_named(tmp_path: Path, line: str, says: str) -> None:
    (tmp_path / "t.csv").write_text(f"{LONG_HEADER}\n{line}\n")
    with pytest.raises(TableError) as caught:
        read_solution(tmp_path / "t.csv")
    assert says in str(caught.value)


def test_a_table_that_is_no_truth_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    with pytest.raises(TableError, match="neither column row_id nor study_id"):
        read_solution(tmp_path / "t.csv")


def test_rows_are_matched_by_name_whatever_their_order(tmp_path: Path) -> None:
    write_labels(tmp_path / "truth.csv", labels_of((8, 5, 13)))
    path = written(tmp_path, (13, 8, 5))
    header, *lines = path.read_text().splitlines()
    solution = read_solution(tmp_path / "truth.csv")
    sorted_scores = match_submission(solution, read_submission_rows(path)).scores
    random.Random(4).shuffle(lines)
    path.write_text("\n".join([header, *lines]))
    shuffled = match_submission(solution, read_submission_rows(path))
    assert shuffled.solution.study_ids == (8, 5, 13)
    assert shuffled.scores.tolist() == sorted_scores.tolist()
    line = next(line for line in lines if line.startswith(row_id(5, FINDINGS[17])))
    assert shuffled.scores[1, 17].tolist() == [float(cell) for cell in line.split(",")[1:]]


def test_a_missing_labelled_row_is_an_error_and_a_missing_unlabelled_row_is_not(tmp_path: Path) -> None:
    labels = labels_of((8, 5))
    write_labels(tmp_path / "truth.csv", labels)
    path = written(tmp_path, (8, 5))
    solution = read_solution(tmp_path / "truth.csv")
    lines = path.read_text().splitlines()

    def without(finding: int) -> str:
        return "\n".join(line for line in lines if not line.startswith(row_id(8, FINDINGS[finding])))

    path.write_text(without(int(np.flatnonzero(labels.severities.mask[0])[0])))
    assert match_submission(solution, read_submission_rows(path)).solution.study_ids == (8, 5)
    labelled = int(np.flatnonzero(~labels.severities.mask[0])[0])
    path.write_text(without(labelled))
    for coverage in Coverage:
        with pytest.raises(TableError, match=f"lacks 1 labelled rows, such as {row_id(8, FINDINGS[labelled])}"):
            match_submission(solution, read_submission_rows(path), coverage)


def test_a_study_in_one_file_only_is_an_error_that_names_the_flag(tmp_path: Path) -> None:
    write_labels(tmp_path / "truth.csv", labels_of((8, 5, 13)))
    solution = read_solution(tmp_path / "truth.csv")
    few = read_submission_rows(written(tmp_path, (5,)))
    with pytest.raises(TableError, match=r"lacks 2 labelled studies, such as 8; --subset"):
        match_submission(solution, few)
    many = read_submission_rows(written(tmp_path, (8, 5, 13, 99)))
    with pytest.raises(TableError, match=r"1 studies that the truth lacks, such as 99; --subset"):
        match_submission(solution, many)
    assert match_submission(solution, few, Coverage.COMMON).solution.study_ids == (5,)
    assert match_submission(solution, many, Coverage.COMMON).solution.study_ids == (8, 5, 13)


def test_a_study_without_any_label_need_not_be_predicted(tmp_path: Path) -> None:
    labels = labels_of((8, 5))
    mask = labels.severities.mask.copy()
    mask[1] = True
    write_labels(tmp_path / "truth.csv", StudyLabels((8, 5), np.ma.MaskedArray(labels.severities.data, mask)))
    solution = read_solution(tmp_path / "truth.csv")
    assert match_submission(solution, read_submission_rows(written(tmp_path, (8,)))).solution.study_ids == (8,)


def test_files_without_a_common_study_are_refused_even_as_a_subset(tmp_path: Path) -> None:
    write_labels(tmp_path / "truth.csv", labels_of((8, 5)))
    with pytest.raises(TableError, match="no study in common"):
        match_submission(read_solution(tmp_path / "truth.csv"), read_submission_rows(written(tmp_path, (1,))), Coverage.COMMON)
