"""How far any point lies from every tissue of a skeleton: signed distances, negative inside, evaluated where a slice or a ruler needs them.

No voxel volume is ever made, so thin structures stay exact on any slice plane. Formulas: implicit outlines scaled to a distance
``rho (f - 1) / f``, joined by smooth minima. Millimetres, body frame (see ``skeleton``). Points that lie together in ``points_mm`` are
looked at together: what is out of their reach is left out, so neighbours should follow each other.
"""

from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.phantom.compiled import compiled, part_of_compiled
from lumbargrade.phantom.numbering import N_VERTEBRAE, S1
from lumbargrade.phantom.shapes.bone import arch, body, screw
from lumbargrade.phantom.shapes.canal import SAC_REACH, exiting_root, sac_and_nerves
from lumbargrade.phantom.shapes.columns import (
    ARCH,
    BODY,
    CORD,
    CROWDING,
    D_CAGE,
    D_DEPTH,
    D_FRAME,
    D_HEIGHT,
    D_WIDTH,
    DISC,
    DISC_INDEX,
    DISC_RADIUS,
    FLAVUM,
    HARDWARE,
    JOINT,
    N_FIELDS,
    OUTERMOST,
    ROOT,
    ROOTLET,
    SAC,
    V_DEPTH,
    V_FRAME,
    V_SCREWS,
    VEIN,
)
from lumbargrade.phantom.shapes.disc import disc, flavum
from lumbargrade.phantom.shapes.joint import facet
from lumbargrade.phantom.shapes.pelvis import ilium, sacral_arch
from lumbargrade.phantom.shapes.primitives import FAR, smooth_min
from lumbargrade.phantom.skeleton import SAC_X, SAC_Y, Skeleton

_TOGETHER = 16
"""How many points are looked at together."""

_BLOCK = 256
"""How many points, a multiple of that, are sorted out together first."""

_SLACK = 1.2
"""The shapes' distances are approximate and may change by this many millimetres each millimetre."""

_BLEND_MM = 2.0
"""Shapes melt into each other over this distance, so one that lies this much further away still counts."""


_JOINT_HEIGHT_MM = 24.0
"""Joints and flava end this far above and below their disc."""

_BODIES, _ARCHES, _DISCS, _JOINTS = range(4)
"""Kinds of shapes; the first and third have the same frames as the one after them."""

_VERTEBRA_BOX = (90.0, -34.0, 80.0, -42.0, 30.0)
_DISC_BOX = (46.0, -38.0, 46.0, -28.0, 28.0)
"""Reach of a vertebra with its arch and of a disc with its joints in their frames: side, front, back, bottom, top."""


class Geometry(NamedTuple):
    """A skeleton as the arrays that the compiled functions read; columns of ``vertebrae`` and ``discs``: see ``shapes.columns``."""

    vertebrae: FloatArray
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
        corners = skeleton.roots[:, :, :3]
        return cls(
            _vertebra_columns(skeleton),
            _disc_columns(skeleton),
            skeleton.sac,
            skeleton.sac_bottom,
            skeleton.roots,
            np.concatenate([corners.min(1) - 5, corners.max(1) + 5], 1),
            skeleton.rootlets,
            skeleton.conus_z,
        )


def _vertebra_columns(skeleton: Skeleton) -> FloatArray:
    bones = skeleton.anatomy.bones
    lips = np.concatenate([[0.0], skeleton.anatomy.wear.osteophyte, [0.0]])
    lips[S1 + 1 :] = 0.0
    return np.column_stack(
        [
            bones.body_width / 2,
            bones.body_depth / 2,
            bones.body_height,
            np.tan(bones.body_wedge / 2),
            bones.canal_width,
            bones.canal_depth,
            bones.pedicle_width,
            bones.pedicle_height,
            bones.endplate_concavity,
            lips[:-1],
            lips[1:],
            bones.body_taper,
            bones.spinous_reach,
            bones.spinous_droop,
            bones.transverse_back,
            bones.lamina_height,
            bones.variants.surgery.laminectomy,
            bones.variants.surgery.screws,
            *bones.transverse_reach,
            *bones.transverse_radius,
            *bones.rib,
            skeleton.vertebra_origin,
            skeleton.vertebra_axes.reshape(-1, 9),
        ]
    )


