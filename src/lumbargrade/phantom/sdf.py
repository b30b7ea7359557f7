"""How far any point lies from every tissue of a skeleton: signed distances, negative inside, evaluated where a slice or a ruler needs them.

No voxel volume is ever made, so thin structures stay exact on any slice plane. Formulas: implicit outlines scaled to a distance
``rho (f - 1) / f``, joined by polynomial smooth minima (Inigo Quilez, "smooth minimum"). Millimetres, body frame (see ``skeleton``).
"""

from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.phantom.anatomy import N_DISCS, N_VERTEBRAE, S1
from lumbargrade.phantom.compiled import compiled, part_of_compiled
from lumbargrade.phantom.skeleton import SAC_CROWDING, SAC_HALF_DEPTH, SAC_HALF_WIDTH, SAC_X, SAC_Y, Skeleton

(BODY, ARCH, DISC, FLAVUM, JOINT, SAC, ROOT, ROOTLET, CORD, VEIN, DISC_RADIUS, DISC_INDEX, CROWDING) = range(13)
N_FIELDS = 13
"""Columns of ``distances``. Up to VEIN: millimetres. DISC_RADIUS: 0 at the disc's axis, 1 at its rim. DISC_INDEX: the nearest disc, or -1.
CROWDING: 0 where rootlets float in the sac, 1 where they fill it."""

FAR = 1000.0
NEAR_SIDE, NEAR_FRONT, NEAR_BACK = 76.0, -62.0, 64.0
"""Beyond these distances from the sac (left or right, front, back) nothing belongs to the spine."""

(
    V_WIDTH,
    V_DEPTH,
    V_HEIGHT,
    V_WEDGE,
    V_CANAL_WIDTH,
    V_CANAL_DEPTH,
    V_PEDICLE_WIDTH,
    V_PEDICLE_HEIGHT,
    V_CONCAVITY,
    V_LIP_TOP,
    V_LIP_BOTTOM,
) = range(11)
(D_WIDTH, D_DEPTH, D_HEIGHT, D_WEDGE, D_BULGE, D_CANAL_WIDTH, D_CANAL_DEPTH, D_FACET_COS, D_FACET_SIN) = range(9)
D_FLAVUM, D_FACET, D_FOCAL = 9, 11, 13  # right and left; right and left; x, half width, depth, half height


class Geometry(NamedTuple):
    """A skeleton as the arrays that the compiled functions read; widths and depths of bodies and discs are half axes."""

    vertebra_origin: FloatArray
    vertebra_axes: FloatArray
    vertebrae: FloatArray
    disc_origin: FloatArray
    disc_axes: FloatArray
    discs: FloatArray
    sac: FloatArray
    sac_bottom: float
    roots: FloatArray
    root_boxes: FloatArray
    rootlets: FloatArray
    conus_z: float

    @classmethod
    def of(cls, skeleton: Skeleton) -> "Geometry":
        """Tabulate a skeleton."""
        a = skeleton.anatomy
        lips = np.concatenate([[0.0], a.osteophyte, [0.0]])
        lips[S1 + 1 :] = 0.0
        vertebrae = np.stack(
            [
                a.body_width / 2,
                a.body_depth / 2,
                a.body_height,
                np.tan(a.body_wedge / 2),
                a.canal_width,
                a.canal_depth,
                a.pedicle_width,
                a.pedicle_height,
                a.endplate_concavity,
                lips[:-1],
                lips[1:],
            ],
            1,
        )
        wedge = np.tan(a.disc_wedge / 2)
        discs = np.concatenate(
            [
                np.stack(
                    [
                        (a.body_width[:-1] + a.body_width[1:]) / 4,
                        skeleton.disc_depth,
                        a.disc_height + 2 * wedge * a.disc_overhang,
                        wedge,
                        a.bulge,
                        (a.canal_width[:-1] + a.canal_width[1:]) / 2,
                        (a.canal_depth[:-1] + a.canal_depth[1:]) / 2,
                        np.cos(a.facet_angle),
                        np.sin(a.facet_angle),
                    ],
                    1,
                ),
                a.flavum.T,
                a.facet_hypertrophy.T,
                np.array([[f.x, f.half_width, f.depth, f.half_height] for f in a.focal]),
            ],
            1,
        )
        corners = skeleton.roots[:, :, :3]
        boxes = np.concatenate([corners.min(1) - 5, corners.max(1) + 5], 1)
        return cls(
            skeleton.vertebra_origin,
            skeleton.vertebra_axes,
            vertebrae,
            skeleton.disc_origin,
            skeleton.disc_axes,
            np.ascontiguousarray(discs),
            skeleton.sac,
            skeleton.sac_bottom,
            skeleton.roots,
            boxes,
            skeleton.rootlets,
            skeleton.conus_z,
        )


