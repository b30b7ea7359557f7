"""Which tissue is bright in which sequence."""

from math import exp, log

import numpy as np
import pytest

from lumbargrade.phantom.anatomy import AnatomyConfig, sample_anatomy
from lumbargrade.phantom.mr import Contrast, Sequence, Weighting, sample_sequence, sample_signals
from lumbargrade.phantom.tissue import N_TISSUES, Tissue

NUCLEI = range(Tissue.NUCLEUS, N_TISSUES)


def brightness(weighting: Weighting, contrast: Contrast, seed: int) -> np.ndarray:
    """(N_TISSUES,) water and fat of pure tissue together, marrow as fatty as the patient's."""
    rng = np.random.default_rng(seed)
    sequence = sample_sequence(weighting, False, 3.0 if seed % 2 else 1.5, rng)
    anatomy = sample_anatomy(rng, AnatomyConfig())
    signals = sample_signals((sequence,), anatomy, contrast, rng)
    assert signals.water.min() >= 0
    assert signals.fat.min() >= 0
    bright = np.asarray(signals.water[0] + signals.fat[0])
    share = anatomy.marrow_fat
    bright[Tissue.MARROW] = (1 - share) * signals.water[0, Tissue.MARROW] + share * signals.fat[0, Tissue.MARROW]
    return bright


def test_signal_is_the_spin_echo_equation() -> None:
    plain, inverted = Sequence(Weighting.T2, 1.5, 4000, 100), Sequence(Weighting.STIR, 1.5, 4000, 50, 270 * log(2))
    csf = plain.signal(np.array(4000.0), np.array(1500.0), np.array(1.0))
    assert float(csf) == pytest.approx((1 - exp(-1)) * exp(-1 / 15))
    fat = inverted.signal(np.array(270.0), np.array(125.0), np.array(1.0))
    assert float(fat) == pytest.approx(exp(-4000 / 270) * exp(-0.4), abs=1e-9)


@pytest.mark.parametrize("seed", range(12))
def test_fluid_is_bright_on_t2(seed: int) -> None:
    bright = brightness(Weighting.T2, Contrast.PHYSICS, seed)
    others = [
        Tissue.MUSCLE,
        Tissue.MARROW,
        Tissue.CORTEX,
        Tissue.ANNULUS,
        Tissue.ROOT,
        Tissue.CORD,
        Tissue.LIGAMENT,
        Tissue.VESSEL,
        *NUCLEI,
    ]
    assert all(bright[Tissue.CSF] > bright[other] for other in others)


@pytest.mark.parametrize("seed", range(12))
def test_fat_is_the_brightest_on_t1(seed: int) -> None:
    bright = brightness(Weighting.T1, Contrast.PHYSICS, seed)
    others = set(range(N_TISSUES)) - {Tissue.FAT, Tissue.EPIDURAL_FAT, Tissue.MARROW}
    assert min(bright[Tissue.FAT], bright[Tissue.EPIDURAL_FAT]) > max(bright[list(others)])


@pytest.mark.parametrize("seed", range(12))
def test_fat_is_dark_on_stir(seed: int) -> None:
    bright = brightness(Weighting.STIR, Contrast.PHYSICS, seed)
    assert bright[Tissue.FAT] < 0.25 * bright[Tissue.CSF]
    assert bright[Tissue.FAT] < bright[Tissue.ROOT]


def test_a_moist_nucleus_outshines_a_dry_one_on_t2() -> None:
    rng = np.random.default_rng(3)
    anatomy = sample_anatomy(rng, AnatomyConfig())
    signals = sample_signals((Sequence(Weighting.T2, 1.5, 3600, 100),) * 20, anatomy, Contrast.PHYSICS, rng)
    nuclei = signals.water[:, Tissue.NUCLEUS :].mean(0)
    assert nuclei[np.argmax(anatomy.hydration)] > 1.5 * nuclei[np.argmin(anatomy.hydration)]


@pytest.mark.parametrize("weighting", list(Weighting))
def test_randomised_contrast_keeps_what_grades_are_read_from(weighting: Weighting) -> None:
    tables = np.array([brightness(weighting, Contrast.RANDOMISED, seed) for seed in range(150)])
    hidden = tables[:, [Tissue.ROOT, Tissue.ANNULUS, Tissue.LIGAMENT, *NUCLEI]]
    shining = tables[:, [Tissue.EPIDURAL_FAT if weighting is Weighting.T1 else Tissue.CSF]]
    assert (hidden < shining).all()
    usual = tables[:, Tissue.MUSCLE] < tables[:, Tissue.MARROW]
    assert 0.1 < usual.mean() < 0.95  # all else may come in any order
