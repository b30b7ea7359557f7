"""A slice through a scene: tissue fractions at every point, and from them water and fat signal for several contrasts at once."""

from dataclasses import dataclass
from math import floor, sqrt

import numpy as np
from numpy.typing import NDArray

from lumbargrade.geometry.affine import FloatArray, SliceAffine
from lumbargrade.phantom import scene as _scene
from lumbargrade.phantom import sdf
from lumbargrade.phantom.compiled import compiled, part_of_compiled
from lumbargrade.phantom.scene import Scene
from lumbargrade.phantom.tissue import N_TISSUES, Signals, Tissue

_FAT, _MUSCLE, _MARROW, _CORTEX, _ANNULUS, _CSF = (
    int(t) for t in (Tissue.FAT, Tissue.MUSCLE, Tissue.MARROW, Tissue.CORTEX, Tissue.ANNULUS, Tissue.CSF)
)
_ROOT, _CORD, _LIGAMENT, _VESSEL, _EPIDURAL, _FLUID = (
    int(t) for t in (Tissue.ROOT, Tissue.CORD, Tissue.LIGAMENT, Tissue.VESSEL, Tissue.EPIDURAL_FAT, Tissue.FLUID)
)
_VEIN, _NUCLEUS, _BOWEL, _ORGAN = int(Tissue.VEIN), int(Tissue.NUCLEUS), int(Tissue.BOWEL), int(Tissue.ORGAN)
_BODY, _ARCH, _DISC, _FLAVUM, _JOINT, _SAC = sdf.BODY, sdf.ARCH, sdf.DISC, sdf.FLAVUM, sdf.JOINT, sdf.SAC
_EXITING, _ROOTLET, _CORD_FIELD, _VEIN_FIELD = sdf.ROOT, sdf.ROOTLET, sdf.CORD, sdf.VEIN
_RADIUS, _INDEX, _CROWDING = sdf.DISC_RADIUS, sdf.DISC_INDEX, sdf.CROWDING
_BOTTOM, _STEP, _LENGTH = _scene.COURSE_BOTTOM_MM, _scene.COURSE_STEP_MM, _scene.COURSE_LENGTH
_FINE_SIDE_MM, _FINE_DEPTH_MM = 46.0, 52.0
"""Pixels this near to the sac are sampled through the slice's thickness; the rest once, at its middle."""


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """One slice to take: pixel positions in the body frame, its size and its thickness."""

    affine: SliceAffine
    rows: int
    columns: int
    thickness_mm: float


def render_slice(scene: Scene, plane: Plane, signals: Signals, sub_slices: int = 3) -> NDArray[np.float32]:
    """(2, contrasts, rows, columns) water and fat signal, partial volume included. Thread-safe, and releases the interpreter lock."""
    column, row = np.meshgrid(np.arange(plane.columns, dtype=np.float64), np.arange(plane.rows, dtype=np.float64))
    middle = plane.affine.to_lps(np.stack([column.ravel(), row.ravel()], 1))
    fine = _is_fine(scene, middle)
    coarse_fields = _composited(scene, middle[~fine], plane, signals)
    step = plane.affine.normal * plane.thickness_mm / sub_slices
    offsets = np.arange(sub_slices) - (sub_slices - 1) / 2
    fine_points = (middle[fine][:, None, :] + offsets[None, :, None] * step).reshape(-1, 3)
    fine_fields = _composited(scene, fine_points, plane, signals).reshape(-1, sub_slices, 2 * len(signals.water)).mean(1)
    image = np.empty((plane.rows * plane.columns, 2 * len(signals.water)), np.float32)
    image[fine], image[~fine] = fine_fields, coarse_fields
    return np.ascontiguousarray(image.T).reshape(2, len(signals.water), plane.rows, plane.columns)


def _is_fine(scene: Scene, points: FloatArray) -> NDArray[np.bool_]:
    height = (points[:, 2] - _BOTTOM) / _STEP
    grid = np.arange(_LENGTH)
    x, y = np.interp(height, grid, scene.course[:, 0]), np.interp(height, grid, scene.course[:, 1])
    return np.asarray((np.abs(points[:, 0] - x) < _FINE_SIDE_MM) & (np.abs(points[:, 1] - y) < _FINE_DEPTH_MM))


