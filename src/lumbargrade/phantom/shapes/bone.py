"""Vertebral bodies, their arches, processes and ribs, and what surgeons screw into them.

Proportions that are no parameter were read off cuts through the mean mesh of L2-L5 of 87 patients (Clouthier et al. 2023, MIT licence).
"""

from math import sqrt

from lumbargrade.phantom.compiled import part_of_compiled
from lumbargrade.phantom.shapes.columns import (
    V_CANAL_DEPTH,
    V_CANAL_WIDTH,
    V_CONCAVITY,
    V_DEPTH,
    V_HEIGHT,
    V_LAMINA_HEIGHT,
    V_LAMINECTOMY,
    V_LIP_BOTTOM,
    V_LIP_TOP,
    V_PEDICLE_HEIGHT,
    V_PEDICLE_WIDTH,
    V_RIB,
    V_SPINOUS_DROOP,
    V_SPINOUS_REACH,
    V_TAPER,
    V_TRANSVERSE_BACK,
    V_TRANSVERSE_RADIUS,
    V_TRANSVERSE_REACH,
    V_WEDGE,
    V_WIDTH,
)
from lumbargrade.phantom.shapes.primitives import capsule, clip, smooth_max, smooth_min


@part_of_compiled
def outline(x, y, half_width, half_depth, dent):  # type: ignore[no-untyped-def]
    """The kidney shape of a vertebral body: 1 on the rim. Rounder in front, squarer behind with a dent towards the canal.

    Mixtures of the ellipse (exponent 2) and the superellipse of exponent 4.
    """
    if y > 0:
        y = y + dent * max(0.0, 1 - (x / (0.62 * half_width)) ** 2)
    u, v = x / half_width, y / half_depth
    u, v = u * u, v * v
    round_share = 0.3 if y > 0 else 0.72
    return round_share * sqrt(u + v) + (1 - round_share) * sqrt(sqrt(u * u + v * v))


@part_of_compiled
def body(x, y, z, v, sacral):  # type: ignore[no-untyped-def]
    """A body with its waist, hollow endplates (deepest behind their middle, the lower one deeper) and lipped rims."""
    height = v[V_HEIGHT]
    level = min(max(z / height, -0.6), 0.6)
    taper = v[V_TAPER] * (level - 0.5 if sacral else level)
    a, b = v[V_WIDTH] * (1 + taper), v[V_DEPTH] * (1 + taper if sacral else 1.0)
    half = height * 0.5 - v[V_WEDGE] * y
    beyond = max(abs(z) - half - 2.0, max(abs(x) - a, abs(y) - b) - 3.0)
    if beyond > 3.0:
        return beyond
    f = outline(x, y, a, b, 0.8 if sacral else 1.2)
    rim = abs(z) / (height * 0.5)
    scale = 1.01 - 0.05 * max(0.0, 1 - rim * rim) if sacral else 1.035 - 0.155 * max(0.0, 1 - rim * rim)
    if rim > 0.6:
        scale += 0.055 * (v[V_LIP_TOP] if z > 0 else v[V_LIP_BOTTOM]) * (rim - 0.6) / 0.4
    around = sqrt(x * x + y * y) * (f - scale) / f if f > 0.05 else -scale * b
    p, q = x / a, y / b - 0.2
    q *= 1.25 if q > 0 else 0.833
    dip = v[V_CONCAVITY] * max(0.0, 1 - p * p - q * q) * (0.8 if z > 0 else 1.2)
    return smooth_max(around, abs(z) - (half - dip), 2.2)


@part_of_compiled
def arch(ax, y, z, v, side):  # type: ignore[no-untyped-def]
    """Pedicle, isthmus, lamina, spinous and transverse process and rib of a mobile vertebra; ``ax`` is the distance from the midline."""
    height, back, half_canal, depth = v[V_HEIGHT], v[V_DEPTH], v[V_CANAL_WIDTH] * 0.5, v[V_CANAL_DEPTH]
    half_pedicle = v[V_PEDICLE_WIDTH] * 0.5
    q = (ax - half_canal - half_pedicle + 0.5 * max(back + 1.0 - y, 0.0)) / half_pedicle
    w = (z - 0.16 * height) / (v[V_PEDICLE_HEIGHT] * 0.5)
    d = smooth_max((sqrt(q * q + w * w) - 1) * half_pedicle, abs(y - back - 0.08 * depth) - 0.56 * depth, 2.0)
    isthmus = capsule(
        ax, y, z, half_canal + 4.5, back + 0.66 * depth, 0.22 * height, half_canal + 2.5, back + 0.80 * depth, -0.25 * height, 5.0, 4.8
    )
    d = smooth_min(d, isthmus, 3.0)
    if max(back + 0.6 * depth - 8.0 - y, ax - half_canal - 5.0) < d + 4.5:  # else it is out of reach, and changes nothing
        roof = smooth_min(_lamina(ax, y, z, v[V_LAMINA_HEIGHT], half_canal, back, depth), _spinous_process(ax, y, z, v), 5.0)
        if v[V_LAMINECTOMY] > 0:
            roof = smooth_max(roof, half_canal - 1.5 - ax, 1.0)
        d = smooth_min(d, roof, 3.0)
    if half_canal - 2.0 - ax < d + 3.0:
        d = smooth_min(d, _transverse_process(ax, y, z, v, side, half_canal, back), 3.0)
    if v[V_RIB + side] > 0:
        d = min(d, _rib(ax, y, z, v[V_WIDTH], back, v[V_RIB + side]))
    return d


