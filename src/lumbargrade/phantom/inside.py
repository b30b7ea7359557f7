"""What lies inside bones and discs: endplate changes, Schmorl nodes, haemangiomas; clefts, fissures, gas and calcium of discs."""

import numpy as np
from numpy.typing import NDArray

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.phantom.numbering import LUMBAR_DISCS, N_DISCS, N_VERTEBRAE, S1
from lumbargrade.phantom.skeleton import Skeleton

L_CENTRE, L_AXIS, L_RADIUS, L_HALF_HEIGHT, L_WATER, L_FAT, L_DISC = 0, 3, 6, 7, 8, 9, 10
N_LESION_COLUMNS = 11
"""Columns of a lesion of the marrow, an ellipsoid of revolution: centre and axis (3 each), radius across and half height along the axis,
gains of water and fat, and the disc that breaks into the bone there (a Schmorl node), or -1."""

I_CENTRE, I_UP, I_BACK, I_DEPTH, I_HEIGHT, I_CLEFT, I_FISSURE, I_FISSURE_SIDE, I_GAS, I_CALCIUM, I_SHARPNESS = (
    0,
    3,
    6,
    9,
    10,
    11,
    12,
    13,
    14,
    15,
    16,
)
N_INSIDE_COLUMNS = 17
"""Columns of a disc's inside: centre, up and back (3 each), half depth, half height; strength of the dark cleft in its nucleus; size of a
bright posterior fissure and its place (left positive); half height of a vacuum; of a calcification; how sharply the nucleus ends."""

M_BACK, M_HEIGHT, M_UP_BACK, M_UP_HEIGHT, M_GAIN, M_GRADIENT = range(6)
"""Columns of a vertebra's marrow: y and z of its centre and of its upward axis, its gain, and how the gain grows upwards, a millimetre."""

LESION_CELL_MM, LESION_BOTTOM_MM, N_LESION_CELLS = 10.0, -320.0, 88

_ENDPLATE_CHANGES = ((0.45, 1.55), (1.9, 0.45), (0.35, 0.30))
"""Gains of water and fat: Modic 2 (fatty), 1 (oedema), 3 (sclerosis)."""


def sample_lesions(skeleton: Skeleton, rng: np.random.Generator, clutter: float) -> FloatArray:
    """(n, 11) lesions. Endplate changes become more frequent with wear, from about one level in three (Modic changes of 218 patients with
    back pain, SPIDER: 32-49 % by level, nearly all fatty)."""
    lesions: list[tuple[float, ...]] = []
    for disc in range(LUMBAR_DISCS[0] - 3, S1):
        _add_endplate_changes(lesions, skeleton, disc, rng, clutter)
        _add_schmorl_nodes(lesions, skeleton, disc, rng, clutter)
    for vertebra in range(N_VERTEBRAE):
        if rng.random() < 0.07 * clutter:
            is_haemangioma = rng.random() < 0.75
            gains = (rng.uniform(1.1, 2.0), rng.uniform(1.2, 1.9)) if is_haemangioma else (rng.uniform(0.2, 1.8), rng.uniform(0.1, 0.6))
            centre = skeleton.vertebra_origin[vertebra] + skeleton.vertebra_axes[vertebra].T @ rng.normal(0, (7, 6, 5))
            radius = float(np.exp(rng.uniform(1.2, 2.5)))
            lesions.append((*centre, *skeleton.vertebra_axes[vertebra, 2], radius, radius * rng.uniform(0.7, 1.1), *gains, -1.0))
    return np.array(lesions, np.float64).reshape(-1, N_LESION_COLUMNS)


def lesions_by_height(lesions: FloatArray) -> NDArray[np.int32]:
    """(N_LESION_CELLS, most + 1) which lesions may reach into each cell of height, ended by -1."""
    reach = 1.5 * np.maximum(lesions[:, L_RADIUS], lesions[:, L_HALF_HEIGHT])
    low = (lesions[:, 2] - reach - LESION_BOTTOM_MM) // LESION_CELL_MM
    high = (lesions[:, 2] + reach - LESION_BOTTOM_MM) // LESION_CELL_MM
    members = [np.flatnonzero((low <= cell) & (cell <= high)) for cell in range(N_LESION_CELLS)]
    table = np.full((N_LESION_CELLS, max(map(len, members)) + 1), -1, np.int32)
    for row, member in zip(table, members, strict=True):
        row[: len(member)] = member
    return table


