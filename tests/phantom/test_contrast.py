"""Which tissue is bright in which kind of study."""

import numpy as np
import pytest

from lumbargrade.phantom.anatomy import Anatomy, sample_anatomy
from lumbargrade.phantom.contrast import Contrast, sample_signals
from lumbargrade.phantom.mr import Sequence, Weighting
from lumbargrade.phantom.person import AnatomyConfig
from lumbargrade.phantom.relaxation import fat_relaxation_ms, water_relaxation
from lumbargrade.phantom.scanner import sample_scanner, sample_sequence
from lumbargrade.phantom.tissue import N_TISSUES, Tissue

NUCLEI = range(Tissue.NUCLEUS, N_TISSUES)
SEEDS = range(25)


@pytest.fixture(scope="module")
def anatomies() -> list[Anatomy]:
    return [sample_anatomy(np.random.default_rng(seed), AnatomyConfig()) for seed in range(10)]


def brightness(anatomies: list[Anatomy], weighting: Weighting, contrast: Contrast, seed: int) -> np.ndarray:
    """(N_TISSUES,) water and fat of pure tissue together, marrow as fatty as the patient's."""
    rng = np.random.default_rng(seed)
    sequence = sample_sequence(sample_scanner(contrast, rng), weighting, False, contrast, rng)
    anatomy = anatomies[seed % len(anatomies)]
    signals = sample_signals((sequence,), anatomy, contrast, rng)
    assert signals.water.min() >= 0
    assert signals.fat.min() >= 0
    bright = np.asarray(signals.water[0] + signals.fat[0])
    share = anatomy.person.marrow_fat
    bright[Tissue.MARROW] = (1 - share) * signals.water[0, Tissue.MARROW] + share * signals.fat[0, Tissue.MARROW]
    return bright


@pytest.mark.parametrize("seed", SEEDS)
def test_fluid_is_bright_on_t2(anatomies: list[Anatomy], seed: int) -> None:
    bright = brightness(anatomies, Weighting.T2, Contrast.PHYSICS, seed)
    solids = [Tissue.MUSCLE, Tissue.CORTEX, Tissue.ANNULUS, Tissue.ROOT, Tissue.CORD, Tissue.LIGAMENT, Tissue.VESSEL, *NUCLEI]
    assert all(bright[Tissue.CSF] > bright[other] for other in [*solids, Tissue.MARROW])


@pytest.mark.parametrize("seed", SEEDS)
def test_fat_is_the_brightest_on_t1(anatomies: list[Anatomy], seed: int) -> None:
    bright = brightness(anatomies, Weighting.T1, Contrast.PHYSICS, seed)
    others = set(range(N_TISSUES)) - {Tissue.FAT, Tissue.EPIDURAL_FAT, Tissue.MARROW}
    assert min(bright[Tissue.FAT], bright[Tissue.EPIDURAL_FAT]) > max(bright[list(others)])


@pytest.mark.parametrize("seed", SEEDS)
def test_fat_is_dark_on_stir(anatomies: list[Anatomy], seed: int) -> None:
    bright = brightness(anatomies, Weighting.STIR, Contrast.PHYSICS, seed)
    assert bright[Tissue.FAT] < 0.25 * bright[Tissue.CSF]
    assert bright[Tissue.FAT] < bright[Tissue.ROOT]


def test_a_nucleus_dims_on_t2_from_grade_to_grade(anatomies: list[Anatomy]) -> None:
    anatomy = anatomies[3]
    rng = np.random.default_rng(3)
    signals = sample_signals((Sequence(Weighting.T2, 1.5, 3600, 100),) * 40, anatomy, Contrast.PHYSICS, rng)
    nuclei = signals.water[:, Tissue.NUCLEUS :].mean(0)
    assert nuclei[np.argmax(anatomy.wear.hydration)] > 1.5 * nuclei[np.argmin(anatomy.wear.hydration)]


def test_t1_grows_with_the_field_except_of_free_water(anatomies: list[Anatomy]) -> None:
    low, high = (water_relaxation(anatomies[0], field) for field in (1.5, 3.0))
    assert high.t1_ms[Tissue.MUSCLE] / low.t1_ms[Tissue.MUSCLE] == pytest.approx(1.21, abs=0.01)
    assert high.t1_ms[Tissue.CSF] == low.t1_ms[Tissue.CSF]
    assert fat_relaxation_ms(3.0)[0] == pytest.approx(371, rel=0.01)


@pytest.mark.parametrize("contrast", [Contrast.RANDOMISED, Contrast.HELDOUT_A, Contrast.HELDOUT_B])
@pytest.mark.parametrize("weighting", list(Weighting))
def test_every_contrast_keeps_what_grades_are_read_from(anatomies: list[Anatomy], weighting: Weighting, contrast: Contrast) -> None:
    tables = np.array([brightness(anatomies, weighting, contrast, seed) for seed in range(150)])
    hidden = tables[:, [Tissue.ROOT, Tissue.ANNULUS, Tissue.LIGAMENT, *NUCLEI]]
    shining = tables[:, [Tissue.EPIDURAL_FAT if weighting is Weighting.T1 else Tissue.CSF]]
    assert (hidden <= 0.86 * shining).all()


def test_randomised_contrast_puts_all_else_in_any_order(anatomies: list[Anatomy]) -> None:
    tables = np.array([brightness(anatomies, Weighting.T2, Contrast.RANDOMISED, seed) for seed in range(150)])
    assert 0.1 < np.mean(tables[:, Tissue.MUSCLE] < tables[:, Tissue.MARROW]) < 0.95
    assert 0.2 < np.mean(tables[:, Tissue.EPIDURAL_FAT] < tables[:, Tissue.CSF]) < 0.9
    assert 0.05 < np.mean(tables[:, Tissue.EPIDURAL_FAT] < tables[:, Tissue.ROOT]) < 0.6


def test_the_held_out_families_rank_tissues_as_no_training_contrast_does(anatomies: list[Anatomy]) -> None:
    def median_ratio(contrast: Contrast, weighting: Weighting, one: Tissue, other: Tissue) -> float:
        tables = np.array([brightness(anatomies, weighting, contrast, seed) for seed in SEEDS])
        return float(np.median(tables[:, one] / tables[:, other]))

    steady, spin = (median_ratio(each, Weighting.T2, Tissue.MUSCLE, Tissue.CSF) for each in (Contrast.HELDOUT_A, Contrast.PHYSICS))
    assert steady > 1.5 * spin
    low, usual = (median_ratio(each, Weighting.T1, Tissue.CSF, Tissue.FAT) for each in (Contrast.HELDOUT_B, Contrast.PHYSICS))
    assert low != pytest.approx(usual, rel=0.05)
