"""What fills the trunk before the spine: kidneys, liver, spleen, colon and small bowel with their content, rectum, bladder, strays."""

import numpy as np
from numpy.typing import NDArray

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.phantom.numbering import S1
from lumbargrade.phantom.skeleton import Skeleton
from lumbargrade.phantom.tissue import Tissue
from lumbargrade.phantom.trunk import T_FRONT, T_FRONT_FAT, TRUNK_BOTTOM_MM, TRUNK_HEIGHTS, height_of

(
    O_SIDE,
    O_BEHIND,
    O_Z,
    O_HALF_WIDTH,
    O_HALF_DEPTH,
    O_HALF_HEIGHT,
    O_LEAN,
    O_WALL,
    O_WALL_MM,
    O_CONTENT,
    O_GAIN,
    O_BUMPS,
    O_GAS,
    O_IS_FREE,
) = range(14)
"""Columns of an organ, an ellipsoid with a wall: centre beside and behind the sac and its height, half axes, lean (sideways per height),
tissue and thickness of the wall, tissue and gain of the content, bumps of the surface (share of its size), how deep gas reaches from the
front (-1 none, 1 all), and whether it hangs free in the abdomen, so that the retroperitoneum bounds it."""

CELL_MM, CELL_SIDE_MM, CELL_BOTTOM_MM = 20.0, -240.0, -320.0
N_CELLS_Z, N_CELLS_SIDE = 44, 24
_MARGIN = 1.15

_CONTENTS = (Tissue.BOWEL, Tissue.FLUID, Tissue.AIR)
_L1, _L2, _L3, _L4, _L5 = range(S1 - 5, S1)


def sample_organs(skeleton: Skeleton, trunk: NDArray[np.float32], rng: np.random.Generator, clutter: float) -> FloatArray:
    """(n, 14) organs, later ones over earlier ones; ``clutter`` scales the number of bowel loops and of strays."""
    organs: list[tuple[float, ...]] = []
    _add_upper_organs(organs, skeleton, trunk, rng)
    _add_small_bowel(organs, skeleton, trunk, rng, clutter)
    _add_colon(organs, skeleton, trunk, rng)
    _add_pelvis(organs, skeleton, rng)
    _add_kidneys(organs, skeleton, rng)
    _add_strays(organs, skeleton, rng, clutter)
    return np.array(organs, np.float64).reshape(-1, 14)


def organs_by_cell(organs: FloatArray) -> NDArray[np.int32]:
    """(N_CELLS_Z, N_CELLS_SIDE, most + 1) which organs may reach into each cell of height and side, in order, ended by -1."""
    members: list[list[list[int]]] = [[[] for _ in range(N_CELLS_SIDE)] for _ in range(N_CELLS_Z)]
    for index, organ in enumerate(organs):
        height, width = _MARGIN * organ[O_HALF_HEIGHT], _MARGIN * organ[O_HALF_WIDTH] + abs(organ[O_LEAN]) * _MARGIN * organ[O_HALF_HEIGHT]
        for row in range(*_cells(organ[O_Z] - CELL_BOTTOM_MM, height, N_CELLS_Z)):
            for column in range(*_cells(organ[O_SIDE] - CELL_SIDE_MM, width, N_CELLS_SIDE)):
                members[row][column].append(index)
    most = max(len(cell) for row in members for cell in row)
    table = np.full((N_CELLS_Z, N_CELLS_SIDE, most + 1), -1, np.int32)
    for row, cells in enumerate(members):
        for column, cell in enumerate(cells):
            table[row, column, : len(cell)] = cell
    return table


