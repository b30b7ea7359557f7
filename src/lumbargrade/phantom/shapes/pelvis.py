"""The sacrum beside and behind its bodies, and the wings of the ilium.

Proportions of the sacrum were read off cuts through one person's mesh (Remus et al. 2021, PLoS ONE 16:e0250456, BSD-3 licence).
"""

from math import sqrt

from lumbargrade.phantom.compiled import part_of_compiled
from lumbargrade.phantom.shapes.columns import V_CANAL_DEPTH, V_CANAL_WIDTH, V_DEPTH, V_HEIGHT, V_WIDTH
from lumbargrade.phantom.shapes.primitives import capsule, clip, smooth_max, smooth_min

_COS_SLOPE, _SIN_SLOPE = 0.788, 0.616
"""Of the mean sacral slope, 38 degrees: the pelvis' own axes are upright when S1's are tilted by it."""


@part_of_compiled
def sacral_arch(ax, y, z, v, is_first):  # type: ignore[no-untyped-def]
    """Lateral mass (for S1 the ala) with the foramen below it, canal roof and median crest of a sacral vertebra."""
    a, height, back, half_canal, depth = v[V_WIDTH], v[V_HEIGHT], v[V_DEPTH] * 0.86, v[V_CANAL_WIDTH] * 0.5, v[V_CANAL_DEPTH]
    size = a / 25.0
    front = -(y + 9.0 * size - 0.2 * ax) * 0.98
    behind = (y - 31.0 * size + 0.65 * max(ax - 30.0 * size, 0.0)) * 0.84
    lateral = ax + 0.25 * z - 60.0 * size
    if is_first:
        top = max(
            (z - 15.0 - 0.62 * (y - 20.0) + 0.5 * (ax - 35.0)) * 0.78, z - 0.5 * height + 0.5 - 0.7 * clip((y - back - 5.0) / 8.0) * 8.0
        )
    else:
        top = z - 0.5 * height - 3.0
    mass = smooth_max(smooth_max(front, behind, 6.0), smooth_max(max(lateral, -z - 0.5 * height - 2.0), top, 6.0), 6.0)
    mass = max(mass, half_canal - ax)
    u, w = ax - (0.9 + 0.1 * clip(z)) * a - 4.0 * size, abs(z) - 0.5 * height - 1.0
    if z < 0 or not is_first:
        mass = smooth_max(mass, 6.0 * size - sqrt(u * u + w * w), 2.0)
    apex, end = back + depth + 3.0, back + 0.75 * depth
    t = clip(ax / (half_canal + 11.0))
    px, py = max(ax - half_canal - 11.0, 0.0), y - apex - t * (end - apex)
    low, high = 0.5 * height + 1.0, 0.0 if is_first else 0.5 * height
    roof = sqrt(px * px + py * py + max(max(z - high, -z - low), 0.0) ** 2) - 2.6
    crest = capsule(0.0, y, z, 0.0, apex + 1.0, -0.22 * height, 0.0, apex + 9.0 * size, -0.42 * height, 6.0 * size, 6.5 * size)
    crest = smooth_max(crest, ax - 2.4, 2.0)
    return min(mass, smooth_min(roof, crest, 2.0))


@part_of_compiled
def ilium(ax, local_y, local_z):  # type: ignore[no-untyped-def]
    """A wing: a curved plate from the sacroiliac joint outward and forward, flaring upward; local coordinates of S1's body."""
    y, z = _COS_SLOPE * local_y - _SIN_SLOPE * local_z, _SIN_SLOPE * local_y + _COS_SLOPE * local_z
    ux, uy = 68.0, -100.0
    outward, behind = ax - 0.18 * (z + 20.0) - 44.0, y - 60.0
    t = clip((outward * ux + behind * uy) / (ux * ux + uy * uy))
    bow = -75.0 * t * (1 - t) * (1 - 2 * t)
    px, py = outward - t * ux - 0.83 * bow, behind - t * uy - 0.56 * bow
    middle = 2 * t - 1
    plate = 0.94 * (sqrt(px * px + py * py) - (4.0 + 4.5 * middle * middle))
    crest = z - (50.0 - 42.0 * (t - 0.55) * (t - 0.55) * 4)
    return smooth_max(plate, max(crest, -75.0 - z) * 0.8, 3.0)
