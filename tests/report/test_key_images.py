import base64
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from lumbargrade.geometry.affine import SliceAffine
from lumbargrade.report.crop import cut_crop, direction_letter, edge_letters, windowed
from lumbargrade.report.figures import RING_RADIUS_MM, find_evidence, key_image
from lumbargrade.study import Grade, Instance, Series, SeriesTiming, Stack, Study
from lumbargrade.terms import FINDINGS, Condition, Finding, Laterality, Level, SeriesRole

SPACING_MM = 0.25


def _pixels(figure) -> np.ndarray:
    content = base64.b64decode(figure.data_uri.removeprefix("data:image/jpeg;base64,"))
    return np.asarray(Image.open(io.BytesIO(content)), np.float64)


def _yellow(pixels: np.ndarray) -> np.ndarray:
    return (pixels[..., 0] > 150) & (pixels[..., 1] > 110) & (pixels[..., 2] < 100)


def _grade(case, finding: Finding) -> Grade:
    return case.grades.grades[FINDINGS.index(finding)]


@pytest.mark.parametrize("index", [0, 4, 7, 12, 16, 24])
def test_ring_is_centred_on_the_marked_pixel_and_leaves_it_free(case, index):
    grade = case.grades.grades[index]
    pixels = _pixels(key_image(case.study, grade))
    rows, columns = np.nonzero(_yellow(pixels))
    ring = np.array([(columns.min() + columns.max()) / 2, (rows.min() + rows.max()) / 2])
    grey = pixels.mean(2) * (np.ptp(pixels, axis=2) < 12)
    inner = np.hypot(*np.meshgrid(*(np.arange(size) - (size - 1) / 2 for size in grey.shape))) < 3.0 / SPACING_MM
    weights = np.where(inner & (grey > 150), grey, 0.0)
    blob = np.array([(weights.sum(0) @ np.arange(weights.shape[1])), (weights.sum(1) @ np.arange(weights.shape[0]))]) / weights.sum()
    np.testing.assert_allclose(ring, blob, atol=1.0)
    radius = np.hypot(columns - ring[0], rows - ring[1]) * SPACING_MM
    assert radius.min() > RING_RADIUS_MM[grade.finding.condition] - 0.6


def test_picture_shows_80_by_80_millimetres_in_square_pixels(case):
    figure = key_image(case.study, case.grades.grades[22])
    assert (figure.width, figure.height) == (320, 320)
    assert _pixels(figure).shape == (320, 320, 3)


def test_crop_keeps_every_point_of_the_patient_where_the_slice_had_it(case):
    instance = next(iter(case.study.series[2].instances))
    crop = cut_crop(instance, (100.25, 61.5), (40.0, 30.0), 0.4)
    np.testing.assert_allclose(crop.affine.to_px(instance.affine.to_lps(np.array([[100.25, 61.5]])))[0], [49.5, 37.0], atol=1e-9)
    there = instance.affine.to_px(crop.affine.to_lps(np.array([[10.0, 20.0]])))[0]
    expected = np.array([100.25 + (10 - 49.5) * 0.4 / 0.75, 61.5 + (20 - 37.0) * 0.4 / 0.6])
    np.testing.assert_allclose(there, expected, atol=1e-9)


def test_window_ignores_a_few_very_bright_pixels_and_what_lies_outside():
    values = np.tile(np.linspace(0, 100, 200, dtype=np.float32), (50, 1))
    values[0, :20] = 1e6
    values[:, :5] = np.nan
    grey = windowed(values)
    assert (grey[:, :5] == 0).all()
    assert 100 < int(grey[25, 100]) < 160


@pytest.mark.parametrize("level", [0.0, 7.5])
def test_flat_picture_is_windowed_without_dividing_by_zero(level):
    assert (windowed(np.full((4, 4), level, np.float32)) == 0).all()


def test_site_at_the_border_of_a_slice_is_shown_against_black(case):
    grade = _grade(case, Finding(Condition.SUBARTICULAR_STENOSIS, Laterality.RIGHT, Level.L3_L4))
    corner = Grade(grade.finding, grade.probabilities, replace(grade.evidence, column_px=0.0, row_px=0.0))
    pixels = _pixels(key_image(case.study, corner))
    assert pixels[:120, :120].mean() < 5 < pixels[200:290, 200:290].mean()


@pytest.mark.parametrize(("direction", "letter"), [([1, 0.3, 0], "L"), ([-1, 0, 0.4], "R"), ([0.2, 1, 0], "P"), ([0, -1, 0.3], "A")])
def test_letter_is_that_of_the_nearest_axis(direction, letter):
    assert direction_letter(np.array(direction, np.float64)) == letter


