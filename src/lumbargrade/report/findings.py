"""``findings.csv``: the 25 findings as a table for spreadsheets and statistics."""

import csv
import io

from lumbargrade.report.result import finding_entry
from lumbargrade.study import Grade, StudyGrades
from lumbargrade.terms import SEVERITIES

_SITE = ("condition", "laterality", "level", "status", "severity")
_SOURCE = ("series_instance_uid", "sop_instance_uid", "instance_number", "column_px", "row_px")
_POINT = ("x_lps_mm", "y_lps_mm", "z_lps_mm")
COLUMNS = (*_SITE, *(severity.label for severity in SEVERITIES), *_SOURCE, *_POINT, "reason")


def findings_csv(grades: StudyGrades) -> str:
    """A header and one row per finding in the order of ``FINDINGS``; what is missing (no side, not graded) is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_row(grade) for grade in grades.grades)
    return text.getvalue()


def _row(grade: Grade) -> list[str | float | None]:
    """The cells of one finding, in the order of ``COLUMNS``; numbers rounded as in ``result.json``."""
    entry = finding_entry(grade)
    probabilities, evidence = entry["probabilities"] or {}, entry["evidence"] or {}
    return [
        *(entry[name] for name in _SITE),
        *(probabilities.get(severity.label) for severity in SEVERITIES),
        *(_inert(evidence.get(name)) for name in _SOURCE),
        *evidence.get("point_lps_mm", [None] * len(_POINT)),
        _inert(grade.reason),
    ]


def _inert(cell: str | float | None) -> str | float | None:
    """Text from files as text: a spreadsheet would run a cell that starts with one of these as a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@")) else cell
