"""The three files of one study, written so that ``result.json`` stands for all of them."""

from pathlib import Path

from lumbargrade.report.files import write_atomically
from lumbargrade.report.findings import findings_csv
from lumbargrade.report.html import render_report
from lumbargrade.report.result import result_document, result_json
from lumbargrade.study import Study, StudyGrades

RESULT, FINDINGS_TABLE, REPORT = "result.json", "findings.csv", "report.html"


def write_report(folder: Path, study: Study, grades: StudyGrades, seconds: float) -> None:
    """Write ``findings.csv``, ``report.html`` and, last, ``result.json``; make the folder where it is missing.

    An older ``result.json`` goes first, so wherever a ``result.json`` lies, the two files beside it are there and of the same run.

    Args:
        seconds: how long the study took, shown in the report.
    """
    texts = {
        FINDINGS_TABLE: findings_csv(grades),
        REPORT: render_report(study, grades, seconds),
        RESULT: result_json(result_document(study, grades, seconds)),
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RESULT).unlink(missing_ok=True)
    for name, text in texts.items():
        write_atomically(folder / name, text)
