"""The phantom's anatomy: distances are distances, sides are sides, and what narrows is graded narrower."""

from dataclasses import replace

import numpy as np
import pytest

from lumbargrade.phantom import sdf
from lumbargrade.phantom.anatomy import LUMBAR_DISCS, N_VERTEBRAE, Anatomy, AnatomyConfig, sample_anatomy
from lumbargrade.phantom.measure import FindingTruth, measure_findings
from lumbargrade.phantom.scene import Scene, build_scene
from lumbargrade.phantom.sdf import Geometry, distances
from lumbargrade.phantom.skeleton import stand_up
from lumbargrade.terms import FINDINGS, Condition, Finding, Laterality, Level, Severity

L4_L5 = LUMBAR_DISCS[3]
LEFT, RIGHT = 1, 0


def patient(seed: int = 3) -> Anatomy:
    return sample_anatomy(np.random.default_rng(seed), AnatomyConfig())


def open_spine() -> Anatomy:
    """A young patient whose lumbar discs, ligaments and joints are all healthy."""
    anatomy = sample_anatomy(np.random.default_rng(1), AnatomyConfig(mean_age=20))
    flavum, facet = anatomy.flavum.copy(), np.zeros_like(anatomy.facet_hypertrophy)
    flavum[:] = np.minimum(flavum, 3.0)
    bulge = np.full_like(anatomy.bulge, 0.4)
    focal = tuple(replace(lesion, half_width=0.0, depth=0.0) for lesion in anatomy.focal)
    return replace(anatomy, flavum=flavum, facet_hypertrophy=facet, bulge=bulge, focal=focal, slip=np.zeros_like(anatomy.slip))


def scene(anatomy: Anatomy) -> Scene:
    return build_scene(anatomy, np.random.default_rng(0))


def truths(anatomy: Anatomy) -> dict[Finding, FindingTruth]:
    return {truth.finding: truth for truth in measure_findings(scene(anatomy))}


def with_side(values: np.ndarray, side: int, disc: int, value: float) -> np.ndarray:
    changed = values.copy()
    changed[side, disc] = value
    return changed


CANAL = Finding(Condition.SPINAL_CANAL_STENOSIS, None, Level.L4_L5)
RECESS = {side: Finding(Condition.SUBARTICULAR_STENOSIS, side, Level.L4_L5) for side in Laterality}
FORAMEN = {side: Finding(Condition.NEURAL_FORAMINAL_NARROWING, side, Level.L4_L5) for side in Laterality}


@pytest.mark.parametrize("field", [sdf.BODY, sdf.DISC, sdf.SAC, sdf.FLAVUM])
def test_near_a_surface_a_field_changes_by_one_millimetre_each_millimetre(field: int) -> None:
    geometry = Geometry.of(scene(open_spine()).skeleton)
    rng = np.random.default_rng(0)
    centre = geometry.disc_origin[L4_L5] + np.array([0, 15, 0])
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


def test_the_mirrored_patient_is_the_mirror_image_of_the_patient() -> None:
    anatomy = replace(patient(), scoliosis_mm=5.0)
    focal = tuple(replace(lesion, x=-lesion.x) for lesion in anatomy.focal)
    mirrored = replace(
        anatomy, scoliosis_mm=-5.0, flavum=anatomy.flavum[::-1], facet_hypertrophy=anatomy.facet_hypertrophy[::-1], focal=focal
    )
    points = np.random.default_rng(0).uniform((-40, -40, -20), (40, 60, 180), (5000, 3))
    left_to_right = points * (-1, 1, 1)
    straight = distances(Geometry.of(stand_up(anatomy)), points)
    reflected = distances(Geometry.of(stand_up(mirrored)), left_to_right)
    np.testing.assert_allclose(reflected, straight, atol=1e-3)


def test_rootlets_lie_inside_the_measured_sac() -> None:
    built = scene(open_spine())
    rootlets = built.skeleton.rootlets
    index, height = np.nonzero(rootlets[:, 1:-1, 2] > 0)
    height = height + 1
    points = np.concatenate([rootlets[index, height, :2], (built.skeleton.sac_bottom + height)[:, None]], 1)
    assert len(points) > 500
    assert (distances(built.geometry, points)[:, sdf.SAC] < 0.5).mean() > 0.97


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
    openness, severity = [], []
    for thickness in (2.5, 5.0, 8.0, 11.0):
        flavum = anatomy.flavum.copy()
        flavum[:, L4_L5] = thickness
        truth = truths(replace(anatomy, flavum=flavum))[CANAL]
        openness.append(truth.measures["openness"])
        severity.append(truth.severity)
    assert all(np.diff(openness) < 0)
    assert severity == sorted(severity)
    assert severity[0] is Severity.NORMAL_MILD
    assert severity[-1] is Severity.SEVERE


def test_a_grown_left_facet_narrows_the_left_recess_and_foramen_only() -> None:
    anatomy = open_spine()
    before = truths(anatomy)
    after = truths(replace(anatomy, facet_hypertrophy=with_side(anatomy.facet_hypertrophy, LEFT, L4_L5, 2.8)))
    for sites in (RECESS, FORAMEN):
        left, right = sites[Laterality.LEFT], sites[Laterality.RIGHT]
        assert after[left].measures["openness"] < before[left].measures["openness"] - 0.02
        assert after[right].measures["openness"] == pytest.approx(before[right].measures["openness"], abs=0.02)


def test_a_change_at_one_level_leaves_the_others_alone() -> None:
    anatomy = open_spine()
    before = truths(anatomy)
    bulge = anatomy.bulge.copy()
    bulge[L4_L5] = 5.0
    after = truths(replace(anatomy, bulge=bulge))
    assert after[CANAL].measures["sac_area_mm2"] < before[CANAL].measures["sac_area_mm2"]
    upper = Finding(Condition.SPINAL_CANAL_STENOSIS, None, Level.L1_L2)
    assert after[upper].measures["sac_area_mm2"] == pytest.approx(before[upper].measures["sac_area_mm2"])


def test_sampled_patients_cover_all_grades_about_as_often_as_readers_gave_them() -> None:
    counts = dict.fromkeys(Condition, 0)
    severe, total = 0, 0
    for seed in range(40):
        for truth in measure_findings(scene(patient(1000 + seed))):
            counts[truth.finding.condition] += truth.severity is Severity.NORMAL_MILD
            severe += truth.severity is Severity.SEVERE
            total += 1
    assert 0.78 < counts[Condition.SPINAL_CANAL_STENOSIS] / 200 < 0.96
    assert 0.65 < counts[Condition.NEURAL_FORAMINAL_NARROWING] / 400 < 0.90
    assert 0.58 < counts[Condition.SUBARTICULAR_STENOSIS] / 400 < 0.85
    assert 0.02 < severe / total < 0.14


def test_a_wider_spread_leaves_every_patient_buildable() -> None:
    for seed in range(6):
        anatomy = sample_anatomy(np.random.default_rng(seed), AnatomyConfig(spread=1.8, lesions=2.0))
        skeleton = stand_up(anatomy)
        assert np.isfinite(skeleton.vertebra_origin).all()
        assert (np.diff(skeleton.vertebra_origin[:, 2]) < 0).sum() >= N_VERTEBRAE - 2
