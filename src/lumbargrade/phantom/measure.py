"""Grades measured on the finished geometry, as a reader would see them: effaced CSF, closed recesses, roots without room.

Each finding gets raw measurements and one continuous severity z, higher where worse; two cuts on z for each condition give the grade at
every level. The canal's severity is what has been lost of the patient's own open sac together with how much of the rest nerves fill, never
an area alone: a small or tapered sac with CSF around its rootlets is open. Severities are scaled to a standard deviation of one over
patients, so that readers' disagreement (``readers``) is in the same unit. They are geometric: no reader's criteria were published.
"""

from dataclasses import dataclass, replace
from math import pi

import numpy as np

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.phantom.calibrated import CUTS, HEALTHY_SAC_SHARE, SEVERITY_SCALE
from lumbargrade.phantom.degeneration import unworn
from lumbargrade.phantom.numbering import LUMBAR_DISCS
from lumbargrade.phantom.scene import Scene
from lumbargrade.phantom.sdf import Geometry, distances
from lumbargrade.phantom.shapes import columns
from lumbargrade.phantom.skeleton import SAC_HALF_DEPTH, SAC_LOAD, Skeleton, stand_up
from lumbargrade.terms import FINDINGS, LEVELS, Condition, Finding, Laterality, Level, Severity

_GRID_MM = 0.5
_CUT_HEIGHTS_MM = (-7.0, -5.0, -3.0, -1.0, 1.0, 3.0)
"""Heights over the disc plane at which canal and recesses are measured; the canal leaves out the lowest, the recess the highest."""

_CUT_X, _CUT_Y = np.arange(-16, 16.01, _GRID_MM), np.arange(-3, 20.01, _GRID_MM)
_FORAMEN_Y, _FORAMEN_Z = np.arange(-10, 10.01, _GRID_MM), np.arange(-14, 12.01, _GRID_MM)


@dataclass(frozen=True, slots=True, eq=False)
class FindingTruth:
    """What is true of one finding.

    Attributes:
        point_mm: (3,) where a reader would point, body frame.
        z: continuous severity in standard deviations, higher is worse.
        measures: raw measurements by name with unit, and ``closure``, from which z is made.
    """

    finding: Finding
    point_mm: FloatArray
    severity: Severity
    z: float
    measures: dict[str, float]


def measure_findings(scene: Scene) -> tuple[FindingTruth, ...]:
    """The truth of all 25 findings, in the order of ``FINDINGS``."""
    return measure_geometry(scene.skeleton, scene.geometry)


def measure_geometry(skeleton: Skeleton, geometry: Geometry) -> tuple[FindingTruth, ...]:
    """As ``measure_findings``, of a spine without its surroundings; the cauda equina's rootlets are not looked at."""
    healthy = _Healthy.of(skeleton)
    truths = {truth.finding: truth for level in LEVELS for truth in _measure_level(skeleton, geometry, healthy, level)}
    return tuple(truths[finding] for finding in FINDINGS)


def measure_level(skeleton: Skeleton, geometry: Geometry, level: Level) -> list[FindingTruth]:
    """The truth of one level's five findings: canal, then recess and foramen of each side."""
    return _measure_level(skeleton, geometry, _Healthy.of(skeleton), level)


@dataclass(frozen=True, slots=True, eq=False)
class _Healthy:
    """The same spine without wear, against which a foramen is measured: one that was always small is not narrowed."""

    skeleton: Skeleton
    geometry: Geometry

    @classmethod
    def of(cls, skeleton: Skeleton) -> "_Healthy":
        anatomy = skeleton.anatomy
        healthy = stand_up(replace(anatomy, wear=unworn(anatomy.wear)))
        return cls(healthy, Geometry.of(healthy))


def _measure_level(skeleton: Skeleton, geometry: Geometry, healthy: _Healthy, level: Level) -> list[FindingTruth]:
    disc = LUMBAR_DISCS[LEVELS.index(level)]
    cuts = _AxialCuts.through(skeleton, geometry, disc)
    half_canal, back = cuts.canal_width / 2, float(skeleton.disc_depth[disc])
    canal = skeleton.across_from_disc(disc, cuts.sac_middle())
    truths = [_truth(Condition.SPINAL_CANAL_STENOSIS, None, level, canal, cuts.canal(HEALTHY_SAC_SHARE[LEVELS.index(level)]))]
    for side in Laterality:
        sign = float(side.lps_sign)
        recess = skeleton.to_body(disc, (sign * 0.76 * half_canal, back + 3.0, 0.0))
        truths.append(_truth(Condition.SUBARTICULAR_STENOSIS, side, level, recess, cuts.recess(sign)))
        foramen = skeleton.to_body(disc, (sign * (half_canal + 4.5), back + 3.0, 6.0))
        room, once = _foramen(skeleton, geometry, disc, side), _foramen(healthy.skeleton, healthy.geometry, disc, side)
        room["closure"] = _foraminal_closure(room, once)
        truths.append(_truth(Condition.NEURAL_FORAMINAL_NARROWING, side, level, foramen, room))
    return truths


