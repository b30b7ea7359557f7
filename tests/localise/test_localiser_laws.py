"""Laws of the localiser on a lopsided, tilted patient of blobs."""

from dataclasses import replace

import numpy as np
import pytest

from lumbargrade.geometry.affine import SliceAffine
from lumbargrade.localise import locate_levels
from lumbargrade.study import Stack
from lumbargrade.terms import LEVELS, Laterality, SeriesRole


def points_of(localisation):
    """(levels, 5, 3): canal, foramina, subarticular zones."""
    return np.array(
        [
            [
                each.canal_lps_mm,
                *(each.foramen_lps_mm[side] for side in Laterality),
                *(each.subarticular_lps_mm[side] for side in Laterality),
            ]
            for each in localisation.locations
        ]
    )


@pytest.fixture(scope="module")
def located(study_of, t1_series, t2_series, blob_network):
    return locate_levels(study_of(t1_series, t2_series), [blob_network])


def test_all_five_levels_lie_where_the_patient_has_them(located, canal_lps, foramina_lps):
    assert [each.level for each in located.locations] == list(LEVELS)
    assert {problem.code for problem in located.problems} <= {"another_contrast"}  # blobs are not as bright as any tissue
    for index, each in enumerate(located.locations):
        assert np.linalg.norm(each.canal_lps_mm - canal_lps[index]) < 3
        for side in Laterality:
            assert np.linalg.norm(each.foramen_lps_mm[side] - foramina_lps[side][index]) < 3
        assert each.confidence > 0.7


@pytest.mark.parametrize("which", ["t1_series", "t2_series"])
def test_each_series_alone_is_enough(which, request, study_of, blob_network, canal_lps):
    alone = locate_levels(study_of(request.getfixturevalue(which)), [blob_network])
    assert len(alone.locations) == 5
    assert np.linalg.norm(points_of(alone)[:, 0] - canal_lps, axis=1).max() < 3


def test_left_is_the_patients_left_and_subarticular_zones_lie_between_canal_and_foramen(located):
    for each in located.locations:
        assert each.foramen_lps_mm[Laterality.LEFT][0] > each.subarticular_lps_mm[Laterality.LEFT][0] > each.canal_lps_mm[0]
        assert each.foramen_lps_mm[Laterality.RIGHT][0] < each.subarticular_lps_mm[Laterality.RIGHT][0] < each.canal_lps_mm[0]


def test_disc_normals_point_to_the_head_and_follow_the_lordosis(located):
    normals = np.array([each.disc_normal for each in located.locations])
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1)
    assert (normals[:, 2] > 0.8).all()
    assert normals[0, 1] > 0 > normals[-1, 1]


def test_instance_order_is_irrelevant(located, study_of, t1_series, t2_series, blob_network):
    reversed_series = [replace(s, stacks=(Stack(s.stacks[0].instances[::-1]),)) for s in (t1_series, t2_series)]
    again = locate_levels(study_of(*reversed_series), [blob_network])
    np.testing.assert_allclose(points_of(again), points_of(located), atol=1e-6)


def flipped_columns(instance):
    a = instance.affine
    origin = a.origin_lps_mm + (instance.shape[1] - 1) * a.column_spacing_mm * a.column_direction
    affine = SliceAffine(origin, -a.column_direction, a.row_direction, a.column_spacing_mm, a.row_spacing_mm)
    return replace(instance, affine=affine, pixels=instance.pixels[:, ::-1])


def transposed(instance):
    a = instance.affine
    affine = SliceAffine(a.origin_lps_mm, a.row_direction, a.column_direction, a.row_spacing_mm, a.column_spacing_mm)
    return replace(instance, affine=affine, pixels=instance.pixels.T)


@pytest.mark.parametrize("change", [flipped_columns, transposed, lambda i: flipped_columns(transposed(flipped_columns(i)))])
def test_how_pixels_are_stored_changes_nothing(change, located, study_of, with_instances, t1_series, t2_series, blob_network):
    again = locate_levels(study_of(with_instances(t1_series, change), with_instances(t2_series, change)), [blob_network])
    np.testing.assert_allclose(points_of(again), points_of(located), atol=1e-6)


def test_a_translated_patient_moves_every_point_by_as_much(located, study_of, with_instances, t1_series, t2_series, blob_network):
    shift = np.array([31.3, -57.9, 412.7])

    def moved(instance):
        return replace(instance, affine=replace(instance.affine, origin_lps_mm=instance.affine.origin_lps_mm + shift))

    again = locate_levels(study_of(with_instances(t1_series, moved), with_instances(t2_series, moved)), [blob_network])
    np.testing.assert_allclose(points_of(again), points_of(located) + shift, atol=1e-3)


def test_a_mirrored_patient_swaps_sides(located, study_of, with_instances, t1_series, t2_series, blob_network):
    mirror = np.array([-1.0, 1.0, 1.0])

    def mirrored(instance):
        a = instance.affine
        affine = replace(
            a,
            origin_lps_mm=a.origin_lps_mm * mirror,
            column_direction=a.column_direction * mirror,
            row_direction=a.row_direction * mirror,
        )
        return replace(instance, affine=affine)

    again = locate_levels(study_of(with_instances(t1_series, mirrored), with_instances(t2_series, mirrored)), [blob_network])
    swapped = points_of(located)[:, [0, 2, 1, 4, 3]] * mirror
    np.testing.assert_allclose(points_of(again), swapped, atol=1e-3)


def test_two_equal_networks_say_what_one_says(located, study_of, t1_series, t2_series, blob_network):
    again = locate_levels(study_of(t1_series, t2_series), [blob_network, blob_network])
    np.testing.assert_allclose(points_of(again), points_of(located), atol=1e-5)


def test_a_study_without_sagittal_series_says_so(study_of, t2_series, blob_network):
    result = locate_levels(study_of(replace(t2_series, role=SeriesRole.AXIAL_T2)), [blob_network])
    assert result.locations == ()
    assert [problem.code for problem in result.problems] == ["no_sagittal"]


def test_empty_pictures_give_no_levels_and_a_reason(study_of, with_instances, t2_series, blob_network):
    black = with_instances(t2_series, lambda instance: replace(instance, pixels=np.zeros_like(instance.pixels)))
    result = locate_levels(study_of(black), [blob_network])
    assert result.locations == ()
    assert [problem.code for problem in result.problems] == ["no_levels"]
    assert "no disc" in result.problems[0].message


def test_impossible_positions_cost_only_their_own_series(located, study_of, with_instances, t1_series, t2_series, blob_network):
    def scattered(instance):
        far = instance.affine.origin_lps_mm + instance.instance_number * np.array([0.0, 0.0, 300.0])
        return replace(instance, affine=replace(instance.affine, origin_lps_mm=far))

    result = locate_levels(study_of(with_instances(t1_series, scattered), t2_series), [blob_network])
    assert len(result.locations) == 5
    assert [problem.code for problem in result.problems if problem.code != "another_contrast"] == ["sagittal_unusable"]


def test_series_that_disagree_are_named(study_of, with_instances, t1_series, t2_series, blob_network):
    def one_level_lower(instance):
        lower = instance.affine.origin_lps_mm - np.array([0.0, 0.0, 34.0])
        return replace(instance, affine=replace(instance.affine, origin_lps_mm=lower))

    result = locate_levels(study_of(with_instances(t1_series, one_level_lower), t2_series), [blob_network])
    assert len(result.locations) == 5
    assert "levels_disagree" in {problem.code for problem in result.problems}
    assert max(each.confidence for each in result.locations) < 0.6
