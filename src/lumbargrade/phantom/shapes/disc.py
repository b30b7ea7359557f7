"""Intervertebral discs with what bulges from them, and the ligamenta flava."""

from math import sqrt

from lumbargrade.phantom.compiled import part_of_compiled
from lumbargrade.phantom.shapes.bone import outline
from lumbargrade.phantom.shapes.columns import (
    D_BULGE,
    D_CANAL_DEPTH,
    D_CANAL_WIDTH,
    D_DEPTH,
    D_FACET,
    D_FLAVUM,
    D_FOCAL,
    D_HEIGHT,
    D_REACH,
    D_WEDGE,
    D_WIDTH,
    N_FOCAL,
)
from lumbargrade.phantom.shapes.primitives import smooth_max, smooth_min


@part_of_compiled
def disc(x, y, z, k):  # type: ignore[no-untyped-def]
    """Distance from a disc with its bulge and focal lesions, and the radius in it (0 axis, 1 rim)."""
    a, b, bulge = k[D_WIDTH], k[D_DEPTH], k[D_BULGE]
    half = k[D_HEIGHT] * 0.5 - k[D_WEDGE] * y
    f = outline(x, y, a, b, 1.5 - min(bulge, 1.5) * 0.8)
    around = sqrt(x * x + y * y) * (f - 1) / f if f > 0.05 else -b
    d = around - bulge * (1.0 - 0.35 * min(abs(z) / max(half, 1.0), 1.0) ** 2)
    d = smooth_max(d, abs(z) - half - 2.0 - 1.5 * max(0.0, 1 - f * f), 1.5)
    if abs(z) - k[D_REACH] < d + 2.0 and y > b - 20 - max(d, 0.0):
        d = lesions(d, x, y - b, z, k)
    return d, f


@part_of_compiled
def lesions(d, x, behind, z, k):  # type: ignore[no-untyped-def]
    """The disc joined with its focal lesions; ``behind`` is the distance behind its back margin. Those out of reach are left out."""
    for n in range(D_FOCAL, k.shape[0], N_FOCAL):
        half_width, depth, half_height = k[n + 3], k[n + 4], k[n + 5]
        px, py, pz = abs(x - k[n]), abs(behind - k[n + 1]), abs(z - k[n + 2])
        outside = max(px - half_width, max(py - depth, pz - half_height))
        if half_width == 0 or outside > d + 2.0:
            continue
        q = sqrt((px / half_width) ** 2 + (py / depth) ** 2 + (pz / half_height) ** 2)
        d = smooth_min(d, max((q - 1) * min(depth, min(half_width, half_height)), outside), 2.0)
    return d


@part_of_compiled
def flavum(ax, y, z, k, side):  # type: ignore[no-untyped-def]
    """One leaf of the ligamentum flavum, from the lamina's apex to the medial facet: a slab that grows inward from bone."""
    half_canal, back, depth = k[D_CANAL_WIDTH] * 0.5, k[D_DEPTH], k[D_CANAL_DEPTH]
    growth = k[D_FACET + side]
    apex_y = back + depth + 4.2
    end_x, end_y = half_canal + 1.8 - 0.5 * growth, back + 0.52 * depth + 0.5 - 0.4 * growth
    length = sqrt(end_x * end_x + (end_y - apex_y) ** 2)
    ux, uy = end_x / length, (end_y - apex_y) / length
    along, inward = ax * ux + (y - apex_y) * uy, ax * uy - (y - apex_y) * ux
    thickness = k[D_FLAVUM + side] * max(1.0 - 0.35 * (z / 15.0) ** 2, 0.4)
    d = max(inward - thickness, -0.8 - inward)
    d = smooth_max(d, max(along - length, -2.0 - along), 1.0)
    return smooth_max(d, abs(z - 1) - 14.0, 2.0)