@part_of_compiled
def _lamina(ax, y, z, height, half_canal, back, depth):  # type: ignore[no-untyped-def]
    """A plate from the midline to the isthmus that leans backward as it goes down, taller away from the midline."""
    leaning = y + (0.5 - 0.026 * min(ax, 14.0)) * z
    side, front, apex = half_canal + 1.0, back + 0.60 * depth, back + depth + 1.4
    ux, uy = -side, apex - front
    t = clip(((ax - side) * ux + (leaning - front) * uy) / (ux * ux + uy * uy))
    px, py = ax - side - t * ux, leaning - front - t * uy
    beyond = 0.8 * max(z - 5.5 - 0.5 * min(ax, 12.0), 4.7 - height - 0.75 * min(ax, 12.0) - z)
    return smooth_max(0.92 * (sqrt(px * px + py * py) - 3.0), beyond, 2.5)


@part_of_compiled
def _spinous_process(ax, y, z, v):  # type: ignore[no-untyped-def]
    """A hatchet: thin and sloping above, bulbous below and behind."""
    height = v[V_HEIGHT]
    head = 4.0 + 0.29 * v[V_LAMINA_HEIGHT]
    root_y, tip_y = v[V_DEPTH] + v[V_CANAL_DEPTH] + 4.0, v[V_DEPTH] + v[V_SPINOUS_REACH] - head
    profile = capsule(0.0, y, z, 0.0, root_y, -0.07 * height, 0.0, tip_y, -v[V_SPINOUS_DROOP], 0.21 * height, head)
    half_width = min(max(3.6 - 0.1 * (z + 0.43 * height), 2.2), 4.6)
    return smooth_max(profile, ax - half_width, 2.5)


@part_of_compiled
def _transverse_process(ax, y, z, v, side, half_canal, back):  # type: ignore[no-untyped-def]
    height, thick, outward = v[V_HEIGHT], v[V_TRANSVERSE_RADIUS + side], v[V_TRANSVERSE_BACK]
    root, tip = half_canal + 0.9 * v[V_PEDICLE_WIDTH], 2.2 + 0.7 * max(thick - 8.0, 0.0)
    end = v[V_TRANSVERSE_REACH + side] - tip
    return capsule(ax, y, z, root, back + 0.6 * outward, 0.05 * height, end, back + outward, 0.09 * height, thick, tip)


@part_of_compiled
def _rib(ax, y, z, half_width, back, length):  # type: ignore[no-untyped-def]
    """From the side of the body backward, then outward and down."""
    turn_x, turn_y = half_width + 22.0 * min(length, 1.0), back + 15.0 * min(length, 1.0)
    neck = capsule(ax, y, z, half_width + 1.5, back - 4.0, 4.0, turn_x, turn_y, -2.0, 4.0, 4.5)
    shaft = capsule(ax, y, z, turn_x, turn_y, -2.0, turn_x + 42.0 * length, turn_y - 6.0 * length, -2.0 - 26.0 * length, 4.5, 4.0)
    return min(neck, shaft)


@part_of_compiled
def screw(ax, y, z, v):  # type: ignore[no-untyped-def]
    """One of a pair of pedicle screws: a shaft through the pedicle into the body, its head and the cut rod behind."""
    aside, back = v[V_CANAL_WIDTH] * 0.5 + v[V_PEDICLE_WIDTH] * 0.5, v[V_DEPTH]
    level, head = 0.16 * v[V_HEIGHT], back + v[V_CANAL_DEPTH] * 1.35
    shaft = capsule(ax, y, z, aside - 6.0, -0.1 * back, level, aside + 2.0, head, level, 2.8, 3.2)
    rod = capsule(ax, y, z, aside + 2.0, head + 5.0, level - 22.0, aside + 2.0, head + 5.0, level + 22.0, 3.0, 3.0)
    return min(shaft, rod)
