"""A patient who moves between series is found out from the pictures alone."""

from dataclasses import replace

import numpy as np
import pytest

from lumbargrade.geometry.affine import SliceAffine
from lumbargrade.grade import sites_from_locations
from lumbargrade.grade.crop import Crop, crop_site
from lumbargrade.grade.recipe import SUBARTICULAR_AXIAL
from lumbargrade.localise.motion import axial_motion
from lumbargrade.study import Instance, LevelLocation, Series, SeriesTiming, Stack, Study
from lumbargrade.terms import LEVELS, Condition, Finding, Laterality, SeriesRole

CANALS = np.array([[4.0, 30, 60], [3, 26, 28], [2, 25, -5], [2, 28, -38], [4, 38, -68]])
LEFT, POSTERIOR, FEET = np.array([1.0, 0, 0]), np.array([0.0, 1, 0]), np.array([0.0, 0, -1])
WAVES = np.random.default_rng(8).normal(size=(40, 3)) * 2 * np.pi / 30
PHASES = np.random.default_rng(9).uniform(0, 2 * np.pi, 40)


def tissue(points_lps: np.ndarray) -> np.ndarray:
    """A field that is bright and dark over a centimetre or two in every direction."""
    return 300 + 25 * np.cos(points_lps @ WAVES.T + PHASES).sum(-1)


def taken(affine: SliceAffine, shape: tuple[int, int], moved: np.ndarray, noise: float) -> np.ndarray:
    columns, rows = np.meshgrid(np.arange(shape[1]), np.arange(shape[0]))
    points = affine.to_lps(np.stack([columns.ravel(), rows.ravel()], 1))
    picture = tissue(points - moved).reshape(shape)
    return (picture + noise * np.random.default_rng(abs(int(affine.origin_lps_mm.sum() * 10))).normal(size=shape)).astype(np.float32)


def series(
    role: SeriesRole, uid: str, affines: list[SliceAffine], shape: tuple[int, int], moved: np.ndarray, noise: float = 10.0
) -> Series:
    slices = [Instance(f"{uid}.{number}", number, affine, taken(affine, shape, moved, noise)) for number, affine in enumerate(affines, 1)]
    return Series(uid, uid, "", SeriesTiming(), role, "made so", (Stack.ordered(slices),))


def sagittal(role: SeriesRole = SeriesRole.SAGITTAL_T2) -> Series:
    affines = [SliceAffine(np.array([-36.0 + 4.2 * n, -60, 110]), POSTERIOR, FEET, 0.9, 0.9) for n in range(19)]
    return series(role, "1.1", affines, (240, 190), np.zeros(3), 10.0)


def axial(moved: np.ndarray, uid: str = "1.2", noise: float = 10.0) -> Series:
    heights = [float(canal[2]) + offset for canal in CANALS for offset in (4.0, 0.0, -4.0)]
    affines = [SliceAffine(np.array([-60.0, -30, height]), LEFT, POSTERIOR, 0.8, 0.8) for height in heights]
    return series(SeriesRole.AXIAL_T2, uid, affines, (150, 150), moved, noise)


def locations() -> list[LevelLocation]:
    head = np.array([0.0, 0, 1])
    return [
        LevelLocation(
            level,
            canal,
            canal - 25 * POSTERIOR,
            head,
            dict.fromkeys(Laterality, canal),
            {side: canal + side.lps_sign * 9 * LEFT for side in Laterality},
            1.0,
        )
        for level, canal in zip(LEVELS, CANALS, strict=True)
    ]


@pytest.mark.parametrize("moved", [[3.0, -2.0, 4.0], [-1.5, 5.0, -3.0], [0.0, 0.0, 6.0]])
def test_a_patient_who_moved_is_followed_to_within_a_millimetre(moved: list[float]) -> None:
    found, problems = axial_motion(Study("1", "s", (sagittal(), axial(np.array(moved)))), locations())
    np.testing.assert_allclose(found["1.2"], moved, atol=1.0)
    assert ("patient_moved" in {problem.code for problem in problems}) == (np.linalg.norm(moved) >= 4)


def test_a_patient_who_lay_still_is_left_where_they_were() -> None:
    found, problems = axial_motion(Study("1", "s", (sagittal(), axial(np.zeros(3)))), locations())
    assert np.linalg.norm(found.get("1.2", np.zeros(3))) < 0.8
    assert problems == ()


def test_every_axial_series_has_its_own_motion() -> None:
    study = Study("1", "s", (sagittal(), axial(np.array([3.0, 0, 0])), axial(np.array([0.0, -4, 0]), "1.3")))
    found, _ = axial_motion(study, locations())
    np.testing.assert_allclose(found["1.2"], [3, 0, 0], atol=1.0)
    np.testing.assert_allclose(found["1.3"], [0, -4, 0], atol=1.0)


def test_pictures_that_show_something_else_move_nothing() -> None:
    noise = axial(np.array([3.0, 0, 0]), noise=2000.0)
    assert axial_motion(Study("1", "s", (sagittal(), noise)), locations()) == ({}, ())


def test_without_a_sagittal_t2_or_levels_nothing_is_said() -> None:
    moved = axial(np.array([3.0, 0, 0]))
    assert axial_motion(Study("1", "s", (sagittal(SeriesRole.SAGITTAL_T1), moved)), locations()) == ({}, ())
    assert axial_motion(Study("1", "s", (sagittal(), moved)), []) == ({}, ())


@pytest.mark.parametrize("odd_first", [True, False])
def test_a_slice_of_another_shape_is_passed_over(odd_first: bool) -> None:
    """As when a technician repeats one slice with another matrix; the others are a volume still."""
    whole = sagittal()
    odd = 0 if odd_first else 7
    slices = list(whole.stacks[0].instances)
    slices[odd] = replace(slices[odd], pixels=slices[odd].pixels[:200, :180])
    mixed = replace(whole, stacks=(Stack.ordered(slices),))
    shift = np.array([2.0, -3.0, 4.0])
    found, _ = axial_motion(Study("1", "study", (mixed, axial(shift))), locations())
    np.testing.assert_allclose(found["1.2"], shift, atol=1.0)


def test_slices_that_are_no_volume_say_nothing() -> None:
    whole = sagittal()
    slices = whole.stacks[0].instances
    single = replace(whole, stacks=(Stack.ordered(slices[9:10]),))
    unequal = replace(whole, stacks=(Stack.ordered([slices[9], replace(slices[10], pixels=slices[10].pixels[:200])]),))
    for series in (single, unequal):
        assert axial_motion(Study("1", "study", (series, axial(np.zeros(3)))), locations()) == ({}, ())


def test_a_site_is_read_where_the_patient_had_moved_to() -> None:
    moved = np.array([3.0, -2.0, 4.0])
    study = Study("1", "s", (sagittal(), axial(moved)))
    found, _ = axial_motion(study, locations())
    finding = Finding(Condition.SUBARTICULAR_STENOSIS, Laterality.LEFT, LEVELS[2])
    site = sites_from_locations(locations(), found)[finding]
    crop = crop_site(study, site, SUBARTICULAR_AXIAL)
    assert isinstance(crop, Crop)
    np.testing.assert_allclose(crop.evidence.point_lps_mm, site.point_lps_mm + moved, atol=1.0)
    assert crop.evidence.point_lps_mm[2] == pytest.approx(site.point_lps_mm[2] + 4, abs=1.0)
