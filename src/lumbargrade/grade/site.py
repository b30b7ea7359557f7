"""Where to look: the point in the patient at which a finding is read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.study import LevelLocation
from lumbargrade.terms import LEVELS, Condition, Finding, Laterality


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """The place of one finding.

    Attributes:
        point_lps_mm: (3,) where the crops are centred.
        disc_normal: (3,) unit normal of the disc plane, None where only coordinates are known.
    """

    finding: Finding
    point_lps_mm: FloatArray
    disc_normal: FloatArray | None = None


def sites_from_locations(locations: Sequence[LevelLocation]) -> dict[Finding, Site]:
    """The five sites of every located level."""
    sites: dict[Finding, Site] = {}
    for location in locations:
        points = {Finding(Condition.SPINAL_CANAL_STENOSIS, None, location.level): location.canal_lps_mm}
        for side, point in location.foramen_lps_mm.items():
            points[Finding(Condition.NEURAL_FORAMINAL_NARROWING, side, location.level)] = point
        for side, point in location.subarticular_lps_mm.items():
            points[Finding(Condition.SUBARTICULAR_STENOSIS, side, location.level)] = point
        sites |= {finding: Site(finding, point, location.disc_normal) for finding, point in points.items()}
    return sites


def sites_from_points(points_lps_mm: Mapping[Finding, FloatArray]) -> dict[Finding, Site]:
    """Sites at given (3,) coordinates; a canal without one lies midway between its level's two subarticular points."""
    points = dict(points_lps_mm)
    for level in LEVELS:
        canal = Finding(Condition.SPINAL_CANAL_STENOSIS, None, level)
        left, right = (Finding(Condition.SUBARTICULAR_STENOSIS, side, level) for side in Laterality)
        if canal not in points and left in points and right in points:
            points[canal] = (points[left] + points[right]) / 2
    return {finding: Site(finding, point) for finding, point in points.items()}