def _composited(scene: Scene, points: FloatArray, plane: Plane, signals: Signals) -> NDArray[np.float32]:
    """(n, 2 contrasts): water of every contrast, then fat."""
    out = np.zeros((len(points), 2 * len(signals.water)), np.float32)
    fields = sdf.distances(scene.geometry, points)
    anatomy = scene.anatomy
    edge = max(plane.affine.row_spacing_mm, plane.affine.column_spacing_mm)
    body = np.array([edge, anatomy.muscle_fat, anatomy.marrow_fat, scene.trunk_half_width_mm])
    gains = np.concatenate([scene.skeleton.vertebra_origin[:, 2:], anatomy.marrow_gain[:, None]], 1)
    _composite(points, fields, scene.course, scene.organs, scene.lesions, scene.texture, body, gains, signals.water, signals.fat, out)
    return out


@part_of_compiled
def _clip(x: float) -> float:
    return min(max(x, 0.0), 1.0)


@part_of_compiled
def _noise(texture, x, y, z, frequency):  # type: ignore[no-untyped-def]
    """Trilinear look-up in the periodic texture."""
    x, y, z = x * frequency, y * frequency, z * frequency
    i, j, k = floor(x), floor(y), floor(z)
    u, v, w = x - i, y - j, z - k
    i0, j0, k0 = int(i) & 31, int(j) & 31, int(k) & 31
    i1, j1, k1 = (i0 + 1) & 31, (j0 + 1) & 31, (k0 + 1) & 31
    low = (texture[i0, j0, k0] * (1 - u) + texture[i1, j0, k0] * u) * (1 - v) + (
        texture[i0, j1, k0] * (1 - u) + texture[i1, j1, k0] * u
    ) * v
    high = (texture[i0, j0, k1] * (1 - u) + texture[i1, j0, k1] * u) * (1 - v) + (
        texture[i0, j1, k1] * (1 - u) + texture[i1, j1, k1] * u
    ) * v
    return low * (1 - w) + high * w


@part_of_compiled
def _cover(parts, weight, tissue):  # type: ignore[no-untyped-def]
    """Put ``tissue`` over what is there, opaque by ``weight``."""
    if weight > 0:
        for t in range(parts.shape[0]):
            parts[t] *= 1 - weight
        parts[tissue] += weight


