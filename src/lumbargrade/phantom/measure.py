"""Grades measured on the finished geometry, as a reader would see them: effaced CSF, closed recesses, roots without room.

Each finding gets one openness figure, 1 in an open spine and falling as it closes; two cuts turn it into a grade. The cuts are geometric:
they were set once, on 300 sampled patients, with readers' frequencies in view (canal 88/7/5 %, foramen 78/18/4 %, subarticular 71/19/10 %),
and are not equivalent to any reader. The 640 studies that the shipped networks learnt from came out at 88/8/4, 85/12/3 and 72/17/11 %.
"""

from dataclasses import dataclass
from math import pi

import numpy as np
from numpy.typing import NDArray

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.phantom import sdf
from lumbargrade.phantom.anatomy import LUMBAR_DISCS
from lumbargrade.phantom.scene import Scene
from lumbargrade.phantom.sdf import Geometry, distances
from lumbargrade.phantom.skeleton import SAC_LOAD, Skeleton
from lumbargrade.terms import FINDINGS, LEVELS, Condition, Finding, Laterality, Level, Severity

_GRID_MM = 0.5
_AXIAL_CUTS_MM = (-7.0, -5.0, -3.0, -1.0, 1.0, 3.0)
"""Heights over the disc plane at which canal and recesses are measured; the canal leaves out the lowest."""

CUTS = {
    Condition.SPINAL_CANAL_STENOSIS: (0.55, 0.40),
    Condition.NEURAL_FORAMINAL_NARROWING: (1.20, 0.82),
    Condition.SUBARTICULAR_STENOSIS: (0.67, 0.325),
}
"""Openness below which a finding is moderate, and severe."""


@dataclass(frozen=True, slots=True, eq=False)
class FindingTruth:
    """What is true of one finding.

    Attributes:
        point_mm: (3,) where a reader would point, body frame.
        measures: raw measurements by name with unit, and ``openness``.
    """

    finding: Finding
    point_mm: FloatArray
    severity: Severity
    measures: dict[str, float]


def measure_findings(scene: Scene) -> tuple[FindingTruth, ...]:
    """The truth of all 25 findings, in the order of ``FINDINGS``."""
    truths: dict[Finding, FindingTruth] = {}
    for level in LEVELS:
        for truth in _measure_level(scene, level):
            truths[truth.finding] = truth
    return tuple(truths[finding] for finding in FINDINGS)


def _measure_level(scene: Scene, level: Level) -> list[FindingTruth]:
    skeleton, disc = scene.skeleton, LUMBAR_DISCS[LEVELS.index(level)]
    cuts = _AxialCuts.through(skeleton, scene.geometry, disc)
    half_canal, back = float(scene.geometry.discs[disc, sdf.D_CANAL_WIDTH]) / 2, float(skeleton.disc_depth[disc])
    truths = [_truth(Condition.SPINAL_CANAL_STENOSIS, None, level, cuts.canal_point(), cuts.canal(skeleton, disc))]
    for side in Laterality:
        sign = float(side.lps_sign)
        recess = skeleton.to_body(disc, (sign * 0.76 * half_canal, back + 3.0, 0.0))
        truths.append(_truth(Condition.SUBARTICULAR_STENOSIS, side, level, recess, cuts.recess(sign)))
        foramen = skeleton.to_body(disc, (sign * (half_canal + 4.5), back + 3.0, 6.0))
        truths.append(_truth(Condition.NEURAL_FORAMINAL_NARROWING, side, level, foramen, _foramen(skeleton, scene.geometry, disc, side)))
    return truths


def _truth(condition: Condition, side: Laterality | None, level: Level, point: FloatArray, measures: dict[str, float]) -> FindingTruth:
    severity = Severity(sum(measures["openness"] < cut for cut in CUTS[condition]))
    return FindingTruth(Finding(condition, side, level), point, severity, measures)


