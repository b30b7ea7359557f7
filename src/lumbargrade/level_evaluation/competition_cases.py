"""Studies in the competition's layout, measured against the points that readers marked, or that a phantom knows."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lumbargrade.competition import LabelCoordinate, MarkedPoint, marked_points
from lumbargrade.competition.truth import read_finding_truths, read_spine_truth
from lumbargrade.dicom import find_study, read_study
from lumbargrade.errors import InputError
from lumbargrade.geometry.affine import FloatArray
from lumbargrade.grade import SiteCrops, crop_sites, sites_from_locations, sites_from_points
from lumbargrade.level_evaluation.measured import (
    Anatomy,
    Locate,
    MeasuredPatient,
    Measurement,
    SiteDistance,
    SliceCheck,
    locate_timed,
    naming_by_name,
)
from lumbargrade.report.level_picture import LevelPicture
from lumbargrade.study import Evidence, Study
from lumbargrade.terms import Condition, Finding, Level, SeriesRole

_SITES = {
    Condition.SPINAL_CANAL_STENOSIS: "spinal canal",
    Condition.NEURAL_FORAMINAL_NARROWING: "neural foramen",
    Condition.SUBARTICULAR_STENOSIS: "subarticular zone",
}


@dataclass(frozen=True, slots=True)
class LabelledStudy:
    """A study on disk, its series' roles by folder name, its labels, and the phantom's truth file, None for a patient."""

    study_id: int
    folder: Path
    roles: Mapping[str, SeriesRole]
    coordinates: tuple[LabelCoordinate, ...]
    truth: Path | None


@dataclass(frozen=True, slots=True, eq=False)
class _Truth:
    """(3,) LPS points by finding in the coordinates of the series that shows each best; a reader's lie on a slice, a phantom's between."""

    points: Mapping[Finding, FloatArray]
    anatomy: Anatomy


def measure_labelled_study(labelled: LabelledStudy, locate: Locate) -> Measurement:
    """One study: a site is a labelled finding; measured are the located point and the evidence, the point that the grader would read.

    Raises:
        InputError: the study or its truth cannot be read, or no label lies on a slice of it.
    """
    study = read_study(find_study(labelled.folder), labelled.roles)
    marked = {each.coordinate.finding: each for each in marked_points(study, labelled.coordinates)}
    if not marked:
        raise InputError(f"{labelled.study_id}: no label coordinate lies on a slice of the study")
    truth = _read_truth(labelled, marked)
    timed = locate_timed(study, locate)
    sites = sites_from_locations(timed.found.locations, timed.found.moved_mm)
    crops = crop_sites(study, sites)
    evidence = {finding: _evidence(crops.get(finding)) for finding in marked}
    distances = [_distance(finding, "located", sites[finding].point_lps_mm if finding in sites else None, truth) for finding in marked]
    distances += [_from_the_side(finding, timed.canals, truth) for finding in marked if not finding.condition.is_paired]
    distances += [_distance(finding, "evidence", shown.point_lps_mm if shown else None, truth) for finding, shown in evidence.items()]
    slices = [SliceCheck(_SITES[finding.condition], _is_within_one(study, marked[finding], shown)) for finding, shown in evidence.items()]
    true = _canals(truth)
    naming = naming_by_name(timed.canals, true)
    measured = MeasuredPatient(str(labelled.study_id), truth.anatomy, tuple(distances), tuple(slices), naming, timed.codes, timed.seconds)
    return Measurement(measured, LevelPicture.of(study, true, timed.canals))


def _canals(truth: _Truth) -> dict[str, FloatArray]:
    """Canal points by level name; where no canal is labelled, midway between the level's subarticular points."""
    sites = sites_from_points(truth.points)
    canals = {level: Finding(Condition.SPINAL_CANAL_STENOSIS, None, level) for level in Level}
    return {level.value: np.asarray(sites[canal].point_lps_mm) for level, canal in canals.items() if canal in sites}


def _evidence(crops: SiteCrops | None) -> Evidence | None:
    return crops.best.evidence if crops is not None and crops.best is not None else None


def _distance(finding: Finding, what: str, point_lps_mm: FloatArray | None, truth: _Truth) -> SiteDistance:
    distance = None if point_lps_mm is None else float(np.linalg.norm(point_lps_mm - truth.points[finding]))
    return SiteDistance(f"{_SITES[finding.condition]}, {what}", finding.level, distance)


def _from_the_side(canal: Finding, located: Mapping[str, FloatArray], truth: _Truth) -> SiteDistance:
    """Without the distance to the left or right, which slices far apart cannot tell."""
    name = canal.level.value
    distance = float(np.linalg.norm((located[name] - truth.points[canal])[1:])) if name in located else None
    return SiteDistance(f"{_SITES[canal.condition]}, seen from the side", canal.level, distance)


def _is_within_one(study: Study, marked: MarkedPoint, evidence: Evidence | None) -> bool:
    """Whether the evidence lies on the slice that the reader marked or on a neighbour of it in the same stack."""
    if evidence is None:
        return False
    wanted = evidence.sop_instance_uid, evidence.instance_number
    for series in study.series:
        for stack in series.stacks:
            places = [index for index, instance in enumerate(stack.instances) if instance is marked.instance]
            if places and series.series_instance_uid == evidence.series_instance_uid:
                around = stack.instances[max(places[0] - 1, 0) : places[0] + 2]
                return wanted in [(instance.sop_instance_uid, instance.instance_number) for instance in around]
    return False


def _read_truth(labelled: LabelledStudy, marked: Mapping[Finding, MarkedPoint]) -> _Truth:
    points = {finding: each.point_lps_mm for finding, each in marked.items()}
    if labelled.truth is None:
        return _Truth(points, Anatomy.UNKNOWN)
    known = read_finding_truths(labelled.truth)
    points |= {finding: truth.point_lps_mm for finding in points if (truth := known[finding]).point_lps_mm is not None}
    ordinary = read_spine_truth(labelled.truth).transitional is None
    return _Truth(points, Anatomy.ORDINARY if ordinary else Anatomy.TRANSITIONAL)
