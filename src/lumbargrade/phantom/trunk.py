"""The trunk around the spine by height: skin, fascia, belly, the muscles of the back and of the loin, and the great vessels.

Everything is given beside and behind the dural sac's middle, whose course the trunk follows: ``side`` is left of it, ``behind`` posterior.
Sizes of muscles: psoas 7-9 (women) and 11-16 cm2 (men) at L4; subcutaneous fat 10-45 mm at L4/5; the aorta divides at L4 in 71 %
(PMC3955794).
"""

import numpy as np
from numpy.typing import NDArray

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.phantom.numbering import N_VERTEBRAE, S1
from lumbargrade.phantom.skeleton import SAC_X, SAC_Y, Skeleton

TRUNK_BOTTOM_MM, TRUNK_HEIGHTS = -320, 880
"""The tables below have one row per millimetre of height from here."""

(
    T_X,
    T_Y,
    T_TIPS,
    T_FAT,
    T_FRONT,
    T_FRONT_FAT,
    T_WIDTH,
    T_WIDE_RIGHT,
    T_WIDE_LEFT,
    T_SWELL_RIGHT,
    T_SWELL_LEFT,
    T_FATTY,
    T_FRONT_EDGE,
    T_LEVEL,
) = range(14)
"""Columns: the sac's x and y; behind it the tips of the spinous processes, the fat behind the fascia, the belly's skin and its fat; the
trunk's half width; each side's width and swell of the back's muscles; their share of fat and their front edge; the vertebral number."""

PSOAS, QUADRATUS, GLUTEUS_MAXIMUS, GLUTEUS_MEDIUS, CRUS = range(5)
N_MUSCLES = 5
"""Muscles besides those of the back, each an oval: distance from the midline, behind, half width, half depth, slant (depth per width)."""

LEFT_ARTERY, RIGHT_ARTERY, CAVA, ILIAC_VEIN = range(4)
N_VESSELS = 4
"""Vessels, each a round: side, behind, radius. Above the bifurcation the two arteries are one, the aorta."""

_L1, _L2, _L3, _L4, _L5 = range(S1 - 5, S1)

# knots in vertebral numbers, then millimetres
_PSOAS = (
    (_L1 - 1, _L1, _L2, _L3, _L4, _L5, S1, S1 + 1, S1 + 2),
    (19.0, 21, 23, 27, 33, 39, 48, 60, 70),  # distance from the midline
    (-15.0, -16, -18, -21, -26, -38, -55, -70, -80),
    (0.0, 0.38, 0.55, 0.82, 1.0, 1.02, 0.95, 0.85, 0.7),  # half width and depth, of those at L4
)
_QUADRATUS = (
    (_L1 - 1, _L1, _L2, _L3, _L4, _L4 + 0.6, _L5 + 0.4),
    (42.0, 45, 50, 57, 63, 66, 68),
    (-10.0, -8, -5, -3, -1, 0, 0),
    (0.0, 0.45, 0.75, 0.95, 1.0, 0.8, 0.0),
)
_GLUTEUS_MAXIMUS = (
    (_L5 + 0.6, S1, S1 + 1, S1 + 2, S1 + 4),
    (95.0, 88, 78, 72, 68),
    (8.0, 14, 20, 24, 26),
    (0.0, 0.45, 0.85, 1.1, 1.3),
)
_GLUTEUS_MEDIUS = (
    (_L5, _L5 + 0.6, S1, S1 + 1, S1 + 3),
    (104.0, 106, 108, 112, 114),
    (-22.0, -20, -18, -18, -20),
    (0.0, 0.4, 0.8, 1.0, 1.0),
)
_BACK_WIDTH = ((_L1 - 2, _L1, _L3, _L4, _L5, S1, S1 + 1, S1 + 2, S1 + 4), (68.0, 74, 80, 77, 66, 54, 42, 30, 14))
_BACK_SWELL = ((_L1 - 2, _L1, _L3, _L4, _L5, S1, S1 + 1, S1 + 3), (8.0, 12, 15, 14, 11, 7, 2, 0))
_BACK_FRONT = ((_L1 - 2, _L1, _L3, _L5, S1, S1 + 1), (6.0, 5, 4, 5, 6, 4))
_FATTY_BY_LEVEL = ((_L1 - 2, _L2, _L4, _L5, S1, S1 + 2), (0.5, 0.7, 1.1, 1.5, 2.0, 2.4))


