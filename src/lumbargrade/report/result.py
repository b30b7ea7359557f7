"""``result.json``: the stable, machine-readable answer for one study (schema ``lumbargrade/result/1``)."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lumbargrade import __version__
from lumbargrade.geometry.affine import FloatArray
from lumbargrade.report.files import write_atomically
from lumbargrade.study import Evidence, Grade, LevelLocation, Numbering, Probabilities, Problem, Series, Study, StudyGrades
from lumbargrade.terms import INTENDED_USE, SEVERITIES, Laterality

SCHEMA = "lumbargrade/result/1"


def result_document(study: Study, grades: StudyGrades, seconds: float) -> dict[str, Any]:
    """Everything known about one study as JSON values: millimetres (LPS) and pixels to 2 decimals, probabilities to 6, directions to 4.

    ``findings`` holds all 25 in the order of ``FINDINGS``; one that is not graded has its reason, and null severity and probabilities.
    """
    return {
        "schema": SCHEMA,
        "study": study_entry(study),
        "series": [_series_entry(series) for series in study.series],
        "levels": [_level_entry(location) for location in grades.locations],
        "numbering": _numbering_entry(grades.numbering) if grades.numbering else None,
        "findings": [finding_entry(grade) for grade in grades.grades],
        "problems": _problem_entries(all_problems(study, grades)),
        "model": {"name": grades.model_name, "version": grades.model_version, "sha256": grades.model_sha256},
        "software": {"version": __version__},
        "seconds": round(float(seconds), 2),
        "intended_use": INTENDED_USE,
    }


def result_json(document: dict[str, Any]) -> str:
    """The document as text.

    Raises:
        ValueError: a number that JSON cannot hold (NaN, infinity).
    """
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def write_result(path: Path, study: Study, grades: StudyGrades, seconds: float) -> None:
    """Write ``result.json``, whole or not at all."""
    write_atomically(path, result_json(result_document(study, grades, seconds)))


def study_entry(study: Study) -> dict[str, Any]:
    """Which study it is; ``patient`` is there only where reading was asked for identifiers."""
    entry: dict[str, Any] = {"study_instance_uid": study.study_instance_uid, "folder": study.folder}
    if study.identifiers is not None:
        entry["patient"] = {
            "name": study.identifiers.patient_name,
            "id": study.identifiers.patient_id,
            "birth_date": study.identifiers.birth_date,
            "study_date": study.identifiers.study_date,
            "accession_number": study.identifiers.accession_number,
        }
    return entry


def finding_entry(grade: Grade) -> dict[str, Any]:
    """One finding as JSON values."""
    finding, probabilities = grade.finding, grade.probabilities
    return {
        "condition": finding.condition.value,
        "laterality": finding.laterality.value if finding.laterality else None,
        "level": finding.level.value,
        "status": "graded" if grade.is_graded else "not_graded",
        "reason": grade.reason,
        "severity": probabilities.severity.label if probabilities else None,
        "probabilities": _probability_entry(probabilities) if probabilities else None,
        "prediction_set": [severity.label for severity in grade.prediction_set],
        "opinions": {name: _probability_entry(each) for name, each in grade.opinions.items()},
        "measurements": {
            name: {"value": round(each.value, 3), "spread": round(each.spread, 3)} for name, each in grade.measurements.items()
        },
        "offset_mm": None if grade.offset_mm is None else round(grade.offset_mm, 1),
        "evidence": _evidence_entry(grade.evidence) if grade.evidence else None,
    }


def all_problems(study: Study, grades: StudyGrades) -> tuple[Problem, ...]:
    """The study's problems, then those met while grading, each once."""
    return tuple(dict.fromkeys((*study.problems, *grades.problems)))


def _series_entry(series: Series) -> dict[str, Any]:
    return {
        "series_instance_uid": series.series_instance_uid,
        "role": series.role.value,
        "role_reason": series.role_reason,
        "instances": sum(1 for _ in series.instances),
        "stacks": len(series.stacks),
        "problems": _problem_entries(series.problems),
    }


def _level_entry(location: LevelLocation) -> dict[str, Any]:
    return {
        "level": location.level.value,
        "canal_point_lps_mm": _millimetres(location.canal_lps_mm),
        "confidence": round(float(location.confidence), 4),
        "disc_center_lps_mm": _millimetres(location.disc_center_lps_mm),
        "disc_normal": [round(float(value), 4) for value in location.disc_normal],
        "foramen_lps_mm": _sides(location.foramen_lps_mm),
        "subarticular_lps_mm": _sides(location.subarticular_lps_mm),
    }


def _sides(points_lps_mm: Mapping[Laterality, FloatArray]) -> dict[str, list[float]]:
    return {side.value: _millimetres(points_lps_mm[side]) for side in Laterality}


def _numbering_entry(numbering: Numbering) -> dict[str, Any]:
    sacrum = numbering.sacrum_lps_mm
    return {
        "basis": numbering.basis,
        "confidence": round(float(numbering.confidence), 4),
        "discs_above": numbering.discs_above,
        "sacrum_point_lps_mm": None if sacrum is None else _millimetres(sacrum),
        "transitional": None if numbering.transitional is None else round(float(numbering.transitional), 4),
        "shift": numbering.shift,
    }


def _probability_entry(probabilities: Probabilities) -> dict[str, float]:
    """Renormalised before rounding, because ``Probabilities`` tolerates sums that are 1e-4 off."""
    total = sum(probabilities.values)
    return {severity.label: round(float(probabilities.values[severity] / total), 6) for severity in SEVERITIES}


def _evidence_entry(evidence: Evidence) -> dict[str, Any]:
    return {
        "series_instance_uid": evidence.series_instance_uid,
        "sop_instance_uid": evidence.sop_instance_uid,
        "instance_number": int(evidence.instance_number),
        "column_px": round(float(evidence.column_px), 2),
        "row_px": round(float(evidence.row_px), 2),
        "point_lps_mm": _millimetres(evidence.point_lps_mm),
    }


def _problem_entries(problems: Iterable[Problem]) -> list[dict[str, str]]:
    return [{"code": problem.code, "message": problem.message} for problem in problems]


def _millimetres(point_lps_mm: FloatArray) -> list[float]:
    return [round(float(value), 2) for value in point_lps_mm]
