"""A lopsided patient made of blobs, and a network that knows blobs: enough to test everything but what a real network learns."""

from dataclasses import replace

import numpy as np
import pytest

from lumbargrade.geometry.affine import SliceAffine
from lumbargrade.localise.channels import CHANNELS, DISC_BACK, DISC_FRONT, FIRST_SACRAL
from lumbargrade.study import Instance, Series, SeriesTiming, Stack, Study
from lumbargrade.terms import LEVELS, Laterality, SeriesRole

CANAL_LPS = np.array([[6.0, 42, 180], [4, 36, 146], [3, 33, 111], [5, 38, 75], [8, 52, 44]])
CANAL_VALUE, FORAMEN_VALUE = 200.0, 150.0


def foramina_of(side: Laterality) -> np.ndarray:
    return CANAL_LPS + np.array([side.lps_sign * 17.0, -8.0, 3.0])


def draw_slice(affine: SliceAffine, shape: tuple[int, int]) -> np.ndarray:
    columns, rows = np.meshgrid(np.arange(shape[1]), np.arange(shape[0]))
    points = affine.to_lps(np.stack([columns.ravel(), rows.ravel()], 1))
    values = 100 + 20 * np.sin(points[:, 1] / 9) * np.cos(points[:, 2] / 13 + points[:, 0] / 7)
    for centers, reach, value in (
        (CANAL_LPS, 8.0, CANAL_VALUE),
        (foramina_of(Laterality.LEFT), 4.0, FORAMEN_VALUE),
        (foramina_of(Laterality.RIGHT), 4.0, FORAMEN_VALUE),
    ):
        for center in centers:
            if abs(affine.distances_mm(center[None])[0]) <= reach:
                in_plane = points - center - ((points - center) @ affine.normal)[:, None] * affine.normal
                values[np.linalg.norm(in_plane, axis=1) < 5.5] = value
    return values.reshape(shape).astype(np.float32)


def sagittal_series(role: SeriesRole, *, spacing=(0.7, 0.9), step=4.1, count=15, start=-26.0, shape=(230, 270), folder="7") -> Series:
    """Slices tilted by 6 degrees in-plane and turned by 3 about the long axis, with unequal pixel spacings."""
    tilt, yaw = np.radians(6), np.radians(3)
    column = np.array([np.sin(yaw) * np.cos(tilt), np.cos(yaw) * np.cos(tilt), np.sin(tilt)])
    normal = np.cross(column, [0.0, 0.0, -1.0])
    normal /= np.linalg.norm(normal)
    row = np.cross(normal, column)
    instances = []
    for number in range(count):
        corner = np.array([5.0, 40, 110]) + normal * (start + number * step)
        corner = corner - column * spacing[0] * shape[1] / 2 - row * spacing[1] * shape[0] / 2
        affine = SliceAffine(corner, column, row, *spacing)
        instances.append(Instance(f"1.2.{number}", number + 1, affine, draw_slice(affine, shape)))
    return Series(f"1.{folder}", folder, "", SeriesTiming(), role, "made so", (Stack.ordered(instances),))


class BlobNetwork:
    """Stands for a trained network: names the bright blobs of a slice from the head down, exactly and from the pixels alone."""

    def run(self, slices: np.ndarray) -> dict[str, np.ndarray]:
        count, _, rows, columns = slices.shape
        coarse = slices[:, 0].reshape(count, rows // 2, 2, columns // 2, 2).mean((2, 4))
        heat = np.full((count, CHANNELS, rows // 2, columns // 2), 1e-3, np.float32)
        for index, image in enumerate(coarse):
            for level, (row, column, value) in enumerate(self._blobs(image)):
                is_canal = value > 1.45
                self._draw(heat[index, level if is_canal else level + 5], row, column)
                if is_canal:  # discs lean back at the top and forward at the bottom, as lordosis has them
                    self._draw(heat[index, DISC_BACK], row, column - 2.5)
                    self._draw(heat[index, DISC_FRONT], row + 2 * (level - 2), column - 14)
                if is_canal and level == 4:
                    self._draw(heat[index, FIRST_SACRAL], row + 20 / 3, column - 14 / 3)
        return {"heat": heat}

    @staticmethod
    def _draw(image: np.ndarray, row: float, column: float) -> None:
        y, x = np.mgrid[: image.shape[0], : image.shape[1]]
        np.maximum(image, 0.9 * np.exp(-((y - row) ** 2 + (x - column) ** 2) * 9 / (2 * 4.5**2)), out=image)

    @staticmethod
    def _blobs(image: np.ndarray) -> list[tuple[float, float, float]]:
        bright = image > 0.85
        blobs: list[tuple[float, float, float]] = []
        rows = np.flatnonzero(bright.any(1))
        for run in np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1) if rows.size else []:
            y, x = np.nonzero(bright[run])
            if len(y) >= 4:
                blobs.append((float(y.mean() + run[0]), float(x.mean()), float(image[run].max())))
        return blobs[: len(LEVELS)]


@pytest.fixture(scope="session")
def t1_series() -> Series:
    return sagittal_series(SeriesRole.SAGITTAL_T1, folder="t1")


@pytest.fixture(scope="session")
def t2_series() -> Series:
    return sagittal_series(SeriesRole.SAGITTAL_T2, spacing=(0.55, 0.6), step=3.7, count=16, start=-28.0, shape=(340, 330), folder="t2")


@pytest.fixture(scope="session")
def blob_network() -> BlobNetwork:
    return BlobNetwork()


@pytest.fixture(scope="session")
def canal_lps() -> np.ndarray:
    return CANAL_LPS


@pytest.fixture(scope="session")
def foramina_lps() -> dict[Laterality, np.ndarray]:
    return {side: foramina_of(side) for side in Laterality}


@pytest.fixture(scope="session")
def study_of():
    return lambda *series: Study("1.2.3", "patient", series)


@pytest.fixture(scope="session")
def with_instances():
    """A series with every instance replaced by a function of it."""
    return lambda series, change: replace(
        series, stacks=tuple(Stack.ordered([change(instance) for instance in stack.instances]) for stack in series.stacks)
    )
