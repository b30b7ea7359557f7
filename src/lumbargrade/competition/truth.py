"""What a synthetic data set tells of a patient beyond the competition's tables: every disc and vertebra, and each finding's measures."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from lumbargrade.errors import InputError
from lumbargrade.geometry.affine import FloatArray
from lumbargrade.terms import Condition, Finding, Laterality, Level


@dataclass(frozen=True, slots=True, eq=False)
class SpineTruth:
    """A synthetic patient's spine: LPS millimetres, before the patient moved.

    Attributes:
        findings: (3,) the site of each finding that some series shows.
        discs: (n, 3, 3) front margin, back margin and canal of every disc, by name from the head down.
        bodies: (n, 4, 3) corners of every vertebra's body in its middle sagittal plane, by name from the head down.
        transitional: the disc at which the spine departs from the ordinary, None in an ordinary one.
        moved_mm: (3,) by how much the patient had moved when a series was taken, by its folder's name.
    """

    findings: Mapping[Finding, FloatArray]
    discs: Mapping[str, FloatArray]
    bodies: Mapping[str, FloatArray]
    transitional: str | None
    moved_mm: Mapping[str, FloatArray]


@dataclass(frozen=True, slots=True, eq=False)
class FindingTruth:
    """One finding of a synthetic patient.

    Attributes:
        probabilities: (3,) that a reader calls it each severity.
        measures: what was measured of it, by name with unit.
        point_lps_mm: (3,) where the series that is labelled shows it; None where no series does.
    """

    probabilities: tuple[float, ...]
    measures: Mapping[str, float]
    point_lps_mm: FloatArray | None


Truth = TypeVar("Truth")
_DISC_OF_VARIANT = {"sacralised L5": "L5/S1", "lumbarised S1": "S1/S2"}


def read_spine_truth(path: Path) -> SpineTruth:
    """The spine in a study's ``truth.json``.

    Raises:
        InputError: not such a file, or one of an older version that told nothing of the spine.
    """
    return _read(path, _spine, "spine")


def read_finding_truths(path: Path) -> dict[Finding, FindingTruth]:
    """The findings in a study's ``truth.json``.

    Raises:
        InputError: not such a file, or one of an older version that told less.
    """
    return _read(path, _findings, "findings")


def _read(path: Path, parse: Callable[[Mapping[str, Any]], Truth], subject: str) -> Truth:
    try:
        return parse(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: tells nothing of the {subject} ({type(error).__name__}); make the synthetic data set anew") from error


def _findings(truth: Mapping[str, Any]) -> dict[Finding, FindingTruth]:
    return {
        _finding(each): FindingTruth(
            tuple(each["probabilities"]),
            dict(each["measures"]),
            np.array(each["label"]["point_lps_mm"], np.float64) if each["label"] else None,
        )
        for each in truth["findings"]
    }


def _finding(entry: Mapping[str, Any]) -> Finding:
    side = Laterality(entry["laterality"]) if entry["laterality"] else None
    return Finding(Condition(entry["condition"]), side, Level(entry["level"]))


def _spine(truth: Mapping[str, Any]) -> SpineTruth:
    moved = {str(series["series_id"]): np.array(series["moved_mm"], np.float64) for series in truth["series"]}
    findings = {}
    for entry in truth["findings"]:
        if entry["label"] is not None:
            findings[_finding(entry)] = np.array(entry["label"]["point_lps_mm"], np.float64) - moved[str(entry["label"]["series_id"])]
    spine = truth["spine"]
    discs = {each["name"]: np.array([each["front_lps_mm"], each["back_lps_mm"], each["canal_lps_mm"]]) for each in spine["discs"]}
    bodies = {each["name"]: np.array(each["corners_lps_mm"]) for each in spine["vertebrae"]}
    transitional = _DISC_OF_VARIANT.get(truth["anatomy"]["bones"]["variants"]["lumbosacral"])
    return SpineTruth(findings, discs, bodies, transitional, moved)
