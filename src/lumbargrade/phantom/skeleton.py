"""The measurements stood up in space: a frame for every vertebra and disc, the dural sac and the nerve roots.

Body frame: LPS axes (x left, y posterior, z head), millimetres, origin at the centre of the S1 endplate. A local frame has the same axes
turned with its vertebra or disc; ``axes[i]`` has the local axes as rows, so ``axes[i] @ (point - origin[i])`` is local.
"""

from dataclasses import dataclass
from math import cos, pi, sin, sqrt

import numpy as np

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.phantom.anatomy import Anatomy
from lumbargrade.phantom.bones import Bones
from lumbargrade.phantom.numbering import LUMBAR_DISCS, N_DISCS, N_VERTEBRAE, S1

SAC_X, SAC_Y, SAC_HALF_WIDTH, SAC_HALF_DEPTH, SAC_CROWDING, SAC_LOAD = range(6)
"""Columns of ``Skeleton.sac``, one row per millimetre of height."""

_ALONG_MM = 6
"""Over how many millimetres to either side the canal's direction is taken."""

N_ROOTLETS = 28
_ROOT_LOAD_MM2 = (55.0, 48.0, 42.0, 36.0, 30.0, 20.0, 8.0)
"""Area of nerve and membranes inside the sac at T12/L1 to S1/2, chosen so that crowding begins at a sac of about 100 mm2."""


@dataclass(frozen=True, slots=True, eq=False)
class Skeleton:
    """Everything the distance functions need, as plain float64 arrays.

    Attributes:
        vertebra_origin, disc_origin: (n, 3) centres. vertebra_axes, disc_axes: (n, 3, 3) local axes as rows.
        sac: (heights, 6) the dural sac before anything presses on it, by whole millimetres of z from ``sac_bottom``; see ``SAC_X`` on.
        roots: (2 * S1 + 2, 5, 4) exiting roots as polylines x, y, z, radius; row 2 * disc + side (0 right, 1 left), S1's last.
        rootlets: (N_ROOTLETS, heights, 3) x, y, radius of the cauda equina at each height; radius 0 where a rootlet has left.
    """

    anatomy: Anatomy
    vertebra_origin: FloatArray
    vertebra_axes: FloatArray
    disc_origin: FloatArray
    disc_axes: FloatArray
    disc_depth: FloatArray
    sac: FloatArray
    sac_bottom: float
    roots: FloatArray
    rootlets: FloatArray
    conus_z: float

    def to_body(self, disc: int, local: tuple[float, float, float]) -> FloatArray:
        """A point given in a disc's frame, in the body frame."""
        return np.asarray(self.disc_origin[disc] + self.disc_axes[disc].T @ np.array(local))

    def across_from_disc(self, disc: int, middle_mm: FloatArray) -> FloatArray:
        """The point of the canal's middle line nearest to a disc's posterior margin, where readers mark a level's canal.

        ``middle_mm`` (3,) lies on that line nearby. At L5/S1, where disc and canal are far from perpendicular, it is some 4 mm above the
        disc's plane.
        """
        row = int(np.clip(middle_mm[2] - self.sac_bottom, _ALONG_MM, len(self.sac) - 1 - _ALONG_MM))
        step = self.sac[row + _ALONG_MM, : SAC_Y + 1] - self.sac[row - _ALONG_MM, : SAC_Y + 1]
        along = np.array([*step, 2 * _ALONG_MM])
        along /= np.linalg.norm(along)
        return np.asarray(middle_mm + along * ((self.to_body(disc, (0.0, float(self.disc_depth[disc]), 0.0)) - middle_mm) @ along))


def stand_up(anatomy: Anatomy) -> Skeleton:
    """Chain the frames from the S1 endplate, then lay sac and roots. Rootlets are laid by ``cauda.lay_rootlets`` on the measured sac."""
    v_origin, v_axes, d_origin, d_axes = _chain_frames(anatomy)
    half_depth = (
        anatomy.bones.body_depth[:-1] + anatomy.bones.body_depth[1:]
    ) / 4 + anatomy.bones.disc_overhang  # the back margin stays in line
    sac, bottom = _lay_sac(anatomy, v_origin, v_axes, d_origin, d_axes, half_depth)
    roots = _lay_roots(anatomy, d_origin, d_axes, half_depth)
    conus_z = float(np.interp(anatomy.person.conus_disc, np.arange(N_DISCS), d_origin[:, 2]))
    no_rootlets = np.zeros((N_ROOTLETS, len(sac), 3))
    return Skeleton(anatomy, v_origin, v_axes, d_origin, d_axes, half_depth, sac, bottom, roots, no_rootlets, conus_z)


def _sagittal_axes(tilt: float) -> FloatArray:
    """Local axes as rows, turned about x so that the local z axis leans forward by ``tilt``."""
    c, s = cos(tilt), sin(tilt)
    return np.array([[1.0, 0.0, 0.0], [0.0, c, s], [0.0, -s, c]])


