"""Where discs and vertebrae of a synthetic patient are said to lie."""

import numpy as np
import pytest

from lumbargrade.phantom.anatomy import sample_anatomy
from lumbargrade.phantom.numbering import LUMBAR_DISCS, N_DISCS, N_VERTEBRAE
from lumbargrade.phantom.person import AnatomyConfig
from lumbargrade.phantom.pose import Pose, rotation
from lumbargrade.phantom.skeleton import Skeleton, stand_up
from lumbargrade.phantom.spine import place_spine
from lumbargrade.phantom.variants import Lumbosacral, sample_variants

STRAIGHT = Pose(np.eye(3), np.zeros(3))


def canals_of(skeleton: Skeleton) -> np.ndarray:
    points = [skeleton.to_body(disc, (0.0, skeleton.disc_depth[disc] + 8.0, 0.0)) for disc in LUMBAR_DISCS]
    return np.array([skeleton.across_from_disc(disc, point) for disc, point in zip(LUMBAR_DISCS, points, strict=True)])


@pytest.fixture(scope="module")
def skeletons() -> list[Skeleton]:
    return [stand_up(sample_anatomy(np.random.default_rng(seed), AnatomyConfig())) for seed in range(8)]


def test_the_canal_point_is_the_one_nearest_to_the_discs_back_margin_along_the_canal(skeletons: list[Skeleton]) -> None:
    for skeleton in skeletons:
        for disc, canal in zip(LUMBAR_DISCS, canals_of(skeleton), strict=True):
            back = skeleton.to_body(disc, (0.0, float(skeleton.disc_depth[disc]), 0.0))
            again = skeleton.across_from_disc(disc, canal)
            assert np.linalg.norm(again - canal) < 1.0
            assert 4 < np.linalg.norm(canal - back) < 16


def test_at_l5_s1_it_lies_above_the_discs_plane(skeletons: list[Skeleton]) -> None:
    heights = []
    for skeleton in skeletons:
        disc = LUMBAR_DISCS[-1]
        heights.append(float((canals_of(skeleton)[-1] - skeleton.disc_origin[disc]) @ skeleton.disc_axes[disc, 2]))
    assert np.median(heights) > 1


def test_every_disc_lies_between_its_vertebrae_and_turns_with_the_patient(skeletons: list[Skeleton]) -> None:
    pose = Pose(rotation(np.array([4.0, -3.0, 5.0])), np.array([10.0, -20.0, 30.0]))
    for skeleton in skeletons:
        canals = canals_of(skeleton)
        still, turned = place_spine(skeleton, canals, STRAIGHT), place_spine(skeleton, canals, pose)
        assert (len(still.discs), len(still.vertebrae)) == (N_DISCS, N_VERTEBRAE)
        for index, (disc, moved) in enumerate(zip(still.discs, turned.discs, strict=True)):
            above, below = still.vertebrae[index].corners_lps_mm, still.vertebrae[index + 1].corners_lps_mm
            assert disc.name == f"{still.vertebrae[index].name}/{still.vertebrae[index + 1].name}"
            assert (above.mean(0) - disc.center_lps_mm) @ disc.normal > 0 > (below.mean(0) - disc.center_lps_mm) @ disc.normal
            np.testing.assert_allclose(moved.center_lps_mm, pose.to_scanner(disc.center_lps_mm), atol=1e-6)
            np.testing.assert_allclose(moved.normal, pose.turn @ disc.normal, atol=1e-6)


def test_rare_spines_come_as_often_as_asked() -> None:
    def share(variants: float) -> float:
        drawn = [sample_variants(np.random.default_rng(seed), AnatomyConfig(variants=variants)).lumbosacral for seed in range(600)]
        return float(np.mean([each is not Lumbosacral.ORDINARY for each in drawn]))

    assert share(0.0) == 0
    assert 0.06 < share(1.0) < 0.14
    assert 0.15 < share(2.0) < 0.26