def _truth(condition: Condition, side: Laterality | None, level: Level, point: FloatArray, measures: dict[str, float]) -> FindingTruth:
    mean, deviation = SEVERITY_SCALE[condition]
    z = (measures["closure"] - mean) / deviation
    return FindingTruth(Finding(condition, side, level), point, Severity(sum(z >= cut for cut in CUTS[condition])), z, measures)


def _inside(distance_mm: FloatArray) -> FloatArray:
    """How much of a grid cell lies inside, 0 to 1, so that areas change smoothly."""
    return np.clip(0.5 - distance_mm / _GRID_MM, 0.0, 1.0)


def _open_sac(skeleton: Skeleton, points: FloatArray) -> FloatArray:
    """Distance of points (..., 3) from the undisturbed sac, about right near its wall."""
    row = np.clip(points[..., 2] - skeleton.sac_bottom, 0, len(skeleton.sac) - 1.01)
    low = row.astype(np.int64)
    table = skeleton.sac[:, : SAC_HALF_DEPTH + 1]
    x, y, half_width, half_depth = np.moveaxis(table[low] + (row - low)[..., None] * (table[low + 1] - table[low]), -1, 0)
    q = np.hypot((points[..., 0] - x) / half_width, (points[..., 1] - y) / half_depth)
    return np.asarray((q - 1) * np.minimum(half_width, half_depth))


@dataclass(frozen=True, slots=True, eq=False)
class _AxialCuts:
    """Cuts parallel to a disc. ``points`` (cuts, nx, ny, 3); shares of each cell (cuts, nx, ny): of sac, of anything but bone, disc and
    ligament, and of what is free in front of arch and flavum. ``load_mm2`` of nerve, ``open_area_mm2`` (cuts,) of the undisturbed sac.
    """

    points: FloatArray
    sac: FloatArray
    recess_free: FloatArray
    fat_behind: FloatArray
    canal_width: float
    open_area_mm2: FloatArray
    open_half_width: float
    load_mm2: float

    @classmethod
    def through(cls, skeleton: Skeleton, geometry: Geometry, disc: int) -> "_AxialCuts":
        wear = skeleton.anatomy.wear
        x, y = np.meshgrid(_CUT_X, _CUT_Y, indexing="ij")
        local = np.stack(np.broadcast_arrays(x, y + skeleton.disc_depth[disc], np.reshape(_CUT_HEIGHTS_MM, (-1, 1, 1))), -1)
        points = skeleton.disc_origin[disc] + local @ skeleton.disc_axes[disc]
        fields = distances(geometry, points.reshape(-1, 3)).reshape(*points.shape[:3], -1).astype(np.float64)
        front = np.minimum(fields[..., columns.BODY], fields[..., columns.DISC])
        back = np.minimum(fields[..., columns.ARCH], fields[..., columns.FLAVUM])
        before_the_wall = 1 - np.maximum.accumulate(np.where(y > 0.5, _inside(back), 0.0), axis=2)
        free = _inside(-np.minimum(front, back))
        sac = _inside(fields[..., columns.SAC])
        behind = np.cumsum(sac, axis=2) > 0.5 * np.maximum(sac.sum(2, keepdims=True), _GRID_MM)
        row = int(np.clip(skeleton.disc_origin[disc, 2] - skeleton.sac_bottom, 0, len(skeleton.sac) - 1))
        return cls(
            points,
            sac,
            free * before_the_wall,
            free * (1 - sac) * before_the_wall * behind,
            float(geometry.discs[disc, columns.D_CANAL_WIDTH]),
            _inside(_open_sac(skeleton, points)).sum((1, 2)) * _GRID_MM**2,
            float(wear.sac_half_width[disc]),
            float(skeleton.sac[row, SAC_LOAD]),
        )

    def sac_middle(self) -> FloatArray:
        """The middle of the sac at the disc plane; where it is crushed, the middle of the canal's depth."""
        middle = _CUT_HEIGHTS_MM.index(-1.0)
        weight = self.sac[middle]
        if weight.sum() * _GRID_MM**2 < 15:
            x, y = np.meshgrid(_CUT_X, _CUT_Y, indexing="ij")
            weight = ((np.abs(x) < 3) & (np.abs(y - 8) < 3)).astype(np.float64)
        return np.asarray((self.points[middle] * weight[..., None]).sum((0, 1)) / weight.sum())

    def canal(self, healthy_share: float) -> dict[str, float]:
        """Closure: half what is lost of the open sac in a healthy canal, half the share of the remaining sac that nerves fill."""
        areas = self.sac[1:].sum((1, 2)) * _GRID_MM**2
        tightest = 1 + int(areas.argmin())
        area = float(areas.min())
        relative = float((areas / self.open_area_mm2[1:]).min())
        crowding = self.load_mm2 / (area + 0.25 * self.load_mm2)
        return {
            "sac_area_mm2": area,
            "sac_depth_mm": float(self.sac[tightest].max(0).sum()) * _GRID_MM,
            "sac_width_mm": float(self.sac[tightest].max(1).sum()) * _GRID_MM,
            "csf_fraction": max(1 - self.load_mm2 / max(area, 1.0), 0.0),
            "relative_sac_area": relative,
            "posterior_fat_mm2": float(self.fat_behind[tightest].sum()) * _GRID_MM**2,
            "closure": 0.5 * (1 - relative / healthy_share) + 0.5 * crowding,
        }

    def recess(self, sign: float) -> dict[str, float]:
        """``sign`` +1 left, -1 right. Closure: depth and area of the recess, and what is left of the sac's corner before it."""
        lateral = sign * _CUT_X
        lanes = (lateral > 0.33 * self.canal_width) & (lateral < 0.43 * self.canal_width)
        gap = float(self.recess_free[:-1, lanes].sum(2).mean(1).min()) * _GRID_MM
        window = (lateral > 0.24 * self.canal_width) & (lateral < 0.46 * self.canal_width)
        area = float(self.recess_free[:-1, window].sum((1, 2)).min()) * _GRID_MM**2
        corner = lateral > 0.35 * self.open_half_width
        corner_area = float(self.sac[:-1, corner].sum((1, 2)).min()) * _GRID_MM**2
        open_corner = 0.22 * float(self.open_area_mm2.mean())
        return {
            "recess_gap_mm": gap,
            "recess_area_mm2": area,
            "sac_corner_mm2": corner_area,
            "closure": 1 - 0.4 * min(gap / 9.0, 1.0) - 0.3 * min(area / 45.0, 1.0) - 0.3 * min(corner_area / open_corner, 1.0),
        }