@dataclass(frozen=True, slots=True, eq=False)
class _AxialCuts:
    """Cuts parallel to a disc: ``x`` and ``y`` (nx, ny) in its frame with y from its back margin; the rest (cuts, nx, ny)."""

    x: FloatArray
    y: FloatArray
    points: FloatArray
    sac: NDArray[np.bool_]
    free: NDArray[np.bool_]
    canal_width: float

    @classmethod
    def through(cls, skeleton: Skeleton, geometry: Geometry, disc: int) -> "_AxialCuts":
        x, y = np.meshgrid(np.arange(-20, 20.01, _GRID_MM), np.arange(-4, 22.01, _GRID_MM), indexing="ij")
        local = np.stack(np.broadcast_arrays(x, y + skeleton.disc_depth[disc], np.reshape(_AXIAL_CUTS_MM, (-1, 1, 1))), -1)
        points = skeleton.disc_origin[disc] + local @ skeleton.disc_axes[disc]
        fields = distances(geometry, points.reshape(-1, 3)).reshape(*points.shape[:3], -1)
        free = fields[..., [sdf.BODY, sdf.ARCH, sdf.DISC, sdf.FLAVUM]].min(-1) > 0
        return cls(x, y, points, fields[..., sdf.SAC] < 0, free, float(geometry.discs[disc, sdf.D_CANAL_WIDTH]))

    def canal_point(self) -> FloatArray:
        """The middle of the sac at the disc plane; where it is crushed, the middle of the canal's depth."""
        middle = _AXIAL_CUTS_MM.index(-1.0)
        sac = self.sac[middle]
        if sac.sum() * _GRID_MM**2 < 15:
            sac = (np.abs(self.x) < 3) & (np.abs(self.y - 8) < 3)
        return np.asarray(self.points[middle][sac].mean(0))

    def canal(self, skeleton: Skeleton, disc: int) -> dict[str, float]:
        area = self.sac[1:].sum((1, 2)) * _GRID_MM**2
        tightest = 1 + int(area.argmin())
        smallest = float(area.min())
        anatomy = skeleton.anatomy
        row = int(np.clip(skeleton.disc_origin[disc, 2] - skeleton.sac_bottom, 0, len(skeleton.sac) - 1))
        csf = 1 - float(skeleton.sac[row, SAC_LOAD]) / max(smallest, 1.0)
        relative = smallest / (pi * float(anatomy.sac_half_width[disc] * anatomy.sac_half_depth[disc]))
        return {
            "sac_area_mm2": smallest,
            "sac_depth_mm": float(self.sac[tightest].any(0).sum()) * _GRID_MM,
            "csf_fraction": csf,
            "relative_sac_area": relative,
            "openness": max(csf, relative - 0.07),
        }

    def recess(self, sign: float) -> dict[str, float]:
        """``sign`` +1 left, -1 right."""
        lateral = sign * self.x
        gaps = []
        for share in (0.34, 0.38, 0.42):
            column = round((sign * self.canal_width * share + 20) / _GRID_MM)
            gaps += [_longest_run(cut[column, 4:36]) * _GRID_MM for cut in self.free[1:5]]
        window = (lateral > 0.24 * self.canal_width) & (lateral < 0.46 * self.canal_width) & (self.y > -2) & (self.y < 9)
        recess_area = float((self.free & window).sum((1, 2))[1:5].min()) * _GRID_MM**2
        lateral_sac = float((self.sac & (lateral > 3)).sum((1, 2))[1:5].min()) * _GRID_MM**2
        openness = 0.5 * min(min(gaps) / 6.0, 1.0) + 0.25 * min(recess_area / 25.0, 1.0) + 0.25 * min(lateral_sac / 40.0, 1.0)
        return {"recess_gap_mm": min(gaps), "recess_area_mm2": recess_area, "lateral_sac_area_mm2": lateral_sac, "openness": openness}


def _longest_run(free: NDArray[np.bool_]) -> int:
    longest = run = 0
    for is_free in free:
        run = run + 1 if is_free else 0
        longest = max(longest, run)
    return longest


def _foramen(skeleton: Skeleton, geometry: Geometry, disc: int, side: Laterality) -> dict[str, float]:
    """Room around the ganglion in the sagittal plane through it, in radii of the ganglion."""
    ganglion = skeleton.roots[2 * disc + (side is Laterality.LEFT), 3]
    y, z = np.meshgrid(np.arange(-8, 8.01, _GRID_MM), np.arange(-12, 12.01, _GRID_MM), indexing="ij")
    axes = skeleton.disc_axes[disc]
    points = ganglion[:3] + y[..., None] * axes[1] + z[..., None] * axes[2]
    fields = distances(geometry, points.reshape(-1, 3)).reshape(*y.shape, -1)
    room = fields[..., [sdf.BODY, sdf.ARCH, sdf.DISC, sdf.FLAVUM]].min(-1)
    near = (np.abs(y) <= 4) & (np.abs(z) <= 4)
    clearance = float(room[near].max()) / float(ganglion[3])
    return {"clearance": clearance, "open_area_mm2": float((room > 0).sum()) * _GRID_MM**2, "openness": clearance}
