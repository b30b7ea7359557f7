"""The dural sac, which yields to what intrudes, what floats in it, and the roots that leave it."""

from math import sqrt

from lumbargrade.phantom.compiled import part_of_compiled
from lumbargrade.phantom.shapes.columns import ARCH, BODY, CORD, CROWDING, DISC, FLAVUM, ROOTLET, SAC
from lumbargrade.phantom.shapes.primitives import FAR, capsule, clip, smooth_max
from lumbargrade.phantom.skeleton import SAC_CROWDING, SAC_HALF_DEPTH, SAC_HALF_WIDTH, SAC_X, SAC_Y

SAC_REACH = 24.0
"""Further from its centre than this, aside or in depth, there is no sac."""


@part_of_compiled
def sac_and_nerves(sac, bottom, rootlets, conus_z, x, y, z, out):  # type: ignore[no-untyped-def]
    """The sac yields to whatever intrudes (bone, disc, ligament); rootlets and cord lie inside it."""
    height = z - bottom
    if height <= 0 or height >= sac.shape[0] - 1.01:
        return
    i = int(height)
    w = height - i
    low, high = sac[i], sac[i + 1]
    qx = x - low[SAC_X] * (1 - w) - high[SAC_X] * w
    qy = y - low[SAC_Y] * (1 - w) - high[SAC_Y] * w
    if abs(qx) > SAC_REACH or abs(qy) > SAC_REACH:
        return
    a = low[SAC_HALF_WIDTH] * (1 - w) + high[SAC_HALF_WIDTH] * w
    b = low[SAC_HALF_DEPTH] * (1 - w) + high[SAC_HALF_DEPTH] * w
    q = sqrt((qx / a) ** 2 + (qy / b) ** 2)
    d = sqrt(qx * qx + qy * qy) * (q - 1) / q if q > 0.08 else -min(a, b)
    if d < 3:
        d = smooth_max(d, 0.5 - min(out[BODY], out[ARCH]), 1.5)
        d = smooth_max(d, 0.25 - out[DISC], 2.0)
        d = smooth_max(d, 0.35 - out[FLAVUM], 2.0)
    out[SAC] = d
    if d > 0.5:
        return
    out[CROWDING] = low[SAC_CROWDING] * (1 - w) + high[SAC_CROWDING] * w
    nerve = FAR
    for j in range(rootlets.shape[0]):
        radius = rootlets[j, i, 2]
        if radius > 0:
            ux = x - rootlets[j, i, 0] * (1 - w) - rootlets[j, i + 1, 0] * w
            if abs(ux) < nerve + radius:
                uy = y - rootlets[j, i, 1] * (1 - w) - rootlets[j, i + 1, 1] * w
                nerve = min(nerve, sqrt(ux * ux + uy * uy) - radius)
    out[ROOTLET] = nerve
    if z > conus_z - 25:
        taper = clip((z - conus_z) / 30.0)
        out[CORD] = sqrt(qx * qx * 0.8 + (qy - 1.2) ** 2 * 1.15) - (0.7 + 3.6 * taper)


@part_of_compiled
def exiting_root(roots, boxes, these, count, x, y, z):  # type: ignore[no-untyped-def]
    """Distance from the nearest of these roots."""
    nearest = FAR
    for n in range(count):
        j = these[n]
        box = boxes[j]
        if x < box[0] or x > box[3] or y < box[1] or y > box[4] or z < box[2] or z > box[5]:
            continue
        for p in range(4):
            a, b = roots[j, p], roots[j, p + 1]
            nearest = min(nearest, capsule(x, y, z, a[0], a[1], a[2], b[0], b[1], b[2], a[3], b[3]))
    return nearest
