"""A lopsided study for the reader: unequal sizes and spacings, tilted, shifted."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest

from lumbargrade.dicom import HeaderProfile, TransferSyntax, find_studies, read_study, write_series
from lumbargrade.geometry.affine import SliceAffine
from lumbargrade.geometry.orientation import AnatomicalPlane
from lumbargrade.study import Instance, Series, SeriesTiming, Stack, Study
from lumbargrade.terms import SeriesRole

STUDY = "1002003004"
DIRECTIONS = {
    AnatomicalPlane.SAGITTAL: ((0.06, 0.99, 0.0), (0.0, 0.0, -1.0)),
    AnatomicalPlane.AXIAL: ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    AnatomicalPlane.CORONAL: ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0)),
}
TIMING = {
    SeriesRole.SAGITTAL_T1: SeriesTiming(10.0, 560.0),
    SeriesRole.SAGITTAL_T2: SeriesTiming(105.0, 3200.0),
    SeriesRole.AXIAL_T2: SeriesTiming(98.0, 4100.0),
    SeriesRole.OTHER: SeriesTiming(),
}


def _stack(plane: AnatomicalPlane, slices: int, first: int = 1, tilt_deg: float = 0.0, shape: tuple[int, int] = (68, 44)) -> Stack:
    """Slices numbered from ``first``, tilted about the column direction."""
    column, row = (np.array(direction) / np.linalg.norm(direction) for direction in DIRECTIONS[plane])
    row = np.cos(np.radians(tilt_deg)) * row + np.sin(np.radians(tilt_deg)) * np.cross(column, row)
    normal = np.cross(column, row)
    instances = []
    for number in range(first, first + slices):
        affine = SliceAffine(np.array([-31.25, -47.5, 12.0]) + 4.4 * number * normal, column, row, 0.55, 0.8)
        pixels = np.random.default_rng(number).integers(0, 4096, shape).astype(np.float32)
        instances.append(Instance(f"{STUDY}.1.{number}", number, affine, pixels))
    return Stack.ordered(instances)


def _series(role: SeriesRole, folder: str, *stacks: Stack, description: str = "") -> Series:
    return Series(f"1.2.826.0.1.{folder}", folder, description, TIMING[role], role, "made", stacks)


@pytest.fixture
def make_stack() -> Callable[..., Stack]:
    return _stack


@pytest.fixture
def make_series() -> Callable[..., Series]:
    return _series


@pytest.fixture
def sagittal_t2() -> Series:
    return _series(SeriesRole.SAGITTAL_T2, "202", _stack(AnatomicalPlane.SAGITTAL, 5))


@pytest.fixture
def whole_study(sagittal_t2: Series) -> list[Series]:
    """Three series with the three roles; the axial one has two blocks, 22 degrees apart."""
    t1 = _series(SeriesRole.SAGITTAL_T1, "101", _stack(AnatomicalPlane.SAGITTAL, 7))
    blocks = (_stack(AnatomicalPlane.AXIAL, 4), _stack(AnatomicalPlane.AXIAL, 6, first=11, tilt_deg=22.0))
    return [t1, sagittal_t2, _series(SeriesRole.AXIAL_T2, "303", *blocks)]


@pytest.fixture
def write_study(tmp_path: Path) -> Callable[..., Path]:
    """Writes series into folders of their own below a named folder, and returns that."""

    def write(
        *series: Series,
        folder: str = "study",
        uid: str = STUDY,
        profile: HeaderProfile = HeaderProfile.COMPETITION,
        syntax: TransferSyntax = TransferSyntax.EXPLICIT_LITTLE_ENDIAN,
    ) -> Path:
        for each in series:
            write_series(tmp_path / folder / each.folder, uid, each, profile, syntax)
        return tmp_path / folder

    return write


@pytest.fixture
def edit() -> Callable[[Path, Callable[[pydicom.Dataset], object]], None]:
    """Rewrites one file after a change to its data set."""

    def rewrite(path: Path, change: Callable[[pydicom.Dataset], object]) -> None:
        dataset = pydicom.dcmread(path)
        change(dataset)
        dataset.save_as(path)

    return rewrite


@pytest.fixture
def read_only_study() -> Callable[[Path], Study]:
    """Reads the one study that a path holds."""

    def read(path: Path) -> Study:
        (source,) = find_studies(path)
        return read_study(source)

    return read
