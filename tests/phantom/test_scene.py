"""What lies around and inside the spine: muscles, organs, vessels, marrow and discs are where anatomy has them."""

import numpy as np
import pytest

from lumbargrade.geometry.affine import FloatArray, SliceAffine
from lumbargrade.phantom.anatomy import sample_anatomy
from lumbargrade.phantom.inside import I_GAS, L_DISC, L_FAT, sample_discs_inside, sample_lesions
from lumbargrade.phantom.numbering import LUMBAR_DISCS, S1
from lumbargrade.phantom.organs import (
    CELL_BOTTOM_MM,
    CELL_MM,
    CELL_SIDE_MM,
    O_BEHIND,
    O_CONTENT,
    O_HALF_DEPTH,
    O_HALF_HEIGHT,
    O_HALF_WIDTH,
    O_LEAN,
    O_SIDE,
    O_Z,
)
from lumbargrade.phantom.person import AnatomyConfig
from lumbargrade.phantom.render import Plane, render_slice
from lumbargrade.phantom.scene import Scene, build_scene
from lumbargrade.phantom.skeleton import Skeleton, stand_up
from lumbargrade.phantom.tissue import N_TISSUES, Signals, Tissue
from lumbargrade.phantom.trunk import (
    CAVA,
    LEFT_ARTERY,
    PSOAS,
    RIGHT_ARTERY,
    T_FAT,
    TRUNK_BOTTOM_MM,
    height_of,
    tabulate_trunk,
)

L4 = S1 - 2


def scene_of(seed: int, clutter: float = 1.0) -> Scene:
    anatomy_rng, scene_rng = np.random.default_rng(seed).spawn(2)
    return build_scene(sample_anatomy(anatomy_rng, AnatomyConfig()), scene_rng, clutter)


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [scene_of(seed) for seed in range(12)]


@pytest.fixture(scope="module")
def skeletons() -> list[Skeleton]:
    return [stand_up(sample_anatomy(np.random.default_rng(seed), AnatomyConfig())) for seed in range(60)]


def row_at(skeleton: Skeleton, level: float) -> int:
    return round(height_of(skeleton, level) - TRUNK_BOTTOM_MM)


def only(tissue: Tissue) -> Signals:
    """Signals in which one tissue alone shines, in water."""
    water = np.zeros((1, N_TISSUES), np.float32)
    water[0, tissue] = 1
    return Signals(water, np.zeros_like(water))


def axial(scene: Scene, z: float) -> Plane:
    """A horizontal slice of 400 mm at 2 mm, patient's left at the right of the picture."""
    return Plane(SliceAffine(np.array([-200.0, -260.0, z]), np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), 2.0, 2.0), 200, 200, 4.0)


def shown(scene: Scene, tissue: Tissue, z: float) -> FloatArray:
    """(200, 200) share of each pixel of the axial slice that is the tissue."""
    return np.asarray(render_slice(scene, axial(scene, z), only(tissue))[0, 0])


def test_psoas_has_the_published_size_at_l4_and_differs_between_the_sides(skeletons: list[Skeleton]) -> None:
    areas, differences = [], []
    for seed, skeleton in enumerate(skeletons):
        muscles = tabulate_trunk(skeleton, np.random.default_rng(seed))[1]
        sides = np.pi * muscles[row_at(skeleton, L4), :, PSOAS, 2] * muscles[row_at(skeleton, L4), :, PSOAS, 3] / 100
        areas.append(sides.mean())
        differences.append(abs(sides[0] - sides[1]) / sides.mean())
    assert 7 < np.percentile(areas, 10) < np.percentile(areas, 90) < 16
    assert 0.02 < np.median(differences) < 0.3


def test_psoas_grows_from_l1_to_l4_and_moves_aside(skeletons: list[Skeleton]) -> None:
    for seed, skeleton in enumerate(skeletons[:15]):
        psoas = tabulate_trunk(skeleton, np.random.default_rng(seed))[1][:, :, PSOAS]
        upper, lower = psoas[row_at(skeleton, L4 - 3)], psoas[row_at(skeleton, L4)]
        assert (lower[:, 2] > 1.5 * upper[:, 2]).all()
        assert (lower[:, 0] > upper[:, 0]).all()