def _disc_columns(skeleton: Skeleton) -> FloatArray:
    bones, wear = skeleton.anatomy.bones, skeleton.anatomy.wear
    wedge = np.tan(bones.disc_wedge / 2)
    return np.column_stack(
        [
            (bones.body_width[:-1] + bones.body_width[1:]) / 4,
            skeleton.disc_depth,
            wear.disc_height + 2 * wedge * bones.disc_overhang,
            wedge,
            wear.bulge,
            (bones.canal_width[:-1] + bones.canal_width[1:]) / 2,
            (bones.canal_depth[:-1] + bones.canal_depth[1:]) / 2,
            wear.flavum.T,
            wear.facet_hypertrophy.T,
            np.cos(bones.facet_angle).T,
            np.sin(bones.facet_angle).T,
            wear.foraminal_spur.T,
            wear.effusion.T,
            wear.synovial_cyst.T,
            bones.variants.surgery.cage,
            np.array([max(abs(f.z) + f.half_height if f.half_width else 0.0 for f in lesions) for lesions in wear.focal]),
            skeleton.disc_origin,
            skeleton.disc_axes.reshape(-1, 9),
            np.array([[v for f in lesions for v in (f.x, f.y, f.z, f.half_width, f.depth, f.half_height)] for lesions in wear.focal]),
        ]
    )


def distances(
    geometry: Geometry, points_mm: FloatArray, reach_mm: float = 12.0, order: NDArray[np.intp] | None = None
) -> NDArray[np.float32]:
    """(n, 3) points in the body frame to (n, N_FIELDS) distances; see ``shapes.columns.BODY`` on for the columns.

    Distances up to ``reach_mm`` are right; beyond, they may be ``FAR``. ``order`` lists the points so that neighbours follow each other;
    what it leaves out is ``FAR`` from everything.
    """
    points = np.ascontiguousarray(points_mm, np.float64).reshape(-1, 3)
    fields = np.full((len(points), N_FIELDS), FAR, np.float32)
    _distances(geometry, points, np.arange(len(points)) if order is None else order, reach_mm, fields)
    return fields


@part_of_compiled
def _local(row, frame, x, y, z):  # type: ignore[no-untyped-def]
    """A point in the frame that a row of columns has from ``frame`` on."""
    px, py, pz = x - row[frame], y - row[frame + 1], z - row[frame + 2]
    return (
        row[frame + 3] * px + row[frame + 4] * py + row[frame + 5] * pz,
        row[frame + 6] * px + row[frame + 7] * py + row[frame + 8] * pz,
        row[frame + 9] * px + row[frame + 10] * py + row[frame + 11] * pz,
    )


@part_of_compiled
def _sphere(points, order, start, stop):  # type: ignore[no-untyped-def]
    """Centre and radius of a sphere around the points listed from ``start`` to ``stop``."""
    low_x = low_y = low_z = 1e9
    high_x = high_y = high_z = -1e9
    for index in range(start, stop):
        n = order[index]
        low_x, high_x = min(low_x, points[n, 0]), max(high_x, points[n, 0])
        low_y, high_y = min(low_y, points[n, 1]), max(high_y, points[n, 1])
        low_z, high_z = min(low_z, points[n, 2]), max(high_z, points[n, 2])
    x, y, z = (low_x + high_x) / 2, (low_y + high_y) / 2, (low_z + high_z) / 2
    return x, y, z, sqrt((high_x - x) ** 2 + (high_y - y) ** 2 + (high_z - z) ** 2)


@part_of_compiled
def _frames_within(rows, frame, reach, x, y, z, radius, found, kind):  # type: ignore[no-untyped-def]
    """Write the rows whose box comes within ``radius`` of a point into ``found[kind]``; returns how many there are."""
    count = 0
    for i in range(rows.shape[0]):
        lx, ly, lz = _local(rows[i], frame, x, y, z)
        aside = abs(lx) < reach[0] + radius
        if aside and reach[1] - radius < ly < reach[2] + radius and reach[3] - radius < lz < reach[4] + radius:
            found[kind, count] = found[kind + 1, count] = i
            count += 1
    return count


