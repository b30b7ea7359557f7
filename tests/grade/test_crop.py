from dataclasses import replace

import numpy as np
import pytest

from lumbargrade.geometry.affine import SliceAffine
from lumbargrade.grade.crop import Crop, crop_site, cut_crop, neighbours
from lumbargrade.grade.recipe import CANAL_AXIAL, CANAL_SAGITTAL, FORAMEN_SAGITTAL, SUBARTICULAR_AXIAL
from lumbargrade.grade.site import Site
from lumbargrade.grade.slices import SliceChoice
from lumbargrade.study import Instance, Stack
from lumbargrade.terms import Condition, Finding, Laterality, Level, SeriesRole

CENTER = np.array([4.3, -21.7, 112.9])
SITE_POINT = CENTER + np.array([5.1, -3.3, 1.9])
SPACING = [-14.9, -10.1, -5.0, -0.3, 4.1, 9.7, 14.2]
FORAMEN, SUBARTICULAR = Condition.NEURAL_FORAMINAL_NARROWING, Condition.SUBARTICULAR_STENOSIS
CANAL_SITE = Site(Finding(Condition.SPINAL_CANAL_STENOSIS, None, Level.L4_L5), SITE_POINT)


def lateral_site(condition, side, point=SITE_POINT):
    return Site(Finding(condition, side, Level.L4_L5), np.asarray(point))


def study_of(scanner, role, field, offsets=SPACING):
    return scanner.study(scanner.series(role, field, CENTER, offsets))


def middle(pixels):
    """Mean of the four pixels around the exact middle."""
    half = pixels.shape[-1] // 2
    return float(pixels[half - 1 : half + 1, half - 1 : half + 1].mean())


@pytest.mark.parametrize("recipe", [CANAL_AXIAL, CANAL_SAGITTAL], ids=lambda recipe: recipe.input_name)
def test_a_linear_ramp_is_cropped_to_its_analytic_values_around_the_site(scanner, recipe):
    column, row, _ = scanner.directions(recipe.role)
    gradient = 3.0 * column - 1.7 * row
    study = study_of(scanner, recipe.role, lambda points: 5000 + (points - CENTER) @ gradient)
    crop = crop_site(study, CANAL_SITE, recipe)
    offsets = (np.arange(recipe.size_px) - (recipe.size_px - 1) / 2) * recipe.spacing_mm
    wide = (np.arange(recipe.wide_px) - (recipe.wide_px - 1) / 2) * recipe.spacing_mm
    ramp = 3.0 * wide[None, :] - 1.7 * wide[:, None]
    low, high = np.percentile(ramp, [0.5, 99.8])
    expected = np.clip((3.0 * offsets[None, :] - 1.7 * offsets[:, None] - low) / (high - low), 0, 1)
    assert isinstance(crop, Crop)
    for picture in crop.network_pixels:
        np.testing.assert_allclose(picture, expected, atol=2e-3)
    assert middle(crop.network_pixels[1]) == pytest.approx(-low / (high - low), abs=1e-3)


def test_a_small_bright_spot_at_the_site_comes_to_lie_in_the_very_middle(scanner):
    study = study_of(scanner, SeriesRole.AXIAL_T2, lambda points: np.exp(-((points - SITE_POINT) ** 2).sum(1) / (2 * 3.0**2)))
    pixels = crop_site(study, CANAL_SITE, CANAL_AXIAL).pixels[1].astype(float)
    rows, columns = np.mgrid[: len(pixels), : len(pixels)]
    center = (rows * pixels).sum() / pixels.sum(), (columns * pixels).sum() / pixels.sum()
    np.testing.assert_allclose(center, (CANAL_AXIAL.wide_px - 1) / 2, atol=0.05)


def gradients(pixels):
    """Mean change towards later slices, rows and columns."""
    return [float(np.mean(np.diff(pixels, axis=axis))) for axis in range(3)]


@pytest.mark.parametrize(
    ("recipe", "site", "directions"),
    [
        (CANAL_AXIAL, CANAL_SITE, ((0, 0, -1), (0, 1, 0), (1, 0, 0))),
        (CANAL_SAGITTAL, CANAL_SITE, ((1, 0, 0), (0, 0, -1), (0, 1, 0))),
        (FORAMEN_SAGITTAL, lateral_site(FORAMEN, Laterality.LEFT), ((1, 0, 0), (0, 0, -1), (0, 1, 0))),
        (FORAMEN_SAGITTAL, lateral_site(FORAMEN, Laterality.RIGHT), ((-1, 0, 0), (0, 0, -1), (0, 1, 0))),
        (SUBARTICULAR_AXIAL, lateral_site(SUBARTICULAR, Laterality.LEFT), ((0, 0, -1), (0, 1, 0), (1, 0, 0))),
        (SUBARTICULAR_AXIAL, lateral_site(SUBARTICULAR, Laterality.RIGHT), ((0, 0, -1), (0, 1, 0), (-1, 0, 0))),
    ],
    ids=["canal axial", "canal sagittal", "left foramen", "right foramen", "left recess", "right recess"],
)
def test_slices_rows_and_columns_grow_in_the_promised_directions(straight_scanner, recipe, site, directions):
    for axis, direction in enumerate(directions):
        study = study_of(straight_scanner, recipe.role, lambda points, towards=direction: points @ np.array(towards, float))
        changes = gradients(crop_site(study, site, recipe).network_pixels)
        assert changes[axis] > 1e-3, f"axis {axis} must grow towards {direction}"
        assert all(abs(change) < 1e-4 for other, change in enumerate(changes) if other != axis)


