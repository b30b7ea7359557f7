from dataclasses import replace

import numpy as np
import pytest

from lumbargrade.grade.recipe import CANAL_AXIAL, CANAL_SAGITTAL, FORAMEN_SAGITTAL
from lumbargrade.grade.site import Site
from lumbargrade.grade.slices import NoSlice, SliceChoice, choose_slice
from lumbargrade.terms import Condition, Finding, Laterality, Level, SeriesRole

COLUMNS = 250
"""Of every picture that the scanner makes."""
CENTER = np.array([4.3, -21.7, 112.9])
CANAL = Finding(Condition.SPINAL_CANAL_STENOSIS, None, Level.L1_L2)
FORAMEN = Finding(Condition.NEURAL_FORAMINAL_NARROWING, Laterality.LEFT, Level.L1_L2)
HEAD = np.array([0.0, 0.0, 1.0])


def flat(points):
    return np.ones(len(points))


def tilted_normal(degrees):
    return np.array([0.0, np.sin(np.radians(degrees)), np.cos(np.radians(degrees))])


def axial_study(scanner, *blocks):
    return scanner.study(*(scanner.series(SeriesRole.AXIAL_T2, flat, CENTER, offsets, uid) for uid, offsets in enumerate_uids(blocks)))


def enumerate_uids(blocks):
    return [(str(number), list(block)) for number, block in enumerate(blocks, 1)]


def test_an_absent_role_is_named(straight_scanner):
    study = axial_study(straight_scanner, [0.0])
    assert choose_slice(study, Site(FORAMEN, CENTER), FORAMEN_SAGITTAL) == NoSlice("no sagittal T1 series")


def test_an_axial_slice_too_far_from_the_disc_is_named_with_its_millimetres(straight_scanner):
    study = axial_study(straight_scanner, [0.0, 4.0])
    site = Site(CANAL, CENTER + np.array([0, 0, 15.3]), HEAD)
    assert choose_slice(study, site, CANAL_AXIAL) == NoSlice("nearest axial T2 slice is 11.3 mm from the disc (limit 6 mm)")


def test_a_sagittal_slice_too_far_from_the_site_is_named_with_its_millimetres(straight_scanner):
    study = straight_scanner.study(straight_scanner.series(SeriesRole.SAGITTAL_T2, flat, CENTER, [0.0, 4.0]))
    found = choose_slice(study, Site(CANAL, CENTER + np.array([6.2, 0, 0])), CANAL_SAGITTAL)
    assert found == NoSlice("nearest sagittal T2 slice is 6.2 mm from the site (limit 5 mm)")


@pytest.mark.parametrize(("distance_mm", "is_taken"), [(5.9, True), (6.1, False)])
def test_the_axial_limit_is_six_millimetres_on_either_side(straight_scanner, distance_mm, is_taken):
    study = axial_study(straight_scanner, [0.0])
    for sign in (1, -1):
        found = choose_slice(study, Site(CANAL, CENTER + np.array([0, 0, sign * distance_mm]), HEAD), CANAL_AXIAL)
        assert isinstance(found, SliceChoice) is is_taken


def test_slices_too_steep_for_the_disc_are_named_with_their_degrees(straight_scanner):
    study = axial_study(straight_scanner, [0.0])
    assert isinstance(choose_slice(study, Site(CANAL, CENTER, tilted_normal(44)), CANAL_AXIAL), SliceChoice)
    steep = choose_slice(study, Site(CANAL, CENTER, tilted_normal(52)), CANAL_AXIAL)
    assert steep == NoSlice("axial T2 slices near the disc are tilted 52 degrees from the disc (limit 45 degrees)")


def test_a_site_beside_the_picture_is_named_with_its_millimetres(straight_scanner):
    study = axial_study(straight_scanner, [0.0])
    half_width_mm = (COLUMNS - 1) / 2 * straight_scanner.column_spacing_mm
    beside = CENTER + np.array([half_width_mm + 28.44, 0, 0])
    assert choose_slice(study, Site(CANAL, beside), CANAL_AXIAL) == NoSlice("the disc lies 28.4 mm outside the axial T2 pictures")