def distances(geometry: Geometry, points_mm: FloatArray) -> NDArray[np.float32]:
    """(n, 3) points in the body frame to (n, N_FIELDS) distances; see ``BODY`` on for the columns."""
    points = np.ascontiguousarray(points_mm, np.float64).reshape(-1, 3)
    fields = np.empty((len(points), N_FIELDS), np.float32)
    _distances(geometry, points, fields)
    return fields


@part_of_compiled
def _smooth_min(a: float, b: float, k: float) -> float:
    h = max(k - abs(a - b), 0.0) / k
    return min(a, b) - h * h * k * 0.25


@part_of_compiled
def _smooth_max(a, b, k):  # type: ignore[no-untyped-def]
    return -_smooth_min(-a, -b, k)


@part_of_compiled
def _clip(x: float) -> float:
    return min(max(x, 0.0), 1.0)


@part_of_compiled
def _capsule(x, y, z, ax, ay, az, bx, by, bz, radius_a, radius_b):  # type: ignore[no-untyped-def]
    """Distance from a rod between two points whose radius changes from one end to the other."""
    dx, dy, dz = bx - ax, by - ay, bz - az
    t = _clip(((x - ax) * dx + (y - ay) * dy + (z - az) * dz) / (dx * dx + dy * dy + dz * dz))
    ex, ey, ez = x - ax - t * dx, y - ay - t * dy, z - az - t * dz
    return sqrt(ex * ex + ey * ey + ez * ez) - (radius_a + t * (radius_b - radius_a))


@part_of_compiled
def _outline(x, y, half_width, half_depth, dent):  # type: ignore[no-untyped-def]
    """The kidney shape of a vertebral body: 1 on the rim. Rounder in front, squarer behind with a dent towards the canal."""
    if y > 0:
        y = y + dent * max(0.0, 1 - (x / (0.62 * half_width)) ** 2)
    u, v = abs(x) / half_width, abs(y) / half_depth
    square = (u * u * u + v * v * v) ** (1 / 3)
    return square if y > 0 else 0.55 * sqrt(u * u + v * v) + 0.45 * square


@part_of_compiled
def _body(x, y, z, v, sacral):  # type: ignore[no-untyped-def]
    a, b, height = v[V_WIDTH], v[V_DEPTH], v[V_HEIGHT]
    if sacral:
        a *= 1 + 0.55 * z / height
        b *= 1 + 0.32 * z / height
    half = height * 0.5 - v[V_WEDGE] * y
    if abs(z) > half + 4 or abs(x) > a + 5 or abs(y) > b + 5:
        return FAR
    f = _outline(x, y, a, b, 0.8 if sacral else 1.6)
    rim = abs(z) / (height * 0.5)
    waist = (0.02 if sacral else 0.10) * max(0.0, 1 - rim * rim)
    scale = 1 - waist
    if rim > 0.6:
        scale += 0.055 * (v[V_LIP_TOP] if z > 0 else v[V_LIP_BOTTOM]) * (rim - 0.6) / 0.4
    around = sqrt(x * x + y * y) * (f - scale) / f if f > 0.05 else -scale * b
    dip = (0.8 if sacral else v[V_CONCAVITY]) * max(0.0, 1 - f * f)
    return _smooth_max(around, abs(z) - (half - dip), 2.2)


