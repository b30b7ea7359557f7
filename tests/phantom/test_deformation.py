"""A deformed patient: what is drawn and where it is marked move together."""

import numpy as np
import pytest

from lumbargrade.phantom.deformation import sample_deformation

POINTS = np.random.default_rng(1).uniform(-80, 80, (500, 3))


@pytest.mark.parametrize(("amplitude_mm", "wavelength_mm"), [(1.2, (80.0, 200.0)), (2.5, (45.0, 90.0))])
def test_a_point_goes_to_the_anatomy_and_back(amplitude_mm: float, wavelength_mm: tuple[float, float]) -> None:
    for seed in range(10):
        deformation = sample_deformation(np.random.default_rng(seed), amplitude_mm, wavelength_mm)
        np.testing.assert_allclose(deformation.to_anatomy(deformation.to_space(POINTS)), POINTS, atol=1e-3)


def test_points_move_by_about_the_amplitude_and_never_fold_over() -> None:
    moved = []
    for seed in range(20):
        deformation = sample_deformation(np.random.default_rng(seed), 2.5, (45.0, 90.0))
        moved.append(np.linalg.norm(deformation.to_anatomy(POINTS) - POINTS, axis=1).mean())
        columns = [deformation.to_anatomy(POINTS + 0.01 * axis) - deformation.to_anatomy(POINTS - 0.01 * axis) for axis in np.eye(3)]
        assert (np.linalg.det(np.stack(columns, -1)) > 0).all()
    assert 1.0 < np.mean(moved) < 3.0


def test_without_an_amplitude_nothing_moves() -> None:
    deformation = sample_deformation(np.random.default_rng(0), 0.0, (80.0, 200.0))
    np.testing.assert_array_equal(deformation.to_anatomy(POINTS), POINTS)
    np.testing.assert_array_equal(deformation.to_space(POINTS), POINTS)