def test_the_nearest_slice_wins_over_all_series_of_the_role(straight_scanner):
    study = axial_study(straight_scanner, [0.0, 5.0], [2.6, 7.6])
    found = choose_slice(study, Site(CANAL, CENTER + np.array([0, 0, 2.4]), HEAD), CANAL_AXIAL)
    assert (found.series.series_instance_uid, found.index) == ("2.axial_t2", 0)


def test_a_stack_along_the_disc_wins_over_a_nearer_slice_across_it(straight_scanner):
    angle = np.radians(25)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), np.sin(angle)], [0, -np.sin(angle), np.cos(angle)]])
    angled = replace(straight_scanner, tilt=turn)
    site = Site(CANAL, CENTER, tilted_normal(25))
    flat_series = straight_scanner.series(SeriesRole.AXIAL_T2, flat, CENTER, [0.1], "flat")
    near, far = (angled.series(SeriesRole.AXIAL_T2, flat, CENTER, [offset], "angled") for offset in (2.0, 3.0))
    chosen = [choose_slice(straight_scanner.study(flat_series, series), site, CANAL_AXIAL) for series in (near, far)]
    assert [choice.series.series_instance_uid for choice in chosen] == ["angled.axial_t2", "flat.axial_t2"]


def test_a_site_midway_between_two_slices_gets_the_same_one_in_any_storage(straight_scanner, storage):
    study = axial_study(straight_scanner, [0.0, 4.0])
    site = Site(CANAL, CENTER + np.array([0, 0, 2.0]), HEAD)
    assert choose_slice(storage(study), site, CANAL_AXIAL).instance.sop_instance_uid == "1.axial_t2.2"


def test_an_axial_series_that_is_mislabelled_coronal_is_not_read(straight_scanner):
    coronal = replace(straight_scanner, tilt=np.array([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]]))
    found = choose_slice(axial_study(coronal, [0.0]), Site(CANAL, CENTER), CANAL_AXIAL)
    assert found == NoSlice("axial T2 slices near the disc are tilted 90 degrees from the horizontal (limit 60 degrees)")


def angled(scanner, degrees):
    """The scanner with axial slices whose normal is ``tilted_normal(degrees)``."""
    sine, cosine = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
    return replace(scanner, tilt=np.array([[1.0, 0, 0], [0, cosine, sine], [0, -sine, cosine]]))


def split(*series):
    """One series that holds the stacks of several, as blocks angled to each disc are stored."""
    return replace(series[0], stacks=tuple(stack for each in series for stack in each.stacks))


@pytest.mark.parametrize(("height_mm", "stack", "index"), [(-29.0, 0, 1), (1.2, 1, 0), (33.0, 2, 2)])
def test_every_stack_of_a_split_series_is_searched(straight_scanner, height_mm, stack, index):
    def block(degrees, middle_mm):
        center = CENTER + np.array([0, 0, middle_mm])
        return angled(straight_scanner, degrees).series(SeriesRole.AXIAL_T2, flat, center, [-4.0, 0.0, 4.0], f"{degrees}")

    blocks = [block(degrees, middle_mm) for degrees, middle_mm in ((12, -30.0), (2, 5.0), (-9, 30.0))]
    study = straight_scanner.study(split(*blocks))
    found = choose_slice(study, Site(CANAL, CENTER + np.array([0, 0, height_mm]), HEAD), CANAL_AXIAL)
    assert isinstance(found, SliceChoice)
    assert (found.series.stacks.index(found.stack), found.index) == (stack, index)


def test_series_and_stacks_are_searched_together_and_the_reason_speaks_for_all_of_them(straight_scanner):
    def block(middle, uid):
        return straight_scanner.series(SeriesRole.AXIAL_T2, flat, CENTER + np.array([0, 0, middle]), [-4.0, 0.0, 4.0], uid)

    study = straight_scanner.study(
        split(block(-40.0, "a"), block(-80.0, "b")), block(40.0, "c"), split(block(80.0, "d"), block(120.0, "e"))
    )
    between = Site(CANAL, CENTER + np.array([0, 0, 12.5]), HEAD)
    assert choose_slice(study, between, CANAL_AXIAL) == NoSlice("nearest axial T2 slice is 23.5 mm from the disc (limit 6 mm)")
    found = choose_slice(study, Site(CANAL, CENTER + np.array([0, 0, 115.0]), HEAD), CANAL_AXIAL)
    assert (found.series.series_instance_uid, found.instance.sop_instance_uid) == ("d.axial_t2", "e.axial_t2.1")


