"""How brightly each tissue shines: relaxation times, the sequences of a lumbar protocol, and the signal equations between them.

Relaxation times at 1.5 T follow synthetic MRI (Hagiwara et al. 2020, PMC7410772), Stanisz et al. 2005, de Bazelaire et al. 2004 and, for
discs by degeneration, T2 mapping series; fat has the longer apparent T2 that it has in turbo spin echo.
"""

from dataclasses import dataclass
from enum import Enum
from math import log

import numpy as np

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.phantom.anatomy import Anatomy
from lumbargrade.phantom.tissue import N_TISSUES, Signals, Tissue


class Weighting(Enum):
    """The three turbo spin echo contrasts of a lumbar protocol."""

    T1 = "T1"
    T2 = "T2"
    STIR = "STIR"


class Contrast(Enum):
    """Where a tissue's signal comes from.

    ``PHYSICS``: signal equations with tissues a little different in every patient. ``RANDOMISED``: six in ten sequences with tissues very
    different, the others with any signal at all, so that a network trained on them relies on shape. Either way fluid outshines nerve, disc
    and flavum where the weighting is T2, and fat outshines nerve and disc where it is T1: what a grade is read from stays visible.
    """

    PHYSICS = "physics"
    RANDOMISED = "randomised"


@dataclass(frozen=True, slots=True)
class Sequence:
    """A turbo spin echo sequence. ``inversion_ms`` is None without an inversion pulse."""

    weighting: Weighting
    field_tesla: float
    repetition_ms: float
    echo_ms: float
    inversion_ms: float | None = None

    def signal(self, t1_ms: FloatArray, t2_ms: FloatArray, density: FloatArray) -> FloatArray:
        """Spin echo magnitude of tissues of the given relaxation times and proton density (water is 1)."""
        recovered = 1 - np.exp(-self.repetition_ms / t1_ms)
        if self.inversion_ms is not None:
            recovered = np.abs(1 - 2 * np.exp(-self.inversion_ms / t1_ms) + np.exp(-self.repetition_ms / t1_ms))
        return np.asarray(density * recovered * np.exp(-self.echo_ms / t2_ms))


# T1 and T2 in milliseconds and proton density of the water in each tissue, at 1.5 T
_WATER: dict[Tissue, tuple[float, float, float]] = {
    Tissue.FAT: (900, 45, 0.08),
    Tissue.MUSCLE: (950, 38, 0.80),
    Tissue.MARROW: (900, 55, 0.80),
    Tissue.CORTEX: (500, 1, 0.05),
    Tissue.ANNULUS: (750, 42, 0.55),
    Tissue.CSF: (4100, 1600, 1.0),
    Tissue.ROOT: (850, 82, 0.75),
    Tissue.CORD: (780, 90, 0.70),
    Tissue.LIGAMENT: (600, 24, 0.45),
    Tissue.VESSEL: (1400, 40, 0.06),
    Tissue.EPIDURAL_FAT: (900, 45, 0.08),
    Tissue.FLUID: (1800, 200, 0.75),
    Tissue.BOWEL: (1000, 70, 0.75),
    Tissue.ORGAN: (900, 65, 0.78),
    Tissue.VEIN: (1400, 200, 0.60),
}
_VARIED = {Tissue.BOWEL: 0.3, Tissue.ORGAN: 0.25, Tissue.VEIN: 0.4, Tissue.VESSEL: 0.5, Tissue.FLUID: 0.4}
"""Tissues whose signal differs between patients far more than that of the rest: food, flow, effusion."""

_FAT_T1_MS, _FAT_T2_MS, _FAT_DENSITY = 270.0, 125.0, 0.86
_FAT_TISSUES = [Tissue.FAT, Tissue.EPIDURAL_FAT]
_T1_GROWTH_AT_3_T, _FAT_T1_GROWTH_AT_3_T = 1.21, 1.37
_DARKER_THAN_CSF = np.array([Tissue.ROOT, Tissue.CORD, Tissue.ANNULUS, Tissue.LIGAMENT, *range(Tissue.NUCLEUS, N_TISSUES)])
_DARKER_THAN_FAT = np.array([Tissue.CSF, *_DARKER_THAN_CSF])


def sample_sequence(weighting: Weighting, is_axial: bool, field_tesla: float, rng: np.random.Generator) -> Sequence:
    """A sequence with times as clinical protocols have them."""
    if weighting is Weighting.T1:
        return Sequence(weighting, field_tesla, round(rng.uniform(450, 760), -1), round(rng.uniform(8, 14), 1))
    if weighting is Weighting.T2:
        return Sequence(weighting, field_tesla, round(rng.uniform(2800, 4800 + 700 * is_axial), -1), round(rng.uniform(82, 125), 1))
    null_ms = log(2) * _fat_t1_ms(field_tesla)
    return Sequence(
        weighting, field_tesla, round(rng.uniform(3500, 5200), -1), round(rng.uniform(30, 70), 1), round(null_ms * rng.uniform(0.9, 1.06))
    )