def _chain_frames(anatomy: Anatomy) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    v_origin, v_axes = np.zeros((N_VERTEBRAE, 3)), np.zeros((N_VERTEBRAE, 3, 3))
    d_origin, d_axes = np.zeros((N_DISCS, 3)), np.zeros((N_DISCS, 3, 3))
    point, tilt = np.zeros(3), anatomy.bones.sacral_slope
    for vertebra in range(S1, N_VERTEBRAE):  # down from the S1 endplate
        v_axes[vertebra] = _sagittal_axes(tilt + anatomy.bones.body_wedge[vertebra] / 2)
        up = v_axes[vertebra][2]
        v_origin[vertebra] = point - up * anatomy.bones.body_height[vertebra] / 2
        point = point - up * anatomy.bones.body_height[vertebra]
        tilt += anatomy.bones.body_wedge[vertebra]
        if vertebra < N_VERTEBRAE - 1:
            d_axes[vertebra] = _sagittal_axes(tilt + anatomy.bones.disc_wedge[vertebra] / 2)
            d_origin[vertebra] = point - d_axes[vertebra][2] * anatomy.wear.disc_height[vertebra] / 2
            point = point - d_axes[vertebra][2] * anatomy.wear.disc_height[vertebra]
            tilt += anatomy.bones.disc_wedge[vertebra]
    point, tilt = np.zeros(3), anatomy.bones.sacral_slope
    for disc in range(S1 - 1, -1, -1):  # up from the S1 endplate
        d_axes[disc] = _sagittal_axes(tilt - anatomy.bones.disc_wedge[disc] / 2)
        d_origin[disc] = point + d_axes[disc][2] * anatomy.wear.disc_height[disc] / 2 - d_axes[disc][1] * anatomy.bones.disc_overhang[disc]
        point = point + d_axes[disc][2] * anatomy.wear.disc_height[disc]
        tilt -= anatomy.bones.disc_wedge[disc]
        point = point - _sagittal_axes(tilt)[1] * anatomy.wear.slip[disc]
        v_axes[disc] = _sagittal_axes(tilt - anatomy.bones.body_wedge[disc] / 2)
        v_origin[disc] = point + v_axes[disc][2] * anatomy.bones.body_height[disc] / 2
        point = point + v_axes[disc][2] * anatomy.bones.body_height[disc]
        tilt -= anatomy.bones.body_wedge[disc]
    for origin, axes in ((v_origin, v_axes), (d_origin, d_axes)):
        _bend_sideways(origin, axes, anatomy.bones)
    return v_origin, v_axes, d_origin, d_axes


def _bend_sideways(origin: FloatArray, axes: FloatArray, bones: Bones) -> None:
    """Bend frames over the S1 endplate into a curve whose steepest ends differ by the Cobb angle, and turn them towards its convexity.

    Lean(z) = Cobb / 2 sin(2 pi z / span), level at S1, apex and span; x is its integral, and axial rotation grows like x.
    """
    phase = 2 * pi * np.clip(origin[:, 2] / bones.cobb_span_mm, 0, 1)
    rise = (1 - np.cos(phase)) / 2
    origin[:, 0] += bones.cobb * bones.cobb_span_mm / (2 * pi) * rise
    for index, (lean, turn) in enumerate(zip(bones.cobb / 2 * np.sin(phase), bones.cobb * bones.rotation_per_cobb * rise, strict=True)):
        axes[index] = _axial_turn(turn) @ axes[index] @ _lateral_lean(lean)


def _lateral_lean(angle: float) -> FloatArray:
    """Turns local axes so that the local z axis leans to the left by ``angle``."""
    c, s = cos(angle), sin(angle)
    return np.array([[c, 0.0, -s], [0.0, 1.0, 0.0], [s, 0.0, c]])


def _axial_turn(angle: float) -> FloatArray:
    """Turns local axes about their z axis so that the front looks to the left by ``angle``."""
    c, s = cos(angle), sin(angle)
    return np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])


