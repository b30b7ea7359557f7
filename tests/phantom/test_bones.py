"""Bones: sizes as published, curves as drawn, variants where they belong, and shapes that a reader would know."""

from dataclasses import replace

import numpy as np
import pytest

from lumbargrade.phantom.anatomy import Anatomy, sample_anatomy
from lumbargrade.phantom.bone_sampling import LORDOSIS_DEG, LORDOSIS_SD_DEG, SLOPE_DEG, sample_bones, with_variants
from lumbargrade.phantom.bones import Bones, mean_bones
from lumbargrade.phantom.numbering import LUMBAR_DISCS, S1, VERTEBRAE
from lumbargrade.phantom.person import AnatomyConfig, Person, sample_person
from lumbargrade.phantom.sdf import Geometry, distances
from lumbargrade.phantom.shapes import columns
from lumbargrade.phantom.skeleton import Skeleton, stand_up
from lumbargrade.phantom.variants import Lumbosacral, Surgery, Thoracolumbar, Variants

L1, L4, L5, T12 = (VERTEBRAE.index(name) for name in ("L1", "L4", "L5", "T12"))
L4_L5, L5_S1 = LUMBAR_DISCS[3], LUMBAR_DISCS[4]
LEFT, RIGHT = 1, 0


@pytest.fixture(scope="module")
def drawn() -> list[tuple[Person, Bones]]:
    found = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        person = sample_person(rng, AnatomyConfig())
        found.append((person, sample_bones(rng, AnatomyConfig(), person)))
    return found


def ordinary(bones: Bones | None = None) -> Anatomy:
    """A sampled patient's wear on ordinary bones."""
    anatomy = sample_anatomy(np.random.default_rng(5), AnatomyConfig())
    straight = np.zeros_like(anatomy.wear.slip)
    wear = replace(anatomy.wear, slip=straight, facet_hypertrophy=np.zeros_like(anatomy.wear.facet_hypertrophy))
    return replace(anatomy, bones=bones or mean_bones(), wear=wear)


def in_vertebra(skeleton: Skeleton, vertebra: int, points: np.ndarray) -> np.ndarray:
    return np.asarray(skeleton.vertebra_origin[vertebra] + points @ skeleton.vertebra_axes[vertebra])


def fields_at(anatomy: Anatomy, vertebra: int, points: np.ndarray) -> np.ndarray:
    skeleton = stand_up(anatomy)
    return distances(Geometry.of(skeleton), in_vertebra(skeleton, vertebra, np.asarray(points, np.float64)))


def lean_deg(axes: np.ndarray) -> np.ndarray:
    """Sideways lean of local z axes."""
    return np.degrees(np.arcsin(axes[:, 2, 0]))


def test_lordosis_and_sacral_slope_are_spread_as_published_and_go_together(drawn: list[tuple[Person, Bones]]) -> None:
    lumbar = slice(L1, S1)
    lordosis = np.degrees([b.body_wedge[lumbar].sum() + b.disc_wedge[lumbar].sum() for _, b in drawn if not b.variants.fused.any()])
    slope = np.degrees([b.sacral_slope for _, b in drawn if not b.variants.fused.any()])
    assert np.mean(lordosis) == pytest.approx(LORDOSIS_DEG, abs=2.5)
    assert np.std(lordosis) == pytest.approx(LORDOSIS_SD_DEG, abs=2.5)
    assert np.mean(slope) == pytest.approx(SLOPE_DEG, abs=1.5)
    assert np.corrcoef(lordosis, slope)[0, 1] > 0.55


def test_mean_sizes_stay_at_the_tables(drawn: list[tuple[Person, Bones]]) -> None:
    table = mean_bones()
    for name in ("body_width", "body_depth", "canal_width", "canal_depth", "pedicle_width", "pedicle_height", "spinous_reach"):
        mean = np.mean([getattr(bones, name) for _, bones in drawn], 0)[L1:S1]
        np.testing.assert_allclose(mean, getattr(table, name)[L1:S1], rtol=0.03)


def test_about_one_patient_in_ten_has_a_transitional_vertebra_and_most_are_sacralised(drawn: list[tuple[Person, Bones]]) -> None:
    kinds = [bones.variants.lumbosacral for _, bones in drawn]
    transitional = [kind for kind in kinds if kind is not Lumbosacral.ORDINARY]
    assert 0.05 < len(transitional) / len(kinds) < 0.15
    assert transitional.count(Lumbosacral.SACRALISED_L5) > 2 * transitional.count(Lumbosacral.LUMBARISED_S1)


