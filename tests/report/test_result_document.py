import json
from dataclasses import replace

import numpy as np
import pytest

from lumbargrade import __version__
from lumbargrade.report.result import result_document, write_result
from lumbargrade.study import Grade, Probabilities
from lumbargrade.terms import FINDINGS, Condition, Finding, Laterality, Level


def test_document_has_the_promised_fields_in_the_promised_order(case):
    document = result_document(case.study, case.grades, 1.23456)
    assert list(document) == [
        "schema",
        "study",
        "series",
        "levels",
        "numbering",
        "findings",
        "problems",
        "model",
        "software",
        "seconds",
        "intended_use",
    ]
    assert document["schema"] == "lumbargrade/result/1"
    assert document["study"] == {"study_instance_uid": "1.2", "folder": "case-7"}
    assert document["model"] == {"name": "test-model", "version": "3.1", "sha256": case.grades.model_sha256}
    assert document["software"] == {"version": __version__}
    assert document["seconds"] == 1.23
    assert document["intended_use"] == "Research use only. Not for diagnostic use."


def test_series_entry_names_role_reason_counts_and_problems(case):
    entry = result_document(case.study, case.grades, 0.0)["series"][2]
    assert entry == {
        "series_instance_uid": "1.2.3",
        "role": "axial_t2",
        "role_reason": "looks like axial_t2",
        "instances": 61,
        "stacks": 1,
        "problems": [{"code": "uneven_spacing", "message": "Slice distances vary."}],
    }


def test_levels_have_their_point_rounded_to_hundredths(case):
    levels = result_document(case.study, case.grades, 0.0)["levels"]
    assert [entry["level"] for entry in levels] == ["L1/L2", "L2/L3", "L3/L4", "L4/L5", "L5/S1"]
    assert levels[3] == {
        "level": "L4/L5",
        "canal_point_lps_mm": [7.5, 0.0, -39.0],
        "confidence": 0.9877,
        "disc_center_lps_mm": [7.75, -27.0, -38.5],
        "disc_normal": [0.0, 0.6, 0.8],
        "foramen_lps_mm": {"left": [24.5, -3.0, -39.0], "right": [-11.5, -3.0, -39.0]},
        "subarticular_lps_mm": {"left": [15.5, -3.0, -39.0], "right": [-2.5, -3.0, -39.0]},
    }


def test_all_25_findings_come_in_order_with_the_patients_side(case):
    entries = result_document(case.study, case.grades, 0.0)["findings"]
    named = [(entry["condition"], entry["laterality"], entry["level"]) for entry in entries]
    assert named == [(f.condition.value, f.laterality.value if f.laterality else None, f.level.value) for f in FINDINGS]
    for entry in entries:
        if entry["evidence"] and entry["laterality"]:
            offset = entry["evidence"]["point_lps_mm"][0] - (3.0 + 1.5 * [level.value for level in Level].index(entry["level"]))
            assert (offset > 0) == (entry["laterality"] == "left")


def test_finding_that_is_not_graded_keeps_its_reason_and_has_no_default(case, ungraded):
    finding, reason = ungraded
    entry = result_document(case.study, case.grades, 0.0)["findings"][FINDINGS.index(finding)]
    assert (entry["status"], entry["reason"]) == ("not_graded", reason)
    assert entry["severity"] is None
    assert entry["probabilities"] is None
    assert entry["evidence"] is None


def test_severity_is_the_most_probable_one(case):
    entries = result_document(case.study, case.grades, 0.0)["findings"]
    graded = [entry for entry in entries if entry["status"] == "graded"]
    assert {entry["severity"] for entry in graded} == {"normal_mild", "severe"}
    assert all(entry["probabilities"][entry["severity"]] == max(entry["probabilities"].values()) for entry in graded)


@pytest.mark.parametrize("values", [(1 / 3, 1 / 3, 1 / 3), (0.33334, 0.33334, 0.33341), (1e-9, 1 - 2e-9, 1e-9), (0.99991, 0.0, 0.0)])
def test_rounded_probabilities_still_sum_to_one(case, values):
    first = case.grades.grades[0]
    changed = (Grade(first.finding, Probabilities(*values), first.evidence), *case.grades.grades[1:])
    entry = result_document(case.study, replace(case.grades, grades=changed), 0.0)["findings"][0]
    assert abs(sum(entry["probabilities"].values()) - 1) < 1e-5
    assert list(entry["probabilities"]) == ["normal_mild", "moderate", "severe"]


def test_evidence_leads_back_to_the_marked_pixel(case):
    entry = result_document(case.study, case.grades, 0.0)["findings"][
        FINDINGS.index(Finding(Condition.SUBARTICULAR_STENOSIS, Laterality.RIGHT, Level.L4_L5))
    ]["evidence"]
    assert list(entry) == ["series_instance_uid", "sop_instance_uid", "instance_number", "column_px", "row_px", "point_lps_mm"]
    instance = next(i for i in case.study.series[2].instances if i.instance_number == entry["instance_number"])
    assert instance.sop_instance_uid == entry["sop_instance_uid"]
    assert instance.pixels[int(entry["row_px"]), int(entry["column_px"])] == 1000.0
    np.testing.assert_allclose(
        instance.affine.to_lps(np.array([[entry["column_px"], entry["row_px"]]]))[0], entry["point_lps_mm"], atol=0.006
    )


def test_problem_met_twice_is_told_once(case):
    codes = [problem["code"] for problem in result_document(case.study, case.grades, 0.0)["problems"]]
    assert codes == ["no_frame", "far_site"]


def test_written_result_reads_back_as_the_document(case, tmp_path):
    write_result(tmp_path / "result.json", case.study, case.grades, 2.0)
    assert json.loads((tmp_path / "result.json").read_text("utf-8")) == result_document(case.study, case.grades, 2.0)


def test_number_that_json_cannot_hold_is_refused_and_leaves_no_file(case, tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_result(tmp_path / "result.json", case.study, case.grades, float("nan"))
    assert list(tmp_path.iterdir()) == []


def test_prediction_sets_and_measurements_are_told_of_graded_findings(case):
    findings = result_document(case.study, case.grades, 1.0)["findings"]
    for entry in findings:
        assert all(label in ("normal_mild", "moderate", "severe") for label in entry["prediction_set"])
        assert (entry["severity"] in entry["prediction_set"]) or entry["status"] == "not_graded"
        is_canal = entry["condition"] == "spinal_canal_stenosis"
        assert set(entry["measurements"]) == ({"sac_area_mm2", "csf_fraction"} if is_canal and entry["status"] == "graded" else set())
    canal = next(entry for entry in findings if entry["measurements"])
    assert canal["measurements"]["sac_area_mm2"] == {"value": 112.4, "spread": 30.2}
