"""What the scanner does to ideal pictures."""

from dataclasses import replace

import numpy as np
import pytest

from lumbargrade.geometry.orientation import AnatomicalPlane
from lumbargrade.phantom.acquisition import Acquisition, acquire, sample_acquisition
from lumbargrade.phantom.mr import Contrast, Weighting

CLEAN = Acquisition(
    readout_axis=1,
    fat_shift_px=0.0,
    kept=(1.0, 1.0),
    blur_px=0.4,
    snr=1e6,
    shading=(0.0,) * 6,
    posterior_axis=1,
    saturation_px=None,
    ghost=0.0,
    ghost_shift_px=20.0,
    white=3000.0,
)
COLUMNS, ROWS = np.meshgrid(np.arange(96), np.arange(80))


def blob(column: float, row: float, width: float = 5.0) -> np.ndarray:
    """(1, 80, 96) a smooth spot."""
    return np.exp(-((COLUMNS - column) ** 2 + (ROWS - row) ** 2) / (2 * width**2)).astype(np.float32)[None]


def centre(picture: np.ndarray) -> tuple[float, float]:
    total = picture.sum()
    return float((picture * COLUMNS).sum() / total), float((picture * ROWS).sum() / total)


def taken(water: np.ndarray, fat: np.ndarray, settings: Acquisition) -> np.ndarray:
    return acquire(water, fat, settings, np.random.default_rng(0))


@pytest.mark.parametrize(("axis", "expected"), [(1, (51.3, 32.0)), (0, (50.0, 33.3))])
def test_fat_alone_moves_and_along_the_readout(axis: int, expected: tuple[float, float]) -> None:
    settings = replace(CLEAN, readout_axis=axis, fat_shift_px=1.3)
    spot, nothing = blob(50, 32), np.zeros((1, 80, 96), np.float32)
    assert centre(taken(spot, nothing, settings)[0]) == pytest.approx((50.0, 32.0), abs=0.02)
    assert centre(taken(nothing, spot, settings)[0]) == pytest.approx(expected, abs=0.02)


def test_pictures_hold_whole_grey_values_of_twelve_bits() -> None:
    picture = taken(blob(50, 32), blob(20, 60), replace(CLEAN, snr=15.0, white=3900.0))
    assert picture.dtype == np.float32
    assert np.array_equal(picture, np.rint(picture))
    assert picture.min() >= 0
    assert 3500 < picture.max() <= 4095


def test_noise_in_air_is_rician_and_grows_as_the_signal_ratio_falls() -> None:
    water = blob(48, 40, 8.0)
    corner = [taken(water, 0 * water, replace(CLEAN, snr=snr))[0, :15, :15] for snr in (60.0, 15.0)]
    assert corner[1].mean() > 2.5 * corner[0].mean()
    # a Rayleigh distribution, the Rician one without signal, has a ratio of 1.91 of mean to deviation
    assert corner[1].mean() / corner[1].std() == pytest.approx(1.91, abs=0.25)


def test_nothing_is_left_beyond_the_acquired_part_of_k_space() -> None:
    water = (blob(48, 40, 9.0) + 0.2 * (COLUMNS % 2 == 0)).astype(np.float32) + 0.5
    spectra = [np.abs(np.fft.fft2(taken(water, 0 * water, replace(CLEAN, kept=(1.0, kept)))[0])) for kept in (1.0, 0.6)]
    assert spectra[0][0, 48] > 20 * spectra[1][0, 48]


def test_a_saturation_band_darkens_the_front_and_nothing_else() -> None:
    flat = np.ones((1, 80, 96), np.float32)
    picture = taken(flat, 0 * flat, replace(CLEAN, saturation_px=30.0))[0]
    assert picture[:, 5:20].mean() < 0.2 * picture[:, 45:].mean()
    assert picture[:, 45:].std() < 0.02 * picture[:, 45:].mean()


def test_coils_lie_behind_the_patient() -> None:
    flat = np.ones((1, 80, 96), np.float32)
    lit = replace(CLEAN, shading=(0.5, 0, 0, 0, 0, 0))
    assert taken(flat, 0 * flat, lit)[0, :, -9:].mean() > 1.5 * taken(flat, 0 * flat, lit)[0, :, :9].mean()
    across = taken(flat, 0 * flat, replace(lit, posterior_axis=0))[0]
    assert across[-9:].mean() > 1.5 * across[:9].mean()


def test_a_ghost_lies_along_phase_encoding() -> None:
    spot = blob(48, 40, 2.0)
    clean, ghosted = (taken(spot, 0 * spot, replace(CLEAN, ghost=ghost))[0] for ghost in (0.0, 0.1))
    difference = np.abs(ghosted - clean)
    assert difference[60, 48] > 10 * max(difference[40, 68], 1)
    assert difference[20, 48] > 10 * max(difference[40, 28], 1)


def test_bands_saturate_some_sagittal_series_and_no_axial_one() -> None:
    rng = np.random.default_rng(0)
    sagittal = [sample_acquisition(Weighting.T1, AnatomicalPlane.SAGITTAL, Contrast.PHYSICS, 100.0, rng) for _ in range(60)]
    axial = [sample_acquisition(Weighting.T2, AnatomicalPlane.AXIAL, Contrast.PHYSICS, 100.0, rng) for _ in range(60)]
    banded = [settings.saturation_px for settings in sagittal if settings.saturation_px is not None]
    assert 20 < len(banded) < 55
    assert max(banded) < 100
    assert all(settings.saturation_px is None for settings in axial)
    assert {settings.readout_axis for settings in sagittal} == {1}