def test_letters_head_and_feet_follow_the_z_axis():
    assert (direction_letter(np.array([0, 0.4, 0.9])), direction_letter(np.array([0, 0.4, -0.9]))) == ("H", "F")


def test_axial_letters_follow_the_stored_orientation(case, mirrored_case):
    usual = edge_letters(next(iter(case.study.series[2].instances)).affine)
    flipped = edge_letters(next(iter(mirrored_case.study.series[2].instances)).affine)
    assert (usual.left, usual.right, usual.top, usual.bottom) == ("R", "L", "A", "P")
    assert (flipped.left, flipped.right, flipped.top, flipped.bottom) == ("L", "R", "A", "P")


def test_sagittal_letters_are_those_of_a_sagittal_picture(case):
    letters = edge_letters(next(iter(case.study.series[0].instances)).affine)
    assert (letters.left, letters.right, letters.top, letters.bottom) == ("A", "P", "H", "F")


def _blank_study(column_direction: list[float]) -> Study:
    affine = SliceAffine(np.zeros(3), np.array(column_direction), np.array([0.0, 1.0, 0.0]), 1.0, 1.0)
    instance = Instance("9.1", 1, affine, np.zeros((120, 120), np.float32))
    return Study("9", "blank", (Series("9.0", "", "", SeriesTiming(), SeriesRole.AXIAL_T2, "", (Stack((instance,)),)),))


def _ink_of_left_letter(study: Study, grade: Grade) -> np.ndarray:
    """The letter drawn at the left edge, cut to its ink."""
    evidence = replace(grade.evidence, series_instance_uid="9.0", sop_instance_uid="9.1", instance_number=1, column_px=60, row_px=60)
    strip = _pixels(key_image(study, Grade(grade.finding, grade.probabilities, evidence)))[130:190, :30].min(2) > 120
    rows, columns = np.nonzero(strip)
    return strip[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def test_letter_drawn_at_the_left_edge_is_r_or_l_as_the_geometry_says(case):
    grade = _grade(case, Finding(Condition.SUBARTICULAR_STENOSIS, Laterality.RIGHT, Level.L3_L4))
    usual = _ink_of_left_letter(_blank_study([1.0, 0.0, 0.0]), grade)
    flipped = _ink_of_left_letter(_blank_study([-1.0, 0.0, 0.0]), grade)
    half_row, half_column = flipped.shape[0] // 2, flipped.shape[1] // 2
    assert not flipped[:half_row, half_column + 1 :].any(), "an L has no ink at the upper right"
    assert usual[: usual.shape[0] // 2, usual.shape[1] // 2 + 1 :].sum() > 5, "an R has its bowl there"


def test_right_site_lies_towards_the_r_side_in_both_storage_orientations(case, mirrored_case):
    finding = Finding(Condition.SUBARTICULAR_STENOSIS, Laterality.RIGHT, Level.L4_L5)
    columns = []
    for one in (case, mirrored_case):
        _, instance = find_evidence(one.study, _grade(one, finding).evidence)
        canal = next(location for location in one.grades.locations if location.level is Level.L4_L5).canal_lps_mm
        columns.append(float(_grade(one, finding).evidence.column_px - instance.affine.to_px(canal)[0, 0]))
    assert columns[0] < 0 < columns[1]


def test_frames_that_share_a_uid_are_told_apart_by_their_number(case):
    affine = SliceAffine(np.zeros(3), np.array([1.0, 0, 0]), np.array([0.0, 1, 0]), 1.0, 1.0)
    frames = tuple(Instance("9.1", number, affine, np.zeros((4, 4), np.float32)) for number in (1, 2, 3))
    study = Study("9", "", (Series("9.0", "", "", SeriesTiming(), SeriesRole.AXIAL_T2, "", (Stack(frames),)),))
    evidence = replace(case.grades.grades[0].evidence, series_instance_uid="9.0", sop_instance_uid="9.1", instance_number=2)
    assert find_evidence(study, evidence)[1] is frames[1]
    assert find_evidence(study, replace(evidence, instance_number=4)) is None


def test_finding_whose_slice_is_not_in_the_study_has_no_picture(case, ungraded):
    grade = case.grades.grades[0]
    assert key_image(case.study, Grade(grade.finding, grade.probabilities, replace(grade.evidence, sop_instance_uid="8"))) is None
    assert key_image(case.study, _grade(case, ungraded[0])) is None