def test_the_curve_has_its_cobb_angle_and_turns_bodies_to_its_convexity() -> None:
    bones = replace(mean_bones(), cobb=np.radians(24.0), cobb_span_mm=180.0, rotation_per_cobb=0.4)
    skeleton = stand_up(ordinary(bones))
    leans = lean_deg(skeleton.vertebra_axes[T12 - 1 : S1])
    assert np.ptp(leans) == pytest.approx(24.0, abs=2.5)
    apex = int(np.argmax(skeleton.vertebra_origin[:, 0]))
    assert T12 < apex < L5
    front = -skeleton.vertebra_axes[apex, 1]
    assert np.degrees(np.arctan2(front[0], -front[1])) == pytest.approx(9.6, abs=1.0)
    np.testing.assert_allclose(skeleton.disc_axes[S1:, :, 0], np.eye(3)[:1].repeat(len(skeleton.disc_axes) - S1, 0), atol=1e-9)


def test_the_canal_is_as_deep_and_wide_as_the_bones_say() -> None:
    anatomy = ordinary()
    bones = anatomy.bones
    for vertebra in range(L1, S1):
        back = bones.body_depth[vertebra] / 2
        y = np.arange(back - 4, back + 32, 0.1)
        middle = fields_at(anatomy, vertebra, np.stack([0 * y, y, 0 * y], 1))
        free = middle[:, [columns.BODY, columns.ARCH]].min(1) > 0
        depth = 0.1 * free[: np.argmax(y > back + 24)].sum()
        assert depth == pytest.approx(bones.canal_depth[vertebra], abs=1.5)
        x = np.arange(-24, 24, 0.1)
        across = fields_at(anatomy, vertebra, np.stack([x, 0 * x + back + 3.5, 0 * x + 0.16 * bones.body_height[vertebra]], 1))
        width = 0.1 * (across[:, columns.ARCH] > 0)[np.abs(x) < bones.canal_width[vertebra] / 2 + 4].sum()
        assert width == pytest.approx(bones.canal_width[vertebra], abs=1.5)


def test_spinous_processes_are_blades_of_seven_to_nine_millimetres() -> None:
    anatomy = ordinary()
    x = np.arange(-12, 12, 0.1)
    behind = anatomy.bones.body_depth[L4] / 2 + anatomy.bones.spinous_reach[L4] - 9
    inside = fields_at(anatomy, L4, np.stack([x, 0 * x + behind, 0 * x - 12], 1))[:, columns.ARCH] < 0
    assert 6.5 < 0.1 * inside.sum() < 9.5


def test_a_joint_reaches_from_above_the_disc_plane_to_well_below_it() -> None:
    skeleton = stand_up(ordinary())
    grid = np.stack(np.meshgrid(np.arange(8, 28, 0.5), np.arange(20, 45, 0.5), np.arange(-14, 10, 0.5), indexing="ij"), -1)
    points = skeleton.disc_origin[L4_L5] + grid.reshape(-1, 3) @ skeleton.disc_axes[L4_L5]
    joint = distances(Geometry.of(skeleton), points)[:, columns.JOINT] < 0
    z = grid.reshape(-1, 3)[joint, 2]
    assert 2 < z.max() < 9
    assert z.min() < -11


def test_a_sacralised_l5_touches_the_ala_on_the_sides_drawn_and_its_disc_is_low() -> None:
    variants = replace(Variants.none(), lumbosacral=Lumbosacral.SACRALISED_L5, process_share=np.array([0.0, 1.0]))
    bones = with_variants(mean_bones(), variants, np.random.default_rng(0))
    assert bones.disc_height_range[1, L5_S1] <= 6.0
    assert bones.transverse_radius[LEFT, L5] > bones.transverse_radius[RIGHT, L5] + 4
    anatomy = ordinary(bones)
    anatomy = replace(anatomy, wear=replace(anatomy.wear, disc_height=np.clip(anatomy.wear.disc_height, *bones.disc_height_range)))
    z = np.arange(-28, 6, 0.25)
    gap = {}
    for side, sign in ((LEFT, 1.0), (RIGHT, -1.0)):
        line = np.stack([0 * z + sign * 38, 0 * z + bones.body_depth[L5] / 2 + 5, z], 1)
        gap[side] = 0.25 * (fields_at(anatomy, L5, line)[:, columns.ARCH] > 0).sum()
    assert gap[LEFT] < 3
    assert gap[RIGHT] > gap[LEFT] + 4


