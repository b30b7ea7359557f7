"""Naming the levels along the spine, from heat alone."""

import numpy as np
import pytest

from lumbargrade.geometry.affine import SliceAffine
from lumbargrade.localise.anatomy import FORAMEN_OFFSETS
from lumbargrade.localise.candidates import Candidate
from lumbargrade.localise.chain import DISCS_ABOVE, PLACES, best_chain
from lumbargrade.localise.channels import CANAL_ABOVE, CANAL_BELOW, CHANNELS, DISC_BACK, DISC_FRONT, FIRST_SACRAL
from lumbargrade.localise.decode import find_spine, locate
from lumbargrade.localise.numbering import absent_levels, number_levels, why_not_lumbar
from lumbargrade.localise.prepare import PreparedStack
from lumbargrade.localise.view import StackView
from lumbargrade.study import Series, SeriesTiming
from lumbargrade.terms import LEVELS, Laterality, Level, SeriesRole

SPINE_LPS = [np.array([0.0, 60.0, 300.0 - 34.0 * index]) for index in range(8)]
NOTHING = [0.01] * 7


def candidate(point, heat):
    return Candidate(np.array(point, float), np.array(heat, float))


def named(level, value=0.8, rest=0.01):
    """Heat of one of above, the five levels, below (-1, 0 to 4, 5)."""
    return [value if index == level + 1 else rest for index in range(7)]


def along_the_spine(heats, first=0):
    return [candidate(point, heat) for point, heat in zip(SPINE_LPS[first:], heats, strict=False)]


def levels_of(chain):
    return chain.members[DISCS_ABOVE : DISCS_ABOVE + 5]


def view_of(heat, role=SeriesRole.SAGITTAL_T2, uid="1.2"):
    affines = tuple(
        SliceAffine(np.array([-8.0 + 4 * i, -90.0, 200.0]), np.array([0.0, 1, 0]), np.array([0.0, 0, -1]), 1.5, 1.5) for i in range(5)
    )
    stack = PreparedStack(np.ones((5, 2 * heat.shape[2], 2 * heat.shape[3]), np.float32), affines)
    return StackView(Series(uid, uid, "", SeriesTiming(), role, "made so", ()), stack, heat)


def draw(heat, channel, row, column, value=0.9):
    y, x = np.mgrid[: heat.shape[2], : heat.shape[3]]
    blob = np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * 1.5**2))
    for index, fall_off in enumerate((0.1, 0.6, 1.0, 0.6, 0.1)):
        heat[index, channel] = np.maximum(heat[index, channel], value * fall_off * blob)


def heat_with(levels, value=0.9, size=(128, 64), sacrum=True, margins=0.9, front_down=0):
    """Five slices 4 mm apart whose middle one shows the given level indices: the canal at heat column 30, margins 9 and 45 mm before it."""
    heat = np.full((5, CHANNELS, *size), 1e-3, np.float32)
    for level in levels:
        draw(heat, level, 20 + 11 * level, 30, value)
        draw(heat, DISC_BACK, 20 + 11 * level, 30 - 3, margins)
        draw(heat, DISC_FRONT, 20 + 11 * level + front_down, 30 - 15, margins)
    if sacrum:
        draw(heat, FIRST_SACRAL, 20 + 11 * 4 + 7, 25)
    return heat


def located(heat, shift=0):
    views = [view_of(heat)]
    spine = find_spine(views)
    numbering, problems = number_levels(views, spine, None, shift)
    locations = locate(views, spine, numbering.confidence, shift)
    return locations, (*problems, *absent_levels(locations)), numbering


def test_clear_levels_are_named_in_order():
    chain = best_chain(along_the_spine([named(index) for index in range(5)]))
    assert levels_of(chain) == (0, 1, 2, 3, 4)
    assert chain.lead > 4


def test_neighbours_carry_a_level_whose_own_heat_says_otherwise():
    heats = [named(0), named(1), [0.01, 0.01, 0.01, 0.25, 0.5, 0.01, 0.01], named(3), named(4)]
    assert levels_of(best_chain(along_the_spine(heats))) == (0, 1, 2, 3, 4)


