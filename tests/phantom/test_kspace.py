"""What the scanner does to ideal pictures."""

from dataclasses import replace

import numpy as np
import pytest

from lumbargrade.phantom.acquisition import Acquisition, Artefacts, Coils, Sampling
from lumbargrade.phantom.kspace import acquire

CLEAN = Acquisition(phase_axis=0, fat_shift_px=0.0, snr=1e6, white=3000.0)
COLUMNS, ROWS = np.meshgrid(np.arange(96), np.arange(80))
NOTHING = np.zeros((1, 80, 96), np.float32)
FLAT = np.ones((1, 80, 96), np.float32)


def blob(column: float, row: float, width: float = 5.0) -> np.ndarray:
    """(1, 80, 96) a smooth spot."""
    return np.exp(-((COLUMNS - column) ** 2 + (ROWS - row) ** 2) / (2 * width**2)).astype(np.float32)[None]


def centre(picture: np.ndarray) -> tuple[float, float]:
    total = picture.sum()
    return float((picture * COLUMNS).sum() / total), float((picture * ROWS).sum() / total)


def taken(water: np.ndarray, settings: Acquisition, fat: np.ndarray = NOTHING, pulsating: np.ndarray = NOTHING) -> np.ndarray:
    fat, pulsating = (np.broadcast_to(each, water.shape) for each in (fat, pulsating))
    return acquire(water, fat, pulsating, settings, np.random.default_rng(0))


@pytest.mark.parametrize(("phase_axis", "expected"), [(0, (51.3, 32.0)), (1, (50.0, 33.3))])
def test_fat_alone_moves_and_along_the_readout(phase_axis: int, expected: tuple[float, float]) -> None:
    settings = replace(CLEAN, phase_axis=phase_axis, fat_shift_px=1.3)
    spot = blob(50, 32)
    assert centre(taken(spot, settings)[0]) == pytest.approx((50.0, 32.0), abs=0.03)
    assert centre(taken(NOTHING, settings, fat=spot)[0]) == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize("phase_axis", [0, 1])
def test_a_scanner_without_faults_returns_the_picture(phase_axis: int) -> None:
    spot = blob(50, 32) + 0.5 * blob(20, 60, 8.0)
    picture = taken(spot, replace(CLEAN, phase_axis=phase_axis, white=2000.0, sampling=Sampling(apodisation=0.0)))
    assert np.abs(picture / picture.max() - spot / spot.max()).max() < 0.002


def test_pictures_hold_whole_grey_values_of_twelve_bits() -> None:
    picture = taken(blob(50, 32), replace(CLEAN, snr=15.0, white=3900.0), fat=blob(20, 60))
    assert picture.dtype == np.float32
    assert np.array_equal(picture, np.rint(picture))
    assert picture.min() >= 0
    assert 3500 < picture.max() <= 4095


def test_noise_in_air_is_rician_and_grows_as_the_signal_ratio_falls() -> None:
    corner = [taken(blob(48, 40, 8.0), replace(CLEAN, snr=snr))[0, :15, :15] for snr in (60.0, 15.0)]
    assert corner[1].mean() > 2.5 * corner[0].mean()
    # a Rayleigh distribution, the Rician one without signal, has a ratio of 1.91 of mean to deviation
    assert corner[1].mean() / corner[1].std() == pytest.approx(1.91, abs=0.25)


def test_noise_in_the_finished_picture_is_what_the_ratio_says_however_much_of_k_space_is_sampled() -> None:
    for sampling in (Sampling(apodisation=0.0), Sampling(0.7, 0.6, apodisation=0.8, is_elliptical=True)):
        picture = taken(FLAT, replace(CLEAN, snr=25.0, sampling=sampling))[0, 10:-10, 10:-10]
        assert picture.mean() / picture.std() == pytest.approx(25.0, rel=0.2)


def test_nothing_is_left_beyond_the_acquired_part_of_k_space() -> None:
    water = blob(48, 40, 9.0) + 0.2 * (COLUMNS % 2 == 0).astype(np.float32) + 0.5
    spectra = [np.abs(np.fft.fft2(taken(water, replace(CLEAN, sampling=Sampling(readout=kept)))[0])) for kept in (0.99, 0.6)]
    assert spectra[0][0, 44] > 0
    assert np.abs(spectra[1][0, 35:62]).max() < 0.01 * spectra[1][0, 0]


def test_an_edge_rings_unless_k_space_fades() -> None:
    edge = np.where(COLUMNS > 48, 1.0, 0.2).astype(np.float32)[None]
    overshoot = [
        float(taken(edge, replace(CLEAN, sampling=Sampling(0.6, 1.0, apodisation=fading)))[0, 40, 50:60].max()) for fading in (0.0, 1.0)
    ]
    plateau = float(taken(edge, replace(CLEAN, sampling=Sampling(0.6, 1.0, apodisation=1.0)))[0, 40, 60:85].mean())
    assert overshoot[0] > 1.04 * plateau
    assert overshoot[1] < 1.02 * plateau