def _cells(centre: float, half: float, count: int) -> tuple[int, int]:
    low, high = int((centre - half) // CELL_MM), int((centre + half) // CELL_MM) + 1
    return max(low, 0), min(high, count)


def _organ(
    centre: tuple[float, float, float],
    half: tuple[float, float, float],
    content: Tissue,
    *,
    gain: float = 1.0,
    lean: float = 0.0,
    wall: Tissue | None = None,
    wall_mm: float = 0.0,
    bumps: float = 0.12,
    gas: float = -1.0,
    is_free: bool = True,
) -> tuple[float, ...]:
    return (*centre, *half, lean, content if wall is None else wall, wall_mm, content, gain, bumps, gas, float(is_free))


def _bowel(
    centre: tuple[float, float, float], half: tuple[float, float, float], gas_chance: float, rng: np.random.Generator
) -> tuple[float, ...]:
    """A piece of bowel: a grey wall around food, fluid or gas; gas gathers in front, as the patient lies on the back."""
    content = _CONTENTS[rng.choice(3, p=(0.80, 0.11, 0.09))]
    gas = float(rng.uniform(-0.8, 0.9)) if rng.random() < gas_chance else -1.0
    gain = float(np.exp(rng.normal(0.0, 0.3)))
    return _organ(
        centre, half, content, gain=gain, wall=Tissue.MUSCLE, wall_mm=rng.uniform(1.2, 2.6), lean=rng.normal(0, 0.2), bumps=0.3, gas=gas
    )


def _front_inside(trunk: NDArray[np.float32], z: float) -> float:
    """Where the abdominal cavity begins behind the wall of the belly."""
    row = trunk[int(np.clip(z - TRUNK_BOTTOM_MM, 0, TRUNK_HEIGHTS - 1))]
    return float(row[T_FRONT] + row[T_FRONT_FAT] + 12)


def _add_upper_organs(organs: list[tuple[float, ...]], skeleton: Skeleton, trunk: NDArray[np.float32], rng: np.random.Generator) -> None:
    z = height_of(skeleton, _L1 - 1.5 + rng.normal(0, 0.3))
    front = _front_inside(trunk, z)
    liver = (-78 + rng.normal(0, 6), 0.45 * front - 12, z)
    organs.append(
        _organ(
            liver, (rng.uniform(58, 74), 0.5 * abs(front) + 8, rng.uniform(62, 90)), Tissue.ORGAN, gain=rng.uniform(0.55, 0.9), lean=-0.2
        )
    )
    spleen = (100 + rng.normal(0, 5), -8 + rng.normal(0, 6), z + 12)
    organs.append(_organ(spleen, (20.0, 34.0, rng.uniform(38, 54)), Tissue.ORGAN, gain=rng.uniform(1.1, 1.5), is_free=False))
    stomach = (45 + rng.normal(0, 10), 0.55 * front - 22, z + rng.normal(-5, 12))
    organs.append(_bowel(stomach, (42.0, 30.0, 34.0), 0.7, rng))
    for x in (-8, 18, 42):  # the pancreas across the upper lumbar vertebrae
        pancreas = (x + rng.normal(0, 3), -78 + 0.35 * abs(x) + rng.normal(0, 3), height_of(skeleton, _L1 + 0.4) + 0.25 * x)
        organs.append(_organ(pancreas, (18.0, 9.0, 11.0), Tissue.ORGAN, gain=rng.uniform(0.8, 1.0), bumps=0.4))


def _add_small_bowel(
    organs: list[tuple[float, ...]], skeleton: Skeleton, trunk: NDArray[np.float32], rng: np.random.Generator, clutter: float
) -> None:
    top, bottom = height_of(skeleton, _L2), height_of(skeleton, S1 + 1.5)
    for _ in range(rng.poisson(75 * clutter)):
        z = float(rng.uniform(bottom, top))
        front = _front_inside(trunk, z)
        radius = float(rng.uniform(8, 17))
        centre = (float(rng.normal(0, 50)), float(rng.uniform(front + radius, -64 - 0.5 * radius)), z)
        half = radius * np.array([1.0, 1.0, 1.0])
        half[rng.integers(3)] *= rng.uniform(1.2, 2.4)
        organs.append(_bowel(centre, (float(half[0]), float(half[1]), float(half[2])), 0.12, rng))


def _add_colon(organs: list[tuple[float, ...]], skeleton: Skeleton, trunk: NDArray[np.float32], rng: np.random.Generator) -> None:
    """Haustra in a row: up on the right, across in front, down on the left."""
    top, bottom = height_of(skeleton, _L2 + rng.normal(0, 0.4)), height_of(skeleton, S1 + 0.4)
    for side, low_radius, high_radius, depth in ((-1, 17, 25, -48), (1, 11, 18, -34)):
        aside, lean = rng.normal(92, 7), rng.normal(0, 6)
        for z in np.arange(bottom, top, rng.uniform(20, 30)):
            radius = rng.uniform(low_radius, high_radius)
            centre = (side * (aside + rng.normal(0, 4)), depth + lean + rng.normal(0, 5), float(z))
            organs.append(_bowel(centre, (radius, radius * rng.uniform(0.8, 1.1), radius * rng.uniform(0.7, 0.95)), 0.4, rng))
    sag = rng.uniform(0, 60)
    for x in np.arange(-80, 81, rng.uniform(24, 34)):
        z = top - sag * (1 - (x / 80) ** 2) + rng.normal(0, 4)
        radius = rng.uniform(14, 22)
        centre = (float(x), _front_inside(trunk, z) + radius + rng.uniform(0, 12), float(z))
        organs.append(_bowel(centre, (radius * 0.9, radius, radius * 1.05), 0.6, rng))


def _add_pelvis(organs: list[tuple[float, ...]], skeleton: Skeleton, rng: np.random.Generator) -> None:
    """Rectum and sigmoid in the hollow of the sacrum, the bladder and the womb or the prostate before them."""
    low = height_of(skeleton, S1 + 3.5)
    organs.append(
        _organ(
            (rng.normal(0, 5), -95 + rng.normal(0, 10), low - rng.uniform(0, 25)),
            (38.0, 28.0, rng.uniform(18, 42)),
            Tissue.FLUID,
            gain=rng.uniform(0.8, 1.2),
            wall=Tissue.MUSCLE,
            wall_mm=rng.uniform(2, 5),
            bumps=0.08,
        )
    )
    if skeleton.anatomy.person.is_female:
        organs.append(
            _organ(
                (rng.normal(0, 8), -72 + rng.normal(0, 8), low + rng.uniform(0, 25)),
                (24.0, 20.0, rng.uniform(20, 34)),
                Tissue.ORGAN,
                gain=rng.uniform(0.7, 1.4),
                bumps=0.15,
            )
        )
    for level in np.arange(S1 + 0.9, S1 + 5.0, 0.6):
        radius = rng.uniform(9, 19)
        centre = (
            rng.normal(0, 9),
            -26 - radius - 26 * max(S1 + 2.2 - level, 0) - rng.uniform(0, 8),
            height_of(skeleton, level) + rng.normal(0, 3),
        )
        organs.append(_bowel(centre, (radius * 1.1, radius, radius * rng.uniform(0.8, 1.1)), 0.35, rng))


def _add_kidneys(organs: list[tuple[float, ...]], skeleton: Skeleton, rng: np.random.Generator) -> None:
    """T12 to L3, lateral to psoas and before quadratus, the lower pole further out; cortex, medulla, and fat and vessels of the hilum."""
    gain = rng.uniform(1.0, 1.35)
    for side, level in ((-1, _L2 - 0.25), (1, _L2 - 0.55)):
        z = height_of(skeleton, level + rng.normal(0, 0.35))
        half = (rng.uniform(23, 28), rng.uniform(22, 27), rng.uniform(48, 60))
        centre = (side * (72 + rng.normal(0, 3)), -36 + rng.normal(0, 4), z)
        organs.append(
            _organ(
                centre,
                half,
                Tissue.ORGAN,
                gain=gain * rng.uniform(1.05, 1.2),
                lean=-0.22 * side,
                wall=Tissue.ORGAN,
                wall_mm=7.0,
                bumps=0.06,
                is_free=False,
            )
        )
        hilum = (centre[0] - side * 0.75 * half[0], centre[1] - 0.25 * half[1], z)
        organs.append(_organ(hilum, (14.0, 10.0, 22.0), Tissue.FAT, lean=-0.22 * side, bumps=0.5, is_free=False))
        organs.append(
            _organ((hilum[0] - 2 * side, hilum[1], z), (8.0, 4.5, 9.0), Tissue.FLUID, gain=rng.uniform(0.4, 1.0), bumps=0.4, is_free=False)
        )
        if rng.random() < 0.15:  # a cyst
            radius = rng.uniform(4, 18)
            cyst = (centre[0] + side * half[0] * rng.uniform(0.4, 1.0), centre[1] + rng.normal(0, 12), z + rng.normal(0, 28))
            organs.append(_organ(cyst, (radius, radius, radius), Tissue.FLUID, bumps=0.03, is_free=False))


def _add_strays(organs: list[tuple[float, ...]], skeleton: Skeleton, rng: np.random.Generator, clutter: float) -> None:
    """Lymph nodes, mesenteric vessels and whatever else a network must not mind."""
    low, high = height_of(skeleton, S1 + 2), height_of(skeleton, _L1)
    for _ in range(rng.poisson(14 * clutter)):
        radius = float(np.exp(rng.uniform(0.7, 1.9)))
        tissue = (Tissue.VESSEL, Tissue.VEIN, Tissue.ORGAN, Tissue.MUSCLE)[rng.integers(4)]
        centre = (float(rng.normal(0, 40)), float(rng.uniform(-120, -52)), float(rng.uniform(low, high)))
        half = (radius, radius, radius * float(rng.uniform(1, 6)))
        organs.append(_organ(centre, half, tissue, lean=float(rng.normal(0, 0.4)), bumps=0.2, is_free=False))