def test_aorta_divides_mostly_at_l4_left_of_the_vena_cava(skeletons: list[Skeleton]) -> None:
    at_l4 = 0
    for seed, skeleton in enumerate(skeletons):
        vessels = tabulate_trunk(skeleton, np.random.default_rng(seed))[2]
        apart = np.abs(vessels[:, LEFT_ARTERY, 0] - vessels[:, RIGHT_ARTERY, 0]) > 0.5
        divides = TRUNK_BOTTOM_MM + int(np.flatnonzero(apart).max())
        middle, half = height_of(skeleton, L4), skeleton.anatomy.bones.body_height[L4] / 2 + 6
        at_l4 += abs(divides - middle) < half
        assert vessels[row_at(skeleton, L4 - 2), LEFT_ARTERY, 0] > vessels[row_at(skeleton, L4 - 2), CAVA, 0] + 5
    assert 0.5 < at_l4 / len(skeletons) < 0.95


def test_fat_under_the_skin_at_l4_is_from_a_few_to_some_45_millimetres(skeletons: list[Skeleton]) -> None:
    fat = [tabulate_trunk(skeleton, np.random.default_rng(seed))[0][row_at(skeleton, L4), T_FAT] for seed, skeleton in enumerate(skeletons)]
    assert 3 < min(fat) < 12
    assert 18 < max(fat) < 60


