import csv
import io
from dataclasses import replace

import pytest

from lumbargrade.report.findings import findings_csv
from lumbargrade.report.result import result_document
from lumbargrade.study import Grade
from lumbargrade.terms import FINDINGS


def _rows(grades) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(findings_csv(grades))))


def test_table_has_one_row_per_finding_and_agrees_with_the_document(case):
    rows, entries = _rows(case.grades), result_document(case.study, case.grades, 0.0)["findings"]
    assert len(rows) == 25
    for row, entry in zip(rows, entries, strict=True):
        assert row["condition"] == entry["condition"]
        assert row["laterality"] == (entry["laterality"] or "")
        assert row["level"] == entry["level"]
        if entry["status"] == "graded":
            assert row["severity"] == entry["severity"]
            assert {name: float(row[name]) for name in entry["probabilities"]} == entry["probabilities"]
            assert [float(row[name]) for name in ("x_lps_mm", "y_lps_mm", "z_lps_mm")] == entry["evidence"]["point_lps_mm"]
            assert int(row["instance_number"]) == entry["evidence"]["instance_number"]


def test_row_of_an_ungraded_finding_has_its_reason_and_empty_numbers(case, ungraded):
    finding, reason = ungraded
    row = _rows(case.grades)[FINDINGS.index(finding)]
    assert (row["status"], row["reason"]) == ("not_graded", reason)
    assert {row[name] for name in ("severity", "normal_mild", "severe", "sop_instance_uid", "column_px", "z_lps_mm")} == {""}


@pytest.mark.parametrize("reason", ['=HYPERLINK("x")', "+1", "@SUM(A1)", "-2"])
def test_reason_that_a_spreadsheet_would_run_is_made_inert(case, reason):
    changed = (Grade(case.grades.grades[0].finding, None, None, reason), *case.grades.grades[1:])
    assert _rows(replace(case.grades, grades=changed))[0]["reason"] == f"'{reason}"


def test_negative_coordinate_stays_a_number(case):
    assert any(float(row["z_lps_mm"]) < 0 for row in _rows(case.grades) if row["z_lps_mm"])
