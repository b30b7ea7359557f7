"""Naming the levels along the spine, from heat alone."""

import numpy as np
import pytest

from lumbargrade.geometry.affine import SliceAffine
from lumbargrade.localise.candidates import Candidate
from lumbargrade.localise.chain import best_chain
from lumbargrade.localise.decode import decode_stack
from lumbargrade.localise.fuse import fuse_stacks
from lumbargrade.localise.prepare import PreparedStack
from lumbargrade.terms import LEVELS, Laterality, Level

SPINE_MM = [(60.0, 40.0 + 34.0 * index) for index in range(7)]


def candidate(place, heat):
    point = np.array(place)
    return Candidate(point[None] / 1.5, 0.0, np.array([*point, 0.0]), np.array(heat, float))


def named(level, value=0.8, rest=0.01):
    return [value if index == level else rest for index in range(5)]


def heat_with(levels, value=0.9, size=(128, 64)):
    """Five slices 4 mm apart whose middle one shows the given level indices, the canal at heat column 30."""
    heat = np.full((5, 10, *size), 1e-3, np.float32)
    y, x = np.mgrid[: size[0], : size[1]]
    for level in levels:
        blob = np.exp(-((y - 20 - 11 * level) ** 2 + (x - 30) ** 2) / (2 * 1.5**2))
        for index, fall_off in enumerate((0.1, 0.6, 1.0, 0.6, 0.1)):
            heat[index, level] = np.maximum(heat[index, level], value * fall_off * blob)
    return heat


@pytest.fixture
def stack():
    affines = tuple(
        SliceAffine(np.array([-8.0 + 4 * i, -90.0, 200.0]), np.array([0.0, 1, 0]), np.array([0.0, 0, -1]), 1.5, 1.5) for i in range(5)
    )
    return PreparedStack(np.zeros((5, 256, 128), np.float32), affines)


def test_clear_levels_are_named_in_order():
    chain = best_chain([candidate(SPINE_MM[index], named(index)) for index in range(5)])
    assert chain.members == (0, 1, 2, 3, 4)
    assert chain.margin > 0.8


def test_neighbours_carry_a_level_whose_own_heat_says_otherwise():
    heats = [named(0), named(1), [0.01, 0.01, 0.25, 0.5, 0.01], named(3), named(4)]
    chain = best_chain([candidate(place, heat) for place, heat in zip(SPINE_MM, heats, strict=False)])
    assert chain.members == (0, 1, 2, 3, 4)


def test_discs_above_and_below_the_five_are_left_out():
    heats = [named(0, 0.2), named(0), named(1), named(2), named(3), named(4), named(4, 0.2)]
    chain = best_chain([candidate(place, heat) for place, heat in zip(SPINE_MM, heats, strict=True)])
    assert chain.members == (1, 2, 3, 4, 5)


def test_a_place_far_off_the_spine_is_not_taken():
    places = [SPINE_MM[0], SPINE_MM[1], (160.0, SPINE_MM[2][1]), SPINE_MM[2], SPINE_MM[3], SPINE_MM[4]]
    heats = [named(0), named(1), named(2, 0.95), named(2, 0.4), named(3), named(4)]
    chain = best_chain([candidate(place, heat) for place, heat in zip(places, heats, strict=True)])
    assert chain.members == (0, 1, 3, 4, 5)


def test_a_faint_disc_is_not_skipped_for_a_brighter_naming_with_a_gap():
    heats = [named(0, 0.3), [0.5, 0.2, 0.01, 0.01, 0.01], [0.01, 0.5, 0.2, 0.01, 0.01], [0.01, 0.01, 0.4, 0.15, 0.01], named(4)]
    places = [(60.0, 28.0 * index) for index in range(5)]
    chain = best_chain([candidate(place, heat) for place, heat in zip(places, heats, strict=True)])
    assert chain.members == (0, 1, 2, 3, 4)


def test_a_naming_that_fits_nearly_as_well_one_level_lower_has_little_margin():
    heats = [[0.4, 0.01, 0.01, 0.01, 0.01]]
    heats += [[0.4 if index in (level, level - 1) else 0.01 for index in range(5)] for level in range(1, 5)]
    heats += [[0.01, 0.01, 0.01, 0.01, 0.39]]
    chain = best_chain([candidate(place, heat) for place, heat in zip(SPINE_MM, heats, strict=False)])
    assert chain.margin < 0.2


def test_no_candidates_give_no_chain():
    assert best_chain([]) is None
    assert best_chain([candidate(SPINE_MM[0], [0.01] * 5)]) is None


def test_a_level_missing_between_two_others_is_bridged_with_little_confidence(stack):
    locations, problems = fuse_stacks([decode_stack("T2", stack, heat_with([0, 1, 3, 4]))])
    assert [each.level for each in locations] == list(LEVELS)
    middle = locations[2]
    np.testing.assert_allclose(middle.canal_lps_mm, (locations[1].canal_lps_mm + locations[3].canal_lps_mm) / 2, atol=0.1)
    assert middle.confidence < 0.3 < locations[1].confidence
    assert problems == ()


def test_levels_outside_the_field_of_view_are_absent_and_named(stack):
    locations, problems = fuse_stacks([decode_stack("T2", stack, heat_with([2, 3, 4]))])
    assert [each.level for each in locations] == [Level.L3_L4, Level.L4_L5, Level.L5_S1]
    assert [problem.code for problem in problems] == ["levels_not_found"]
    assert "L1/L2, L2/L3" in problems[0].message


def test_a_heat_pixel_lies_at_the_centre_of_its_four_input_pixels(stack):
    locations, _ = fuse_stacks([decode_stack("T2", stack, heat_with(range(5)))])
    expected = [0.0, -90 + (30 * 2 + 0.5) * 1.5, 200 - (20 * 2 + 0.5) * 1.5]
    np.testing.assert_allclose(locations[0].canal_lps_mm, expected, atol=0.05)


def test_unseen_foramina_are_put_at_the_mean_place_on_their_own_side(stack):
    locations, _ = fuse_stacks([decode_stack("T2", stack, heat_with(range(5)))])
    for each in locations:
        for side in Laterality:
            lateral = side.lps_sign * (each.foramen_lps_mm[side] - each.canal_lps_mm)[0]
            assert lateral == pytest.approx(17.0, abs=0.5)
            assert each.foramen_lps_mm[side][1] < each.canal_lps_mm[1]
