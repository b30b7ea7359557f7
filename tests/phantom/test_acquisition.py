"""How series are taken: which settings vendors have, and which kinds of study show which artefacts."""

import numpy as np
import pytest

from lumbargrade.phantom.acquisition import Acquisition, Frame, sample_acquisition
from lumbargrade.phantom.contrast import Contrast
from lumbargrade.phantom.mr import Sequence, Weighting
from lumbargrade.phantom.scanner import Scanner, Vendor, sample_scanner

SAGITTAL, AXIAL = Frame(True, 1.0, 100.0), Frame(False, 0.7, 100.0)
SEQUENCE = Sequence(Weighting.T2, 1.5, 3500, 100, echo_train_length=18, echo_spacing_ms=10, bandwidth_hz_per_px=200.0)


def drawn(frame: Frame, contrast: Contrast = Contrast.PHYSICS, sequence: Sequence = SEQUENCE, count: int = 120) -> list[Acquisition]:
    rng = np.random.default_rng(0)
    return [sample_acquisition(sample_scanner(contrast, rng), sequence, frame, contrast, rng) for _ in range(count)]


@pytest.mark.parametrize(("field_tesla", "bandwidth", "expected"), [(1.5, 200.0, 1.12), (3.0, 365.0, 1.22), (0.35, 100.0, 0.52)])
def test_fat_moves_by_its_frequency_over_the_bandwidth(field_tesla: float, bandwidth: float, expected: float) -> None:
    sequence = Sequence(Weighting.T2, field_tesla, 3500, 100, bandwidth_hz_per_px=bandwidth)
    shifts = [settings.fat_shift_px for settings in drawn(SAGITTAL, sequence=sequence, count=20)]
    assert np.abs(shifts) == pytest.approx(expected, abs=0.01)
    assert min(shifts) < 0 < max(shifts)


def test_bands_saturate_some_sagittal_series_and_no_axial_one() -> None:
    banded = [settings.coils.saturation_px for settings in drawn(SAGITTAL) if settings.coils.saturation_px is not None]
    assert 50 < len(banded) < 100
    assert max(banded) < 100
    assert all(settings.coils.saturation_px is None for settings in drawn(AXIAL))


def test_sagittal_series_encode_phase_from_head_to_foot() -> None:
    assert {settings.phase_axis for settings in drawn(SAGITTAL)} == {0}
    assert {settings.phase_axis for settings in drawn(AXIAL)} == {0, 1}


def test_the_trunk_is_dark_in_its_middle_at_three_tesla_only() -> None:
    high = Sequence(Weighting.T2, 3.0, 3500, 100, bandwidth_hz_per_px=365.0)
    assert min(settings.coils.dark_centre for settings in drawn(SAGITTAL, sequence=high)) > 0
    assert max(settings.coils.dark_centre for settings in drawn(SAGITTAL)) == 0


def test_every_vendor_has_its_own_grey_scale() -> None:
    rng = np.random.default_rng(1)
    white = {}
    for vendor in Vendor:
        scanner = Scanner(vendor, "", "", 1.5)
        white[vendor] = np.median([sample_acquisition(scanner, SEQUENCE, SAGITTAL, Contrast.PHYSICS, rng).white for _ in range(40)])
    assert white[Vendor.SIEMENS] < 0.6 * min(white[vendor] for vendor in Vendor if vendor is not Vendor.SIEMENS)


def test_training_never_shows_the_artefacts_of_the_held_out_families() -> None:
    training = [*drawn(SAGITTAL), *drawn(AXIAL), *drawn(SAGITTAL, Contrast.RANDOMISED), *drawn(AXIAL, Contrast.RANDOMISED)]
    assert all(settings.artefacts.wrapped == settings.artefacts.zipper == settings.artefacts.stripes == 0 for settings in training)
    assert all(settings.tone == settings.sampling.blades == 0 for settings in training)
    assert all(settings.artefacts.wrapped > 0 and settings.artefacts.zipper > 0 for settings in drawn(SAGITTAL, Contrast.HELDOUT_A))
    held_out = drawn(SAGITTAL, Contrast.HELDOUT_B)
    assert all(settings.artefacts.stripes > 0 and settings.tone > 0 and settings.sampling.blades > 0 for settings in held_out)
    assert (
        np.median([settings.sampling.phase for settings in held_out]) < min(settings.sampling.phase for settings in drawn(SAGITTAL)) + 0.05
    )


def test_some_series_ghost_some_move_and_some_are_enhanced() -> None:
    series = drawn(SAGITTAL, count=300)
    assert 0.3 < np.mean([settings.artefacts.ghost > 0 for settings in series]) < 0.5
    assert 0.08 < np.mean([settings.artefacts.motion_px > 0 for settings in series]) < 0.25
    assert 0.04 < np.mean([settings.enhancement > 0 for settings in series]) < 0.2
