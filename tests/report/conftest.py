"""A lopsided synthetic study: tilted series of unequal spacings, with one bright pixel where each finding was read."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from lumbargrade.geometry.affine import FloatArray, SliceAffine
from lumbargrade.study import (
    Evidence,
    Grade,
    Instance,
    LevelLocation,
    Measurement,
    Probabilities,
    Problem,
    Series,
    SeriesTiming,
    Stack,
    Study,
    StudyGrades,
)
from lumbargrade.terms import FINDINGS, LEVELS, Condition, Finding, Laterality, Level, SeriesRole, Severity

UIDS = {SeriesRole.SAGITTAL_T2: "1.2.1", SeriesRole.SAGITTAL_T1: "1.2.2", SeriesRole.AXIAL_T2: "1.2.3"}
ROLE_OF = {
    Condition.SPINAL_CANAL_STENOSIS: SeriesRole.SAGITTAL_T2,
    Condition.NEURAL_FORAMINAL_NARROWING: SeriesRole.SAGITTAL_T1,
    Condition.SUBARTICULAR_STENOSIS: SeriesRole.AXIAL_T2,
}
UNGRADED = Finding(Condition.SUBARTICULAR_STENOSIS, Laterality.LEFT, Level.L1_L2)
REASON = "the site lies 9.1 mm outside the axial stack"


def site_lps_mm(finding: Finding) -> FloatArray:
    """Where a finding lies: the spine leans to the left and forward on its way down, the right foramen is farther out than the left."""
    depth = LEVELS.index(finding.level)
    canal = np.array([3.0 + 1.5 * depth, 12.0 - 4.0 * depth, 60.0 - 33.0 * depth])
    if finding.laterality is None:
        return canal
    reach = {Condition.NEURAL_FORAMINAL_NARROWING: 17.0, Condition.SUBARTICULAR_STENOSIS: 8.0}[finding.condition]
    reach += 2.0 if finding.laterality is Laterality.RIGHT else 0.0
    return canal + np.array([finding.laterality.lps_sign * reach, -3.0, 0.0])


def _rotation(axis: int, angle_deg: float) -> FloatArray:
    cosine, sine = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    first, second = [(1, 2), (2, 0), (0, 1)][axis]
    matrix = np.eye(3)
    matrix[first, first] = matrix[second, second] = cosine
    matrix[first, second], matrix[second, first] = -sine, sine
    return matrix


SAGITTAL = _rotation(2, 7.0) @ np.array([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0]]).T
AXIAL = _rotation(0, 12.0) @ np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]).T


def _slices(directions: FloatArray, middles: FloatArray, shape: tuple[int, int], spacing: tuple[float, float], uid: str) -> list[Instance]:
    """Slices whose middles are given; ``spacing`` is (column, row); numbers start at 3 and skip every other one."""
    rows, columns = shape
    column, row = directions.T
    shift = column * spacing[0] * (columns - 1) / 2 + row * spacing[1] * (rows - 1) / 2
    ramp = np.add.outer(np.linspace(0, 60, rows), np.linspace(0, 90, columns)).astype(np.float32)
    return [
        Instance(f"{uid}.{index}", 3 + 2 * index, SliceAffine(middle - shift, column, row, *spacing), ramp.copy())
        for index, middle in enumerate(middles)
    ]


@dataclass(frozen=True)
class Case:
    """A study and its grades."""

    study: Study
    grades: StudyGrades


def build_case(mirror_columns: bool = False, folder: str = "case-7", description: str = "AX T2") -> Case:
    """The study; with ``mirror_columns`` the axial series is stored with columns running to the patient's right."""
    middle = np.array([5.0, 0.0, -5.0])
    axial_directions = AXIAL * [-1.0, 1.0] if mirror_columns else AXIAL
    normal = np.cross(*SAGITTAL.T)
    across = middle + np.arange(-9, 10)[:, None] * 4.4 * normal
    along = middle + np.arange(-30, 31)[:, None] * 3.5 * np.cross(*AXIAL.T)
    slices = {
        SeriesRole.SAGITTAL_T2: _slices(SAGITTAL, across, (300, 320), (0.7, 0.9), "1.2.1"),
        SeriesRole.SAGITTAL_T1: _slices(SAGITTAL, across + 0.8 * normal, (260, 240), (0.8, 1.1), "1.2.2"),
        SeriesRole.AXIAL_T2: _slices(axial_directions, along, (200, 230), (0.75, 0.6), "1.2.3"),
    }
    grades = tuple(_grade(finding, index, slices) for index, finding in enumerate(FINDINGS))
    problem = Problem("uneven_spacing", "Slice distances vary.")
    series = tuple(
        Series(UIDS[role], "", description, SeriesTiming(), role, f"looks like {role.value}", (Stack.ordered(slices[role]),), (problem,))
        for role in slices
    )
    study = Study("1.2", folder, series, (Problem("no_frame", "No frame of reference."),))
    locations = tuple(_location(level) for level in LEVELS)
    problems = (Problem("no_frame", "No frame of reference."), Problem("far_site", "A site is far from every slice."))
    return Case(study, StudyGrades(locations, grades, problems, "test-model", "3.1", "ab12cd34ef56" * 5 + "0000"))


