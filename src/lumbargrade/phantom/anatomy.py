"""A synthetic patient's measurements: vertebrae T9-S5, their discs, and how far each level has degenerated.

Means and spreads follow published morphometry: vertebral bodies, pedicles and canal after Panjabi et al. 1992 (Spine 17:299), disc heights
after MRI series of healthy adults, canal size as a patient-level random effect. The couplings between ageing disc, flavum and facet are
chosen so that grades correlate about as they do in readers' labels; they are a design, not a measurement.
"""

from dataclasses import dataclass, field
from math import erf, radians, sqrt

import numpy as np

from lumbargrade.geometry.affine import FloatArray

VERTEBRAE = ("T9", "T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1", "S2", "S3", "S4", "S5")
N_VERTEBRAE, N_DISCS = len(VERTEBRAE), len(VERTEBRAE) - 1
S1 = VERTEBRAE.index("S1")
LUMBAR_DISCS = range(VERTEBRAE.index("L1"), S1)
"""Disc k lies between vertebra k and k + 1: L1/L2 to L5/S1."""

# T9    T10    T11   T12   L1    L2    L3    L4    L5    S1    S2    S3    S4    S5        millimetres, degrees
_BODY_WIDTH = (37.0, 38.5, 40.0, 42.0, 43.0, 44.5, 46.5, 48.5, 50.5, 50.0, 40.0, 33.0, 27.0, 21.0)
_BODY_DEPTH = (28.5, 29.5, 30.0, 31.0, 32.0, 33.0, 34.0, 34.5, 34.5, 31.0, 21.0, 16.0, 12.0, 9.0)
_BODY_HEIGHT = (22.5, 23.5, 24.0, 25.0, 26.0, 27.0, 27.5, 27.5, 27.0, 28.0, 24.0, 20.0, 17.0, 14.0)
_BODY_WEDGE = (-3.0, -3.0, -3.0, -3.0, -2.0, 0.0, 1.0, 2.5, 7.5, -2.0, -9.0, -14.0, -14.0, -12.0)
_CANAL_WIDTH = (21.5, 21.7, 22.0, 22.5, 23.0, 23.5, 24.0, 25.0, 28.0, 31.0, 25.0, 20.0, 15.0, 11.0)
_CANAL_DEPTH = (16.5, 16.8, 17.0, 17.0, 17.0, 16.5, 16.0, 16.5, 17.0, 16.0, 12.0, 8.0, 5.5, 4.0)
_PEDICLE_WIDTH = (7.5, 7.8, 8.0, 8.0, 8.0, 8.5, 10.0, 12.5, 16.0, 18.0, 14.0, 11.0, 9.0, 7.0)
_PEDICLE_HEIGHT = (14.5, 15.0, 15.0, 15.5, 15.5, 15.0, 14.5, 14.5, 15.0, 16.0, 12.0, 10.0, 8.0, 7.0)
# T9/10 T10/11 T11/12 T12/L1 L1/2 L2/3  L3/4  L4/5  L5/S1 S1/2  S2/3  S3/4  S4/5
_DISC_HEIGHT = (4.6, 4.8, 5.0, 6.0, 8.0, 9.5, 10.5, 11.0, 10.0, 2.2, 1.4, 0.8, 0.6)
_DISC_WEDGE = (-1.0, -1.0, -1.0, 1.0, 4.0, 6.0, 8.0, 10.0, 14.0, 0.0, 0.0, 0.0, 0.0)
_FACET_ANGLE = (18.0, 19.0, 20.0, 25.0, 27.0, 32.0, 38.0, 45.0, 50.0, 50.0, 50.0, 50.0, 50.0)
_FLAVUM = (2.0, 2.1, 2.2, 2.4, 2.6, 2.9, 3.2, 3.5, 3.3, 1.0, 0.8, 0.8, 0.8)
_SAC_HALF_WIDTH = (9.2, 9.3, 9.4, 9.5, 9.7, 9.6, 9.5, 9.2, 8.4, 6.0, 4.0, 2.5, 2.0)
_SAC_HALF_DEPTH = (7.1, 7.2, 7.3, 7.4, 7.4, 7.3, 7.1, 6.9, 6.2, 4.6, 3.2, 2.0, 1.6)

# Degeneration by lumbar level, L1/2 to L5/S1: latent offset; most height lost; bulge, flavum and facet growth relative to the worst level.
_LEVEL_OFFSET = (-0.95, -0.6, -0.2, 0.25, 0.0)
_HEIGHT_LOSS = (0.30, 0.35, 0.42, 0.45, 0.62)
_BULGE_MM = (2.6, 3.0, 3.5, 3.9, 3.3)
_FLAVUM_GROWTH = (0.80, 0.92, 1.0, 1.05, 0.45)
_FACET_GROWTH = (0.60, 0.70, 0.80, 0.95, 0.85)


