"""Who a patient is: what bones and wear have in common, and how their tables of means are drawn from."""

from dataclasses import dataclass

import numpy as np

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.phantom.calibrated import BURDENS, BurdenTable
from lumbargrade.phantom.numbering import LUMBAR_DISCS


@dataclass(frozen=True, slots=True)
class AnatomyConfig:
    """How far patients may leave the ordinary.

    Attributes:
        spread: multiplies the spread of shape beyond physiology (1 = as published).
        lesions: multiplies how often bones, discs and joints have something else than wear.
        variants: multiplies how often vertebrae are transitional, ribs are missing or too many, and S1/2 is a well-formed disc.
        burden: how much narrows each site, by level.
        deformation_mm, deformation_wavelength_mm: size and range of wavelengths of a smooth displacement of everything.
    """

    spread: float = 1.0
    mean_age: float = 57.0
    lesions: float = 1.0
    variants: float = 1.0
    burden: BurdenTable = BURDENS
    deformation_mm: float = 0.0
    deformation_wavelength_mm: tuple[float, float] = (80.0, 200.0)


@dataclass(frozen=True, slots=True)
class Person:
    """What concerns the whole patient.

    Attributes:
        size: linear scale of the bones; 1 is a 1.70 m adult.
        canal_size: congenital scale of the canal's depth; it does not depend on age (canals of 1,080 people, PMC5219964).
        conus_disc: where the cord ends, in disc numbers (4.0 is L1/L2).
        muscle_fat, marrow_fat: share of fat, 0 to 1.
        skin_depth_mm: from the sac to the skin of the back.
    """

    age_years: float
    is_female: bool
    size: float
    canal_size: float
    conus_disc: float
    muscle_fat: float
    marrow_fat: float
    skin_depth_mm: float
    texture_seed: int


def sample_person(rng: np.random.Generator, config: AnatomyConfig) -> Person:
    """Draw a patient's age, sex, size and composition."""
    age = float(np.clip(rng.normal(config.mean_age, 15), 18, 90))
    is_female = bool(rng.random() < 0.5)
    return Person(
        age_years=age,
        is_female=is_female,
        size=bounded_normal(rng, config, 0.96 if is_female else 1.04, 0.045),
        canal_size=bounded_normal(rng, config, 1.0, 0.08),
        conus_disc=LUMBAR_DISCS[0] - 0.4 + 0.5 * float(rng.normal()),
        muscle_fat=float(np.clip(0.05 + 0.005 * max(0.0, age - 30) + rng.normal(0, 0.06), 0.03, 0.5)),
        marrow_fat=float(np.clip(0.33 + 0.004 * (age - 30) + rng.normal(0, 0.08), 0.15, 0.75)),
        skin_depth_mm=float(rng.uniform(45, 85)),
        texture_seed=int(rng.integers(2**31)),
    )


def bounded_normal(rng: np.random.Generator, config: AnatomyConfig, mean: float, sd: float) -> float:
    """A normal draw no further than 2.2 standard deviations from its mean."""
    return mean + sd * config.spread * float(np.clip(rng.normal(), -2.2, 2.2))


def table(rng: np.random.Generator, config: AnatomyConfig, means: tuple[float, ...], scale: float, residual: float = 0.02) -> FloatArray:
    """(n,) means scaled to the patient, each with a residual of its own (relative standard deviation)."""
    return np.array(means) * scale * (1 + residual * config.spread * rng.normal(size=len(means)))