def _lay_sac(
    anatomy: Anatomy, v_origin: FloatArray, v_axes: FloatArray, d_origin: FloatArray, d_axes: FloatArray, half_depth: FloatArray
) -> tuple[FloatArray, float]:
    """Ellipses of the undisturbed sac in horizontal cuts, interpolated between discs and mid-bodies; the sac ends at S2."""
    stations = []
    for disc in range(S1 + 1):
        width, depth = anatomy.wear.sac_half_width[disc], anatomy.wear.sac_half_depth[disc]
        centre = d_origin[disc] + d_axes[disc].T @ np.array([0.0, half_depth[disc] + anatomy.wear.epidural_fat[disc] + depth, 0.0])
        stations.append((centre[2], centre[0], centre[1], width, depth / max(d_axes[disc][2, 2], 0.35)))
        body = disc + 1
        if body <= S1:
            lift = 4.5 if body == S1 else 1.0
            centre = v_origin[body] + v_axes[body].T @ np.array([0.0, anatomy.bones.body_depth[body] / 2 + lift + depth, -1.0])
            next_width = anatomy.wear.sac_half_width[body]
            stations.append(
                (centre[2], centre[0], centre[1], (width + next_width) / 2 + 0.4, (depth + 0.4) / max(v_axes[body][2, 2], 0.35))
            )
    table = np.array(sorted(stations))
    bottom = float(np.floor(table[0, 0]) - 12)
    heights = np.arange(bottom, table[-1, 0] + 60)
    sac = np.zeros((len(heights), 6))
    for column in range(4):
        sac[:, column] = np.interp(heights, table[:, 0], table[:, column + 1])
    above = heights > table[-1, 0]
    sac[above, SAC_Y] += (heights[above] - table[-1, 0]) * 0.12
    taper = np.maximum(np.sqrt(np.clip((heights - bottom) / 14, 0, 1)), 0.05)
    sac[:, SAC_HALF_WIDTH] *= taper
    sac[:, SAC_HALF_DEPTH] *= taper
    level = np.interp(heights, d_origin[::-1, 2], np.arange(N_DISCS)[::-1])
    first = LUMBAR_DISCS[0] - 1
    sac[:, SAC_LOAD] = np.interp(level, np.arange(first, first + len(_ROOT_LOAD_MM2)), _ROOT_LOAD_MM2)
    return sac, bottom


def _lay_roots(anatomy: Anatomy, d_origin: FloatArray, d_axes: FloatArray, half_depth: FloatArray) -> FloatArray:
    """Each root leaves the sac above, runs in the lateral recess, turns under the pedicle, swells to its ganglion and leaves forward.

    Where it crosses the disc above, whatever stands out of that disc pushes it back. The last two rows are the S1 roots, which run on in
    the sacrum.
    """
    roots = np.zeros((2 * S1 + 2, 5, 4))
    for disc in range(S1 + 1):
        frame = min(disc, S1 - 1)
        y, half_canal = half_depth[frame], (anatomy.bones.canal_width[disc] + anatomy.bones.canal_width[min(disc + 1, S1)]) / 4
        for side, sign in enumerate((-1.0, 1.0)):
            pushed = y + 1.5 + (_stands_out(anatomy, disc - 1, sign * 8.0) if disc else 0.0)
            course = _root_course(anatomy, disc, half_canal, y, pushed) if disc < S1 else _first_sacral_course(anatomy, y, pushed)
            for index, (px, py, pz, radius) in enumerate(course):
                roots[2 * disc + side, index, :3] = d_origin[frame] + d_axes[frame].T @ np.array([sign * px, py, pz])
                roots[2 * disc + side, index, 3] = radius
    return roots


_Course = tuple[tuple[float, float, float, float], ...]


def _root_course(anatomy: Anatomy, disc: int, half_canal: float, y: float, pushed: float) -> _Course:
    """x from the midline, y, z, radius in the frame of the disc whose foramen the root leaves by."""
    above = anatomy.wear.disc_height[disc - 1] if disc else 6.0
    height = anatomy.bones.body_height[disc]
    top = anatomy.wear.disc_height[disc] / 2 + height
    ganglion = 2.9 - 0.08 * (S1 - 1 - disc)  # ganglia grow from L1 to L5
    return (
        (6.2, max(y + 5.5, pushed), top + above + 5, 0.9),
        (8.2, max(y + 4.2, pushed), top + above * 0.1, 1.2),
        (half_canal - 2.0, y + 3.6, top - 0.42 * height, 1.6),
        (half_canal + min(anatomy.bones.pedicle_width[disc] / 2 + 1.3, 6.0), y + 3.2, top - 0.90 * height, ganglion),
        (half_canal + 19.0, y - 7.0, top - height - 5.0, 2.4),
    )


def _first_sacral_course(anatomy: Anatomy, y: float, pushed: float) -> _Course:
    """As ``_root_course``, of the S1 root, in the frame of L5/S1."""
    bottom = -anatomy.wear.disc_height[S1 - 1] / 2
    return (
        (6.5, max(y + 6.0, pushed), 9.0 - bottom, 1.1),
        (8.5, max(y + 4.8, pushed), bottom, 1.6),
        (10.5, y + 3.5, bottom - 12.0, 2.1),
        (13.0, y + 0.5, bottom - 24.0, 2.9),
        (16.0, y - 6.0, bottom - 36.0, 2.5),
    )


def _stands_out(anatomy: Anatomy, disc: int, x: float) -> float:
    """How far behind its back margin a disc reaches at a distance from the midline, millimetres."""
    reach = float(anatomy.wear.bulge[disc])
    for lesion in anatomy.wear.focal[disc]:
        if abs(x - lesion.x) < lesion.half_width:
            reach = max(reach, lesion.y + lesion.depth * sqrt(1 - ((x - lesion.x) / lesion.half_width) ** 2))
    return reach