@pytest.mark.parametrize("sampling", [Sampling(apodisation=0.0, decay=2.0), Sampling(apodisation=0.0, partial_fourier=0.65)])
def test_decay_over_the_train_and_missing_lines_blur_along_phase_encoding_only(sampling: Sampling) -> None:
    points = ((ROWS % 12 == 0) & (COLUMNS % 12 == 0)).astype(np.float32)[None]
    sharp, soft = (taken(points, replace(CLEAN, sampling=each))[0] for each in (Sampling(apodisation=0.0), sampling))
    along = [float(picture[36, 36] / picture[31:42, 36].sum()) for picture in (sharp, soft)]
    across = [float(picture[36, 36] / picture[36, 31:42].sum()) for picture in (sharp, soft)]
    assert along[1] < 0.9 * along[0]
    assert across[1] == pytest.approx(across[0], rel=0.05)


def test_a_saturation_band_darkens_the_front_and_nothing_else() -> None:
    picture = taken(FLAT, replace(CLEAN, coils=Coils(saturation_px=30.0)))[0]
    assert picture[:, 5:20].mean() < 0.2 * picture[:, 45:].mean()
    assert picture[5:-5, 45:-5].std() < 0.03 * picture[:, 45:].mean()


@pytest.mark.parametrize("axis", [0, 1])
def test_coils_lie_behind_the_patient_and_normalisation_trades_their_shading_for_noise(axis: int) -> None:
    near, far = slice(-12, -3), slice(3, 12)
    coils = Coils(posterior_axis=axis, depth_px=40.0, share=0.8, normalised=0.0)
    raw = np.moveaxis(taken(FLAT, replace(CLEAN, coils=coils, snr=30.0))[0], axis, 0)
    assert raw[near].mean() > 1.5 * raw[far].mean()
    even = np.moveaxis(taken(FLAT, replace(CLEAN, coils=replace(coils, normalised=1.0), snr=30.0))[0], axis, 0)
    assert even[near].mean() == pytest.approx(even[far].mean(), rel=0.1)
    assert even[far].std() > 1.5 * even[near].std()


def test_what_pulsates_throws_ghosts_along_phase_encoding_and_what_rests_does_not() -> None:
    spot = blob(48, 40, 2.0)
    ghosting = replace(CLEAN, artefacts=Artefacts(ghost=0.2, ghost_shift_px=20.0))
    ghosts = np.abs(taken(spot, ghosting, pulsating=spot)[0] - taken(spot, CLEAN)[0])
    assert ghosts[60, 48] > 10 * max(ghosts[40, 68], 1)
    assert ghosts[20, 48] > 10 * max(ghosts[40, 28], 1)
    assert np.array_equal(taken(spot, ghosting), taken(spot, CLEAN))


def test_motion_smears_along_phase_encoding() -> None:
    spot = blob(48, 40, 2.0)
    moved = np.abs(taken(spot, replace(CLEAN, artefacts=Artefacts(motion_px=2.0)))[0] - taken(spot, CLEAN)[0])
    assert moved[:, 46:51].sum() > 3 * moved[37:44, :40].sum()


def test_a_field_of_view_too_small_folds_the_far_side_in() -> None:
    spot = blob(48, 74, 2.0)
    folded = taken(spot, replace(CLEAN, artefacts=Artefacts(wrapped=0.2)))[0]
    assert folded[74 - 64, 48] > 0.9 * folded[74, 48]


def test_a_zipper_is_a_line_along_phase_encoding_and_a_spike_makes_stripes() -> None:
    zipped = taken(FLAT, replace(CLEAN, artefacts=Artefacts(zipper=0.5)))[0]
    assert (zipped[5:-5].std(0) > 0.1 * zipped.mean()).sum() == 1
    spectrum = np.abs(np.fft.fft2(taken(FLAT, replace(CLEAN, artefacts=Artefacts(stripes=0.05)))[0]))
    spectrum[0, 0] = 0
    assert spectrum.max() > 20 * np.median(spectrum)


def test_a_tone_curve_lifts_the_dark_and_keeps_the_order() -> None:
    ramp = np.broadcast_to((COLUMNS / 95).astype(np.float32), (1, 80, 96))
    sampling = Sampling(apodisation=0.0)
    plain, bent = (taken(ramp, replace(CLEAN, sampling=sampling, tone=tone))[0, 40, 10:86] for tone in (0.0, 1.0))
    assert bent[15] > 1.3 * plain[15]
    assert (np.diff(bent) >= -40).all()


def test_enhancement_removes_noise_and_keeps_edges() -> None:
    edge = np.where(COLUMNS > 48, 1.0, 0.2).astype(np.float32)[None]
    noisy = replace(CLEAN, snr=20.0, sampling=Sampling(apodisation=0.0))
    plain, clean = (taken(edge, replace(noisy, enhancement=strength))[0] for strength in (0.0, 1.0))
    assert clean[10:70, 60:85].std() < 0.7 * plain[10:70, 60:85].std()
    assert np.median(clean[10:70, 52] - clean[10:70, 45]) > 0.9 * np.median(plain[10:70, 52] - plain[10:70, 45])


def test_neighbouring_slices_alternate_in_brightness_where_they_disturb_each_other() -> None:
    stack = np.ones((8, 80, 96), np.float32)
    brightness = taken(stack, replace(CLEAN, coils=Coils(shading=(0.0, 0.0, 0.0, 0.0, 0.0, 0.1)))).mean((1, 2))
    assert brightness.std() > 0.01 * brightness.mean()
