import numpy as np

from lumbargrade.grade import Site, sites_from_locations, sites_from_points
from lumbargrade.study import LevelLocation
from lumbargrade.terms import Condition, Finding, Laterality, Level

LEFT = Finding(Condition.SUBARTICULAR_STENOSIS, Laterality.LEFT, Level.L3_L4)
CANAL = Finding(Condition.SPINAL_CANAL_STENOSIS, None, Level.L3_L4)


def test_a_canal_without_coordinates_lies_midway_between_its_subarticular_points():
    sites = sites_from_points({LEFT: np.array([10.0, 2.0, 5.0]), LEFT.mirrored: np.array([-6.0, 4.0, 7.0])})
    assert set(sites) == {LEFT, LEFT.mirrored, CANAL}
    np.testing.assert_allclose(sites[CANAL].point_lps_mm, [2.0, 3.0, 6.0])


def test_a_canal_with_coordinates_keeps_them():
    sites = sites_from_points({LEFT: np.ones(3), LEFT.mirrored: np.ones(3), CANAL: np.array([9.0, 8.0, 7.0])})
    np.testing.assert_array_equal(sites[CANAL].point_lps_mm, [9.0, 8.0, 7.0])


def test_one_subarticular_point_alone_makes_no_canal():
    assert set(sites_from_points({LEFT: np.ones(3)})) == {LEFT}


def test_a_located_level_gives_five_sites_with_its_disc_plane():
    normal = np.array([0.0, 0.6, 0.8])
    sides = {side: np.array([side.lps_sign * 9.0, 0.0, 0.0]) for side in Laterality}
    sites = sites_from_locations([LevelLocation(Level.L3_L4, np.zeros(3), np.array([0.0, -27.0, 0.0]), normal, sides, sides, 0.9)])
    assert len(sites) == 5
    assert all(site.disc_center_lps_mm[1] == -27.0 for site in sites.values())
    assert all(site.finding is finding and site.disc_normal is normal for finding, site in sites.items())
    assert all(site.point_lps_mm[0] == site.finding.laterality.lps_sign * 9.0 for finding, site in sites.items() if finding != CANAL)


def test_the_disc_passes_where_its_plane_meets_the_line_along_its_normal():
    site = Site(CANAL, np.array([0.0, 0.0, 3.0]), np.array([0.0, 0.0, 1.0]), np.array([5.0, -30.0, 1.0]))
    np.testing.assert_allclose(site.disc_lps_mm, [0.0, 0.0, 1.0])
    np.testing.assert_allclose(Site(CANAL, np.array([1.0, 2.0, 3.0])).disc_lps_mm, [1.0, 2.0, 3.0])
