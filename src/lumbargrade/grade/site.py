"""Where to look: the point in the patient at which a finding is read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.study import LevelLocation
from lumbargrade.terms import LEVELS, Condition, Finding, Laterality


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """The place of one finding.

    Attributes:
        point_lps_mm: (3,) where the crops are centred.
        disc_normal: (3,) unit normal of the disc plane, None where only coordinates are known.
        disc_center_lps_mm: (3,) a point of the disc plane, None where only coordinates are known.
        moved_mm: by series UID the (3,) millimetres that the patient had moved when it was taken; absent for most.
    """

    finding: Finding
    point_lps_mm: FloatArray
    disc_normal: FloatArray | None = None
    disc_center_lps_mm: FloatArray | None = None
    moved_mm: Mapping[str, FloatArray] = field(default_factory=dict)

    @property
    def disc_lps_mm(self) -> FloatArray:
        """(3,) where the disc plane passes under or over the point; the point itself where no plane is known."""
        point = np.asarray(self.point_lps_mm, np.float64)
        if self.disc_normal is None or self.disc_center_lps_mm is None:
            return point
        return np.asarray(point - ((point - self.disc_center_lps_mm) @ self.disc_normal) * self.disc_normal)

    def seen_in(self, series_instance_uid: str) -> "Site":
        """The same site in the coordinates of a series before which the patient may have moved."""
        moved = self.moved_mm.get(series_instance_uid)
        if moved is None:
            return self
        center = None if self.disc_center_lps_mm is None else self.disc_center_lps_mm + moved
        return replace(self, point_lps_mm=self.point_lps_mm + moved, disc_center_lps_mm=center, moved_mm={})


def sites_from_locations(locations: Sequence[LevelLocation], moved_mm: Mapping[str, FloatArray] | None = None) -> dict[Finding, Site]:
    """The five sites of every located level; ``moved_mm`` as in ``Site``."""
    sites: dict[Finding, Site] = {}
    for location in locations:
        points = {Finding(Condition.SPINAL_CANAL_STENOSIS, None, location.level): location.canal_lps_mm}
        for side, point in location.foramen_lps_mm.items():
            points[Finding(Condition.NEURAL_FORAMINAL_NARROWING, side, location.level)] = point
        for side, point in location.subarticular_lps_mm.items():
            points[Finding(Condition.SUBARTICULAR_STENOSIS, side, location.level)] = point
        plane = location.disc_normal, location.disc_center_lps_mm
        sites |= {finding: Site(finding, point, *plane, moved_mm or {}) for finding, point in points.items()}
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
