from dataclasses import replace

import numpy as np
import pytest

from lumbargrade.grade.recipe import CANAL_AXIAL, CANAL_SAGITTAL, FORAMEN_SAGITTAL
from lumbargrade.grade.site import Site
from lumbargrade.grade.slices import NoSlice, SliceChoice, choose_slice
from lumbargrade.terms import Condition, Finding, Laterality, Level, SeriesRole

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


def test_a_site_beside_the_picture_is_named(straight_scanner):
    study = axial_study(straight_scanner, [0.0])
    assert choose_slice(study, Site(CANAL, CENTER + np.array([80.0, 0, 0])), CANAL_AXIAL) == NoSlice(
        "the disc lies outside the axial T2 pictures"
    )


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
