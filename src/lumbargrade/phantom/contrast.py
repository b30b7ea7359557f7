"""Where a tissue's signal comes from in each kind of study: physics, physics beyond bounds, chance, or equations no training sees."""

from enum import Enum

import numpy as np

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.phantom.anatomy import Anatomy
from lumbargrade.phantom.mr import Readout, Sequence, Weighting
from lumbargrade.phantom.relaxation import FAT_DENSITY, FAT_TISSUES, fat_relaxation_ms, water_relaxation
from lumbargrade.phantom.tissue import N_TISSUES, Signals, Tissue


class Contrast(Enum):
    """Where a tissue's signal comes from.

    ``PHYSICS``: signal equations of turbo spin echo with tissues a little different in every patient. ``RANDOMISED``: half of the sequences
    with tissues very different, the others with any signal at all, so that a network trained on them relies on shape. ``HELDOUT_A``: steady
    state and gradient echo. ``HELDOUT_B``: turbo spin echo at 0.35 T. In every one fluid outshines nerve, disc and flavum where the
    weighting is T2, and fat outshines nerve and disc where it is T1: what a grade is read from stays visible.
    """

    PHYSICS = "physics"
    RANDOMISED = "randomised"
    HELDOUT_A = "heldout-a"
    HELDOUT_B = "heldout-b"


_FAT = list(FAT_TISSUES)
_VARIED = {Tissue.BOWEL: 0.3, Tissue.ORGAN: 0.25, Tissue.VEIN: 0.4, Tissue.VESSEL: 0.5, Tissue.FLUID: 0.4}
"""Tissues whose signal differs between patients far more than that of the rest: food, flow, effusion."""

_NUCLEI = range(Tissue.NUCLEUS, N_TISSUES)
_MAGNETISATION_TRANSFER = [Tissue.MUSCLE, Tissue.ANNULUS, Tissue.LIGAMENT, Tissue.CORD, Tissue.ROOT, *_NUCLEI]
"""Tissues that the pulses for neighbouring slices dim by up to a quarter, and a long train's by up to a half."""

_LONG_TRAIN = 40
"""Echoes from which a train is as long as SPACE's: what its many pulses dim, and what pulsation takes from CSF, is fitted to SPIDER's."""

_DARKER_THAN_CSF = np.array([Tissue.ROOT, Tissue.CORD, Tissue.ANNULUS, Tissue.LIGAMENT, *_NUCLEI])
_DARKER_THAN_FAT = np.array([Tissue.CSF, *_DARKER_THAN_CSF])
_STATIC_DEPHASING_PER_S = {Tissue.MARROW: 60.0, Tissue.CORTEX: 100.0, Tissue.BOWEL: 40.0, Tissue.VEIN: 20.0}
"""How much faster than by T2 a gradient echo decays, trabecular bone and gas most (marrow's T2* is 10 ms); elsewhere 6 per second."""


def sample_signals(sequences: tuple[Sequence, ...], anatomy: Anatomy, contrast: Contrast, rng: np.random.Generator) -> Signals:
    """The signal of every tissue in each sequence, one contrast a sequence."""
    tables = [_sample_table(sequence, anatomy, contrast, rng) for sequence in sequences]
    return Signals(np.array([water for water, _ in tables], np.float32), np.array([fat for _, fat in tables], np.float32))