@part_of_compiled
def _arch(ax, y, z, v):  # type: ignore[no-untyped-def]
    """Pedicle, lamina, spinous and transverse process of a mobile vertebra; ``ax`` is the distance from the midline."""
    height, back, half_canal, depth = v[V_HEIGHT], v[V_DEPTH], v[V_CANAL_WIDTH] * 0.5, v[V_CANAL_DEPTH]
    half_pedicle = v[V_PEDICLE_WIDTH] * 0.5
    q = (ax - half_canal - half_pedicle) / half_pedicle
    w = (z - 0.20 * height) / (v[V_PEDICLE_HEIGHT] * 0.5)
    d = _smooth_max((sqrt(q * q + w * w) - 1) * half_pedicle, abs(y - back - 0.12 * depth) - 0.52 * depth, 2.0)
    lamina_z = -0.30 * height
    leaning = y + 0.22 * (z - lamina_z)
    side, front, apex = half_canal + 2.0, back + 0.66 * depth, back + depth + 3.2
    ux, uy = -side, apex - front
    t = _clip(((ax - side) * ux + (leaning - front) * uy) / (ux * ux + uy * uy))
    px, py = ax - side - t * ux, leaning - front - t * uy
    d = _smooth_min(d, _smooth_max(sqrt(px * px + py * py) - 3.1, abs(z - lamina_z) - 0.37 * height, 2.5), 3.0)
    behind = y - back - depth
    px = max(ax - 1.2 - 0.05 * max(behind - 18.0, 0.0), 0.0)
    py = max(abs(behind - 18) - 13.0, 0.0)
    pz = max(abs(z + 0.40 * height + 0.16 * (behind - 18)) - (6.5 + 0.14 * behind), 0.0)
    d = _smooth_min(d, sqrt(px * px + py * py + pz * pz) - 2.4, 3.0)
    if ax > half_canal:
        root = half_canal + v[V_PEDICLE_WIDTH] * 0.7
        middle = back + 0.45 * depth
        d = _smooth_min(d, _capsule(ax, y, z, root, middle, 0.12 * height, root + 26, middle + 5, 0.16 * height, 4.2, 3.0), 3.0)
    return d


@part_of_compiled
def _sacral_arch(ax, y, z, v):  # type: ignore[no-untyped-def]
    """The ala beside a sacral body and the roof of its canal."""
    a, height = v[V_WIDTH] * (1 + 0.55 * z / v[V_HEIGHT]), v[V_HEIGHT]
    qx, qy, qz = (ax - a - 17.0) / 25.0, (y - 4 + 0.15 * ax) / 17.0, (z + 3) / (height * 0.56)
    ala = (sqrt(qx * qx + qy * qy + qz * qz) - 1) * 14.0
    px = max(ax - 14, 0.0)
    py = y - (v[V_DEPTH] + v[V_CANAL_DEPTH] + 1.5)
    pz = max(abs(z) - height * 0.45, 0.0)
    roof = sqrt(px * px + py * py + pz * pz) - 2.6
    crest_y = max(abs(py - 5.0) - 3.5, 0.0)
    crest = sqrt(max(ax - 0.8, 0.0) ** 2 + crest_y * crest_y + max(abs(z) - height * 0.3, 0.0) ** 2) - 2.0
    return min(ala, _smooth_min(roof, crest, 2.0))