def _add_endplate_changes(
    lesions: list[tuple[float, ...]], skeleton: Skeleton, disc: int, rng: np.random.Generator, clutter: float
) -> None:
    wear, bones = skeleton.anatomy.wear, skeleton.anatomy.bones
    dry = float(np.clip(1 - wear.hydration[disc], 0, 1))
    if rng.random() > clutter * (0.19 + 0.62 * dry * dry):
        return
    water, fat = _ENDPLATE_CHANGES[rng.choice(3, p=(0.86, 0.10, 0.04))]
    strength = float(np.exp(rng.normal(0, 0.2)))
    reach, depth = bones.body_width[disc] / 2, skeleton.disc_depth[disc]
    forward = rng.normal(0, 0.45)
    sides = (-1, 1) if rng.random() < 0.6 else (int(rng.choice((-1, 1))),)
    for sign in sides:
        for _ in range(int(rng.integers(1, 3))):
            radius = float(rng.uniform(0.25, 0.9) * reach)
            centre = (rng.normal(0, 0.3) * reach, float(np.clip(forward + rng.normal(0, 0.2), -1, 1)) * depth * 0.7)
            at = skeleton.to_body(disc, (*centre, sign * (wear.disc_height[disc] / 2 + 0.5)))
            half = rng.uniform(2.5, 9.0) * (0.6 + 0.6 * dry)
            lesions.append((*at, *skeleton.disc_axes[disc, 2], radius, half, water**strength, fat**strength, -1.0))


def _add_schmorl_nodes(lesions: list[tuple[float, ...]], skeleton: Skeleton, disc: int, rng: np.random.Generator, clutter: float) -> None:
    """A disc that broke through an endplate, most often in the back half of the body and at the thoracolumbar junction."""
    for sign in (-1, 1):
        if rng.random() < clutter * (0.09 if disc < LUMBAR_DISCS[0] + 2 else 0.045):
            local = (rng.normal(0, 5), rng.normal(2, 5), sign * (skeleton.anatomy.wear.disc_height[disc] / 2 + rng.uniform(0.3, 1.5)))
            at = skeleton.to_body(disc, local)
            lesions.append((*at, *skeleton.disc_axes[disc, 2], rng.uniform(3, 8), rng.uniform(2.0, 5.5), 1.0, 1.0, float(disc)))


def sample_discs_inside(skeleton: Skeleton, rng: np.random.Generator) -> FloatArray:
    """(13, 17) the inside of every disc, by its water."""
    wear = skeleton.anatomy.wear
    table = np.zeros((N_DISCS, N_INSIDE_COLUMNS))
    for disc in range(N_DISCS):
        moist = float(np.clip(wear.hydration[disc], 0, 1))
        row = table[disc]
        row[I_CENTRE : I_CENTRE + 3] = skeleton.disc_origin[disc]
        row[I_UP : I_UP + 3], row[I_BACK : I_BACK + 3] = skeleton.disc_axes[disc, 2], skeleton.disc_axes[disc, 1]
        row[I_DEPTH], row[I_HEIGHT] = skeleton.disc_depth[disc], wear.disc_height[disc] / 2
        row[I_CLEFT] = rng.uniform(0.1, 0.8) * float(np.clip((moist - 0.3) * 3, 0, 1))
        if disc < S1 and rng.random() < 0.35 * (1 - abs(2 * moist - 0.8)):
            row[I_FISSURE], row[I_FISSURE_SIDE] = rng.uniform(1.2, 2.6), rng.normal(0, 6)
        if disc < S1 and moist < 0.25 and rng.random() < 0.2:
            row[I_GAS] = rng.uniform(0.4, 1.3)
        if disc < S1 and rng.random() < 0.04:
            row[I_CALCIUM] = rng.uniform(0.8, 2.0)
        row[I_SHARPNESS] = rng.uniform(2.2, 6.0)
    return table


def sample_marrow(skeleton: Skeleton, rng: np.random.Generator) -> FloatArray:
    """(14, 6) the marrow of every vertebra."""
    gradient = rng.normal(0, 0.004) + rng.normal(0, 0.004, N_VERTEBRAE)
    place = skeleton.vertebra_origin[:, 1:], skeleton.vertebra_axes[:, 2, 1:]
    return np.column_stack([*place, skeleton.anatomy.bones.marrow_gain, gradient])