@pytest.mark.parametrize(
    ("condition", "recipe"), [(FORAMEN, FORAMEN_SAGITTAL), (SUBARTICULAR, SUBARTICULAR_AXIAL)], ids=["foramen", "recess"]
)
def test_a_right_crop_equals_the_left_crop_of_the_mirrored_patient_exactly(scanner, field, mirror, condition, recipe):
    study = study_of(scanner, recipe.role, field)
    right = crop_site(study, lateral_site(condition, Laterality.RIGHT), recipe)
    left = crop_site(mirror(study), lateral_site(condition, Laterality.LEFT, SITE_POINT * [-1, 1, 1]), recipe)
    np.testing.assert_array_equal(right.pixels, left.pixels)
    assert right.evidence.sop_instance_uid == left.evidence.sop_instance_uid
    unmirrored = crop_site(study, lateral_site(condition, Laterality.LEFT), recipe)
    assert np.abs(unmirrored.pixels - right.pixels).max() > 0.2


@pytest.mark.parametrize("recipe", [CANAL_AXIAL, CANAL_SAGITTAL], ids=lambda recipe: recipe.input_name)
def test_how_the_slices_are_stored_changes_nothing(scanner, field, storage, recipe):
    study = study_of(scanner, recipe.role, field)
    crop, other = (crop_site(one, CANAL_SITE, recipe) for one in (study, storage(study)))
    np.testing.assert_allclose(other.pixels, crop.pixels, atol=1e-5)
    assert other.evidence.sop_instance_uid == crop.evidence.sop_instance_uid


def test_evidence_names_the_slice_and_the_pixel_of_the_site_in_it(scanner, field):
    study = study_of(scanner, SeriesRole.AXIAL_T2, field)
    evidence = crop_site(study, CANAL_SITE, CANAL_AXIAL).evidence
    instance = next(one for one in study.series[0].instances if one.sop_instance_uid == evidence.sop_instance_uid)
    back = instance.affine.to_lps(np.array([[evidence.column_px, evidence.row_px]]))[0]
    off_plane = SITE_POINT - back
    assert evidence.instance_number == instance.instance_number
    assert abs(float(off_plane @ instance.affine.normal)) == pytest.approx(float(np.linalg.norm(off_plane)), abs=1e-9)
    assert np.linalg.norm(off_plane) < 2.6


def stack_at(positions):
    """Axial slices at these heights, numbered from 0."""

    def instance(number, z):
        affine = SliceAffine(np.array([-60.0, -60.0, z]), np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), 1.0, 1.0)
        return Instance(str(number), number, affine, np.zeros((9, 9), np.float32))

    return Stack.ordered([instance(number, z) for number, z in enumerate(positions)])


def numbers_around(positions, index, slices=5):
    """The numbers of the slices that a crop around one holds, cranial to caudal."""
    return [one.instance_number for one in neighbours(stack_at(positions), index, -1, slices // 2)]


def test_the_edge_slice_is_repeated_where_the_stack_ends():
    assert numbers_around([0.0, 4.0, 8.0], 2) == [2, 2, 2, 1, 0]
    assert numbers_around([0.0], 0) == [0, 0, 0, 0, 0]


def test_a_slice_of_another_block_is_no_neighbour():
    assert numbers_around([0.0, 4.0, 30.0, 34.0], 1) == [1, 1, 1, 0, 0]


def test_a_slice_repeated_at_the_same_place_is_no_neighbour():
    assert numbers_around([0.0, 4.0, 4.1, 8.0], 2, slices=3) == [3, 2, 0]


def test_a_crop_cut_deeper_for_training_holds_the_same_middle(scanner, field):
    series = scanner.series(SeriesRole.AXIAL_T2, field, CENTER, SPACING)
    choice = SliceChoice(series, series.stacks[0], 3)
    deep, shallow = (cut_crop(choice, CANAL_SITE, CANAL_AXIAL, slices) for slices in (7, 5))
    assert deep.pixels.shape == (7, 112, 112)
    np.testing.assert_array_equal(deep.pixels[1:6], shallow.pixels)
    np.testing.assert_array_equal(deep.network_pixels, shallow.network_pixels)
    assert shallow.network_pixels.shape == (5, 80, 80)


def test_brightness_scale_and_offset_do_not_reach_the_network(scanner, field):
    crops = [
        crop_site(study_of(scanner, SeriesRole.AXIAL_T2, lambda points, gain=gain: 40 + gain * field(points)), CANAL_SITE, CANAL_AXIAL)
        for gain in (1.0, 0.01)
    ]
    np.testing.assert_allclose(crops[0].network_pixels, crops[1].network_pixels, atol=1e-4)


def test_a_blank_picture_gives_a_crop_of_zeros(scanner):
    study = study_of(scanner, SeriesRole.AXIAL_T2, lambda points: np.zeros(len(points)))
    assert not crop_site(study, CANAL_SITE, CANAL_AXIAL).pixels.any()


def test_a_recipe_whose_squares_do_not_share_a_middle_is_refused():
    with pytest.raises(ValueError, match="cannot lie in the middle"):
        replace(CANAL_AXIAL, wide_px=111)


def test_beyond_the_rim_of_the_picture_its_edge_goes_on(straight_scanner):
    rim = replace(CANAL_SITE, point_lps_mm=CENTER + np.array([48.0, 0.0, 0.0]))
    study = study_of(straight_scanner, SeriesRole.AXIAL_T2, lambda points: 900 + points[:, 0])
    picture = crop_site(study, rim, CANAL_AXIAL).network_pixels[1]
    assert picture[:, 60:].min() > 0.9
    assert (np.diff(picture[40]) >= 0).all()