def test_ribs_hang_on_the_vertebrae_that_the_variant_names() -> None:
    rng = np.random.default_rng(0)
    without = with_variants(mean_bones(), replace(Variants.none(), thoracolumbar=Thoracolumbar.T12_WITHOUT_RIBS), rng)
    extra = with_variants(mean_bones(), replace(Variants.none(), thoracolumbar=Thoracolumbar.L1_WITH_RIBS), rng)
    rib_point = [[44.0, mean_bones().body_depth[T12] / 2 + 11, -4.0]]
    assert fields_at(ordinary(), T12, np.array(rib_point))[0, columns.ARCH] < 1
    assert fields_at(ordinary(without), T12, np.array(rib_point))[0, columns.ARCH] > 5
    assert (without.rib[:, T12] == 0).all()
    assert (extra.rib[:, L1] > 0.2).all()
    assert (extra.rib[:, L1] < 0.6).all()


def test_screws_lie_in_the_pedicles_of_the_levels_operated_on_alone() -> None:
    screws = np.zeros(len(VERTEBRAE))
    screws[L4] = 1
    surgery = replace(Surgery.none(), screws=screws)
    anatomy = ordinary(replace(mean_bones(), variants=replace(Variants.none(), surgery=surgery)))
    bones = anatomy.bones
    for vertebra in (L4, T12):
        pedicle = [(bones.canal_width[vertebra] + bones.pedicle_width[vertebra]) / 2, bones.body_depth[vertebra] / 2 + 4]
        points = np.array([[sign * pedicle[0], pedicle[1], 0.16 * bones.body_height[vertebra]] for sign in (-1, 1)])
        field = fields_at(anatomy, vertebra, points)[:, columns.HARDWARE]
        assert (field < 0).all() if vertebra == L4 else (field > 10).all()


def test_laminectomy_takes_the_spinous_process_and_leaves_the_joints() -> None:
    removed = np.zeros(len(VERTEBRAE))
    removed[L4] = 1
    operated = replace(mean_bones(), variants=replace(Variants.none(), surgery=replace(Surgery.none(), laminectomy=removed)))
    bones = mean_bones()
    spinous = np.array([[0.0, bones.body_depth[L4] / 2 + 38, -10.0]])
    inferior = np.array([[15.0, bones.body_depth[L4] / 2 + 16, -25.0]])
    assert fields_at(ordinary(), L4, spinous)[0, columns.ARCH] < 0
    assert fields_at(ordinary(operated), L4, spinous)[0, columns.ARCH] > 3
    assert fields_at(ordinary(operated), L4, inferior)[0, columns.ARCH] < 0


def test_a_foraminal_spur_and_a_cyst_stay_on_their_side() -> None:
    anatomy = ordinary()
    spur, cyst = np.zeros((2, len(VERTEBRAE) - 1)), np.zeros((2, len(VERTEBRAE) - 1))
    spur[LEFT, L4_L5], cyst[LEFT, L4_L5] = 4.0, 4.0
    plain = replace(anatomy, wear=replace(anatomy.wear, foraminal_spur=0 * spur, synovial_cyst=0 * cyst))
    grown = replace(anatomy, wear=replace(anatomy.wear, foraminal_spur=spur, synovial_cyst=cyst))
    rng = np.random.default_rng(0)
    skeleton = stand_up(plain)
    local = rng.uniform((4, 15, -8), (26, 32, 12), (4000, 3))
    changed = {}
    for side, sign in ((LEFT, 1.0), (RIGHT, -1.0)):
        points = skeleton.disc_origin[L4_L5] + (local * (sign, 1, 1)) @ skeleton.disc_axes[L4_L5]
        before, after = (distances(Geometry.of(stand_up(each)), points) for each in (plain, grown))
        changed[side] = [int(((before[:, c] > 0) != (after[:, c] > 0)).sum()) for c in (columns.ARCH, columns.JOINT)]
    assert min(changed[LEFT]) > 20
    assert changed[RIGHT] == [0, 0]


def test_iliac_wings_flank_the_sacrum_and_not_the_upper_lumbar_spine() -> None:
    geometry = Geometry.of(stand_up(ordinary()))
    x = np.arange(55, 130, 1.0)
    beside = {z: distances(geometry, np.stack([x, 0 * x, 0 * x + z], 1))[:, columns.ARCH].min() for z in (-10.0, 90.0)}
    assert beside[-10.0] < -2
    assert beside[90.0] > 10