def sample_signals(sequences: tuple[Sequence, ...], anatomy: Anatomy, contrast: Contrast, rng: np.random.Generator) -> Signals:
    """The signal of every tissue in each sequence, one contrast a sequence."""
    tables = [_sample_table(sequence, anatomy, contrast, rng) for sequence in sequences]
    return Signals(np.array([water for water, _ in tables], np.float32), np.array([fat for _, fat in tables], np.float32))


def _sample_table(sequence: Sequence, anatomy: Anatomy, contrast: Contrast, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """(N_TISSUES,) water and fat."""
    if contrast is Contrast.PHYSICS:
        water, fat = _physical(sequence, anatomy, 0.10, rng)
    elif rng.random() < 0.6:
        water, fat = _physical(sequence, anatomy, 0.30, rng)
    else:
        water, fat = _arbitrary(sequence, anatomy, rng)
    return _in_order(sequence.weighting, water, fat, rng)


def _physical(sequence: Sequence, anatomy: Anatomy, spread: float, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    def varied(values: FloatArray, by: FloatArray | float = spread) -> FloatArray:
        return np.asarray(values * np.exp(by * np.clip(rng.normal(size=np.shape(values)), -2, 2)))

    t1, t2, density = _water_parameters(anatomy)
    growth = _T1_GROWTH_AT_3_T if sequence.field_tesla > 2 else 1.0
    more = np.zeros(N_TISSUES)
    more[list(_VARIED)] = list(_VARIED.values())
    t1 = varied(np.where(np.arange(N_TISSUES) == Tissue.CSF, t1, t1 * growth))
    water = varied(sequence.signal(t1, varied(t2), density), spread / 2 + more)
    fat_t1, fat_t2 = np.array(_fat_t1_ms(sequence.field_tesla)), np.array(_FAT_T2_MS)
    # the inversion time was chosen for this patient's fat, so fat must not vary away from it
    fat_t1 = fat_t1 if sequence.inversion_ms is not None else varied(fat_t1)
    fat_signal = float(varied(sequence.signal(fat_t1, varied(fat_t2), np.array(_FAT_DENSITY)), spread / 2))
    fat = np.zeros(N_TISSUES)
    fat[_FAT_TISSUES] = fat_signal
    fat[Tissue.MARROW] = fat_signal * rng.uniform(0.8, 1.0)
    return water, fat


def _water_parameters(anatomy: Anatomy) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(N_TISSUES,) T1, T2 in milliseconds and density; a nucleus by its hydration, Pfirrmann I to V."""
    t1, t2, density = np.ones(N_TISSUES), np.ones(N_TISSUES), np.zeros(N_TISSUES)
    for tissue, (tissue_t1, tissue_t2, tissue_density) in _WATER.items():
        t1[tissue], t2[tissue], density[tissue] = tissue_t1, tissue_t2, tissue_density
    hydration = np.clip(anatomy.hydration, 0, 1.2)
    t1[Tissue.NUCLEUS :] = 560 + 650 * hydration
    t2[Tissue.NUCLEUS :] = 42 + 105 * hydration**1.5
    density[Tissue.NUCLEUS :] = 0.48 + 0.35 * hydration
    return t1, t2, density


def _fat_t1_ms(field_tesla: float) -> float:
    return _FAT_T1_MS * (_FAT_T1_GROWTH_AT_3_T if field_tesla > 2 else 1.0)


def _arbitrary(sequence: Sequence, anatomy: Anatomy, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Any signal for any tissue; air stays dark, bone rims mostly, and the discs of one patient stay alike."""
    water = rng.uniform(0, 1, N_TISSUES)
    fat = np.zeros(N_TISSUES)
    water[Tissue.AIR] = 0
    water[Tissue.CORTEX] = rng.uniform(0, 0.3) if rng.random() < 0.8 else rng.random()
    dry, moist = rng.random(2)
    nuclei = dry + (moist - dry) * np.clip(anatomy.hydration, 0, 1.1)
    water[Tissue.NUCLEUS :] = np.clip(nuclei + rng.normal(0, 0.04, len(nuclei)), 0, 1.2)
    if rng.random() < 0.5:
        water[Tissue.ANNULUS] = np.clip(dry + rng.normal(0, 0.15), 0, 1)
    fat[_FAT_TISSUES] = rng.uniform(0.0, 0.25) if sequence.weighting is Weighting.STIR else rng.uniform(0.25, 1.1)
    water[_FAT_TISSUES] = 0.05
    fat[Tissue.MARROW] = rng.random()
    return water, fat


def _in_order(weighting: Weighting, water: FloatArray, fat: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Where another tissue would outshine what it must not (see ``Contrast``), it is dimmed to a share of it."""
    if weighting is Weighting.T1:
        _at_least(fat, _FAT_TISSUES, 0.15)
        ceiling = float(fat[_FAT_TISSUES].min() + water[Tissue.EPIDURAL_FAT])
        darker = _DARKER_THAN_FAT
    else:
        _at_least(water, [Tissue.CSF], 0.35)
        ceiling = float(water[Tissue.CSF])
        darker = _DARKER_THAN_CSF
    water[darker] = np.minimum(water[darker], ceiling * rng.uniform(0.55, 0.85))
    return water, fat


def _at_least(values: FloatArray, tissues: list[Tissue], least: float) -> None:
    values[tissues] = np.maximum(values[tissues], least)
