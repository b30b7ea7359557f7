"""The three files of one study, written so that ``result.json`` stands for all of them."""

import json
from pathlib import Path

from lumbargrade import __version__
from lumbargrade.report.files import write_together
from lumbargrade.report.findings import findings_csv
from lumbargrade.report.html import render_report
from lumbargrade.report.result import SCHEMA, result_document, result_json
from lumbargrade.study import Study, StudyGrades

RESULT, FINDINGS_TABLE, REPORT = "result.json", "findings.csv", "report.html"


def write_report(folder: Path, study: Study, grades: StudyGrades, seconds: float) -> None:
    """Write ``findings.csv``, ``report.html`` and, last, ``result.json``; make the folder where it is missing.

    Wherever a ``result.json`` lies, the two files beside it are there and of the same run; older files stay until the new ones are written.

    Args:
        seconds: how long the study took, shown in the report.
    """
    texts = {
        FINDINGS_TABLE: findings_csv(grades),
        REPORT: render_report(study, grades, seconds),
        RESULT: result_json(result_document(study, grades, seconds)),
    }
    write_together(folder, texts)


def has_result(folder: Path, model_sha256: str, shift: int, with_identifiers: bool = False) -> bool:
    """Whether ``write_report`` has written a folder with the same model, the same version of the software, the same shift of levels, and
    with the patient's identifiers or without them as asked for."""
    try:
        document = json.loads((folder / RESULT).read_bytes())
        found = document["schema"], document["software"]["version"], document["model"]["sha256"]
        shifted = document["numbering"]["shift"] if document["numbering"] else shift
        identified = "patient" in document["study"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return bool((*found, shifted, identified) == (SCHEMA, __version__, model_sha256, shift, with_identifiers))