def _sample_table(sequence: Sequence, anatomy: Anatomy, contrast: Contrast, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """(N_TISSUES,) water and fat."""
    if contrast is not Contrast.RANDOMISED:
        water, fat = _physical(sequence, anatomy, 0.23, rng)
    elif rng.random() < 0.5:
        water, fat = _redistributed(*_physical(sequence, anatomy, 0.30, rng), rng)
    else:
        water, fat = _arbitrary(sequence, anatomy, rng)
    return _in_order(sequence.weighting, water, fat, rng)


def _physical(sequence: Sequence, anatomy: Anatomy, spread: float, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    def varied(values: FloatArray, by: FloatArray | float = spread) -> FloatArray:
        return np.asarray(values * np.exp(by * np.clip(rng.normal(size=np.shape(values)), -2, 2)))

    tissues = water_relaxation(anatomy, sequence.field_tesla)
    more = np.zeros(N_TISSUES)
    more[list(_VARIED)] = list(_VARIED.values())
    t2 = varied(_t2_of_readout(sequence, tissues.t2_ms))
    water = varied(sequence.signal(varied(tissues.t1_ms), t2, tissues.density), spread / 2 + more)
    is_long = sequence.echo_train_length >= _LONG_TRAIN
    water[_MAGNETISATION_TRANSFER] *= rng.uniform(0.5 if is_long else 0.75, 1.0)
    if is_long:
        water[Tissue.CSF] *= 1 - 0.45 * rng.random() ** 2
    fat_t1, fat_t2 = (np.array(time) for time in fat_relaxation_ms(sequence.field_tesla))
    # the inversion time was chosen for this patient's fat, so fat must not vary away from it
    fat_t1 = fat_t1 if sequence.inversion_ms is not None else varied(fat_t1)
    fat_signal = float(varied(sequence.signal(fat_t1, varied(fat_t2), np.array(FAT_DENSITY)), spread / 2))
    if sequence.weighting is Weighting.STIR and sequence.inversion_ms is None:
        fat_signal *= rng.uniform(0.03, 0.15)  # saturated by its frequency
    fat = np.zeros(N_TISSUES)
    fat[_FAT] = fat_signal
    fat[Tissue.MARROW] = fat_signal * rng.uniform(0.8, 1.05)
    return water, fat


def _t2_of_readout(sequence: Sequence, t2_ms: FloatArray) -> FloatArray:
    """T2, or what a gradient echo without refocusing decays with."""
    if sequence.readout is not Readout.SPOILED_GRADIENT_ECHO:
        return t2_ms
    dephasing = np.full(N_TISSUES, 6.0)
    dephasing[list(_STATIC_DEPHASING_PER_S)] = list(_STATIC_DEPHASING_PER_S.values())
    return np.asarray(1 / (1 / t2_ms + dephasing / 1000))


def _redistributed(water: FloatArray, fat: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """A gamma for all, another brightness for some tissues, and each disc and each kind of fat a little by itself."""
    white = max(float(water.max()), float(fat.max()))
    gamma = float(np.exp(rng.uniform(-0.5, 0.5)))
    water, fat = white * (water / white) ** gamma, white * (fat / white) ** gamma
    moved = rng.random(N_TISSUES) < 0.15
    moved[[Tissue.AIR, Tissue.CORTEX]] = False
    water = np.where(moved, 0.5 * water + 0.5 * white * rng.random(N_TISSUES), water)
    water[Tissue.NUCLEUS :] *= np.exp(rng.normal(0, 0.12, len(_NUCLEI)))
    fat[_FAT] *= np.exp(rng.normal(0, 0.12, len(_FAT)))
    return water, fat


def _arbitrary(sequence: Sequence, anatomy: Anatomy, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Any signal for any tissue; air stays dark, bone rims mostly, and the discs of one patient stay alike."""
    water = rng.uniform(0, 1, N_TISSUES)
    fat = np.zeros(N_TISSUES)
    water[Tissue.AIR] = 0
    water[Tissue.CORTEX] = rng.uniform(0, 0.3) if rng.random() < 0.8 else rng.random()
    dry, moist = rng.random(2)
    nuclei = dry + (moist - dry) * np.clip(anatomy.wear.hydration, 0, 1.1)
    water[Tissue.NUCLEUS :] = np.clip(nuclei + rng.normal(0, 0.06, len(nuclei)), 0, 1.2)
    if rng.random() < 0.5:
        water[Tissue.ANNULUS] = np.clip(dry + rng.normal(0, 0.15), 0, 1)
    brightest = {Weighting.STIR: 0.25, Weighting.T2: 1.3, Weighting.T1: 1.1}[sequence.weighting]
    fat[_FAT] = rng.uniform(0.0, brightest) * np.exp(rng.normal(0, 0.12, len(_FAT)))
    water[_FAT] = 0.05
    fat[Tissue.MARROW] = rng.random()
    return water, fat


def _in_order(weighting: Weighting, water: FloatArray, fat: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Where another tissue would outshine what it must not (see ``Contrast``), it is dimmed to a share of it."""
    white = max(float(water.max()), float(fat.max()))
    if weighting is Weighting.T1:
        fat[_FAT] = np.maximum(fat[_FAT], 0.2 * white)
        ceiling = float(fat[_FAT].min() + water[Tissue.EPIDURAL_FAT])
        darker = _DARKER_THAN_FAT
    else:
        water[Tissue.CSF] = max(water[Tissue.CSF], 0.35 * white)
        ceiling = float(water[Tissue.CSF])
        darker = _DARKER_THAN_CSF
    water[darker] = np.minimum(water[darker], ceiling * rng.uniform(0.55, 0.85))
    return water, fat