def _grade(finding: Finding, index: int, slices: dict[SeriesRole, list[Instance]]) -> Grade:
    if finding == UNGRADED:
        return Grade(finding, None, None, REASON)
    role, site = ROLE_OF[finding.condition], site_lps_mm(finding)
    nearest = min(slices[role], key=lambda instance: abs(float(instance.affine.distances_mm(site)[0])))
    column, row = (round(float(value)) for value in nearest.affine.to_px(site)[0])
    nearest.pixels[row, column] = 1000.0
    point = nearest.affine.to_lps(np.array([[column, row]], np.float64))[0]
    severe = 0.05 + 0.03 * index
    probabilities = Probabilities((1 - severe) * 0.7, (1 - severe) * 0.3, severe)
    evidence = Evidence(UIDS[role], nearest.sop_instance_uid, nearest.instance_number, column, row, point)
    opinions = {"network": Probabilities(0.25, 0.65, 0.1), "measured": Probabilities(0.5, 0.4, 0.1)}
    return Grade(finding, probabilities, evidence, None, prediction_set(probabilities), measurements(finding), opinions)


def prediction_set(probabilities: Probabilities) -> tuple[Severity, ...]:
    return tuple(severity for severity in Severity if probabilities.values[severity] > 0.25)


def measurements(finding: Finding) -> dict[str, Measurement]:
    """Of the canal alone."""
    is_canal = finding.condition is Condition.SPINAL_CANAL_STENOSIS
    return {"sac_area_mm2": Measurement(112.4, 30.2), "csf_fraction": Measurement(0.4, 0.117)} if is_canal else {}


def _location(level: Level) -> LevelLocation:
    points = {
        condition: {side: site_lps_mm(Finding(condition, side, level)) for side in Laterality}
        for condition in Condition
        if condition.is_paired
    }
    canal = site_lps_mm(Finding(Condition.SPINAL_CANAL_STENOSIS, None, level))
    foramina, subarticular = points[Condition.NEURAL_FORAMINAL_NARROWING], points[Condition.SUBARTICULAR_STENOSIS]
    disc = canal + np.array([0.25, -27.0, 0.5])
    return LevelLocation(level, canal, disc, np.array([0.0, 0.6, 0.8]), foramina, subarticular, 0.98765)


@pytest.fixture(scope="session")
def case() -> Case:
    return build_case()


@pytest.fixture(scope="session")
def mirrored_case() -> Case:
    return build_case(mirror_columns=True)


@pytest.fixture(scope="session")
def make_case() -> Callable[..., Case]:
    return build_case


@pytest.fixture(scope="session")
def ungraded() -> tuple[Finding, str]:
    """The one finding of the case that is not graded, and why."""
    return UNGRADED, REASON