@part_of_compiled
def _trunk(parts, x, y, z, side, behind, skin, half_width, organs, texture, fine, coarse, muscle_fat, edge):  # type: ignore[no-untyped-def]
    """Skin, subcutaneous fat, muscles, vessels and organs; returns False outside the body."""
    middle_y = -40.0
    out = sqrt((x / half_width) ** 2 + (min(y - middle_y, 0.0) / 120.0) ** 2)
    depth = skin - y - 0.0016 * x * x
    if out > 1.0 or depth < 0:
        return False
    parts[_FAT] = 1.0
    _cover(parts, _clip(1.4 - depth / 1.5), _MUSCLE)  # skin
    ax = abs(side)
    low = _clip((120 - z) / 200.0)
    u, v = abs(ax - 36.0) / 35.0, abs(behind - 29.0 - 0.10 * ax) / max(29.0 - 0.10 * ax - 4.0 * low * (ax / 70.0), 6.0)
    muscle = ((u * u * u + v * v * v) ** (1 / 3) - 1) * 26.0
    quadratus = (sqrt(((ax - 66.0 - 0.35 * behind) / 9.0) ** 2 + ((behind + 2.0) / 21.0) ** 2) - 1) * 9.0
    size = 8.0 + 12.0 * low
    psoas = (sqrt(((ax - 23.0 - 1.05 * size) / size) ** 2 + ((behind + 17.0) / (size * 1.3)) ** 2) - 1) * size
    muscle = min(muscle, min(quadratus, psoas))
    if muscle < 3 and depth > 5:
        w = _clip(0.5 - (muscle + 1.2 * coarse) / 1.2)
        first = abs(ax - 20.0 - 0.25 * (behind - 20.0) - 5.0 * coarse)
        second = abs(ax - 44.0 + 0.2 * (behind - 20.0) - 6.0 * coarse)
        septum = max(_clip(1.3 - first * 1.1) * 0.7, _clip(1.0 - second) * 0.45) if behind > 12 else 0.0
        streak = 0.5 + 1.5 * _noise(texture, x * 1.3 + y * 0.5, y * 0.55, z * 0.12, 0.45)
        fatty = muscle_fat * (0.6 + 1.1 * low) * (1 + 1.1 * fine + 0.9 * coarse) * (1.0 + 1.2 * _clip(1 - ax / 22.0)) * (0.5 + streak)
        fatty = _clip(fatty + septum)
        if ax < 3.2 and behind > 0:
            fatty = max(fatty, 0.55 + 0.5 * fine)  # between the spinous processes
        fascia = _clip(1 - abs(muscle + 0.4) * 0.8) if behind > 30 else 0.0
        _cover(parts, w * (1 - _clip(fatty)), _MUSCLE)
        _cover(parts, w * fascia, _LIGAMENT)
    if behind < -38:
        w = _clip((-behind - 42 - 6 * coarse) / 6.0) * _clip((0.93 - out) * 12) * _clip(0.5 + 2.2 * coarse + 0.8 * fine)
        _cover(parts, w, _BOWEL)
    if behind < 5:
        for o in range(organs.shape[0]):
            qz = (z - organs[o, 2]) / organs[o, 5]
            if abs(qz) > 1.1:
                continue
            qx, qy = (side - organs[o, 0]) / organs[o, 3], (behind - organs[o, 1]) / organs[o, 4]
            q = qx * qx + qy * qy + qz * qz
            if q < 1.2:
                _cover(parts, _clip(0.5 - (sqrt(q) - 1 + 0.12 * coarse) * organs[o, 3] / edge), int(organs[o, 6]))
        aorta = sqrt((side - 10.0) ** 2 + (behind + 55.0) ** 2) - 8.5
        cava = sqrt(((side + 14.0) / 1.2) ** 2 + (behind + 53.0) ** 2) - 8.5
        _cover(parts, _clip(0.5 - min(aorta, cava) / edge) * _clip((z - 20.0) / 10.0), _VESSEL)
    return True


@part_of_compiled
def _spine(parts, f, edge):  # type: ignore[no-untyped-def]
    """Lay the spine over the trunk, outermost first."""
    bone = min(f[_BODY], f[_ARCH])
    if min(bone, min(f[_DISC], min(f[_FLAVUM], min(f[_JOINT], min(f[_SAC], f[_EXITING]))))) > 4:
        return
    envelope = _clip(0.5 - (min(f[_BODY], f[_DISC]) - 1.2) / edge)  # longitudinal ligaments in epidural fat
    _cover(parts, envelope, _LIGAMENT)
    parts[_LIGAMENT] -= 0.4 * envelope
    parts[_EPIDURAL] += 0.4 * envelope
    _cover(parts, _clip(0.5 - f[_JOINT] / edge), _FLUID)
    disc = _clip(0.5 - f[_DISC] / edge)
    if disc > 0:
        nucleus = _clip((0.90 - f[_RADIUS]) * 3.6) * disc
        _cover(parts, disc, _ANNULUS)
        parts[_ANNULUS] -= nucleus
        parts[_NUCLEUS + int(f[_INDEX])] += nucleus
    for d, shell in ((f[_ARCH], 1.1), (f[_BODY], 0.7)):
        w = _clip(0.5 - d / edge)
        if w > 0:
            _cover(parts, w, _CORTEX)
            inner = min(_clip(0.5 - (d + shell) / edge), w)
            parts[_CORTEX] -= inner
            parts[_MARROW] += inner
    _cover(parts, 0.7 * _clip(0.6 - f[_VEIN_FIELD] / 2.2), _VEIN)
    _cover(parts, _clip(0.5 - f[_FLAVUM] / edge) * (1 - _clip(0.5 - bone / edge)), _LIGAMENT)
    sac = _clip(0.5 - (f[_SAC] - 0.5) / edge)
    if sac > 0:
        _cover(parts, sac, _LIGAMENT)  # dura
        lumen = min(sac, _clip(0.5 - (f[_SAC] + 0.1) / edge))
        parts[_LIGAMENT] -= lumen
        nerve = min(lumen, max(_clip(0.5 - f[_ROOTLET] / edge), lumen * 0.92 * f[_CROWDING]))
        parts[_CSF] += lumen - nerve
        parts[_ROOT] += nerve
        _cover(parts, _clip(0.5 - f[_CORD_FIELD] / edge) * lumen, _CORD)
    walls = min(bone, min(f[_FLAVUM], f[_DISC])) - 0.2
    _cover(parts, _clip(0.5 - f[_EXITING] / edge) * (1 - _clip(0.5 - walls / edge)), _ROOT)