@part_of_compiled
def _find_parts(vertebrae, discs, x, y, z, radius, among, counts, parts):  # type: ignore[no-untyped-def]
    """Which of the shapes in ``among`` come within ``radius`` of a point, into the rows of ``parts``; returns the count of each row."""
    n_bodies = n_arches = n_discs = n_joints = 0
    for n in range(counts[_BODIES]):
        i = among[_BODIES, n]
        lx, ly, lz = _local(vertebrae[i], V_FRAME, x, y, z)
        if body(lx, ly, lz, vertebrae[i], i >= S1) < radius:
            parts[_BODIES, n_bodies] = i
            n_bodies += 1
    for n in range(counts[_ARCHES]):
        i = among[_ARCHES, n]
        if _any_arch(vertebrae[i], i, x, y, z) < radius or vertebrae[i, V_SCREWS] > 0:
            parts[_ARCHES, n_arches] = i
            n_arches += 1
    for n in range(counts[_DISCS]):
        i = among[_DISCS, n]
        lx, ly, lz = _local(discs[i], D_FRAME, x, y, z)
        if disc(lx, ly, lz, discs[i])[0] < radius:
            parts[_DISCS, n_discs] = i
            n_discs += 1
    for n in range(counts[_JOINTS]):
        i = among[_JOINTS, n]
        k = discs[i]
        lx, ly, lz = _local(k, D_FRAME, x, y, z)
        if i < S1 and ly > k[D_DEPTH] - 6 - radius and abs(lz) < _JOINT_HEIGHT_MM + radius:
            ax, side = abs(lx), 1 if lx > 0 else 0
            superior, inferior, gap = facet(ax, ly, lz, k, side)
            if min(min(superior, inferior), min(gap, flavum(ax, ly, lz, k, side))) < radius:
                parts[_JOINTS, n_joints] = i
                n_joints += 1
    return n_bodies, n_arches, n_discs, n_joints


@part_of_compiled
def _any_arch(v, i, x, y, z):  # type: ignore[no-untyped-def]
    lx, ly, lz = _local(v, V_FRAME, x, y, z)
    if i < S1:
        return arch(abs(lx), ly, lz, v, 1 if lx > 0 else 0)
    return sacral_arch(abs(lx), ly, lz, v, i == S1)


@part_of_compiled
def _wing(first_sacral, x, y, z):  # type: ignore[no-untyped-def]
    """Distance from the nearer iliac wing, which is fixed to S1."""
    lx, ly, lz = _local(first_sacral, V_FRAME, x, y, z)
    return ilium(abs(lx), ly, lz)


@part_of_compiled
def _cage(x, y, z, k):  # type: ignore[no-untyped-def]
    """A cage in the middle of a disc, from endplate to endplate."""
    return max(sqrt(x * x * 0.36 + (y + 2.0) * (y + 2.0)) - 0.45 * k[D_WIDTH], abs(z) - 0.5 * k[D_HEIGHT] - 0.5)


@part_of_compiled
def _spine(vertebrae, discs, x, y, z, parts, counts, out):  # type: ignore[no-untyped-def]
    """Bone, disc, ligament and joint at one point, into ``out``; ``parts`` are those with a shape within reach."""
    bone = arched = soft = leaf = joint = vein = hardware = FAR
    radius, nearest = 1.0, -1
    for n in range(counts[_BODIES]):
        i = parts[_BODIES, n]
        v = vertebrae[i]
        lx, ly, lz = _local(v, V_FRAME, x, y, z)
        d = body(lx, ly, lz, v, i >= S1)
        if v[V_SCREWS] > 0:
            hardware = min(hardware, screw(abs(lx), ly, lz, v))
        if d < bone:
            bone, vein = d, FAR
            if d < -1.5 and i < S1:
                qx, qy, qz = lx / 7.0, (ly - v[V_DEPTH] + 3.0) / 7.0, lz / 2.2
                vein = (sqrt(qx * qx + qy * qy + qz * qz) - 1) * 2.2
    for n in range(counts[_ARCHES]):
        i = parts[_ARCHES, n]
        v = vertebrae[i]
        arched = smooth_min(arched, _any_arch(v, i, x, y, z), 1.5 if i < S1 else 2.0)
        if v[V_SCREWS] > 0:
            lx, ly, lz = _local(v, V_FRAME, x, y, z)
            hardware = min(hardware, screw(abs(lx), ly, lz, v))
    for n in range(counts[_DISCS]):
        i = parts[_DISCS, n]
        k = discs[i]
        lx, ly, lz = _local(k, D_FRAME, x, y, z)
        d, f = disc(lx, ly, lz, k)
        if d < soft:
            soft, radius, nearest = d, f, i
        if k[D_CAGE] > 0:
            hardware = min(hardware, _cage(lx, ly, lz, k))
    for n in range(counts[_JOINTS]):
        k = discs[parts[_JOINTS, n]]
        lx, ly, lz = _local(k, D_FRAME, x, y, z)
        if ly > k[D_DEPTH] - 6 and abs(lz) < _JOINT_HEIGHT_MM:
            side = 1 if lx > 0 else 0
            superior, inferior, gap = facet(abs(lx), ly, lz, k, side)
            arched = min(smooth_min(arched, superior, 1.2), inferior)
            joint = min(joint, gap)
            leaf = smooth_min(leaf, flavum(abs(lx), ly, lz, k, side), 1.0)
    out[BODY], out[ARCH], out[DISC], out[FLAVUM], out[JOINT], out[VEIN] = bone, arched, soft, leaf, joint, vein
    out[DISC_RADIUS], out[DISC_INDEX], out[HARDWARE] = radius, nearest, hardware