def test_every_organ_is_found_in_each_cell_that_it_reaches(scenes: list[Scene]) -> None:
    for scene in scenes[:3]:
        surroundings = scene.surroundings
        for index, organ in enumerate(surroundings.organs):
            for up in (-0.9, 0.0, 0.9):
                for aside in (-0.4, 0.0, 0.4):
                    side = organ[O_SIDE] + aside * organ[O_HALF_WIDTH] + organ[O_LEAN] * up * organ[O_HALF_HEIGHT]
                    row = int((organ[O_Z] + up * organ[O_HALF_HEIGHT] - CELL_BOTTOM_MM) // CELL_MM)
                    column = int((side - CELL_SIDE_MM) // CELL_MM)
                    assert index in surroundings.organs_by_cell[row, column]


def test_kidneys_lie_lateral_to_the_psoas(scenes: list[Scene]) -> None:
    for scene in scenes:
        kidneys = [
            o for o in scene.surroundings.organs if o[O_CONTENT] == Tissue.ORGAN and o[O_HALF_HEIGHT] > 45 and abs(o[O_BEHIND] + 36) < 15
        ]
        kidneys = [o for o in kidneys if o[O_HALF_DEPTH] < 28]
        assert {np.sign(o[O_SIDE]) for o in kidneys} == {-1.0, 1.0}
        for kidney in kidneys:
            side = int(kidney[O_SIDE] > 0)
            psoas = scene.surroundings.muscles[round(kidney[O_Z] - TRUNK_BOTTOM_MM), side, PSOAS]
            assert abs(kidney[O_SIDE]) - kidney[O_HALF_WIDTH] > psoas[0]


def test_more_clutter_means_more_organs_and_lesions(skeletons: list[Skeleton]) -> None:
    few = [len(sample_lesions(skeleton, np.random.default_rng(seed), 0.5)) for seed, skeleton in enumerate(skeletons)]
    many = [len(sample_lesions(skeleton, np.random.default_rng(seed), 2.0)) for seed, skeleton in enumerate(skeletons)]
    assert sum(many) > 2 * sum(few)
    assert len(scene_of(1, 2.0).surroundings.organs) > len(scene_of(1, 0.5).surroundings.organs)


def test_endplate_changes_are_fatty_mostly_and_where_discs_are_dry(skeletons: list[Skeleton]) -> None:
    fatty = other = 0
    dry: list[bool] = []
    moist: list[bool] = []
    for seed, skeleton in enumerate(skeletons):
        lesions = sample_lesions(skeleton, np.random.default_rng(seed), 1.0)
        for disc in LUMBAR_DISCS:
            near = [o for o in lesions if o[L_DISC] < 0 and abs((o[:3] - skeleton.disc_origin[disc]) @ skeleton.disc_axes[disc, 2]) < 9]
            near = [o for o in near if np.linalg.norm(o[:3] - skeleton.disc_origin[disc]) < 32]
            fatty += any(o[L_FAT] > 1 for o in near)
            other += bool(near) and all(o[L_FAT] <= 1 for o in near)
            (dry if skeleton.anatomy.wear.hydration[disc] < 0.4 else moist).append(bool(near))
    assert fatty > 3 * other
    assert np.mean(dry) > np.mean(moist) + 0.15


def test_gas_is_in_dry_discs_only(skeletons: list[Skeleton]) -> None:
    gas = 0
    for seed, skeleton in enumerate(skeletons):
        discs = sample_discs_inside(skeleton, np.random.default_rng(seed))
        gas += int((discs[:, I_GAS] > 0).sum())
        assert (skeleton.anatomy.wear.hydration[discs[:, I_GAS] > 0] < 0.25).all()
    assert gas > 0


def test_the_body_ends_at_a_skin_that_is_hollow_over_the_spine(scenes: list[Scene]) -> None:
    for scene in scenes[:4]:
        z = float(scene.skeleton.disc_origin[LUMBAR_DISCS[2], 2])
        everything = Signals(np.ones((1, N_TISSUES), np.float32), np.zeros((1, N_TISSUES), np.float32))
        body = render_slice(scene, axial(scene, z), everything)[0, 0] > 0.2
        assert not body[0].any()
        assert not body[-1].any()
        back = np.array([np.flatnonzero(body[:, column]).max() for column in range(60, 141)])
        middle = back[30:51].min()
        assert back[:30].max() > middle
        assert back[51:].max() > middle
        assert back[0] < back.max()


def test_muscles_are_on_both_sides_and_not_mirror_images(scenes: list[Scene]) -> None:
    for scene in scenes[:4]:
        x = scene.skeleton.disc_origin[LUMBAR_DISCS[2], 0]
        muscle = shown(scene, Tissue.MUSCLE, float(scene.skeleton.disc_origin[LUMBAR_DISCS[2], 2]))
        middle = round((x + 200) / 2)
        right, left = muscle[:, middle - 50 : middle][:, ::-1], muscle[:, middle : middle + 50]
        assert 0.5 < right.sum() / left.sum() < 2.0
        assert np.abs(right - left).sum() > 0.15 * (right.sum() + left.sum())


def test_csf_is_lost_to_flow_in_axial_slices_above_l4_only() -> None:
    scene = scene_of(3)
    flowing = Scene(scene.anatomy, scene.skeleton, scene.geometry, scene.surroundings._replace(flow_void=0.75))
    still = Scene(scene.anatomy, scene.skeleton, scene.geometry, scene.surroundings._replace(flow_void=0.0))
    above = [float(scene.skeleton.disc_origin[LUMBAR_DISCS[0], 2]) + offset for offset in (-20, -10, 0, 10, 20)]
    below = float(scene.skeleton.disc_origin[LUMBAR_DISCS[-1], 2])
    kept = sum(shown(flowing, Tissue.CSF, z).sum() for z in above) / sum(shown(still, Tissue.CSF, z).sum() for z in above)
    assert 0.3 < kept < 0.95
    np.testing.assert_array_equal(shown(flowing, Tissue.CSF, below), shown(still, Tissue.CSF, below))


def test_the_same_seed_gives_the_same_surroundings() -> None:
    for one, other in zip(scene_of(5).surroundings, scene_of(5).surroundings, strict=True):
        np.testing.assert_array_equal(one, other)
