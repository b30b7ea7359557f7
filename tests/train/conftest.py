"""A data set in the competition's layout of patients made of blobs: small enough to train on in seconds, and learnable."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lumbargrade.competition import LabelCoordinate, StudyLabels, write_coordinates, write_labels, write_series_roles
from lumbargrade.dicom import HeaderProfile, TransferSyntax, write_series
from lumbargrade.geometry.affine import SliceAffine
from lumbargrade.study import Instance, Series, SeriesTiming, Stack
from lumbargrade.terms import FINDINGS, LEVELS, Condition, Finding, SeriesRole

CANAL_LPS = np.array([[6.0, 42, 180], [4, 36, 146], [3, 33, 111], [5, 38, 75], [8, 52, 44]])
OFFSETS = {
    Condition.SPINAL_CANAL_STENOSIS: np.array([0.0, 0.0, 0.0]),
    Condition.NEURAL_FORAMINAL_NARROWING: np.array([17.0, -8.0, 3.0]),
    Condition.SUBARTICULAR_STENOSIS: np.array([9.0, -3.0, 0.0]),
}
SERIES = {
    SeriesRole.SAGITTAL_T1: (11, Condition.NEURAL_FORAMINAL_NARROWING),
    SeriesRole.SAGITTAL_T2: (12, Condition.SPINAL_CANAL_STENOSIS),
    SeriesRole.AXIAL_T2: (13, Condition.SUBARTICULAR_STENOSIS),
}
RADII_MM = (7.0, 5.5, 4.0)
BRIGHTNESS = {
    Condition.SPINAL_CANAL_STENOSIS: 850,
    Condition.NEURAL_FORAMINAL_NARROWING: 600,
    Condition.SUBARTICULAR_STENOSIS: 80,
}
MIDDLE = np.array([5.0, 40.0, 110.0])


def place(finding: Finding, shift: np.ndarray) -> np.ndarray:
    side = np.array([finding.laterality.lps_sign if finding.laterality else 1.0, 1.0, 1.0])
    return CANAL_LPS[LEVELS.index(finding.level)] + OFFSETS[finding.condition] * side + shift


def picture(affine: SliceAffine, shape: tuple[int, int], severities: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Wavy tissue with a ball at each site, smaller where more severe."""
    columns, rows = np.meshgrid(np.arange(shape[1]), np.arange(shape[0]))
    points = affine.to_lps(np.stack([columns.ravel(), rows.ravel()], 1))
    values = 300 + 60 * np.sin(points[:, 1] / 9) * np.cos(points[:, 2] / 13 + points[:, 0] / 7)
    for finding, severity in zip(FINDINGS, severities, strict=True):
        values[np.linalg.norm(points - place(finding, shift), axis=1) < RADII_MM[severity]] = BRIGHTNESS[finding.condition]
    return values.reshape(shape).astype(np.float32)


def slices_of(role: SeriesRole) -> list[tuple[SliceAffine, tuple[int, int]]]:
    left, posterior, feet = np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), np.array([0, 0, -1.0])
    if role.is_sagittal:
        corners = [MIDDLE + left * (-28 + 4.2 * n) - posterior * 80 - feet * 100 for n in range(14)]
        return [(SliceAffine(corner, posterior, feet, 1.6, 1.7), (118, 100)) for corner in corners]
    corners = [CANAL_LPS[level] + feet * (-4 + 4 * n) - left * 45 - posterior * 45 for level in range(5) for n in range(3)]
    return [(SliceAffine(corner, left, posterior, 1.0, 1.1), (82, 90)) for corner in corners]


def write_study(root: Path, study_id: int, severities: np.ndarray, shift: np.ndarray) -> list[LabelCoordinate]:
    points = []
    for role, (series_id, condition) in SERIES.items():
        instances = [
            Instance(f"1.{number}", number, affine, picture(affine, shape, severities, shift))
            for number, (affine, shape) in enumerate(slices_of(role), 1)
        ]
        series = Series(f"1.{series_id}", str(series_id), "", SeriesTiming(), role, "made so", (Stack.ordered(instances),))
        folder = root / "train_images" / str(study_id) / str(series_id)
        write_series(folder, f"1.2.{study_id}", series, HeaderProfile.COMPETITION, TransferSyntax.EXPLICIT_LITTLE_ENDIAN)
        for finding in FINDINGS:
            if finding.condition is condition:
                point = place(finding, shift)
                nearest = min(instances, key=lambda instance: abs(instance.affine.distances_mm(point)[0]))
                column, row = nearest.affine.to_px(point)[0]
                points.append(LabelCoordinate(study_id, series_id, nearest.instance_number, finding, column, row))
    return points


@pytest.fixture(scope="session")
def make_data_set() -> Callable[[Path, int], Path]:
    def make(root: Path, studies: int) -> Path:
        rng = np.random.default_rng(7)
        severities = rng.choice(3, (studies, len(FINDINGS)), p=[0.5, 0.3, 0.2]).astype(np.int8)
        ids = tuple(range(101, 101 + studies))
        root.mkdir()
        points = []
        for row, study_id in enumerate(ids):
            points += write_study(root, study_id, severities[row], rng.uniform(-4, 4, 3))
        missing = np.zeros(severities.shape, bool)
        missing[0, 3] = True
        write_labels(root / "train.csv", StudyLabels(ids, np.ma.MaskedArray(severities, missing)))
        write_coordinates(root / "train_label_coordinates.csv", points)
        roles = {study_id: {series_id: role for role, (series_id, _) in SERIES.items()} for study_id in ids}
        write_series_roles(root / "train_series_descriptions.csv", roles)
        return root

    return make


@pytest.fixture(scope="session")
def blob_data(tmp_path_factory: pytest.TempPathFactory, make_data_set: Callable[[Path, int], Path]) -> Path:
    """Twelve patients."""
    return make_data_set(tmp_path_factory.mktemp("blobs") / "data", 12)