@part_of_compiled
def _roots_within(boxes, x, y, z, radius, roots):  # type: ignore[no-untyped-def]
    """Write the roots whose box comes within ``radius`` of a point into ``roots``; returns how many there are."""
    count = 0
    for j in range(boxes.shape[0]):
        box = boxes[j]
        if box[0] - radius < x < box[3] + radius and box[1] - radius < y < box[4] + radius and box[2] - radius < z < box[5] + radius:
            roots[count] = j
            count += 1
    return count


@part_of_compiled
def _near_sac(sac, bottom, x, y, z, margin):  # type: ignore[no-untyped-def]
    row = int(min(max(z - bottom, 0.0), sac.shape[0] - 1.0))
    return abs(x - sac[row, SAC_X]) < SAC_REACH + margin and abs(y - sac[row, SAC_Y]) < SAC_REACH + margin


@compiled
def _distances(g, points, order, reach, fields):  # type: ignore[no-untyped-def]
    """Write the fields of the listed points; rows that nothing is near to are left as they are."""
    vertebrae, discs = g.vertebrae, g.discs
    frames, block = np.empty((4, N_VERTEBRAE), np.int64), np.empty((4, N_VERTEBRAE), np.int64)
    parts, roots = np.empty((4, N_VERTEBRAE), np.int64), np.empty(g.roots.shape[0], np.int64)
    for first in range(0, order.shape[0], _BLOCK):
        end = min(first + _BLOCK, order.shape[0])
        x, y, z, radius = _sphere(points, order, first, end)
        margin = _SLACK * radius + reach + _BLEND_MM
        n_vertebrae = _frames_within(vertebrae, V_FRAME, _VERTEBRA_BOX, x, y, z, margin, frames, _BODIES)
        n_discs = _frames_within(discs, D_FRAME, _DISC_BOX, x, y, z, margin, frames, _DISCS)
        counts = _find_parts(vertebrae, discs, x, y, z, margin, frames, (n_vertebrae, n_vertebrae, n_discs, n_discs), block)
        n_roots = _roots_within(g.root_boxes, x, y, z, radius + reach, roots)
        has_wing, has_sac = _wing(vertebrae[S1], x, y, z) < margin, _near_sac(g.sac, g.sac_bottom, x, y, z, margin)
        if n_roots + counts[_BODIES] + counts[_ARCHES] + counts[_DISCS] + counts[_JOINTS] == 0 and not has_wing and not has_sac:
            continue
        for start in range(first, end, _TOGETHER):
            stop = min(start + _TOGETHER, end)
            x, y, z, radius = _sphere(points, order, start, stop)
            margin = _SLACK * radius + reach + _BLEND_MM
            in_tile = _find_parts(vertebrae, discs, x, y, z, margin, block, counts, parts)
            for n in range(start, stop):
                x, y, z = points[order[n], 0], points[order[n], 1], points[order[n], 2]
                out = fields[order[n]]
                _spine(vertebrae, discs, x, y, z, parts, in_tile, out)
                if has_wing:
                    out[ARCH] = min(out[ARCH], _wing(vertebrae[S1], x, y, z))
                out[SAC] = out[ROOTLET] = out[CORD] = FAR
                out[CROWDING] = 0.0
                if has_sac:
                    sac_and_nerves(g.sac, g.sac_bottom, g.rootlets, g.conus_z, x, y, z, out)
                out[ROOT] = exiting_root(g.roots, g.root_boxes, roots, n_roots, x, y, z) if out[SAC] > -1.5 else FAR
                out[OUTERMOST] = FAR
                for c in range(VEIN + 1):
                    out[OUTERMOST] = min(out[OUTERMOST], out[c])


ENTRIES = (_distances,)
"""What is compiled when distances are first asked for."""
