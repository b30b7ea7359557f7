"""Slices on the localiser's grid."""

from dataclasses import replace

import numpy as np
import pytest

from lumbargrade.geometry.affine import SliceAffine
from lumbargrade.localise.prepare import network_inputs, prepare_stack
from lumbargrade.study import Instance, Stack


def test_prepared_pixels_lie_where_their_affine_says(t1_series):
    """A linear picture keeps its value at every point under resampling, so values tell positions, here to a tenth of a millimetre."""
    gradient = np.array([0.0, 0.4, -0.7])
    instances = []
    for instance in t1_series.stacks[0].instances:
        columns, rows = np.meshgrid(np.arange(instance.shape[1]), np.arange(instance.shape[0]))
        points = instance.affine.to_lps(np.stack([columns.ravel(), rows.ravel()], 1))
        instances.append(replace(instance, pixels=(500 + points @ gradient).reshape(instance.shape).astype(np.float32)))
    prepared = prepare_stack(Stack.ordered(instances))
    for pixels, affine in zip(prepared.pixels, prepared.affines, strict=True):
        rows, columns = np.nonzero(pixels)
        middle = (rows > rows.min() + 3) & (rows < rows.max() - 3) & (columns > columns.min() + 3) & (columns < columns.max() - 3)
        rows, columns = rows[middle][::97], columns[middle][::97]
        expected = 500 + affine.to_lps(np.stack([columns, rows], 1).astype(float)) @ gradient
        np.testing.assert_allclose(pixels[rows, columns], expected, atol=0.1 * np.linalg.norm(gradient))


def test_the_grid_is_anatomical_and_fits_the_network(t1_series):
    prepared = prepare_stack(t1_series.stacks[0])
    affine = prepared.affines[0]
    assert affine.column_direction[1] > 0.9
    assert affine.row_direction[2] < -0.9
    assert prepared.left[0] > 0.9
    assert (np.diff(prepared.offsets_mm) > 0).all()
    assert [size % 32 for size in prepared.pixels.shape[1:]] == [0, 0]
    assert affine.column_spacing_mm == affine.row_spacing_mm == 1.5


def test_a_point_of_a_prepared_stack_goes_to_the_patient_and_back(t2_series):
    prepared = prepare_stack(t2_series.stacks[0])
    point = prepared.to_lps(np.array([[40.25, 61.5]]), float(prepared.offsets_mm[3]))
    np.testing.assert_allclose(prepared.affines[3].to_px(point)[0], [40.25, 61.5], atol=1e-9)
    np.testing.assert_allclose(prepared.affines[3].distances_mm(point), 0, atol=1e-9)


def test_slices_of_different_shape_and_position_share_one_grid(t1_series):
    whole = prepare_stack(t1_series.stacks[0])
    cut = []
    for number, instance in enumerate(t1_series.stacks[0].instances):
        top, left = (30, 20) if number % 2 else (0, 0)
        origin = instance.affine.to_lps(np.array([[left, top]], float))[0]
        cut.append(replace(instance, affine=replace(instance.affine, origin_lps_mm=origin), pixels=instance.pixels[top:, left:]))
    mixed = prepare_stack(Stack.ordered(cut))
    assert mixed.pixels.shape == whole.pixels.shape
    np.testing.assert_allclose(mixed.pixels[0], whole.pixels[0], atol=1e-3)
    changed = np.abs(mixed.pixels[1] - whole.pixels[1]) > 1e-3
    # what changed went dark, but for the new border, where fewer pixels are averaged
    assert (mixed.pixels[1] == 0)[changed].mean() > 0.9


def test_thin_slices_are_thinned():
    affine = SliceAffine(np.zeros(3), np.array([0.0, 1, 0]), np.array([0.0, 0, -1]), 1.0, 1.0)
    instances = [
        Instance(str(i), i, replace(affine, origin_lps_mm=np.array([float(i), 0, 0])), np.ones((40, 40), np.float32)) for i in range(31)
    ]
    assert np.diff(prepare_stack(Stack.ordered(instances)).offsets_mm) == pytest.approx(np.full(10, 3.0))


def test_network_inputs_ignore_the_scale_of_the_file_and_smooth_shading():
    random = np.random.default_rng(3)
    picture = random.uniform(0.3, 1.0, (1, 96, 96)).astype(np.float32)
    np.testing.assert_allclose(network_inputs(picture * 1234), network_inputs(picture), atol=1e-3)
    shaded = picture * np.linspace(0.5, 1.5, 96, dtype=np.float32)
    plain_local, shaded_local = network_inputs(picture)[0, 1], network_inputs(shaded)[0, 1]
    assert np.corrcoef(plain_local.ravel(), shaded_local.ravel())[0, 1] > 0.95


def test_local_normalisation_equals_a_plain_window_mean():
    random = np.random.default_rng(5)
    picture = random.uniform(1.0, 2.0, (1, 64, 64)).astype(np.float32)
    scaled, local = network_inputs(picture)[0]
    window = (scaled + 0.5)[40 - 13 : 40 + 14, 30 - 13 : 30 + 14]
    expected = 0.5 * (scaled[40, 30] + 0.5 - window.mean()) / (window.std() + 0.03)
    assert local[40, 30] == pytest.approx(expected, abs=1e-3)