@part_of_compiled
def _disc(x, y, z, k):  # type: ignore[no-untyped-def]
    """Distance from a disc with its bulge and focal lesion, and the radius in it (0 axis, 1 rim)."""
    a, b, bulge = k[D_WIDTH], k[D_DEPTH], k[D_BULGE]
    half = k[D_HEIGHT] * 0.5 - k[D_WEDGE] * y
    f = _outline(x, y, a, b, 1.5 - min(bulge, 1.5) * 0.8)
    around = sqrt(x * x + y * y) * (f - 1) / f if f > 0.05 else -b
    d = around - bulge * (1.0 - 0.35 * (abs(z) / max(half, 1.0)) ** 2)
    d = _smooth_max(d, abs(z) - half - 2.0, 1.5)
    if k[D_FOCAL + 1] > 0:
        depth = k[D_FOCAL + 2] + 1.0
        qx, qy, qz = (x - k[D_FOCAL]) / k[D_FOCAL + 1], (y - b + 1.0) / depth, z / k[D_FOCAL + 3]
        q = sqrt(qx * qx + qy * qy + qz * qz)
        d = _smooth_min(d, (q - 1) * min(depth, k[D_FOCAL + 1]), 2.0)
    return d, f


@part_of_compiled
def _facet(ax, y, z, k, side):  # type: ignore[no-untyped-def]
    """Superior and inferior articular process and the gap between them. The joint spans about +8 to -16 mm of the disc plane.

    Joint coordinates: ``across`` is normal to the joint surface and grows towards the inferior process, ``along`` runs from its medial
    front end to its lateral back end; the surface is curved, so the superior process is a crescent around the inferior one.
    """
    half_canal, back, depth = k[D_CANAL_WIDTH] * 0.5, k[D_DEPTH], k[D_CANAL_DEPTH]
    growth = k[D_FACET + side]
    centre_x, centre_y = half_canal + 4.0, back + 0.86 * depth
    c, s = k[D_FACET_COS], k[D_FACET_SIN]
    along = (ax - centre_x) * s + (y - centre_y) * c
    across = -(ax - centre_x) * c + (y - centre_y) * s - 0.024 * along * along
    shift = (z + 4.0) / 12.5
    tall = shift * shift * shift * shift
    q = sqrt(((across + 3.2) / (3.9 + 0.95 * growth)) ** 2 + ((along + 0.4 + 0.5 * growth) / (8.0 + 1.5 * growth)) ** 2 + tall)
    stem = _capsule(ax, y, z, half_canal + 7.0, back + 0.45 * depth, -18.0, centre_x + 2.0, centre_y - 3.0, -8.0, 5.5, 4.2)
    superior = _smooth_max(_smooth_min((q - 1) * 4.2, stem, 2.0), across + 0.9, 1.2)
    q = sqrt(((across - 3.8) / (4.8 + 0.7 * growth)) ** 2 + ((along - 0.2) / (7.6 + 1.2 * growth)) ** 2 + ((z + 3.0) / 13.0) ** 4)
    stem = _capsule(ax, y, z, half_canal + 1.0, back + depth + 1.0, 16.0, centre_x - 2.6, centre_y + 4.0, 4.0, 5.0, 4.5)
    inferior = _smooth_max(_smooth_min((q - 1) * 4.8, stem, 2.0), 0.9 - across, 1.2)
    gap = max(abs(across) - 0.8, min(superior, inferior) - 0.4)
    gap = max(gap, max(abs(along) - 7.0 - growth, abs(z + 4.0) - 11.0))
    return superior, inferior, gap


@part_of_compiled
def _flavum(ax, y, z, k, side):  # type: ignore[no-untyped-def]
    """One leaf of the ligamentum flavum, from the lamina's apex to the medial facet."""
    half_canal, back, depth = k[D_CANAL_WIDTH] * 0.5, k[D_DEPTH], k[D_CANAL_DEPTH]
    growth = k[D_FACET + side]
    apex_y = back + depth + 3.6
    end_x, end_y = half_canal + 1.4 - 0.5 * growth, back + 0.52 * depth - 0.4 * growth
    ux, uy = end_x, end_y - apex_y
    t = _clip((ax * ux + (y - apex_y) * uy) / (ux * ux + uy * uy))
    px, py = ax - t * ux, y - apex_y - t * uy
    thickness = k[D_FLAVUM + side] * 0.85 * max(1.0 - 0.35 * (z / 15.0) ** 2, 0.4)
    return _smooth_max(sqrt(px * px + py * py) - thickness, abs(z - 1) - 14.0, 2.0)


