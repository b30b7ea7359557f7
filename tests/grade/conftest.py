"""A lopsided patient: any brightness field of the patient, seen on tilted slices with three unequal spacings and sizes."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

from lumbargrade.geometry.affine import SliceAffine
from lumbargrade.study import Instance, Series, SeriesTiming, Stack, Study
from lumbargrade.terms import SeriesRole

ROWS, COLUMNS = 210, 250


def rotation(x_deg: float, y_deg: float, z_deg: float) -> np.ndarray:
    matrix = np.eye(3)
    for axis, angle in enumerate(np.radians([x_deg, y_deg, z_deg])):
        first, second = [other for other in range(3) if other != axis]
        turn = np.eye(3)
        turn[first, first] = turn[second, second] = np.cos(angle)
        turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
        matrix = matrix @ turn
    return matrix


@dataclass(frozen=True)
class Storage:
    """How a scanner may lay the same slice down."""

    flip_columns: bool = False
    flip_rows: bool = False
    transpose: bool = False

    def __call__(self, instance: Instance) -> Instance:
        affine, pixels = instance.affine, instance.pixels
        rows, columns = pixels.shape
        column, row, origin = affine.column_direction, affine.row_direction, affine.origin_lps_mm
        if self.flip_columns:
            origin, column, pixels = origin + column * (columns - 1) * affine.column_spacing_mm, -column, pixels[:, ::-1]
        if self.flip_rows:
            origin, row, pixels = origin + row * (rows - 1) * affine.row_spacing_mm, -row, pixels[::-1]
        spacing = affine.column_spacing_mm, affine.row_spacing_mm
        if self.transpose:
            column, row, pixels, spacing = row, column, pixels.T, spacing[::-1]
        return replace(instance, affine=SliceAffine(origin, column, row, *spacing), pixels=np.ascontiguousarray(pixels))


@dataclass(frozen=True)
class Scanner:
    """Makes series and studies out of a brightness field, (n, 3) LPS millimetres to (n,) values."""

    tilt: np.ndarray
    column_spacing_mm: float = 0.41
    row_spacing_mm: float = 0.53

    def directions(self, role: SeriesRole) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Columns, rows, normal of the slices of a role."""
        flat = [[0, 1, 0], [0, 0, -1], [-1, 0, 0]] if role.is_sagittal else [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
        column, row, normal = (self.tilt @ np.array(axis, float) for axis in flat)
        return column, row, normal

    def series(self, role: SeriesRole, field: Callable, center: np.ndarray, offsets_mm: list[float], uid: str = "1") -> Series:
        column, row, normal = self.directions(role)
        half = column * (COLUMNS - 1) * self.column_spacing_mm / 2 + row * (ROWS - 1) * self.row_spacing_mm / 2
        instances = []
        for number, offset in enumerate(offsets_mm, 1):
            affine = SliceAffine(center - half + offset * normal, column, row, self.column_spacing_mm, self.row_spacing_mm)
            grid = np.stack(np.meshgrid(np.arange(COLUMNS), np.arange(ROWS)), -1).reshape(-1, 2).astype(float)
            pixels = np.asarray(field(affine.to_lps(grid)), np.float32).reshape(ROWS, COLUMNS)
            instances.append(Instance(f"{uid}.{role.value}.{number}", number, affine, pixels))
        return Series(f"{uid}.{role.value}", "", "", SeriesTiming(), role, "made so", (Stack.ordered(instances),))

    def study(self, *series: Series) -> Study:
        return Study("1.2.3", "made", series)


def stored_otherwise(study: Study, storage: Callable[[Instance], Instance]) -> Study:
    """The same study with every instance laid down differently."""
    series = tuple(
        replace(one, stacks=tuple(Stack.ordered([storage(instance) for instance in reversed(stack.instances)]) for stack in one.stacks))
        for one in study.series
    )
    return replace(study, series=series[::-1])


def mirror_instance(instance: Instance) -> Instance:
    """The slice in a patient reflected left to right."""
    flip = np.array([-1.0, 1.0, 1.0])
    affine = instance.affine
    mirrored = SliceAffine(
        affine.origin_lps_mm * flip,
        affine.column_direction * flip,
        affine.row_direction * flip,
        affine.column_spacing_mm,
        affine.row_spacing_mm,
    )
    return replace(instance, affine=mirrored)


def lumpy(points: np.ndarray) -> np.ndarray:
    """A smooth field without any symmetry, in scanner units."""
    x, y, z = points.T / 7.0
    return 300 + 90 * np.sin(x + 0.3 * y) + 70 * np.cos(1.3 * y - 0.4 * z) + 50 * np.sin(0.9 * z + 0.2 * x) + 8 * x


@pytest.fixture
def scanner() -> Scanner:
    return Scanner(rotation(7.0, -4.0, 6.0))


@pytest.fixture
def straight_scanner() -> Scanner:
    return Scanner(np.eye(3))


@pytest.fixture
def field() -> Callable:
    return lumpy


@pytest.fixture
def mirror() -> Callable[[Study], Study]:
    return lambda study: stored_otherwise(study, mirror_instance)


@pytest.fixture(params=range(1, 8), ids=lambda bits: f"storage{bits}")
def storage(request: pytest.FixtureRequest) -> Callable[[Study], Study]:
    layout = Storage(*(bool(request.param & bit) for bit in (1, 2, 4)))
    return lambda study: stored_otherwise(study, layout)
