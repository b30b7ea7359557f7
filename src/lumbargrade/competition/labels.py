"""``train.csv``: one row a study, one column a finding."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lumbargrade.competition.names import FINDING_COLUMNS, SEVERITY_TITLES, parse_severity
from lumbargrade.competition.table import Table, identifier, read_table, write_table
from lumbargrade.terms import FINDINGS, Condition, Severity

SeverityArray = np.ma.MaskedArray[Any, np.dtype[np.int8]]
"""(study, finding) of ``Severity`` values in the order of ``FINDINGS``; a missing label is masked."""

CONDITION_COLUMNS = {condition: np.array([finding.condition is condition for finding in FINDINGS]) for condition in Condition}
"""(25,) which of the columns are of a condition."""

SEVERITY_WEIGHTS: tuple[float, float, float] = (1.0, 2.0, 4.0)
"""The sample weight that the metric gives to a label of each severity."""


@dataclass(frozen=True, slots=True, eq=False)
class StudyLabels:
    """The severities that readers gave.

    Attributes:
        study_ids: one a row of ``severities``, each once.
        severities: (study, 25), int8, read-only, masked where the reader could not judge.

    Raises:
        ValueError: another shape, a study twice, or a value that is no severity.
    """

    study_ids: tuple[int, ...]
    severities: SeverityArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "severities", checked_severities(self.study_ids, self.severities))


def checked_severities(study_ids: tuple[int, ...], severities: SeverityArray) -> SeverityArray:
    """A read-only int8 copy with a full mask.

    Raises:
        ValueError: not (study, 25), a study twice, or a value that is no severity.
    """
    if severities.shape != (len(study_ids), len(FINDINGS)):
        raise ValueError(f"severities must be ({len(study_ids)}, {len(FINDINGS)}), not {severities.shape}")
    if len(set(study_ids)) != len(study_ids):
        raise ValueError("a study occurs twice")
    if not np.isin(severities.compressed(), list(Severity)).all():
        raise ValueError(f"a severity is one of {[int(severity) for severity in Severity]}; a missing one is masked")
    copy: SeverityArray = np.ma.MaskedArray(severities.filled(0).astype(np.int8), np.ma.getmaskarray(severities).copy())
    copy.harden_mask()
    copy.flags.writeable = False
    return copy


def read_labels(path: Path) -> StudyLabels:
    """Read ``train.csv``; empty cells are missing labels.

    Raises:
        TableError: a column is missing, a cell is no severity, a study occurs twice.
        OSError: the file cannot be opened.
    """
    return parse_labels(read_table(path))


def parse_labels(table: Table) -> StudyLabels:
    """The labels of a table that was read already.

    Raises:
        TableError: as ``read_labels``.
    """
    table.require("study_id", *FINDING_COLUMNS)
    study_ids = table.parsed("study_id", identifier)
    seen: set[int] = set()
    for row, study_id in enumerate(study_ids):
        if study_id in seen:
            raise table.error(row, "study_id", "each study once is needed")
        seen.add(study_id)
    columns = [table.parsed(column, _severity_if_any) for column in FINDING_COLUMNS]
    missing = np.array([[severity is None for severity in column] for column in columns]).T
    values = np.array([[severity or 0 for severity in column] for column in columns], np.int8).T
    return StudyLabels(tuple(study_ids), np.ma.MaskedArray(values, missing))


def write_labels(path: Path, labels: StudyLabels) -> None:
    """Write ``train.csv`` in the competition's columns and spellings."""
    missing = np.ma.getmaskarray(labels.severities)
    rows = (
        [study_id, *("" if absent else SEVERITY_TITLES[Severity(value)] for value, absent in zip(values, mask, strict=True))]
        for study_id, values, mask in zip(labels.study_ids, labels.severities.data.tolist(), missing.tolist(), strict=True)
    )
    write_table(path, ("study_id", *FINDING_COLUMNS), rows)


def _severity_if_any(text: str) -> Severity | None:
    return parse_severity(text) if text.strip() else None
