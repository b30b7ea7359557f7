"""Slices: what is left out for speed leaves no trace in the picture."""

import numpy as np
import pytest

from lumbargrade.geometry.affine import SliceAffine
from lumbargrade.phantom.anatomy import sample_anatomy
from lumbargrade.phantom.numbering import LUMBAR_DISCS
from lumbargrade.phantom.person import AnatomyConfig
from lumbargrade.phantom.render import Plane, render_slice
from lumbargrade.phantom.scene import Scene, build_scene
from lumbargrade.phantom.sdf import distances
from lumbargrade.phantom.shapes.columns import N_FIELDS, VEIN
from lumbargrade.phantom.tissue import N_TISSUES, Signals

REACH_MM = 4.0


@pytest.fixture(scope="module")
def scene() -> Scene:
    return build_scene(sample_anatomy(np.random.default_rng(11), AnatomyConfig(spread=1.3)), np.random.default_rng(2))


def signals(contrasts: int) -> Signals:
    rng = np.random.default_rng(7)
    water, fat = rng.random((2, contrasts, N_TISSUES))
    return Signals(water.astype(np.float32), fat.astype(np.float32))


def axial(scene: Scene, disc: int, size: int = 120, pixel_mm: float = 0.8) -> Plane:
    axes = scene.skeleton.disc_axes[disc]
    origin = scene.skeleton.disc_origin[disc] - size / 2 * pixel_mm * (axes[0] + 0.6 * axes[1])
    return Plane(SliceAffine(origin, axes[0], axes[1], pixel_mm, pixel_mm), size, size, 4.0)


@pytest.mark.parametrize("disc", [LUMBAR_DISCS[0], LUMBAR_DISCS[3], LUMBAR_DISCS[4]])
def test_points_together_have_the_distances_they_have_alone(scene: Scene, disc: int) -> None:
    plane = axial(scene, disc)
    row, column = np.divmod(np.arange(plane.rows * plane.columns)[::37], plane.columns)
    points = plane.affine.to_lps(np.stack([column, row], 1))
    together = distances(scene.geometry, points, REACH_MM)
    alone = np.concatenate([distances(scene.geometry, point, REACH_MM) for point in points])
    near = np.minimum(together, alone)[:, : VEIN + 1] < REACH_MM
    np.testing.assert_allclose(together[:, : VEIN + 1][near], alone[:, : VEIN + 1][near], atol=1e-3)
    assert near.sum() > 250
    assert together.shape[1] == N_FIELDS


def test_contrasts_taken_together_look_as_they_do_alone(scene: Scene) -> None:
    plane, both = axial(scene, LUMBAR_DISCS[2]), signals(2)
    together = render_slice(scene, plane, both)
    for index in range(2):
        alone = render_slice(scene, plane, Signals(both.water[index : index + 1], both.fat[index : index + 1]))
        np.testing.assert_allclose(together[:, index], alone[:, 0], atol=1e-4)


def test_pulsating_signal_is_part_of_the_water(scene: Scene) -> None:
    water, _, pulsating = render_slice(scene, axial(scene, LUMBAR_DISCS[2]), signals(1))
    assert pulsating.max() > 0.1
    assert (pulsating <= water + 1e-4).all()


def test_a_picture_of_a_shifted_window_shows_the_same_patient(scene: Scene) -> None:
    plane = axial(scene, LUMBAR_DISCS[3])
    shift = 5
    moved = SliceAffine(
        plane.affine.to_lps(np.array([shift, shift]))[0], plane.affine.column_direction, plane.affine.row_direction, 0.8, 0.8
    )
    whole = render_slice(scene, plane, signals(1))
    part = render_slice(scene, Plane(moved, plane.rows - shift, plane.columns - shift, 4.0), signals(1))
    np.testing.assert_allclose(part, whole[..., shift:, shift:], atol=1e-2)
