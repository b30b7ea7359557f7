"""What is scanned of a patient."""

import numpy as np
import pytest

from lumbargrade.geometry.orientation import AnatomicalPlane, angle_between_deg
from lumbargrade.phantom.anatomy import sample_anatomy
from lumbargrade.phantom.contrast import Contrast
from lumbargrade.phantom.mr import Weighting
from lumbargrade.phantom.numbering import LUMBAR_DISCS
from lumbargrade.phantom.person import AnatomyConfig
from lumbargrade.phantom.protocol import ProtocolConfig, Scan, plan_study
from lumbargrade.phantom.scanner import Scanner, Vendor, sample_scanner
from lumbargrade.phantom.skeleton import Skeleton, stand_up
from lumbargrade.terms import SeriesRole

STUDIES = 60
SCANNER = Scanner(Vendor.PHILIPS, "Philips Medical Systems", "Ingenia", 3.0)


@pytest.fixture(scope="module")
def studies() -> list[tuple[Skeleton, tuple[Scan, ...]]]:
    planned = []
    for seed in range(STUDIES):
        rng = np.random.default_rng(seed)
        skeleton = stand_up(sample_anatomy(rng, AnatomyConfig()))
        planned.append((skeleton, plan_study(skeleton, sample_scanner(Contrast.PHYSICS, rng), ProtocolConfig(), rng)))
    return planned


def of_plane(scans: tuple[Scan, ...], plane: AnatomicalPlane) -> list[Scan]:
    return [scan for scan in scans if scan.plane is plane]


def canal_points(skeleton: Skeleton) -> np.ndarray:
    return np.array([skeleton.to_body(disc, (0.0, skeleton.disc_depth[disc] + 5.0, 0.0)) for disc in LUMBAR_DISCS])


def test_every_study_has_each_role(studies: list[tuple[Skeleton, tuple[Scan, ...]]]) -> None:
    for _, scans in studies:
        roles = {scan.role(weighting) for scan in scans for weighting in scan.weightings}
        assert roles == {SeriesRole.SAGITTAL_T1, SeriesRole.SAGITTAL_T2, SeriesRole.AXIAL_T2}
    stir = [any(Weighting.STIR in scan.weightings for scan in scans) for _, scans in studies]
    assert 0.1 < np.mean(stir) < 0.45


