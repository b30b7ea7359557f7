"""The measurements stood up in space: a frame for every vertebra and disc, the dural sac and the nerve roots.

Body frame: LPS axes (x left, y posterior, z head), millimetres, origin at the centre of the S1 endplate. A local frame has the same axes
turned with its vertebra or disc; ``axes[i]`` has the local axes as rows, so ``axes[i] @ (point - origin[i])`` is local.
"""

from dataclasses import dataclass
from math import atan, cos, pi, sin

import numpy as np

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.phantom.anatomy import LUMBAR_DISCS, N_DISCS, N_VERTEBRAE, S1, Anatomy

SAC_X, SAC_Y, SAC_HALF_WIDTH, SAC_HALF_DEPTH, SAC_CROWDING, SAC_LOAD = range(6)
"""Columns of ``Skeleton.sac``, one row per millimetre of height."""

N_ROOTLETS = 20
_ROOT_LOAD_MM2 = (55.0, 48.0, 42.0, 36.0, 30.0, 20.0, 8.0)
"""Area of nerve and membranes inside the sac at T12/L1 to S1/2, chosen so that crowding begins at a sac of about 100 mm2."""


@dataclass(frozen=True, slots=True, eq=False)
class Skeleton:
    """Everything the distance functions need, as plain float64 arrays.

    Attributes:
        vertebra_origin, disc_origin: (n, 3) centres. vertebra_axes, disc_axes: (n, 3, 3) local axes as rows.
        sac: (heights, 6) the dural sac before anything presses on it, by whole millimetres of z from ``sac_bottom``; see ``SAC_X`` on.
        roots: (2 * S1, 5, 4) exiting roots as polylines x, y, z, radius; row 2 * disc + side (0 right, 1 left).
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


def stand_up(anatomy: Anatomy) -> Skeleton:
    """Chain the frames from the S1 endplate, then lay sac and roots. Rootlets are laid by ``cauda.lay_rootlets`` on the measured sac."""
    v_origin, v_axes, d_origin, d_axes = _chain_frames(anatomy)
    half_depth = (anatomy.body_depth[:-1] + anatomy.body_depth[1:]) / 4 + anatomy.disc_overhang  # the back margin stays in line
    sac, bottom = _lay_sac(anatomy, v_origin, v_axes, d_origin, d_axes, half_depth)
    roots = _lay_roots(anatomy, d_origin, d_axes, half_depth)
    conus_z = float(np.interp(anatomy.conus_disc, np.arange(N_DISCS), d_origin[:, 2]))
    no_rootlets = np.zeros((N_ROOTLETS, len(sac), 3))
    return Skeleton(anatomy, v_origin, v_axes, d_origin, d_axes, half_depth, sac, bottom, roots, no_rootlets, conus_z)


def _sagittal_axes(tilt: float) -> FloatArray:
    """Local axes as rows, turned about x so that the local z axis leans forward by ``tilt``."""
    c, s = cos(tilt), sin(tilt)
    return np.array([[1.0, 0.0, 0.0], [0.0, c, s], [0.0, -s, c]])


def _chain_frames(anatomy: Anatomy) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    v_origin, v_axes = np.zeros((N_VERTEBRAE, 3)), np.zeros((N_VERTEBRAE, 3, 3))
    d_origin, d_axes = np.zeros((N_DISCS, 3)), np.zeros((N_DISCS, 3, 3))
    point, tilt = np.zeros(3), anatomy.sacral_slope
    for vertebra in range(S1, N_VERTEBRAE):  # down from the S1 endplate
        v_axes[vertebra] = _sagittal_axes(tilt + anatomy.body_wedge[vertebra] / 2)
        up = v_axes[vertebra][2]
        v_origin[vertebra] = point - up * anatomy.body_height[vertebra] / 2
        point = point - up * anatomy.body_height[vertebra]
        tilt += anatomy.body_wedge[vertebra]
        if vertebra < N_VERTEBRAE - 1:
            d_axes[vertebra] = _sagittal_axes(tilt)
            d_origin[vertebra] = point - d_axes[vertebra][2] * anatomy.disc_height[vertebra] / 2
            point = point - d_axes[vertebra][2] * anatomy.disc_height[vertebra]
    point, tilt = np.zeros(3), anatomy.sacral_slope
    for disc in range(S1 - 1, -1, -1):  # up from the S1 endplate
        d_axes[disc] = _sagittal_axes(tilt - anatomy.disc_wedge[disc] / 2)
        d_origin[disc] = point + d_axes[disc][2] * anatomy.disc_height[disc] / 2 - d_axes[disc][1] * anatomy.disc_overhang[disc]
        point = point + d_axes[disc][2] * anatomy.disc_height[disc]
        tilt -= anatomy.disc_wedge[disc]
        point = point - _sagittal_axes(tilt)[1] * anatomy.slip[disc]
        v_axes[disc] = _sagittal_axes(tilt - anatomy.body_wedge[disc] / 2)
        v_origin[disc] = point + v_axes[disc][2] * anatomy.body_height[disc] / 2
        point = point + v_axes[disc][2] * anatomy.body_height[disc]
        tilt -= anatomy.body_wedge[disc]
    for origin, axes in ((v_origin, v_axes), (d_origin, d_axes)):
        _bend_sideways(origin, axes, anatomy.scoliosis_mm)
    return v_origin, v_axes, d_origin, d_axes


def _bend_sideways(origin: FloatArray, axes: FloatArray, amplitude_mm: float) -> None:
    """Shift frames to x = amplitude sin(pi (z + 20) / 200) and lean them along that curve."""
    phase = pi * (origin[:, 2] + 20) / 200
    origin[:, 0] += amplitude_mm * np.sin(phase)
    for index, slope in enumerate(amplitude_mm * np.cos(phase) * pi / 200):
        lean = atan(slope)
        c, s = cos(lean), sin(lean)
        axes[index] = axes[index] @ np.array([[c, 0.0, -s], [0.0, 1.0, 0.0], [s, 0.0, c]])


def _lay_sac(
    anatomy: Anatomy, v_origin: FloatArray, v_axes: FloatArray, d_origin: FloatArray, d_axes: FloatArray, half_depth: FloatArray
) -> tuple[FloatArray, float]:
    """Ellipses of the undisturbed sac in horizontal cuts, interpolated between discs and mid-bodies; the sac ends at S2."""
    stations = []
    for disc in range(S1 + 1):
        width, depth = anatomy.sac_half_width[disc], anatomy.sac_half_depth[disc]
        centre = d_origin[disc] + d_axes[disc].T @ np.array([0.0, half_depth[disc] + anatomy.epidural_fat[disc] + depth, 0.0])
        stations.append((centre[2], centre[0], centre[1], width, depth / max(d_axes[disc][2, 2], 0.35)))
        body = disc + 1
        if body <= S1:
            lift = 4.5 if body == S1 else 1.0
            centre = v_origin[body] + v_axes[body].T @ np.array([0.0, anatomy.body_depth[body] / 2 + lift + depth, -1.0])
            next_width = anatomy.sac_half_width[body]
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
    """Each root leaves the sac above, runs in the lateral recess, turns under the pedicle, swells to its ganglion and leaves forward."""
    roots = np.zeros((2 * S1, 5, 4))
    for disc in range(S1):
        above = anatomy.disc_height[disc - 1] if disc else 6.0
        height, y = anatomy.body_height[disc], half_depth[disc]
        half_canal = (anatomy.canal_width[disc] + anatomy.canal_width[disc + 1]) / 4
        top = anatomy.disc_height[disc] / 2 + height
        ganglion = 2.9 - 0.1 * (S1 - 1 - disc) * 0.8
        for side, sign in enumerate((-1.0, 1.0)):
            local = (
                (sign * 6.2, y + 5.5, top + above + 5, 0.9),
                (sign * 8.2, y + 4.2, top + above * 0.1, 1.2),
                (sign * (half_canal - 2.0), y + 3.6, top - 0.42 * height, 1.6),
                (sign * (half_canal + 6.0), y + 3.2, top - 0.90 * height, ganglion),
                (sign * (half_canal + 19.0), y - 7.0, top - height - 5.0, 2.4),
            )
            for index, (px, py, pz, radius) in enumerate(local):
                roots[2 * disc + side, index, :3] = d_origin[disc] + d_axes[disc].T @ np.array([px, py, pz])
                roots[2 * disc + side, index, 3] = radius
    return roots
