"""Signal equations, and what they make of relaxation times."""

from math import exp, log

import numpy as np
import pytest

from lumbargrade.phantom.mr import Readout, Sequence, Weighting, null_inversion_ms


def signal(sequence: Sequence, t1_ms: float, t2_ms: float, density: float = 1.0) -> float:
    return float(sequence.signal(np.array(t1_ms), np.array(t2_ms), np.array(density)))


def test_an_ideal_train_of_one_echo_follows_the_spin_echo_equation() -> None:
    assert signal(Sequence(Weighting.T2, 1.5, 4000, 100), 4000, 1500) == pytest.approx((1 - exp(-1)) * exp(-1 / 15))


def test_magnetisation_recovers_from_the_end_of_the_train() -> None:
    long = Sequence(Weighting.T2, 1.5, 4000, 100, echo_train_length=20, echo_spacing_ms=10)
    assert signal(long, 4000, 1500) == pytest.approx((1 - exp(-0.95)) * exp(-1 / 15))


def test_flipping_back_brightens_fluid_and_hardly_anything_else() -> None:
    plain = Sequence(Weighting.T2, 1.5, 3000, 100, echo_train_length=20, echo_spacing_ms=10)
    flipped = Sequence(Weighting.T2, 1.5, 3000, 100, echo_train_length=20, echo_spacing_ms=10, flips_back=True)
    assert signal(flipped, 4100, 1600) > 1.5 * signal(plain, 4100, 1600)
    assert signal(flipped, 900, 40) < 1.01 * signal(plain, 900, 40)


def test_low_refocusing_angles_prolong_the_apparent_t2_by_a_tenth_to_a_quarter() -> None:
    ideal, stored = (Sequence(Weighting.T2, 1.5, 1e6, 100, flip_deg=flip) for flip in (180.0, 120.0))
    assert signal(ideal, 1e4, 100) == pytest.approx(exp(-1), rel=1e-3)
    assert signal(stored, 1e4, 100) == pytest.approx(exp(-(0.75 + 0.25 * 0.01)), rel=1e-3)


@pytest.mark.parametrize(("repetition_ms", "t1_ms"), [(4000.0, 270.0), (3500.0, 371.0), (1200.0, 300.0)])
def test_the_null_of_an_inversion_leaves_no_signal(repetition_ms: float, t1_ms: float) -> None:
    null_ms = null_inversion_ms(t1_ms, repetition_ms, 150.0)
    assert null_ms < t1_ms * log(2)
    sequence = Sequence(Weighting.STIR, 1.5, repetition_ms, 50, null_ms, echo_train_length=15, echo_spacing_ms=10)
    assert signal(sequence, t1_ms, 125) == pytest.approx(0, abs=1e-9)
    assert signal(sequence, 900, 80) > 0.05


def test_balanced_steady_state_depends_on_the_ratio_of_relaxation_times() -> None:
    steady = Sequence(Weighting.T2, 1.5, 6, 3, readout=Readout.BALANCED_STEADY_STATE, flip_deg=60)
    assert signal(steady, 4000, 1600) == pytest.approx(signal(steady, 1000, 400), rel=0.01)
    assert signal(steady, 4000, 1600) > 4 * signal(steady, 1000, 40)


def test_a_spoiled_gradient_echo_at_its_ernst_angle_is_brightest() -> None:
    ernst = float(np.degrees(np.arccos(exp(-150 / 500))))
    flips = [ernst - 15, ernst, ernst + 15]
    found = [signal(Sequence(Weighting.T1, 1.5, 150, 5, readout=Readout.SPOILED_GRADIENT_ECHO, flip_deg=flip), 500, 30) for flip in flips]
    assert found[1] == max(found)
    assert found[1] == pytest.approx(np.sqrt((1 - exp(-0.3)) / (1 + exp(-0.3))) * exp(-5 / 30), rel=1e-6)
