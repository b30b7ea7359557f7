"""The cauda equina, laid into the sac as the finished anatomy has left it: crowded where little room remains."""

from dataclasses import replace
from math import pi

import numpy as np

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.phantom.numbering import LUMBAR_DISCS, N_DISCS
from lumbargrade.phantom.sdf import Geometry, distances
from lumbargrade.phantom.shapes.columns import SAC
from lumbargrade.phantom.skeleton import N_ROOTLETS, SAC_CROWDING, SAC_LOAD, SAC_X, SAC_Y, Skeleton

_STEP_MM = 2.0
_CROWDING_BEGINS, _CROWDING_RANGE = 0.30, 0.38
"""Nerve area over sac area at which CSF between rootlets begins to vanish, and the range over which it is gone (Schizas B to D)."""

_WINDING_FROM, _WINDING_MM = 0.5, 60.0
"""Crowding above which rootlets wind on the side of the head, and how far up."""


def lay_rootlets(skeleton: Skeleton, rng: np.random.Generator) -> Skeleton:
    """The skeleton with rootlets in a dorsal crescent of the measured sac (supine patients), each leaving at its own level."""
    heights = skeleton.sac_bottom + np.arange(len(skeleton.sac), dtype=np.float64)
    inside, x, y = _sac_cross_sections(skeleton, heights)
    count = np.maximum(inside.sum((1, 2)), 1)
    area = count * _STEP_MM**2
    centre = np.stack([_smooth((inside * x).sum((1, 2)) / count), _smooth((inside * y).sum((1, 2)) / count)], 1)
    reach = np.stack([inside.any(2).sum(1), inside.any(1).sum(1)], 1) * _STEP_MM / 2
    reach = np.maximum(np.stack([_smooth(reach[:, 0]), _smooth(reach[:, 1])], 1) - 1, 0.5)

    level = np.interp(heights, skeleton.disc_origin[::-1, 2], np.arange(N_DISCS)[::-1])
    share = _smooth(skeleton.sac[:, SAC_LOAD] / (area + 6))
    crowding = np.where(heights > skeleton.conus_z - 6, 0, np.clip((share - _CROWDING_BEGINS) / _CROWDING_RANGE, 0, 1))
    sac = skeleton.sac.copy()
    sac[:, SAC_CROWDING] = crowding
    slack = _slack_above(crowding)
    settled, spread_out = _crescent(rng), _everywhere(rng)
    leaves = LUMBAR_DISCS[0] + np.tile(np.linspace(6.5, 0.2, N_ROOTLETS // 2), 2)  # ventral and lateral rootlets leave first
    knots = np.linspace(0, len(heights), 12)
    rootlets = np.zeros((N_ROOTLETS, len(heights), 3))
    for index in range(N_ROOTLETS):
        place = settled[index] + np.minimum(2 * crowding, 1)[:, None] * (spread_out[index] - settled[index])
        wander = np.stack([np.interp(np.arange(len(heights)), knots, rng.normal(0, 0.12, 12)) for _ in range(2)], 1)
        winding = slack * np.sin(2 * pi * heights / rng.uniform(14, 26) + rng.uniform(0, 2 * pi))
        offset = place + wander + winding[:, None] * rng.normal(0, 0.30, 2)
        rootlets[index, :, :2] = skeleton.sac[:, [SAC_X, SAC_Y]] + centre + offset * reach
        start = skeleton.conus_z + 6 + 6 * (leaves[index] - LUMBAR_DISCS[0]) + rng.normal(0, 3)  # upper segments lie higher in the cord
        present = (level < leaves[index]) & (count > 1)
        rootlets[index, :, 2] = np.where(present, rng.uniform(0.7, 1.0), 0) * np.clip((start - heights) / 8, 0, 1)
    return replace(skeleton, sac=sac, rootlets=rootlets)


def _sac_cross_sections(skeleton: Skeleton, heights: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(heights, nx, ny) whether a point lies in the sac, and the grid's offsets from the sac's centre."""
    x, y = np.meshgrid(np.arange(-16, 16.1, _STEP_MM), np.arange(-14, 14.1, _STEP_MM), indexing="ij")
    points = np.zeros((len(heights), *x.shape, 3))
    points[..., 0] = skeleton.sac[:, SAC_X, None, None] + x
    points[..., 1] = skeleton.sac[:, SAC_Y, None, None] + y
    points[..., 2] = heights[:, None, None]
    inside = distances(Geometry.of(skeleton), points.reshape(-1, 3))[:, SAC].reshape(points.shape[:3]) < -0.6
    return inside.astype(np.float64), x, y


def _crescent(rng: np.random.Generator) -> FloatArray:
    """(N_ROOTLETS, 2) places in a sac of half axes 1: a U that opens forward."""
    angle = np.radians(np.tile(3 + 140 * np.linspace(0, 1, N_ROOTLETS // 2) ** 1.4, 2))
    side = np.repeat([-1.0, 1.0], N_ROOTLETS // 2)
    radius = rng.uniform(0.4, 1.0, N_ROOTLETS)
    return np.stack([side * np.sin(angle) * radius, 0.17 + 0.78 * np.cos(angle) * radius], 1)


def _everywhere(rng: np.random.Generator) -> FloatArray:
    """(N_ROOTLETS, 2) places all over a sac of half axes 1, as rootlets lie where stenosis keeps them from sinking (sedimentation sign)."""
    angle, radius = rng.uniform(0, 2 * pi, N_ROOTLETS), 0.85 * np.sqrt(rng.random(N_ROOTLETS))
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)


def _slack_above(crowding: FloatArray) -> FloatArray:
    """(heights,) 0 to 1: rootlets wind above a severe stenosis (redundant roots), less and less over 60 mm."""
    slack = np.zeros(len(crowding))
    carried = 0.0
    for row, here in enumerate(crowding):
        carried = max(carried - 1 / _WINDING_MM, float(here) if here > _WINDING_FROM else 0.0)
        slack[row] = carried * (1 - here)
    return slack


def _smooth(values: FloatArray) -> FloatArray:
    return np.convolve(np.pad(values, 4, mode="edge"), np.ones(9) / 9, "valid")
