"""Smooth unions and rods (Inigo Quilez, "smooth minimum" and "distance functions"). Millimetres, negative inside."""

from math import sqrt

from lumbargrade.phantom.compiled import part_of_compiled

FAR = 1000.0
"""The distance of what is not near enough to matter."""


@part_of_compiled
def smooth_min(a: float, b: float, k: float) -> float:
    h = max(k - abs(a - b), 0.0) / k
    return min(a, b) - h * h * k * 0.25


@part_of_compiled
def smooth_max(a, b, k):  # type: ignore[no-untyped-def]
    return -smooth_min(-a, -b, k)


@part_of_compiled
def clip(x: float) -> float:
    return min(max(x, 0.0), 1.0)


@part_of_compiled
def capsule(x, y, z, ax, ay, az, bx, by, bz, radius_a, radius_b):  # type: ignore[no-untyped-def]
    """Distance from a rod between two points whose radius changes from one end to the other."""
    dx, dy, dz = bx - ax, by - ay, bz - az
    t = clip(((x - ax) * dx + (y - ay) * dy + (z - az) * dz) / (dx * dx + dy * dy + dz * dz))
    ex, ey, ez = x - ax - t * dx, y - ay - t * dy, z - az - t * dz
    return sqrt(ex * ex + ey * ey + ez * ez) - (radius_a + t * (radius_b - radius_a))
