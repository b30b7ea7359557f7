"""The submission: 25 rows a study, three values a row, tilted by the metric's sample weights.

The metric is a log loss in which a severe label counts four times and a moderate one twice, so its best answer is not the probability but
the probability times (1, 2, 4), renormalised. Such values are called scores here and have a type of their own; what a reader is shown is
never a score.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lumbargrade.competition.labels import SEVERITY_WEIGHTS
from lumbargrade.competition.names import SCORE_COLUMNS, parse_row_id, row_id
from lumbargrade.competition.table import Table, identifier, read_table, write_table
from lumbargrade.errors import TableError
from lumbargrade.geometry.affine import FloatArray
from lumbargrade.terms import FINDING_INDEX, FINDINGS

SMALLEST_SCORE = 1e-6
"""Nothing smaller is written: a zero that turns out true would cost 36 nats."""

MaskedFloats = np.ma.MaskedArray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True, eq=False)
class SubmissionScores:
    """Metric-tilted values for whole studies.

    Attributes:
        study_ids: each once.
        scores: (study, 25, 3), float64, read-only; findings in the order of ``FINDINGS``.

    Raises:
        ValueError: another shape, a study twice, a value outside 0..1, or a row that does not sum to one (to 1e-6).
    """

    study_ids: tuple[int, ...]
    scores: FloatArray

    def __post_init__(self) -> None:
        scores = np.array(self.scores, np.float64)
        if scores.shape != (len(self.study_ids), len(FINDINGS), 3) or len(set(self.study_ids)) != len(self.study_ids):
            raise ValueError(f"scores must be (study, 25, 3) of different studies, not {scores.shape} of {len(self.study_ids)}")
        if not ((scores >= 0) & (scores <= 1 + 1e-6)).all() or np.abs(scores.sum(-1) - 1).max(initial=0) > 1e-6:
            raise ValueError("scores must lie in 0..1 and sum to one a finding")
        scores.flags.writeable = False
        object.__setattr__(self, "scores", scores)


@dataclass(frozen=True, slots=True, eq=False)
class SubmissionRows:
    """The rows of any submission as they stand: perhaps not all 25 of a study, perhaps not summing to one.

    Attributes:
        study_ids: each once, in the order in which they first occur.
        scores: (study, 25, 3), finite and not negative; a row that the file lacks is masked.
    """

    study_ids: tuple[int, ...]
    scores: MaskedFloats

    @property
    def missing_row_ids(self) -> list[str]:
        """The rows that whole studies would have."""
        absent = np.argwhere(np.ma.getmaskarray(self.scores)[:, :, 0])
        return [row_id(self.study_ids[study], FINDINGS[finding]) for study, finding in absent]


def tilt(probabilities: ArrayLike) -> FloatArray:
    """Probabilities (..., 3) to scores: times 1, 2, 4, renormalised."""
    weighted = np.asarray(probabilities, np.float64) * SEVERITY_WEIGHTS
    return np.asarray(weighted / weighted.sum(-1, keepdims=True))


def untilt(scores: ArrayLike) -> FloatArray:
    """Scores (..., 3) back to the probabilities that ``tilt`` came from."""
    weighted = np.asarray(scores, np.float64) / SEVERITY_WEIGHTS
    return np.asarray(weighted / weighted.sum(-1, keepdims=True))


def write_submission(path: Path, scores: SubmissionScores, expected: SubmissionRows | None = None) -> None:
    """Write 25 rows a study, sorted by row id as text, as the sample submission is; no value below 1e-6, every row summing to one.

    Args:
        expected: the sample submission, if not every row is wanted: just its rows of these studies are written.
    """
    unwanted = set(expected.missing_row_ids) if expected is not None else set()
    rows = sorted((row for row in _rows(scores) if row[0] not in unwanted), key=lambda row: row[0])
    write_table(path, ("row_id", *SCORE_COLUMNS), [(name, *values) for name, _, values in rows])


def write_out_of_fold(path: Path, scores: SubmissionScores, folds: NDArray[np.integer[Any]]) -> None:
    """Write a submission with one more column: the fold that each study was held out in. ``folds`` is (study,).

    Raises:
        ValueError: not one fold a study.
    """
    if folds.shape != (len(scores.study_ids),):
        raise ValueError(f"folds must be ({len(scores.study_ids)},), not {folds.shape}")
    rows = sorted(_rows(scores), key=lambda row: row[0])
    write_table(path, ("row_id", *SCORE_COLUMNS, "fold"), [(name, *values, int(folds[study])) for name, study, values in rows])


def read_folds(path: Path, study_ids: Sequence[int]) -> NDArray[np.intp]:
    """(study,) the fold that each of some studies was held out in, from what ``write_out_of_fold`` wrote.

    Raises:
        TableError: no such column, or a study is not in it.
    """
    table = read_table(path)
    table.require("row_id", "fold")
    studies, _ = read_row_ids(table)
    folds = dict(zip(studies, table.parsed("fold", identifier), strict=True))
    absent = [study_id for study_id in study_ids if study_id not in folds]
    if absent:
        raise TableError(f"{path}: {len(absent)} studies are not in it, such as {absent[0]}")
    return np.array([folds[study_id] for study_id in study_ids], np.intp)


def _rows(scores: SubmissionScores) -> Iterator[tuple[str, int, list[float]]]:
    """(row id, index of the study, the three values to write)."""
    values = _floored(scores.scores).tolist()
    for study, study_id in enumerate(scores.study_ids):
        for finding, of_finding in zip(FINDINGS, values[study], strict=True):
            yield row_id(study_id, finding), study, of_finding


def _floored(scores: FloatArray) -> FloatArray:
    """(..., 3) with no value below ``SMALLEST_SCORE``; the largest of each row gives what the others took, so that the sum stays one."""
    floored = np.maximum(scores, SMALLEST_SCORE)
    largest = floored.argmax(-1)[..., None]
    rest = floored.sum(-1, keepdims=True) - np.take_along_axis(floored, largest, -1)
    np.put_along_axis(floored, largest, 1 - rest, -1)
    return floored


def read_submission(path: Path) -> SubmissionScores:
    """Read a complete submission or out-of-fold file (further columns are ignored); rows are renormalised.

    Raises:
        TableError: what ``read_submission_rows`` raises; a study without its 25 rows; a row that does not sum to one (to 1e-3).
        OSError: the file cannot be opened.
    """
    rows = read_submission_rows(path)
    missing = rows.missing_row_ids
    if missing:
        raise TableError(f"{path}: {len(missing)} rows missing, such as {missing[0]}; 25 rows a study are needed")
    with np.errstate(over="ignore"):
        sums = rows.scores.data.sum(-1)
    off = np.argwhere(np.abs(sums - 1) > 1e-3)
    if len(off):
        study, finding = off[0]
        name = row_id(rows.study_ids[study], FINDINGS[finding])
        raise TableError(
            f"{path}: {len(off)} rows do not sum to one, such as {name} ({sums[study, finding]:.6g}); divide each row by its sum"
        )
    return SubmissionScores(rows.study_ids, rows.scores.data / sums[..., None])


def read_submission_rows(path: Path) -> SubmissionRows:
    """Read the rows of a submission, in whatever order (further columns are ignored).

    Raises:
        TableError: a column is missing, a row id is unknown or occurs twice, a value is no number, not finite or negative; the last three
            with the texts of the competition's metric.
        OSError: the file cannot be opened.
    """
    table = read_table(path)
    table.require("row_id", *SCORE_COLUMNS)
    studies, findings = read_row_ids(table)
    columns = [[_number(table, row, column, text) for row, text in enumerate(table.parsed(column, str))] for column in SCORE_COLUMNS]
    values = np.array(columns, np.float64).T
    _refuse(table, ~np.isfinite(values), "All submission values must be finite")
    _refuse(table, values < 0, "All predictions must be at least zero")
    study_ids = tuple(dict.fromkeys(studies))
    index = {study_id: row for row, study_id in enumerate(study_ids)}
    at = ([index[study] for study in studies], findings)
    shape = (len(study_ids), len(FINDINGS), 3)
    scores, missing = np.zeros(shape), np.ones(shape, bool)
    scores[at], missing[at] = values, False
    return SubmissionRows(study_ids, np.ma.MaskedArray(scores, missing))


def read_row_ids(table: Table) -> tuple[list[int], list[int]]:
    """The study ids and the indices into ``FINDINGS`` of a table's rows.

    Raises:
        TableError: a row id is unknown or occurs twice.
    """
    keys = table.parsed("row_id", parse_row_id)
    count = Counter(keys)
    repeated = [key for key in count if count[key] > 1]
    if repeated:
        raise TableError(f"{table.path}: {len(repeated)} row ids occur more than once, such as {row_id(*repeated[0])}; each once is needed")
    return [study for study, _ in keys], [FINDING_INDEX[finding] for _, finding in keys]


def _number(table: Table, row: int, column: str, text: str) -> float:
    """A cell as a number; an empty one is not a number but NaN, as in the competition's own reader."""
    try:
        return float(text) if text.strip() else np.nan
    except ValueError as error:
        raise table.error(row, column, "All submission values must be numeric") from error


def _refuse(table: Table, bad: NDArray[np.bool_], message: str) -> None:
    """Raises TableError about the first cell of (row, severity) that is bad."""
    for row, severity in np.argwhere(bad):
        raise table.error(int(row), SCORE_COLUMNS[severity], message)