def test_sagittal_slices_hold_the_lumbar_canal_and_both_rows_of_foramina(studies: list[tuple[Skeleton, tuple[Scan, ...]]]) -> None:
    shown, reached = [], []
    for skeleton, scans in studies:
        for scan in of_plane(scans, AnatomicalPlane.SAGITTAL):
            assert 13 <= len(scan.planes) <= 19
            middle = scan.planes[len(scan.planes) // 2]
            column, row = middle.affine.to_px(canal_points(skeleton)).T
            assert (column > 20).all()
            assert (column < middle.columns - 20).all()
            shown.append((row > 0).all() and (row < middle.rows).all())
            foramina = canal_points(skeleton)[[0, -1, 0, -1]] + np.array([[-20.0, 0, 0], [-20, 0, 0], [20, 0, 0], [20, 0, 0]])
            nearest = np.array([np.abs(plane.affine.distances_mm(foramina)) for plane in scan.planes]).min(0)
            reached.append((nearest < scan.spacing_mm / 2 + 1).mean())
    assert np.mean(shown) > 0.95
    assert np.mean(reached) > 0.97


def test_stacks_come_in_both_orders_and_numbers_ascend(studies: list[tuple[Skeleton, tuple[Scan, ...]]]) -> None:
    leftwards, headwards = set(), set()
    for _, scans in studies:
        for scan in scans:
            assert len(scan.planes) == len(scan.instance_numbers)
            assert all(np.diff(scan.instance_numbers) > 0)
            first, last = (scan.planes[index].affine.origin_lps_mm for index in (0, -1))
            if scan.plane is AnatomicalPlane.SAGITTAL:
                leftwards.add(bool(last[0] > first[0]))
            else:
                headwards.add(bool(last[2] > first[2]))
    assert leftwards == headwards == {True, False}
    starts = [scan.instance_numbers[0] for _, scans in studies for scan in scans]
    assert 0.85 < np.mean(np.array(starts) == 1) < 1


def test_axials_are_angled_to_their_disc_in_one_of_three_styles(studies: list[tuple[Skeleton, tuple[Scan, ...]]]) -> None:
    counts, errors = set(), []
    for skeleton, scans in studies:
        normals: list[np.ndarray] = []
        for scan in of_plane(scans, AnatomicalPlane.AXIAL):
            for plane in scan.planes:
                if not normals or angle_between_deg(normals[-1], plane.affine.normal) > 1e-3:
                    normals.append(plane.affine.normal)
        counts.add(len(normals))
        lowest = min(normals, key=lambda normal: angle_between_deg(normal, skeleton.disc_axes[LUMBAR_DISCS[-1], 2]))
        if len(normals) > 1:
            errors.append(angle_between_deg(lowest, skeleton.disc_axes[LUMBAR_DISCS[-1], 2]))
    assert {1, 2, 3, 5} <= counts
    assert np.median(errors) < 6


def test_short_axials_leave_the_upper_levels_out() -> None:
    for seed in range(6):
        rng = np.random.default_rng(seed)
        skeleton = stand_up(sample_anatomy(rng, AnatomyConfig()))
        scans = plan_study(skeleton, SCANNER, ProtocolConfig(short_axials=1.0), rng)
        slices = [plane.affine for scan in of_plane(scans, AnatomicalPlane.AXIAL) for plane in scan.planes]
        canal = canal_points(skeleton)
        nearest = np.array([np.abs(affine.distances_mm(canal)) for affine in slices]).min(0)
        assert nearest[0] > 8
        assert nearest[-1] < 4


def test_a_missing_series_is_the_t1_or_the_axials() -> None:
    lacking = set()
    for seed in range(12):
        rng = np.random.default_rng(seed)
        skeleton = stand_up(sample_anatomy(rng, AnatomyConfig()))
        scans = plan_study(skeleton, SCANNER, ProtocolConfig(missing_series=1.0), rng)
        present = {scan.role(weighting) for scan in scans for weighting in scan.weightings}
        assert SeriesRole.SAGITTAL_T2 in present
        assert len(present) == 2
        lacking |= set(SeriesRole) - present - {SeriesRole.OTHER}
    assert lacking == {SeriesRole.SAGITTAL_T1, SeriesRole.AXIAL_T2}


def test_slices_are_as_thick_and_as_far_apart_as_in_hospitals(studies: list[tuple[Skeleton, tuple[Scan, ...]]]) -> None:
    scans = [scan for _, scans in studies for scan in of_plane(scans, AnatomicalPlane.SAGITTAL)]
    thickness = np.array([scan.planes[0].thickness_mm for scan in scans])
    spacing = np.array([scan.spacing_mm for scan in scans])
    assert np.median(thickness) == 4.0
    assert np.median(spacing) == pytest.approx(4.4, abs=0.15)
    assert (spacing >= 0.999 * thickness).all()
    assert spacing.max() <= 5.2


def test_a_study_of_few_sagittal_slices_has_no_axials_and_every_third_slice() -> None:
    counts = []
    for seed in range(12):
        plans = []
        for few in (False, True):
            rng = np.random.default_rng(seed)
            skeleton = stand_up(sample_anatomy(rng, AnatomyConfig()))
            plans.append(plan_study(skeleton, SCANNER, ProtocolConfig(few_sagittal=few, own_t1_planes=0.0), rng))
        whole, few_scans = plans
        (scan,), (sagittal,) = few_scans, of_plane(whole, AnatomicalPlane.SAGITTAL)
        assert set(scan.instance_numbers) < set(sagittal.instance_numbers)
        assert scan.spacing_mm == pytest.approx(3 * sagittal.spacing_mm)
        steps = np.diff([plane.affine.origin_lps_mm for plane in scan.planes], axis=0)
        np.testing.assert_allclose(np.linalg.norm(steps, axis=1), scan.spacing_mm, atol=1e-6)
        counts.append(len(scan.planes))
    assert 4 <= min(counts) <= max(counts) <= 7