def test_discs_above_and_a_remnant_below_have_their_own_places():
    chain = best_chain(along_the_spine([named(-1), named(-1), *[named(index) for index in range(5)], named(5)]))
    assert levels_of(chain) == (2, 3, 4, 5, 6)
    assert chain.members[DISCS_ABOVE - 2 : DISCS_ABOVE] == (0, 1)
    assert chain.members[PLACES - 1] == 7


def test_what_the_sacral_remnant_looks_like_decides_between_two_namings():
    blurred = [[0.4 if index in (level, level + 1) else 0.01 for index in range(7)] for level in range(1, 6)]
    as_remnant = best_chain(along_the_spine([*blurred, named(5)]))
    as_disc = best_chain(along_the_spine([*blurred[:-1], named(4), named(5)], first=1))
    assert levels_of(as_remnant) == (0, 1, 2, 3, 4)
    assert levels_of(as_disc)[-1] == 4


def test_a_place_far_off_the_spine_is_not_taken():
    aside = SPINE_LPS[2] + np.array([0.0, 100.0, 2.0])
    candidates = along_the_spine([named(0), named(1), named(2, 0.4), named(3), named(4)])
    chain = best_chain([*candidates[:2], candidate(aside, named(2, 0.95)), *candidates[2:]])
    assert levels_of(chain) == (0, 1, 3, 4, 5)


def test_a_naming_that_fits_nearly_as_well_one_level_lower_leads_by_little():
    sure = best_chain(along_the_spine([named(index) for index in range(5)]))
    heats = [[0.4 if index in (level, level + 1) else 0.01 for index in range(7)] for level in range(6)]
    assert best_chain(along_the_spine(heats)).lead < 0.5 < 4 < sure.lead


def test_no_candidates_give_no_chain():
    assert best_chain([]) is None
    assert best_chain([candidate(SPINE_LPS[0], NOTHING)]) is None


def test_fewer_than_three_neighbouring_discs_are_no_lumbar_spine():
    assert why_not_lumbar(None) is not None
    assert "2 neighbouring discs" in why_not_lumbar(find_spine([view_of(heat_with([3, 4]))]))
    assert "2 neighbouring discs" in why_not_lumbar(find_spine([view_of(heat_with([0, 1, 3, 4]))]))
    assert why_not_lumbar(find_spine([view_of(heat_with([2, 3, 4]))])) is None


def test_warm_places_without_the_margins_of_discs_are_no_lumbar_spine():
    assert "no neighbouring discs" in why_not_lumbar(find_spine([view_of(heat_with(range(5), margins=0.2))]))


def test_a_level_missing_between_others_is_bridged_with_no_confidence():
    locations, problems, _ = located(heat_with([0, 1, 2, 4]))
    assert [each.level for each in locations] == list(LEVELS)
    np.testing.assert_allclose(locations[3].canal_lps_mm, (locations[2].canal_lps_mm + locations[4].canal_lps_mm) / 2, atol=0.1)
    assert locations[3].confidence == 0 < locations[1].confidence
    assert problems == ()


def test_levels_outside_the_field_of_view_are_absent_and_named():
    locations, problems, _ = located(heat_with([2, 3, 4]))
    assert [each.level for each in locations] == [Level.L3_L4, Level.L4_L5, Level.L5_S1]
    assert [problem.code for problem in problems] == ["levels_not_found"]
    assert "L1/L2, L2/L3" in problems[0].message


def test_a_heat_pixel_lies_at_the_centre_of_its_four_input_pixels():
    locations, _, _ = located(heat_with(range(5)))
    expected = [0.0, -90 + (30 * 2 + 0.5) * 1.5, 200 - (20 * 2 + 0.5) * 1.5]
    np.testing.assert_allclose(locations[0].canal_lps_mm, expected, atol=0.05)


def test_unseen_foramina_are_put_at_the_mean_place_on_their_own_side():
    locations, _, _ = located(heat_with(range(5)))
    for each in locations:
        for side in Laterality:
            lateral = side.lps_sign * (each.foramen_lps_mm[side] - each.canal_lps_mm)[0]
            assert lateral == pytest.approx(FORAMEN_OFFSETS[each.level].lateral_mm, abs=0.5)
            assert each.foramen_lps_mm[side][1] < each.canal_lps_mm[1]