def tabulate_trunk(skeleton: Skeleton, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """(TRUNK_HEIGHTS, 14) outline, (TRUNK_HEIGHTS, 2, N_MUSCLES, 5) muscles, right then left, and (TRUNK_HEIGHTS, N_VESSELS, 3) vessels."""
    z = np.arange(TRUNK_BOTTOM_MM, TRUNK_BOTTOM_MM + TRUNK_HEIGHTS, dtype=np.float64)
    level = level_at(skeleton, z)
    return _outline(skeleton, z, level, rng), _muscles(skeleton, level, rng), _vessels(skeleton, level, rng)


def level_at(skeleton: Skeleton, z: FloatArray) -> FloatArray:
    """Vertebral number (a fraction between two) at heights; runs on beyond the first and the last at 30 mm a vertebra."""
    heights = np.minimum.accumulate(skeleton.vertebra_origin[:, 2] - 1e-3 * np.arange(N_VERTEBRAE))
    level = np.interp(z, heights[::-1], np.arange(N_VERTEBRAE)[::-1])
    return np.asarray(level - np.maximum(z - heights[0], 0) / 30 + np.maximum(heights[-1] - z, 0) / 30)


def height_of(skeleton: Skeleton, level: float) -> float:
    """Height of a vertebral number."""
    return float(np.interp(level, np.arange(N_VERTEBRAE), skeleton.vertebra_origin[:, 2]))


def sac_course(skeleton: Skeleton, z: FloatArray) -> tuple[FloatArray, FloatArray]:
    """x and y of the sac's middle at heights, and of the sacral canal below the sac's end."""
    bottom = skeleton.sac_bottom + 12
    heights = bottom + np.arange(len(skeleton.sac) - 12)
    x, y = skeleton.sac[12:, SAC_X], skeleton.sac[12:, SAC_Y]
    sacral = [i for i in range(N_VERTEBRAE - 1, S1, -1) if skeleton.vertebra_origin[i, 2] < bottom - 8]
    canal = skeleton.vertebra_origin[sacral] + skeleton.vertebra_axes[sacral, 1] * (skeleton.anatomy.bones.body_depth[sacral, None] / 2 + 4)
    order = np.argsort(canal[:, 2])
    heights = np.concatenate([canal[order, 2], heights])
    return np.interp(z, heights, np.concatenate([canal[order, 0], x])), np.interp(z, heights, np.concatenate([canal[order, 1], y]))


def _outline(skeleton: Skeleton, z: FloatArray, level: FloatArray, rng: np.random.Generator) -> NDArray[np.float32]:
    person = skeleton.anatomy.person
    x, y = sac_course(skeleton, z)
    y = _smooth(y, 8.0)
    tips = _spinous_tips(skeleton, z) - y
    stout = float(np.clip((person.skin_depth_mm - 45) / 40, 0.0, 1.0))
    hollow = 9.0 * np.exp(-(((level - _L4 - rng.normal(0, 0.3)) / 1.6) ** 2)) * rng.uniform(0.2, 1.0)
    buttock = rng.uniform(12, 32) * _step(level - S1 - rng.uniform(-0.6, 0.4), 0.5)
    fold = rng.uniform(0, 3) * np.sin(z / rng.uniform(25, 60) + rng.uniform(0, 6))
    fat = 4.0 + 24.0 * stout**1.5 * rng.uniform(0.7, 1.3) * (0.75 + 0.5 * _step(level - _L3, 1.2)) + (0.4 + stout) * hollow + buttock
    fat = np.maximum(fat + (0.3 + stout) * fold, 4.0)
    width = (
        (148 + 30 * stout) * rng.uniform(0.93, 1.07) * (1 - 0.08 * np.exp(-(((level - _L3) / 1.5) ** 2)) + 0.08 * _step(level - S1, 0.8))
    )
    belly = 82.0 + 62.0 * stout * rng.uniform(0.7, 1.2) + rng.uniform(5, 30) * np.exp(-(((level - _L3) / 3.0) ** 2))
    front_fat = 5.0 + 24.0 * stout * rng.uniform(0.5, 1.2) * (0.6 + 0.6 * _step(level - _L4, 1.0))
    wide = _at(level, _BACK_WIDTH)[:, None] * rng.normal(1.0, 0.05) * rng.normal(1.0, 0.04, 2)
    swell = _at(level, _BACK_SWELL)[:, None] * rng.uniform(0.5, 1.2) * rng.normal(1.0, 0.12, 2)
    fatty = person.muscle_fat * _at(level, _FATTY_BY_LEVEL)
    columns = [x, y, tips, fat, -(50 + belly), front_fat, width, *wide.T, *swell.T, fatty, _at(level, _BACK_FRONT), level]
    return np.stack(columns, 1).astype(np.float32)


def _spinous_tips(skeleton: Skeleton, z: FloatArray) -> FloatArray:
    """A smooth line behind the spinous processes, the supraspinous ligament: their length is 26-34 mm, less at L5 and on the sacrum."""
    bones = skeleton.anatomy.bones
    length = np.interp(np.arange(N_VERTEBRAE), (0, _L1, _L3, _L5, S1, S1 + 2, N_VERTEBRAE - 1), (30.0, 33, 34, 29, 15, 9, 5))
    back = bones.body_depth / 2 + bones.canal_depth + length * skeleton.anatomy.person.size
    drop = np.where(np.arange(N_VERTEBRAE) < S1, 0.45 * bones.body_height, 0.0)
    tips = skeleton.vertebra_origin + back[:, None] * skeleton.vertebra_axes[:, 1] - drop[:, None] * skeleton.vertebra_axes[:, 2]
    order = np.argsort(tips[:, 2])
    return _smooth(np.interp(z, tips[order, 2], tips[order, 1]), 14.0)


def _muscles(skeleton: Skeleton, level: FloatArray, rng: np.random.Generator) -> NDArray[np.float32]:
    person = skeleton.anatomy.person
    strength = (0.86 if person.is_female else 1.0) * person.size * (1.06 - 0.002 * max(person.age_years - 40, 0.0))
    table = np.zeros((len(level), 2, N_MUSCLES, 5))
    common = rng.normal(0, 0.05)
    for muscle, (knots, half_width, half_depth, slant) in {
        PSOAS: (_PSOAS, 17.5, 22.5, 0.0),
        QUADRATUS: (_QUADRATUS, 17.0, 8.0, 0.18),
        GLUTEUS_MAXIMUS: (_GLUTEUS_MAXIMUS, 46.0, 17.0, -0.30),
        GLUTEUS_MEDIUS: (_GLUTEUS_MEDIUS, 16.0, 34.0, 0.0),
    }.items():
        at, aside, behind, size = knots
        for side in (0, 1):
            grown = np.interp(level, at, size) * strength * np.exp(common + rng.normal(0, 0.05))
            wobble = 0.06 * np.sin(level * rng.uniform(1.0, 2.0) + rng.uniform(0, 6))
            table[:, side, muscle, 0] = (
                np.interp(level, at, aside) + rng.normal(0, 2.0) + (grown * half_width if muscle == PSOAS else 0) - 8 * (muscle == PSOAS)
            )
            table[:, side, muscle, 1] = np.interp(level, at, behind) + rng.normal(0, 2.0)
            table[:, side, muscle, 2] = half_width * grown * (1 + wobble)
            table[:, side, muscle, 3] = half_depth * grown * (1 - wobble)
            table[:, side, muscle, 4] = slant + rng.normal(0, 0.06)
    for side in (0, 1):
        thin = _step(_L2 + (0.6 if side == 0 else 0.1) - level, 0.5)
        table[:, side, CRUS] = np.stack([13 + 3 * thin, -47 - 3 * thin, 3.0 * thin, 9.0 * thin, np.zeros_like(thin)], 1)
    return table.astype(np.float32)


def _vessels(skeleton: Skeleton, level: FloatArray, rng: np.random.Generator) -> NDArray[np.float32]:
    """The aorta left of the midline and the vena cava right of it, before the bodies; iliac vessels run aside and onto the sacral wings."""
    divides = _L4 + float(np.clip(rng.normal(0.15, 0.4), -0.8, 1.0))
    person = skeleton.anatomy.person
    radius = float(np.clip(rng.normal(8.2, 0.9) + 0.03 * (person.age_years - 57), 6, 13)) * person.size
    winding = rng.uniform(0, 3.5) * np.sin(level * rng.uniform(0.7, 1.4) + rng.uniform(0, 6))
    front = -47 - 0.5 * np.interp(level, (_L1, _L4, S1, S1 + 2), (0.0, 2.0, 4.0, -16.0))
    below = np.maximum(level - divides, 0.0)
    joins = divides + rng.uniform(0.4, 0.8)
    below_vein = np.maximum(level - joins, 0.0)
    middle = rng.normal(10, 4)
    table = np.zeros((len(level), N_VESSELS, 3))
    for vessel, aside in ((LEFT_ARTERY, 1.0), (RIGHT_ARTERY, -1.0)):
        spread = np.minimum(below * rng.uniform(17, 23), 42) * aside - middle * np.minimum(below, 1) * 0.8
        size = radius - (radius - rng.uniform(4.6, 6.0)) * np.clip(below * 4, 0, 1)
        table[:, vessel] = np.stack([middle + winding + spread, front - radius - rng.uniform(0.5, 3) + 3.0 * below, size], 1)
    cava = rng.uniform(8.0, 11.5)
    for vessel, aside in ((CAVA, -1.0), (ILIAC_VEIN, 1.0)):
        spread = np.where(aside < 0, -np.minimum(below_vein * 16, 30), np.minimum(below_vein * 36, 62))
        size = cava - (cava - rng.uniform(5.5, 7.5)) * np.clip(below_vein * 3, 0, 1)
        table[:, vessel] = np.stack([-16 + spread + rng.normal(0, 1), front - cava - 0.5 + 7.0 * below_vein, size], 1)
    return table.astype(np.float32)


def _at(level: FloatArray, knots: tuple[tuple[float, ...], tuple[float, ...]]) -> FloatArray:
    return np.interp(level, *knots)


def _step(x: FloatArray, width: float) -> FloatArray:
    """0 to 1 around 0."""
    return np.asarray(0.5 + 0.5 * np.tanh(x / width))


def _smooth(values: FloatArray, sd_mm: float) -> FloatArray:
    """A Gaussian running mean of a table by the millimetre."""
    reach = int(3 * sd_mm)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sd_mm) ** 2)
    return np.convolve(np.pad(values, reach, mode="edge"), kernel / kernel.sum(), mode="valid")