@part_of_compiled
def _marrow_gains(x, y, z, lesions, gains):  # type: ignore[no-untyped-def]
    """Water and fat gain of the marrow at a point, from its vertebra (the nearest in height) and from lesions."""
    nearest, water = 1e9, 1.0
    for v in range(gains.shape[0]):
        if abs(z - gains[v, 0]) < nearest:
            nearest, water = abs(z - gains[v, 0]), gains[v, 1]
    fat = water
    for n in range(lesions.shape[0]):
        q = sqrt((x - lesions[n, 0]) ** 2 + (y - lesions[n, 1]) ** 2 + (z - lesions[n, 2]) ** 2) / lesions[n, 3]
        if q < 1:
            w = _clip((1 - q) * 3)
            water *= 1 + w * (lesions[n, 4] - 1)
            fat *= 1 + w * (lesions[n, 5] - 1)
    return water, fat


@compiled
def _composite(points, fields, course, organs, lesions, texture, body, gains, water, fat, out):  # type: ignore[no-untyped-def]
    contrasts = water.shape[0]
    edge, muscle_fat, marrow_fat, half_width = body[0], body[1], body[2], body[3]
    parts = np.zeros(N_TISSUES, np.float64)
    for n in range(points.shape[0]):
        x, y, z = points[n, 0], points[n, 1], points[n, 2]
        height = min(max((z - _BOTTOM) / _STEP, 0.0), _LENGTH - 1.001)
        i = int(height)
        w = height - i
        side = x - course[i, 0] * (1 - w) - course[i + 1, 0] * w
        behind = y - course[i, 1] * (1 - w) - course[i + 1, 1] * w
        skin = course[i, 2] * (1 - w) + course[i + 1, 2] * w
        fine, coarse = _noise(texture, x, y, z, 0.22), _noise(texture, x, y, z, 0.06)
        parts[:] = 0.0
        if not _trunk(parts, x, y, z, side, behind, skin, half_width, organs, texture, fine, coarse, muscle_fat, edge):
            continue
        _spine(parts, fields[n], edge)
        marrow_water, marrow_lipid = 1.0, 1.0
        if parts[_MARROW] > 0:
            marrow_water, marrow_lipid = _marrow_gains(x, y, z, lesions, gains)
        rough = 1.0 + 0.22 * fine + 0.18 * coarse
        even = 1.0 + 0.06 * coarse
        for t in range(N_TISSUES):
            part = parts[t]
            if part <= 0:
                continue
            part *= rough if (t in (_MARROW, _MUSCLE, _BOWEL, _ORGAN) or t >= _NUCLEUS) else even
            part_water = part * (1 - marrow_fat) * marrow_water if t == _MARROW else part
            part_fat = part * marrow_fat * marrow_lipid if t == _MARROW else part
            for c in range(contrasts):
                out[n, c] += part_water * water[c, t]
                out[n, contrasts + c] += part_fat * fat[c, t]