@part_of_compiled
def _is_far(origin, x, y, z, height, squared):  # type: ignore[no-untyped-def]
    """Whether a point is more than ``height`` above or below a frame, or further than the root of ``squared``."""
    px, py, pz = x - origin[0], y - origin[1], z - origin[2]
    return abs(pz) > height or px * px + py * py + pz * pz > squared


@part_of_compiled
def _local(origin, axes, x, y, z):  # type: ignore[no-untyped-def]
    """A point in a frame."""
    px, py, pz = x - origin[0], y - origin[1], z - origin[2]
    return (
        axes[0, 0] * px + axes[0, 1] * py + axes[0, 2] * pz,
        axes[1, 0] * px + axes[1, 1] * py + axes[1, 2] * pz,
        axes[2, 0] * px + axes[2, 1] * py + axes[2, 2] * pz,
    )


@part_of_compiled
def _spine(g, x, y, z, out):  # type: ignore[no-untyped-def]
    """Bone, disc, ligament and joint at one point, into ``out``."""
    body = arch = disc = flavum = joint = vein = FAR
    radius, nearest = 1.0, -1
    for i in range(N_VERTEBRAE):
        if _is_far(g.vertebra_origin[i], x, y, z, 48.0, 9000.0):
            continue
        lx, ly, lz = _local(g.vertebra_origin[i], g.vertebra_axes[i], x, y, z)
        v = g.vertebrae[i]
        d = _body(lx, ly, lz, v, i >= S1)
        if d < body:
            body = d
            if d < -1.5 and i < S1:
                qx, qy, qz = lx / 7.0, (ly - v[V_DEPTH] + 3.0) / 7.0, lz / 2.2
                vein = (sqrt(qx * qx + qy * qy + qz * qz) - 1) * 2.2
            else:
                vein = FAR
        ax = abs(lx)
        if i < S1:
            if ly > v[V_DEPTH] - 9 and ax < 60 and -34 < lz < 20:
                arch = _smooth_min(arch, _arch(ax, ly, lz, v), 1.5)
        elif ly > -v[V_DEPTH] - 5:
            arch = _smooth_min(arch, _sacral_arch(ax, ly, lz, v), 2.0)
    for i in range(N_DISCS):
        if _is_far(g.disc_origin[i], x, y, z, 42.0, 4200.0):
            continue
        lx, ly, lz = _local(g.disc_origin[i], g.disc_axes[i], x, y, z)
        k = g.discs[i]
        if abs(lz) < k[D_HEIGHT] * 0.5 + abs(k[D_WEDGE] * ly) + 9 and abs(lx) < k[D_WIDTH] + 9 and abs(ly) < k[D_DEPTH] + 14:
            d, f = _disc(lx, ly, lz, k)
            if d < disc:
                disc, radius, nearest = d, f, i
        if i < S1 and ly > k[D_DEPTH] - 6 and abs(lz) < 24 and abs(lx) < 42:
            ax = abs(lx)
            side = 1 if lx > 0 else 0
            superior, inferior, gap = _facet(ax, ly, lz, k, side)
            arch = min(_smooth_min(arch, superior, 1.2), inferior)
            joint = min(joint, gap)
            flavum = _smooth_min(flavum, _flavum(ax, ly, lz, k, side), 1.0)
    out[BODY], out[ARCH], out[DISC], out[FLAVUM], out[JOINT], out[VEIN] = body, arch, disc, flavum, joint, vein
    out[DISC_RADIUS], out[DISC_INDEX] = radius, nearest


