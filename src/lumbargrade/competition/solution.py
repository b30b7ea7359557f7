"""The truth to score against, and its rows matched to those of a submission by row id."""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np

from lumbargrade.competition.labels import SEVERITY_WEIGHTS, SeverityArray, checked_severities, parse_labels
from lumbargrade.competition.names import SCORE_COLUMNS, row_id
from lumbargrade.competition.submission import MaskedFloats, SubmissionRows, read_row_ids
from lumbargrade.competition.table import Table, finite_number, read_table
from lumbargrade.errors import TableError
from lumbargrade.geometry.affine import FloatArray
from lumbargrade.terms import FINDINGS

LEAST_WEIGHT = 1e-9
"""Of a sample, which the competition gives 1, 2 or 4; with less, or more than its inverse, sums of weighted losses might be no numbers."""


class Coverage(Enum):
    """Which studies must be in both the truth and the submission."""

    ALL = "all"
    COMMON = "common"


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """The labels of each study and what each counts.

    Attributes:
        study_ids: each once.
        severities: (study, 25), masked where there is no label; such rows are not scored.
        sample_weights: (study, 25), positive; 1, 2, 4 by severity unless the file says otherwise. Without meaning where there is no label.

    Raises:
        ValueError: severities that ``StudyLabels`` would refuse, or weights of another shape.
    """

    study_ids: tuple[int, ...]
    severities: SeverityArray
    sample_weights: FloatArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "severities", checked_severities(self.study_ids, self.severities))
        if self.sample_weights.shape != self.severities.shape:
            raise ValueError(f"sample weights must be {self.severities.shape}, not {self.sample_weights.shape}")


@dataclass(frozen=True, slots=True, eq=False)
class ScoredStudies:
    """A solution and, for exactly its studies in its order, the submitted values.

    Attributes:
        scores: (study, 25, 3), present wherever the solution has a label; a row that the submission lacks is masked.
    """

    solution: Solution
    scores: MaskedFloats


def read_solution(path: Path) -> Solution:
    """Read the truth: ``train.csv``, or the competition's long file of ``row_id``, three one-hot columns and ``sample_weight``.

    Raises:
        TableError: neither kind of file, or a cell of it cannot be read.
        OSError: the file cannot be opened.
    """
    table = read_table(path)
    if table.has("row_id"):
        return _long_solution(table)
    if not table.has("study_id"):
        raise TableError(
            f"{path}: neither column row_id nor study_id; the truth is train.csv or a file of row_id, {', '.join(SCORE_COLUMNS)}"
        )
    labels = parse_labels(table)
    return Solution(labels.study_ids, labels.severities, np.array(SEVERITY_WEIGHTS)[labels.severities.filled(0)])


def _long_solution(table: Table) -> Solution:
    """A file without ``sample_weight`` gets 1, 2, 4."""
    studies, findings = read_row_ids(table)
    one_hot = np.array([table.parsed(column, finite_number) for column in SCORE_COLUMNS]).T
    for row, severity in np.argwhere(one_hot < 0):
        raise table.error(int(row), SCORE_COLUMNS[severity], "All labels must be at least zero")
    for row in np.flatnonzero(~(np.sort(one_hot, 1) == (0, 0, 1)).all(1)):
        raise table.error(int(row), "row_id", f"one 1 and two 0 in {', '.join(SCORE_COLUMNS)} are needed in the truth")
    severities = one_hot.argmax(1)
    weights = np.array(SEVERITY_WEIGHTS)[severities]
    if table.has("sample_weight"):
        weights = np.array(table.parsed("sample_weight", _positive_number))
    study_ids = tuple(dict.fromkeys(studies))
    index = {study_id: row for row, study_id in enumerate(study_ids)}
    at = ([index[study] for study in studies], findings)
    shape = (len(study_ids), len(FINDINGS))
    labels, missing, sample_weights = np.zeros(shape, np.int8), np.ones(shape, bool), np.ones(shape)
    labels[at], missing[at], sample_weights[at] = severities, False, weights
    return Solution(study_ids, np.ma.MaskedArray(labels, missing), sample_weights)


def _positive_number(text: str) -> float:
    value = finite_number(text)
    if value <= 0:
        raise ValueError("a number above zero")
    if not LEAST_WEIGHT <= value <= 1 / LEAST_WEIGHT:
        raise ValueError(f"a number from {LEAST_WEIGHT:g} to {1 / LEAST_WEIGHT:g}")
    return value


def match_submission(solution: Solution, submission: SubmissionRows, coverage: Coverage = Coverage.ALL) -> ScoredStudies:
    """Match by row id; the order of either file's rows does not matter.

    Rows of the submission that have no label in a study of the solution are ignored, as the competition ignores them. A labelled row
    without a prediction is an error. ``Coverage.ALL`` also refuses studies that only one of the two has (unless they have no label at
    all); ``Coverage.COMMON`` scores the studies that both have.

    Raises:
        TableError: rows are missing or unknown, or no study is in both.
    """
    index = {study_id: row for row, study_id in enumerate(submission.study_ids)}
    present = [row for row, study_id in enumerate(solution.study_ids) if study_id in index]
    if not present:
        raise TableError("the truth and the submission have no study in common; row ids start with the study_id of the truth")
    if coverage is Coverage.ALL:
        _require_same_studies(solution, submission)
    common = Solution(tuple(solution.study_ids[row] for row in present), solution.severities[present], solution.sample_weights[present])
    scores = submission.scores[[index[study_id] for study_id in common.study_ids]]
    lacking = np.argwhere(~np.ma.getmaskarray(common.severities) & np.ma.getmaskarray(scores)[:, :, 0])
    if len(lacking):
        study, finding = lacking[0]
        example = row_id(common.study_ids[study], FINDINGS[finding])
        raise TableError(f"the submission lacks {len(lacking)} labelled rows, such as {example}; every labelled row needs a prediction")
    return ScoredStudies(common, scores)


def _require_same_studies(solution: Solution, submission: SubmissionRows) -> None:
    submitted, known = set(submission.study_ids), set(solution.study_ids)
    unknown = [study_id for study_id in submission.study_ids if study_id not in known]
    if unknown:
        raise TableError(
            f"the submission has {len(unknown)} studies that the truth lacks, such as {unknown[0]}; --subset scores the common studies"
        )
    labels = solution.severities.count(axis=1)
    absent = [study_id for study_id, count in zip(solution.study_ids, labels, strict=True) if count and study_id not in submitted]
    if absent:
        raise TableError(f"the submission lacks {len(absent)} labelled studies, such as {absent[0]}; --subset scores the common studies")
