"""The phantom's anatomy: distances are distances, sides are sides, and what narrows is graded narrower."""

from dataclasses import replace

import numpy as np
import pytest

from lumbargrade.phantom.anatomy import Anatomy, sample_anatomy
from lumbargrade.phantom.degeneration import Wear
from lumbargrade.phantom.herniation import N_LESIONS, NO_LESION, FocalLesion
from lumbargrade.phantom.measure import FindingTruth, measure_findings, measure_geometry
from lumbargrade.phantom.numbering import LUMBAR_DISCS, N_VERTEBRAE
from lumbargrade.phantom.person import AnatomyConfig
from lumbargrade.phantom.scene import Scene, build_scene
from lumbargrade.phantom.sdf import Geometry, distances
from lumbargrade.phantom.shapes import columns
from lumbargrade.phantom.skeleton import SAC_CROWDING, stand_up
from lumbargrade.phantom.variants import Variants
from lumbargrade.terms import FINDINGS, Condition, Finding, Laterality, Level, Severity

L4_L5 = LUMBAR_DISCS[3]
LEFT, RIGHT = 1, 0
EVERYWHERE_MM = 1000.0


def patient(seed: int = 3) -> Anatomy:
    return sample_anatomy(np.random.default_rng(seed), AnatomyConfig())


def with_wear(anatomy: Anatomy, **changes: object) -> Anatomy:
    return replace(anatomy, wear=replace(anatomy.wear, **changes))


def open_spine() -> Anatomy:
    """A young patient whose lumbar discs, ligaments and joints are all healthy."""
    anatomy = sample_anatomy(np.random.default_rng(1), AnatomyConfig(mean_age=20, lesions=0))
    wear = anatomy.wear
    return with_wear(
        anatomy,
        flavum=np.minimum(wear.flavum, 2.8),
        facet_hypertrophy=np.zeros_like(wear.facet_hypertrophy),
        foraminal_spur=np.zeros_like(wear.foraminal_spur),
        bulge=np.full_like(wear.bulge, 0.4),
        disc_height=wear.disc_height / np.where(wear.height_loss > 0, 1 - wear.height_loss, 1.0),
        height_loss=np.zeros_like(wear.height_loss),
        focal=tuple((NO_LESION,) * N_LESIONS for _ in wear.focal),
        slip=np.zeros_like(wear.slip),
    )


def scene(anatomy: Anatomy) -> Scene:
    return build_scene(anatomy, np.random.default_rng(0))


def truths(anatomy: Anatomy) -> dict[Finding, FindingTruth]:
    skeleton = stand_up(anatomy)
    return {truth.finding: truth for truth in measure_geometry(skeleton, Geometry.of(skeleton))}


def with_lesion(wear: Wear, disc: int, lesion: FocalLesion) -> tuple[tuple[FocalLesion, ...], ...]:
    """The patient's lesions with a herniation at a disc."""
    return tuple((*lesions[:-2], lesion, NO_LESION) if index == disc else lesions for index, lesions in enumerate(wear.focal))


def with_side(values: np.ndarray, side: int, disc: int, value: float) -> np.ndarray:
    changed = values.copy()
    changed[side, disc] = value
    return changed


CANAL = Finding(Condition.SPINAL_CANAL_STENOSIS, None, Level.L4_L5)
RECESS = {side: Finding(Condition.SUBARTICULAR_STENOSIS, side, Level.L4_L5) for side in Laterality}
FORAMEN = {side: Finding(Condition.NEURAL_FORAMINAL_NARROWING, side, Level.L4_L5) for side in Laterality}


@pytest.mark.parametrize("field", [columns.BODY, columns.DISC, columns.SAC, columns.FLAVUM])
def test_near_a_surface_a_field_changes_by_one_millimetre_each_millimetre(field: int) -> None:
    skeleton = scene(open_spine()).skeleton
    geometry = Geometry.of(skeleton)
    rng = np.random.default_rng(0)
    centre = skeleton.disc_origin[L4_L5] + np.array([0, 15, 0])
    points = centre + rng.uniform(-25, 25, (20000, 3))
    value = distances(geometry, points)[:, field]
    near = points[np.abs(value) < 0.5]
    assert len(near) > 50
    step = 0.05
    gradient = np.stack(
        [(distances(geometry, near + step * axis) - distances(geometry, near - step * axis))[:, field] for axis in np.eye(3)], 1
    )
    slope = np.linalg.norm(gradient / (2 * step), axis=1)
    assert 0.85 < np.median(slope) < 1.15


OF_BOTH_SIDES = {
    "wear": ("flavum", "facet_hypertrophy", "foraminal_spur", "effusion", "synovial_cyst"),
    "bones": ("facet_angle", "transverse_reach", "transverse_radius", "rib"),
}