@dataclass(frozen=True, slots=True)
class AnatomyConfig:
    """How far patients may leave the ordinary. ``spread`` multiplies the spread of shape beyond physiology (1 = as published)."""

    spread: float = 1.0
    mean_age: float = 57.0
    lesions: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class FocalLesion:
    """A disc protrusion or extrusion in the disc's frame, millimetres: lateral position (+ left), half width, depth, half height."""

    x: float = 0.0
    half_width: float = 0.0
    depth: float = 0.0
    half_height: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Anatomy:
    """One patient. Arrays run over the 14 vertebrae or the 13 discs of ``VERTEBRAE``; millimetres and radians; side 0 right, 1 left."""

    age_years: float
    body_width: FloatArray
    body_depth: FloatArray
    body_height: FloatArray
    body_wedge: FloatArray
    endplate_concavity: FloatArray
    canal_width: FloatArray
    canal_depth: FloatArray
    pedicle_width: FloatArray
    pedicle_height: FloatArray
    disc_height: FloatArray
    disc_wedge: FloatArray
    disc_overhang: FloatArray
    bulge: FloatArray
    hydration: FloatArray
    osteophyte: FloatArray
    facet_angle: FloatArray
    flavum: FloatArray
    facet_hypertrophy: FloatArray
    focal: tuple[FocalLesion, ...]
    slip: FloatArray
    sac_half_width: FloatArray
    sac_half_depth: FloatArray
    epidural_fat: FloatArray
    sacral_slope: float
    scoliosis_mm: float
    conus_disc: float
    muscle_fat: float
    marrow_fat: float
    skin_depth_mm: float
    texture_seed: int
    marrow_gain: FloatArray = field(default_factory=lambda: np.ones(N_VERTEBRAE))