@part_of_compiled
def _sac_and_nerves(g, x, y, z, out):  # type: ignore[no-untyped-def]
    """The sac yields to whatever intrudes (bone, disc, ligament); rootlets and cord lie inside it."""
    out[SAC] = out[ROOTLET] = out[CORD] = FAR
    out[CROWDING] = 0.0
    height = z - g.sac_bottom
    if height <= 0 or height >= g.sac.shape[0] - 1.01:
        return
    i = int(height)
    w = height - i
    low, high = g.sac[i], g.sac[i + 1]
    qx = x - low[SAC_X] * (1 - w) - high[SAC_X] * w
    qy = y - low[SAC_Y] * (1 - w) - high[SAC_Y] * w
    if abs(qx) > 20 or abs(qy) > 24:
        return
    a = low[SAC_HALF_WIDTH] * (1 - w) + high[SAC_HALF_WIDTH] * w
    b = low[SAC_HALF_DEPTH] * (1 - w) + high[SAC_HALF_DEPTH] * w
    q = sqrt((qx / a) ** 2 + (qy / b) ** 2)
    d = sqrt(qx * qx + qy * qy) * (q - 1) / q if q > 0.08 else -min(a, b)
    if d < 3:
        d = _smooth_max(d, 0.5 - min(out[BODY], out[ARCH]), 1.5)
        d = _smooth_max(d, 0.25 - out[DISC], 2.0)
        d = _smooth_max(d, 0.35 - out[FLAVUM], 2.0)
    out[SAC] = d
    if d > 0.5:
        return
    out[CROWDING] = low[SAC_CROWDING] * (1 - w) + high[SAC_CROWDING] * w
    nerve = FAR
    for j in range(g.rootlets.shape[0]):
        radius = g.rootlets[j, i, 2]
        if radius > 0:
            ux = x - g.rootlets[j, i, 0] * (1 - w) - g.rootlets[j, i + 1, 0] * w
            uy = y - g.rootlets[j, i, 1] * (1 - w) - g.rootlets[j, i + 1, 1] * w
            nerve = min(nerve, sqrt(ux * ux + uy * uy) - radius)
    out[ROOTLET] = nerve
    if z > g.conus_z - 25:
        taper = _clip((z - g.conus_z) / 30.0)
        out[CORD] = sqrt(qx * qx * 0.8 + (qy - 1.2) ** 2 * 1.15) - (0.7 + 3.6 * taper)


@part_of_compiled
def _exiting_root(g, x, y, z):  # type: ignore[no-untyped-def]
    nearest = FAR
    for j in range(g.roots.shape[0]):
        box = g.root_boxes[j]
        if x < box[0] or x > box[3] or y < box[1] or y > box[4] or z < box[2] or z > box[5]:
            continue
        for p in range(4):
            a, b = g.roots[j, p], g.roots[j, p + 1]
            nearest = min(nearest, _capsule(x, y, z, a[0], a[1], a[2], b[0], b[1], b[2], a[3], b[3]))
    return nearest


@compiled
def _distances(g, points, fields):  # type: ignore[no-untyped-def]
    for n in range(points.shape[0]):
        x, y, z = points[n, 0], points[n, 1], points[n, 2]
        out = fields[n]
        row = int(min(max(z - g.sac_bottom, 0.0), g.sac.shape[0] - 1.0))
        side, behind = abs(x - g.sac[row, SAC_X]), y - g.sac[row, SAC_Y]
        if side > NEAR_SIDE or behind < NEAR_FRONT or behind > NEAR_BACK:
            for column in range(VEIN + 1):
                out[column] = FAR
            out[DISC_RADIUS], out[DISC_INDEX], out[CROWDING] = 1.0, -1.0, 0.0
            continue
        _spine(g, x, y, z, out)
        _sac_and_nerves(g, x, y, z, out)
        out[ROOT] = _exiting_root(g, x, y, z) if out[SAC] > -1.5 else FAR