def test_the_mirrored_patient_is_the_mirror_image_of_the_patient() -> None:
    sampled = patient()
    straight = replace(sampled, bones=replace(sampled.bones, cobb=0.1, variants=Variants.none()))
    wear, bones = ({name: getattr(getattr(straight, part), name)[::-1] for name in names} for part, names in OF_BOTH_SIDES.items())
    focal = tuple(tuple(replace(lesions[other], x=-lesions[other].x) for other in (1, 0, 3, 2, 4, 5)) for lesions in straight.wear.focal)
    mirrored = with_wear(replace(straight, bones=replace(straight.bones, cobb=-0.1, **bones)), focal=focal, **wear)
    points = np.random.default_rng(0).uniform((-40, -40, -20), (40, 60, 180), (5000, 3))
    reflected = distances(Geometry.of(stand_up(mirrored)), points * (-1, 1, 1), EVERYWHERE_MM)[:, : columns.VEIN + 1]
    expected = distances(Geometry.of(stand_up(straight)), points)[:, : columns.VEIN + 1]
    near = np.abs(expected) < 2
    assert near.sum() > 1500
    np.testing.assert_allclose(reflected[near], expected[near], atol=0.06)


def test_rootlets_lie_inside_the_measured_sac() -> None:
    built = scene(open_spine())
    rootlets = built.skeleton.rootlets
    index, height = np.nonzero(rootlets[:, 1:-1, 2] > 0)
    height = height + 1
    points = np.concatenate([rootlets[index, height, :2], (built.skeleton.sac_bottom + height)[:, None]], 1)
    assert len(points) > 500
    assert (distances(built.geometry, points)[:, columns.SAC] < 0.5).mean() > 0.97


def test_all_findings_come_in_order_and_points_lie_on_their_side() -> None:
    found = measure_findings(scene(patient()))
    assert tuple(truth.finding for truth in found) == FINDINGS
    by_finding = {truth.finding: truth for truth in found}
    for truth in found:
        if truth.finding.laterality is not None:
            opposite = by_finding[truth.finding.mirrored]
            assert truth.finding.laterality.lps_sign * (truth.point_mm[0] - opposite.point_mm[0]) > 10


def test_an_open_spine_is_graded_normal() -> None:
    graded = truths(open_spine())
    assert sum(truth.severity is not Severity.NORMAL_MILD for truth in graded.values()) <= 1


def test_thicker_flavum_narrows_the_canal_step_by_step() -> None:
    anatomy = open_spine()
    found = []
    for thickness in (2.0, 4.0, 6.0, 8.5):
        flavum = anatomy.wear.flavum.copy()
        flavum[:, L4_L5] = thickness
        found.append(truths(with_wear(anatomy, flavum=flavum))[CANAL])
    assert all(np.diff([truth.z for truth in found]) > 0)
    assert [truth.severity for truth in found] == sorted(truth.severity for truth in found)
    assert found[0].severity is Severity.NORMAL_MILD
    assert found[-1].severity > Severity.NORMAL_MILD


def test_a_grown_left_facet_narrows_the_left_recess_only() -> None:
    anatomy = open_spine()
    before = truths(anatomy)
    after = truths(with_wear(anatomy, facet_hypertrophy=with_side(anatomy.wear.facet_hypertrophy, LEFT, L4_L5, 3.0)))
    left, right = RECESS[Laterality.LEFT], RECESS[Laterality.RIGHT]
    assert after[left].z > before[left].z + 0.5
    assert after[right].z == pytest.approx(before[right].z, abs=0.1)


def test_a_spur_in_the_left_foramen_narrows_that_foramen_only() -> None:
    anatomy = open_spine()
    before = truths(anatomy)
    after = truths(with_wear(anatomy, foraminal_spur=with_side(anatomy.wear.foraminal_spur, LEFT, L4_L5, 5.0)))
    left, right = FORAMEN[Laterality.LEFT], FORAMEN[Laterality.RIGHT]
    assert after[left].z > before[left].z + 0.2
    assert after[right].z == pytest.approx(before[right].z, abs=0.05)


def test_a_lower_disc_narrows_both_foramina() -> None:
    anatomy = open_spine()
    before = truths(anatomy)
    height, loss = anatomy.wear.disc_height.copy(), anatomy.wear.height_loss.copy()
    height[L4_L5] *= 0.45
    loss[L4_L5] = 1 - 0.45 * (1 - loss[L4_L5])
    after = truths(with_wear(anatomy, disc_height=height, height_loss=loss))
    assert all(after[finding].z > before[finding].z + 0.3 for finding in FORAMEN.values())


def test_a_left_paracentral_extrusion_closes_the_left_recess_and_pushes_the_root_back() -> None:
    anatomy = open_spine()
    extrusion = FocalLesion(x=8.5, half_width=7.0, depth=10.0, half_height=7.0)
    herniated = with_wear(anatomy, focal=with_lesion(anatomy.wear, L4_L5, extrusion))
    before, after = truths(anatomy), truths(herniated)
    left, right = RECESS[Laterality.LEFT], RECESS[Laterality.RIGHT]
    assert after[left].severity > Severity.NORMAL_MILD
    assert after[right].z < after[left].z - 0.7
    assert after[left].z > before[left].z + 1.5
    traversing = 2 * (L4_L5 + 1)
    moved = stand_up(herniated).roots[traversing + LEFT, 1] - stand_up(anatomy).roots[traversing + LEFT, 1]
    assert moved[1] > 3
    np.testing.assert_array_equal(stand_up(herniated).roots[traversing + RIGHT], stand_up(anatomy).roots[traversing + RIGHT])


