"""The answer for one study as documents: ``result.json``, ``findings.csv`` and a self-contained ``report.html`` with key images.

This room turns ``Study`` and ``StudyGrades`` into files and never grades, locates or reads DICOM. It says what was not graded and why, and
shows no patient's name and no date, unless the study was read with its identifiers.
"""

from lumbargrade.report.folder import has_result, write_report
from lumbargrade.report.html import render_report
from lumbargrade.report.result import result_document, study_entry, write_result

__all__ = ["has_result", "render_report", "result_document", "study_entry", "write_report", "write_result"]
