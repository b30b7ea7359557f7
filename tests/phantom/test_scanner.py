"""Vendors' sequences, and what a header says of them."""

import numpy as np
import pytest

from lumbargrade.geometry.affine import SliceAffine
from lumbargrade.geometry.orientation import AnatomicalPlane
from lumbargrade.phantom.acquisition import Frame, sample_acquisition
from lumbargrade.phantom.contrast import Contrast
from lumbargrade.phantom.header import scanner_settings
from lumbargrade.phantom.mr import Sequence, Weighting
from lumbargrade.phantom.render import Plane
from lumbargrade.phantom.scanner import Scanner, Vendor, sample_scanner, sample_sequence
from lumbargrade.study import PhaseEncoding, ScannerSettings

PLANE = Plane(SliceAffine(np.zeros(3), np.array([0.0, 1, 0]), np.array([0.0, 0, -1]), 1.0, 1.0), 256, 224, 4.0)


def drawn(count: int, weighting: Weighting, contrast: Contrast = Contrast.PHYSICS) -> list[tuple[Scanner, Sequence]]:
    pairs = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        scanner = sample_scanner(contrast, rng)
        pairs.append((scanner, sample_sequence(scanner, weighting, False, contrast, rng)))
    return pairs


def header(scanner: Scanner, sequence: Sequence, is_sagittal: bool, seed: int) -> ScannerSettings:
    acquisition = sample_acquisition(scanner, sequence, Frame(is_sagittal, 1.0, 100.0), Contrast.PHYSICS, np.random.default_rng(seed))
    return scanner_settings(scanner, sequence, acquisition, AnatomicalPlane.SAGITTAL if is_sagittal else AnatomicalPlane.AXIAL, PLANE)


def test_studies_come_from_four_vendors_and_two_fields() -> None:
    scanners = [scanner for scanner, _ in drawn(300, Weighting.T2)]
    assert {scanner.vendor for scanner in scanners} == set(Vendor)
    assert 0.2 < np.mean([scanner.field_tesla > 2 for scanner in scanners]) < 0.45


def test_siemens_times_are_those_of_spider() -> None:
    t1 = [each for scanner, each in drawn(400, Weighting.T1) if scanner.vendor is Vendor.SIEMENS and scanner.field_tesla == 1.5]
    assert np.median([each.repetition_ms for each in t1]) == pytest.approx(506, rel=0.15)
    assert {each.echo_train_length for each in t1} == {2, 3, 4}
    t2 = [each for scanner, each in drawn(400, Weighting.T2) if scanner.vendor is Vendor.SIEMENS and scanner.field_tesla == 1.5]
    assert np.median([each.echo_ms for each in t2]) == pytest.approx(106, rel=0.06)
    assert 0.02 < np.mean([each.echo_train_length == 60 for each in t2]) < 0.25


def test_stir_nulls_fat_at_the_times_in_use() -> None:
    times: dict[bool, list[float]] = {False: [], True: []}
    for scanner, sequence in drawn(100, Weighting.STIR):
        assert sequence.inversion_ms is not None
        times[scanner.field_tesla > 2].append(sequence.inversion_ms)
    assert 150 < np.median(times[False]) < 200
    assert 200 < np.median(times[True]) < 275


def test_the_train_ends_before_the_next_excitation() -> None:
    for weighting in Weighting:
        for contrast in Contrast:
            assert all(sequence.train_ms < 0.5 * sequence.repetition_ms for _, sequence in drawn(60, weighting, contrast))


def test_a_header_agrees_with_what_was_done() -> None:
    for seed, (scanner, sequence) in enumerate(drawn(60, Weighting.T2)):
        settings = header(scanner, sequence, True, seed)
        assert settings.phase_encoding is PhaseEncoding.COLUMN
        frequency_rows, frequency_columns, phase_rows, phase_columns = settings.acquisition_matrix
        assert frequency_rows == phase_columns == 0
        assert 0 < frequency_columns <= PLANE.columns
        assert phase_rows == pytest.approx(PLANE.rows * settings.percent_sampling / 100, abs=1)
        assert settings.imaging_frequency_mhz == pytest.approx(42.577 * scanner.field_tesla)
        assert (settings.sequence_name is not None) == (scanner.vendor is Vendor.SIEMENS)


def test_axial_series_encode_phase_either_way() -> None:
    pairs = drawn(40, Weighting.T2)
    found = {header(scanner, sequence, False, seed).phase_encoding for seed, (scanner, sequence) in enumerate(pairs)}
    assert found == set(PhaseEncoding)


def test_names_are_those_that_vendors_give() -> None:
    stir = {header(scanner, sequence, True, 0).sequence_name for scanner, sequence in drawn(60, Weighting.STIR)}
    assert all(name is None or name.startswith("*tir2d1_") for name in stir)
    assert {header(scanner, sequence, True, 0).scanning_sequence for scanner, sequence in drawn(9, Weighting.STIR)} == {("SE", "IR")}
    gradient = {header(scanner, sequence, True, 0).scanning_sequence for scanner, sequence in drawn(9, Weighting.T1, Contrast.HELDOUT_A)}
    assert gradient == {("GR",)}


def test_settings_of_a_matrix_with_two_phase_counts_are_refused() -> None:
    settings = header(*drawn(1, Weighting.T1)[0], True, 0)
    values = {name: getattr(settings, name) for name in settings.__slots__}
    with pytest.raises(ValueError, match="acquisition matrix"):
        ScannerSettings(**(values | {"acquisition_matrix": (0, 256, 0, 256)}))
    with pytest.raises(ValueError, match="positive"):
        ScannerSettings(**(values | {"averages": 0.0}))