def test_a_sequester_lies_off_its_disc() -> None:
    anatomy = open_spine()
    below = FocalLesion(x=0.0, y=4.0, z=-15.0, half_width=4.0, depth=3.0, half_height=4.0)
    skeleton = stand_up(with_wear(anatomy, focal=with_lesion(anatomy.wear, L4_L5, below)))
    back = float(skeleton.disc_depth[L4_L5])
    line = np.array([skeleton.to_body(L4_L5, (0.0, back + 4.0, z)) for z in np.arange(0.0, -15.1, -0.5)])
    inside = distances(Geometry.of(skeleton), line)[:, columns.DISC] < 0
    assert inside[-1]
    assert not inside[0]
    assert np.diff(inside.astype(int)).clip(0).sum() == 1


def test_a_small_open_sac_is_not_stenosed() -> None:
    anatomy = open_spine()
    wear = anatomy.wear
    small = with_wear(anatomy, sac_half_width=wear.sac_half_width * 0.7, sac_half_depth=wear.sac_half_depth * 0.75)
    truth = truths(small)[CANAL]
    assert truth.measures["sac_area_mm2"] < 0.8 * truths(anatomy)[CANAL].measures["sac_area_mm2"]
    assert truth.severity is Severity.NORMAL_MILD


def test_a_change_at_one_level_leaves_the_others_alone() -> None:
    anatomy = open_spine()
    before = truths(anatomy)
    bulge = anatomy.wear.bulge.copy()
    bulge[L4_L5] = 5.0
    after = truths(with_wear(anatomy, bulge=bulge))
    assert after[CANAL].measures["sac_area_mm2"] < before[CANAL].measures["sac_area_mm2"]
    upper = Finding(Condition.SPINAL_CANAL_STENOSIS, None, Level.L1_L2)
    assert after[upper].measures["sac_area_mm2"] == pytest.approx(before[upper].measures["sac_area_mm2"])


def test_rootlets_crowd_in_a_stenosed_sac_and_wind_above_it() -> None:
    anatomy = open_spine()
    flavum, bulge = anatomy.wear.flavum.copy(), anatomy.wear.bulge.copy()
    flavum[:, L4_L5], bulge[L4_L5] = 8.5, 6.0
    stenosed, healthy = scene(with_wear(anatomy, flavum=flavum, bulge=bulge)).skeleton, scene(anatomy).skeleton
    at_disc = round(stenosed.disc_origin[L4_L5, 2] - stenosed.sac_bottom)
    assert stenosed.sac[at_disc - 4 : at_disc + 4, SAC_CROWDING].max() > healthy.sac[at_disc - 4 : at_disc + 4, SAC_CROWDING].max() + 0.3
    above = slice(at_disc + 14, at_disc + 34)

    def unrest(rootlets: np.ndarray) -> float:
        present = (rootlets[:, above, 2] > 0).all(1)
        return float(np.abs(np.diff(rootlets[present][:, above, 0], 2, axis=1)).mean())

    assert unrest(stenosed.rootlets) > 1.5 * unrest(healthy.rootlets)


def test_pfirrmann_grades_rise_with_age_and_hydration_falls_with_them() -> None:
    young = [sample_anatomy(np.random.default_rng(seed), AnatomyConfig(mean_age=30)).wear for seed in range(60)]
    old = [sample_anatomy(np.random.default_rng(seed), AnatomyConfig(mean_age=75)).wear for seed in range(60)]
    lumbar = slice(LUMBAR_DISCS[0], LUMBAR_DISCS[-1] + 1)
    assert np.mean([wear.pfirrmann[lumbar] for wear in old]) > np.mean([wear.pfirrmann[lumbar] for wear in young]) + 0.7
    grades = np.concatenate([wear.pfirrmann[lumbar] for wear in young + old])
    water = np.concatenate([wear.hydration[lumbar] for wear in young + old])
    assert [water[grades == grade].mean() for grade in range(1, 6)] == sorted(
        (water[grades == grade].mean() for grade in range(1, 6)), reverse=True
    )


def test_a_wider_spread_leaves_every_patient_buildable() -> None:
    for seed in range(6):
        anatomy = sample_anatomy(np.random.default_rng(seed), AnatomyConfig(spread=1.8, lesions=2.0))
        skeleton = stand_up(anatomy)
        assert np.isfinite(skeleton.vertebra_origin).all()
        assert (np.diff(skeleton.vertebra_origin[:, 2]) < 0).sum() >= N_VERTEBRAE - 2