def test_of_an_oblique_stack_the_slice_through_the_site_is_taken_not_the_one_through_its_height_at_the_middle(straight_scanner):
    """At 30 degrees a slice climbs 0.58 mm for every millimetre to the front: 20 mm before the middle, its plane lies 11.5 mm higher."""
    oblique = angled(straight_scanner, 30)
    study = straight_scanner.study(oblique.series(SeriesRole.AXIAL_T2, flat, CENTER, [-10.0, -5.0, 0.0, 5.0, 10.0]))
    site = Site(CANAL, CENTER + np.array([0.0, -20.0, 0.0]), tilted_normal(30))
    found = choose_slice(study, site, CANAL_AXIAL)
    assert found.instance.affine.distances_mm(site.point_lps_mm)[0] == pytest.approx(0, abs=0.01)
    assert found.index == 0


def test_an_oblique_stack_is_judged_against_the_disc_and_without_one_against_the_horizontal(straight_scanner):
    study = straight_scanner.study(angled(straight_scanner, 50).series(SeriesRole.AXIAL_T2, flat, CENTER, [0.0]))
    assert isinstance(choose_slice(study, Site(CANAL, CENTER, tilted_normal(35)), CANAL_AXIAL), SliceChoice)
    assert isinstance(choose_slice(study, Site(CANAL, CENTER), CANAL_AXIAL), SliceChoice)
    found = choose_slice(study, Site(CANAL, CENTER, tilted_normal(3)), CANAL_AXIAL)
    assert found == NoSlice("axial T2 slices near the disc are tilted 47 degrees from the disc (limit 45 degrees)")


@pytest.mark.parametrize("side", [1, -1])
def test_the_distance_is_that_from_the_disc_where_the_site_was_put_off_its_plane(straight_scanner, side):
    study = axial_study(straight_scanner, [side * 4.5])
    behind = CENTER + np.array([0.0, 27.0, 0.0])
    on_disc = Site(CANAL, behind, HEAD, CENTER)
    above = replace(on_disc, disc_center_lps_mm=CENTER - np.array([0.0, 0.0, side * 3.2]))
    assert isinstance(choose_slice(study, on_disc, CANAL_AXIAL), SliceChoice)
    assert choose_slice(study, above, CANAL_AXIAL) == NoSlice("nearest axial T2 slice is 7.7 mm from the disc (limit 6 mm)")


def test_a_slice_on_the_disc_but_far_from_the_site_is_not_read_either(straight_scanner):
    study = axial_study(straight_scanner, [0.0])
    site = Site(CANAL, CENTER + np.array([0.0, 27.0, 8.3]), HEAD, CENTER)
    assert choose_slice(study, site, CANAL_AXIAL) == NoSlice("nearest axial T2 slice is 8.3 mm from the disc (limit 6 mm)")


def test_an_unangled_slice_through_the_canal_of_a_steep_disc_is_read_though_it_misses_the_middle_of_the_disc(straight_scanner):
    """The disc plane passes the canal where the site lies; its middle, 27 mm in front, lies 14 mm lower than the slice."""
    normal = -tilted_normal(-27) * [1, 1, -1]
    center = CENTER + np.array([0.0, -27.0, 0.0]) + 27.0 * np.tan(np.radians(27)) * np.array([0.0, 0.0, 1.0])
    site = Site(CANAL, CENTER, normal, center)
    np.testing.assert_allclose(site.disc_lps_mm, CENTER, atol=1e-9)
    assert isinstance(choose_slice(axial_study(straight_scanner, [0.5]), site, CANAL_AXIAL), SliceChoice)


def test_on_a_sagittal_slice_the_disc_plane_has_no_say(straight_scanner):
    study = straight_scanner.study(straight_scanner.series(SeriesRole.SAGITTAL_T2, flat, CENTER, [0.0]))
    site = Site(CANAL, CENTER, HEAD, CENTER + np.array([0.0, -27.0, -30.0]))
    assert isinstance(choose_slice(study, site, CANAL_SAGITTAL), SliceChoice)