def test_the_disc_plane_follows_the_margins_that_are_seen():
    locations, _, _ = located(heat_with(range(5), front_down=-3))
    for each in locations:
        np.testing.assert_allclose(each.disc_normal, np.array([0.0, 9.0, 36.0]) / np.hypot(9, 36), atol=0.03)
        assert each.canal_lps_mm[1] - each.disc_center_lps_mm[1] == pytest.approx(27, abs=0.5)


def test_a_person_may_move_the_names_by_a_level():
    heat = heat_with(range(5))
    draw(heat, CANAL_ABOVE, 9, 30)
    draw(heat, CANAL_BELOW, 75, 30)
    found, _, _ = located(heat)
    for shift, kept in ((1, slice(0, 4)), (-1, slice(1, 5))):
        moved, problems, numbering = located(heat, shift)
        assert [each.level for each in moved] == list(LEVELS)
        assert "levels_shifted" in {problem.code for problem in problems}
        assert numbering.shift == shift
        by_level = {each.level: each for each in moved}
        for each in found[kept]:
            other = by_level[LEVELS[LEVELS.index(each.level) + shift]]
            np.testing.assert_allclose(other.canal_lps_mm, each.canal_lps_mm, atol=1e-6)


def test_a_sacrum_outside_the_pictures_is_said():
    _, problems, numbering = located(heat_with(range(5), sacrum=False))
    assert "sacrum_not_seen" in {problem.code for problem in problems}
    assert numbering.sacrum_lps_mm is None
    assert "without the sacrum" in numbering.basis
    _, problems, numbering = located(heat_with(range(5)))
    assert problems == ()
    assert numbering.sacrum_lps_mm[2] < 200 - 64 * 3


def test_the_t2_gives_the_canal_and_the_t1_the_foramina_after_a_patient_moved():
    t2 = heat_with(range(5))
    for level in range(5):
        t2[4, 5 + level] = np.roll(t2[2, level], (-2, -1), axis=(0, 1))
    t1 = np.roll(t2, 1, axis=3)  # the patient has moved back by 3 mm
    views = [view_of(t2), view_of(t1, SeriesRole.SAGITTAL_T1, "1.3")]
    both, alone = locate(views, find_spine(views), 0.9, 0), locate(views[:1], find_spine(views[:1]), 0.9, 0)
    for fused, single in zip(both, alone, strict=True):
        np.testing.assert_allclose(fused.canal_lps_mm, single.canal_lps_mm, atol=0.3)
        moved = fused.foramen_lps_mm[Laterality.LEFT] - single.foramen_lps_mm[Laterality.LEFT]
        np.testing.assert_allclose(moved, [0.0, 3.0, 0.0], atol=0.3)


def test_heat_in_the_dark_margin_of_one_stack_and_outside_the_other():
    """Padding around a small field of view may be warm; the other stack ends before it."""
    wide = heat_with(range(5))
    draw(wide, CANAL_ABOVE, 122, 60)
    view = view_of(wide)
    view.stack.pixels[:, 236:, 112:] = 0
    views = [view, view_of(heat_with(range(5), size=(96, 48)), SeriesRole.SAGITTAL_T1, "1.3")]
    assert len(find_spine(views).discs) >= 5


def test_the_sacrum_is_sought_where_it_should_be_when_the_disc_above_it_was_not_seen():
    """L5/S1 may be fused; but the lowest vertebra of a picture that ends there is no sacrum."""
    for row, is_sacrum in ((20 + 11 * 4 + 7, True), (20 + 11 * 3 + 5, False)):
        heat = heat_with(range(4), sacrum=False)
        draw(heat, FIRST_SACRAL, row, 25)
        _, _, numbering = located(heat)
        assert (numbering.sacrum_lps_mm is not None) is is_sacrum
        assert numbering.basis.startswith("Levels counted up from the sacrum") is is_sacrum