def _foramen(skeleton: Skeleton, geometry: Geometry, disc: int, side: Laterality) -> dict[str, float]:
    """Room around the ganglion in the sagittal plane through it.

    Height is the largest between the pedicles, width that between disc and superior articular process, level with the disc.
    """
    x, y, z, radius = skeleton.roots[2 * disc + (side is Laterality.LEFT), 3]
    axes = skeleton.disc_axes[disc]
    along_y, along_z = np.meshgrid(_FORAMEN_Y, _FORAMEN_Z, indexing="ij")
    points = np.array([x, y, z]) + along_y[..., None] * axes[1] + along_z[..., None] * axes[2]
    fields = distances(geometry, points.reshape(-1, 3)).reshape(*along_y.shape, -1).astype(np.float64)
    room = fields[..., [columns.BODY, columns.ARCH, columns.DISC, columns.FLAVUM]].min(-1)
    rho = np.hypot(along_y, along_z)
    free = _inside(-room)
    near = rho < radius + 2.5
    clearance = float(np.where(rho < 4.0, room, -9.0).max()) / radius
    fat = float((free * near).sum() / near.sum())
    quadrants = sum(
        float(room[(np.abs(rho - radius - 0.5) < 0.4) & (np.cos(np.arctan2(along_z, along_y) - angle) > 0.8)].mean() > 0.5)
        for angle in np.arange(4) * pi / 2
    )
    within = np.abs(along_y) < 6.0
    area = float((free * within).sum()) * _GRID_MM**2
    disc_plane = float(axes[2] @ (skeleton.disc_origin[disc] - (x, y, z)))
    return {
        "clearance": clearance,
        "root_surroundings_free": fat,
        "fat_quadrants": quadrants,
        "foramen_area_mm2": area,
        "foramen_height_mm": float(free[np.abs(_FORAMEN_Y) < 6].sum(1).max()) * _GRID_MM,
        "foramen_width_mm": float(free[:, np.abs(_FORAMEN_Z - disc_plane) < 1.1].mean(1).sum()) * _GRID_MM,
    }


def _foraminal_closure(now: dict[str, float], once: dict[str, float]) -> float:
    """Of the healthy foramen's room for the root, fat around it and area, what is lost; the least counted as healthy is a tight foramen."""
    clearance = max(now["clearance"], -0.5) / max(once["clearance"], 1.0)
    fat = now["root_surroundings_free"] / max(once["root_surroundings_free"], 0.6)
    area = now["foramen_area_mm2"] / max(once["foramen_area_mm2"], 80.0)
    return 1 - 0.45 * clearance - 0.35 * fat - 0.20 * area
