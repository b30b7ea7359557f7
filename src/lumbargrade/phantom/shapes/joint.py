"""Facet joints: the superior process of the vertebra below, the inferior process of the one above, and the gap between them.

Positions follow cuts through the mean mesh of L2-L5 of 87 patients (Clouthier et al. 2023, MIT licence) at the disc planes: at L4/5 the
joint's centre lies 18 mm aside and 14 mm behind the disc's back margin, and the superior process' medial tip 11.5 mm aside.
"""

from math import sqrt

from lumbargrade.phantom.compiled import part_of_compiled
from lumbargrade.phantom.shapes.columns import (
    D_CANAL_DEPTH,
    D_CANAL_WIDTH,
    D_CYST,
    D_DEPTH,
    D_EFFUSION,
    D_FACET,
    D_FACET_COS,
    D_FACET_SIN,
    D_SPUR,
)
from lumbargrade.phantom.shapes.primitives import capsule, smooth_max, smooth_min

_CARTILAGE = 0.8
"""Half the width of a dry joint's gap."""


@part_of_compiled
def facet(ax, y, z, k, side):  # type: ignore[no-untyped-def]
    """Superior and inferior articular process and the gap. The joint spans about +7 to -15 mm of the disc plane.

    Joint coordinates: ``across`` is normal to the joint's surface and grows towards the inferior process, ``along`` runs from its medial
    front end to its lateral back end; the surface is curved, so the superior process is a crescent around the inferior one.
    """
    half_canal, back, depth, growth = k[D_CANAL_WIDTH] * 0.5, k[D_DEPTH], k[D_CANAL_DEPTH], k[D_FACET + side]
    c, s = k[D_FACET_COS + side], k[D_FACET_SIN + side]
    centre_x, centre_y = half_canal - 1.6 + 9.3 * s, back + 0.43 * depth + 9.3 * c
    along = (ax - centre_x) * s + (y - centre_y) * c
    straight = -(ax - centre_x) * c + (y - centre_y) * s
    across = straight - 0.026 * along * along
    half_gap = _CARTILAGE + 0.5 * k[D_EFFUSION + side]

    long = 10.6 + (1.9 if along < 0.5 else 0.8) * growth
    tall = 14.0 + growth if z > -8 else 10.0
    thick = 8.4 - 6.0 * max(s - 0.68, 0.0) + 0.9 * growth  # coronal processes are flat, else they would close the foramen
    u, v, w = straight / thick, (along - 0.5) / long, (z + 8.0) / tall
    superior = (sqrt(u * u + v * v + w * w) - 1) * 8.0
    spur = k[D_SPUR + side]
    if spur > 0:
        u, v, w = 0.6 * (ax - half_canal - 6.0), y - back - 0.5 * depth + 0.4 * spur, z - 2.0 - 0.3 * spur
        superior = smooth_min(superior, sqrt(u * u + v * v + w * w) - 1.5 - 0.5 * spur, 2.0)  # each spur holds the smaller ones
    superior = smooth_max(superior, across + half_gap, 1.2)

    tip_x, tip_y = centre_x - 4.2 * c + 0.8 * s, centre_y + 4.2 * s + 0.8 * c
    inferior = capsule(ax, y, z, half_canal + 3.0, back + 0.74 * depth, 18.0, tip_x, tip_y, -9.0, 5.4, 5.6 + 0.5 * growth)
    inferior = smooth_max(inferior, half_gap - across - max(z - 6.0, 0.0), 1.2)

    gap = max(abs(across) - half_gap, max(abs(along) - 7.0 - growth, abs(z + 4.0) - 10.0))
    if k[D_CYST + side] > 0:
        radius = k[D_CYST + side]
        u, v, w = ax - half_canal + 2.0 + 0.6 * radius, y - back - 0.5 * depth, z + 1.0
        gap = min(gap, sqrt(u * u + v * v + w * w) - radius)
    return superior, inferior, gap