def sample_anatomy(rng: np.random.Generator, config: AnatomyConfig) -> Anatomy:
    """Draw one patient."""
    wide = config.spread

    def near(mean: float, sd: float) -> float:
        return mean + sd * wide * float(np.clip(rng.normal(), -2.2, 2.2))

    def table(values: tuple[float, ...], scale: float, residual: float = 0.02) -> FloatArray:
        return np.array(values) * scale * (1 + residual * wide * rng.normal(size=len(values)))

    age = float(np.clip(rng.normal(config.mean_age, 15), 18, 90))
    size = near(1.0, 0.05)
    degeneration = _sample_degeneration(rng, age)
    facet_spread = np.radians(rng.normal(0, 8) + rng.normal(0, 3, N_DISCS))
    disc_height = table(_DISC_HEIGHT, size) * degeneration.height_factor
    disc_height[S1:] *= rng.uniform(0.3, 2.2)
    degeneration.hydration[S1:] = rng.uniform(0.02, 0.7)
    if rng.random() < 0.06:
        disc_height[S1] = rng.uniform(4.5, 8.0)  # a well-formed S1/2 disc
    overhang = np.zeros(N_DISCS)
    overhang[:S1] = np.clip(rng.normal(0.2, 0.4, S1), -0.8, 1.0)
    overhang[S1 - 1] += rng.uniform(0, 3)
    body_height = table(_BODY_HEIGHT, size, 0.03)
    body_wedge = np.radians(np.array(_BODY_WEDGE) * np.where(np.arange(N_VERTEBRAE) >= S1, rng.uniform(0.5, 1.5), 1))
    body_wedge += np.radians(rng.normal(0, 0.9 * wide, N_VERTEBRAE))
    for vertebra in np.flatnonzero(rng.random(S1) < 0.02 * config.lesions):  # wedge fractures
        body_height[vertebra] *= rng.uniform(0.6, 0.85)
        body_wedge[vertebra] -= radians(rng.uniform(0, 9))
    canal, sac = near(1.0, 0.08), near(1.0, 0.08)
    epidural_fat = np.full(N_DISCS, 1.3)
    epidural_fat[S1 - 1 :] = near(4.0, 1.0)
    return Anatomy(
        age_years=age,
        body_width=table(_BODY_WIDTH, size),
        body_depth=table(_BODY_DEPTH, size),
        body_height=body_height,
        body_wedge=body_wedge,
        endplate_concavity=np.clip(rng.uniform(0.7, 2.6) + rng.normal(0, 0.4, N_VERTEBRAE), 0.2, 4.0),
        canal_width=table(_CANAL_WIDTH, size * near(1.0, 0.05), 0.015),
        canal_depth=table(_CANAL_DEPTH, canal, 0.015),
        pedicle_width=table(_PEDICLE_WIDTH, size, 0.05),
        pedicle_height=table(_PEDICLE_HEIGHT, size, 0.04),
        disc_height=disc_height,
        disc_wedge=np.radians(np.array(_DISC_WEDGE) * rng.uniform(0.6, 1.25) + rng.normal(0, 1.2 * wide, N_DISCS)),
        disc_overhang=overhang,
        bulge=degeneration.bulge,
        hydration=degeneration.hydration,
        osteophyte=degeneration.osteophyte,
        facet_angle=np.radians(_FACET_ANGLE) + facet_spread,
        flavum=degeneration.flavum,
        facet_hypertrophy=degeneration.facet_hypertrophy,
        focal=degeneration.focal,
        slip=degeneration.slip,
        sac_half_width=table(_SAC_HALF_WIDTH, near(1.0, 0.08) * sqrt(sac), 0.03),
        sac_half_depth=table(_SAC_HALF_DEPTH, sac, 0.03),
        epidural_fat=np.maximum(epidural_fat, 0.5),
        sacral_slope=radians(float(np.clip(rng.normal(38, 8 * wide), 12, 62))),
        scoliosis_mm=float(rng.normal(0, 4 * wide)),
        conus_disc=LUMBAR_DISCS[0] - 0.4 + 0.5 * rng.normal(),
        muscle_fat=float(np.clip(0.05 + 0.005 * max(0.0, age - 30) + rng.normal(0, 0.06), 0.03, 0.5)),
        marrow_fat=float(np.clip(0.33 + 0.004 * (age - 30) + rng.normal(0, 0.08), 0.15, 0.75)),
        skin_depth_mm=float(rng.uniform(45, 85)),
        texture_seed=int(rng.integers(2**31)),
        marrow_gain=np.exp(rng.normal(0, rng.uniform(0, 0.15) * config.lesions, N_VERTEBRAE)),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Degeneration:
    height_factor: FloatArray
    bulge: FloatArray
    hydration: FloatArray
    osteophyte: FloatArray
    flavum: FloatArray
    facet_hypertrophy: FloatArray
    focal: tuple[FocalLesion, ...]
    slip: FloatArray


def _sample_degeneration(rng: np.random.Generator, age: float) -> _Degeneration:
    """One patient factor, age, a level factor and independent parts; facets of the two sides share only some of it."""
    height_factor, bulge, hydration = np.ones(N_DISCS), np.full(N_DISCS, 0.4), np.ones(N_DISCS)
    osteophyte, slip = np.zeros(N_DISCS), np.zeros(N_DISCS)
    flavum, facet = np.tile(np.array(_FLAVUM), (2, 1)), np.zeros((2, N_DISCS))
    focal = [FocalLesion()] * N_DISCS
    patient = rng.normal()
    for disc in range(S1):
        row = max(disc - LUMBAR_DISCS[0], 0)
        above = max(LUMBAR_DISCS[0] - disc, 0)
        base = _LEVEL_OFFSET[row] - 0.1 * above + 0.030 * (age - 57) + 0.55 * patient + 0.75 * rng.normal()
        wear = _share(base, rng, 0.55)
        hydration[disc] = float(np.clip(1 - 0.95 * wear + 0.1 * rng.normal(), 0.02, 1.1))
        height_factor[disc] = 1 - _HEIGHT_LOSS[row] * _share(base, rng, 0.5)
        bulge[disc] = 0.2 + _BULGE_MM[row] * _share(base, rng, 0.6)
        osteophyte[disc] = 1.2 * wear
        thickening = _share(base, rng, 0.6)
        common = 0.35 * rng.normal()
        for side in (0, 1):
            grown = flavum[side, disc] * (1 + 0.15 * rng.normal()) + 4.0 * _FLAVUM_GROWTH[row] * thickening * (1 + 0.5 * rng.normal())
            flavum[side, disc] = max(grown, 1.2)
            facet[side, disc] = 2.9 * _FACET_GROWTH[row] * _share(0.7 * base - 0.2 + common, rng, 1.1)
        if disc >= LUMBAR_DISCS[0]:
            focal[disc] = _sample_focal(rng, wear)
            if rng.random() < (0.10 if row == 3 else 0.04) * (0.3 + wear):
                slip[disc] = float(rng.uniform(1.5, 6.5))
    return _Degeneration(height_factor, bulge, hydration, osteophyte, flavum, facet, tuple(focal), slip)


def _sample_focal(rng: np.random.Generator, wear: float) -> FocalLesion:
    """A central-to-paracentral protrusion or extrusion, an asymmetric broad bulge, or nothing."""
    chance = rng.random()
    if chance < 0.08 + 0.16 * wear:
        return FocalLesion(
            float(rng.normal(0, 6.5)), float(rng.uniform(4, 9)), float(1 + 5.5 * rng.beta(1.4, 2.6)), float(rng.uniform(4, 8))
        )
    if chance < 0.28 + 0.40 * wear:
        side = float(rng.choice([-1, 1]))
        return FocalLesion(
            side * float(rng.uniform(6, 16)), float(rng.uniform(7, 13)), float(0.5 + 5.0 * rng.beta(1.4, 2.0)), float(rng.uniform(4, 7))
        )
    return FocalLesion()


def _share(base: float, rng: np.random.Generator, noise: float) -> float:
    """A 0..1 share of a structure's greatest change, from the level's latent degeneration."""
    return 0.5 * (1 + erf((base - 0.35 + noise * float(rng.normal())) / sqrt(2)))
