"""How the spine is painted at one point over what lies around it, outermost tissue first."""

from math import sqrt

from lumbargrade.phantom.colours import lay, lay_mixture
from lumbargrade.phantom.compiled import part_of_compiled
from lumbargrade.phantom.inside import (
    I_BACK,
    I_CALCIUM,
    I_CENTRE,
    I_CLEFT,
    I_DEPTH,
    I_FISSURE,
    I_FISSURE_SIDE,
    I_GAS,
    I_HEIGHT,
    I_SHARPNESS,
    I_UP,
    L_AXIS,
    L_DISC,
    L_FAT,
    L_HALF_HEIGHT,
    L_RADIUS,
    L_WATER,
    LESION_BOTTOM_MM,
    LESION_CELL_MM,
    M_BACK,
    M_GAIN,
    M_GRADIENT,
    M_HEIGHT,
    M_UP_BACK,
    M_UP_HEIGHT,
    N_LESION_CELLS,
)
from lumbargrade.phantom.shapes.columns import (
    ARCH,
    BODY,
    CORD,
    CROWDING,
    DISC,
    DISC_INDEX,
    DISC_RADIUS,
    FLAVUM,
    HARDWARE,
    JOINT,
    ROOT,
    ROOTLET,
    SAC,
    VEIN,
)
from lumbargrade.phantom.shapes.primitives import clip
from lumbargrade.phantom.texture import noise
from lumbargrade.phantom.tissue import Tissue
from lumbargrade.phantom.trunk import T_LEVEL, TRUNK_BOTTOM_MM, TRUNK_HEIGHTS

_AIR, _MARROW, _CORTEX, _ANNULUS, _CSF, _NUCLEUS = (
    float(t) for t in (Tissue.AIR, Tissue.MARROW, Tissue.CORTEX, Tissue.ANNULUS, Tissue.CSF, Tissue.NUCLEUS)
)
_ROOT, _CORD, _LIGAMENT, _EPIDURAL, _FLUID, _VEIN = (
    float(t) for t in (Tissue.ROOT, Tissue.CORD, Tissue.LIGAMENT, Tissue.EPIDURAL_FAT, Tissue.FLUID, Tissue.VEIN)
)


@part_of_compiled
def paint_spine(layers, f, x, y, z, s, fine, coarse, flow, edge):  # type: ignore[no-untyped-def]
    """Lay the spine over the trunk. ``flow`` is how far the slice lies across the canal, 0 sagittal to 1 axial."""
    bone = min(f[BODY], f[ARCH])
    if min(min(bone, f[HARDWARE]), min(f[DISC], min(f[FLAVUM], min(f[JOINT], min(f[SAC], f[ROOT]))))) > 4:
        return
    even = 1.0 + 0.06 * coarse
    envelope = clip(0.5 - (min(f[BODY], f[DISC]) - 1.0 - 1.2 * coarse) / edge)  # longitudinal ligaments in fat
    lay(layers, 0.7 * envelope, _LIGAMENT, even)
    lay(layers, clip(0.5 - f[JOINT] / edge), _FLUID, even)
    if f[DISC] < 2:
        _paint_disc(layers, f, x, y, z, s, fine, coarse, edge)
    if bone < 1:
        knobbly = 1.6 * (fine + coarse) * clip((f[SAC] - 9.0) / 6.0)  # processes, where nothing is measured
        _paint_bone(layers, f[ARCH] + knobbly, 0.9, 1.0, x, y, z, s, fine, coarse, edge)
        _paint_bone(layers, f[BODY], 0.55, 0.8 * clip(0.6 + 0.6 * f[ARCH]), x, y, z, s, fine, coarse, edge)
        lay(layers, 0.55 * clip(0.4 + 1.1 * clip(1.0 + f[BODY] / 6.0) - f[VEIN] / 2.0), _VEIN, even)  # wider towards the canal
    lay(layers, clip(0.5 - f[FLAVUM] / edge) * (1 - clip(0.5 - bone / edge)), _LIGAMENT, even + 0.3 * fine)
    sac = clip(0.5 - (f[SAC] - 0.5) / edge)
    if sac > 0:
        lay(layers, 0.85 * sac, _LIGAMENT, even)  # dura
        lumen = min(sac, clip(0.5 - (f[SAC] + 0.1) / edge))
        lost = s.flow_void * (0.45 + 0.55 * flow) * clip((z - s.flow_from) / 90.0) * clip(0.5 + 1.6 * coarse - 0.09 * f[SAC])
        lay(layers, lumen, _CSF, 1.0 - min(lost, 0.85))
        nerve = max(clip(0.5 - f[ROOTLET] / edge), s.filaments * clip(1.0 - 0.4 * f[ROOTLET]))
        lay(layers, min(lumen, max(nerve, lumen * 0.92 * f[CROWDING])), _ROOT, even)
        lay(layers, clip(0.5 - f[CORD] / edge) * lumen, _CORD, even)
    lay(layers, clip(0.5 - f[ROOT] / edge) * (1 - clip(0.5 - min(bone, min(f[DISC], f[FLAVUM])) / edge)), _ROOT, even)
    lay(layers, clip((3.5 - f[HARDWARE]) / 2.0), _AIR, 1.0)  # metal takes the signal of what is near it


@part_of_compiled
def _paint_disc(layers, f, x, y, z, s, fine, coarse, edge):  # type: ignore[no-untyped-def]
    """Annulus, darkest at its rim, grading into the nucleus with its cleft; where there are any: a bright fissure, gas, calcium."""
    disc = clip(0.5 - f[DISC] / edge)
    k = int(f[DISC_INDEX])
    if disc <= 0 or k < 0:
        return
    i = s.discs[k]
    px, py, pz = x - i[I_CENTRE], y - i[I_CENTRE + 1], z - i[I_CENTRE + 2]
    up = (px * i[I_UP] + py * i[I_UP + 1] + pz * i[I_UP + 2]) / i[I_HEIGHT]
    back = px * i[I_BACK] + py * i[I_BACK + 1] + pz * i[I_BACK + 2]
    radius = f[DISC_RADIUS]
    lay(layers, disc, _ANNULUS, 1.0 + 0.2 * fine + 0.15 * coarse)
    lay(layers, disc * 0.65 * clip((radius - 0.9) * 8), _LIGAMENT, 1.0)
    nucleus = clip((0.90 + 0.25 * coarse - radius - 0.10 * up * up) * i[I_SHARPNESS]) * disc
    lay(layers, nucleus, _NUCLEUS + k, 1.0 + 0.15 * fine + 0.15 * coarse)
    lay(layers, nucleus * i[I_CLEFT] * clip(1.2 - 4.5 * abs(up + 0.4 * coarse)) * clip((0.75 - radius) * 6), _ANNULUS, 1.0)
    if i[I_FISSURE] > 0 and back > 0:
        qx, qy, qz = (
            (px - i[I_FISSURE_SIDE]) / (3 * i[I_FISSURE]),
            (back - i[I_DEPTH] + 1.6) / i[I_FISSURE],
            up * i[I_HEIGHT] / i[I_FISSURE],
        )
        lay(layers, disc * clip(1.6 - 1.4 * sqrt(qx * qx + qy * qy + qz * qz)), _FLUID, 0.9)
    if i[I_GAS] > 0:
        lay(
            layers,
            disc * clip(0.5 + (i[I_GAS] - abs(up + 0.6 * coarse) * i[I_HEIGHT]) / edge) * clip((0.7 + coarse - radius) * 8),
            _AIR,
            1.0,
        )
    if i[I_CALCIUM] > 0:
        lay(layers, disc * clip((i[I_CALCIUM] - 6 * abs(fine) - 3 * radius) * 0.8), _CORTEX, 1.0)


@part_of_compiled
def _paint_bone(layers, d, shell, strength, x, y, z, s, fine, coarse, edge):  # type: ignore[no-untyped-def]
    """Cortex of uneven thickness around marrow with its trabecular grain, and what has changed or broken into it."""
    w = clip(0.5 - d / edge)
    if w <= 0:
        return
    lay(layers, w * strength, _CORTEX, 1.0)
    inner = min(clip(0.5 - (d + shell * (1 + 1.3 * coarse + 0.7 * fine)) / edge), w)
    if inner > 0:
        gain = _marrow_gain(x, y, z, s)
        grain = s.mottling * (0.85 * noise(s.texture, x, y, z * 0.55, 0.58) + 0.8 * fine + 1.0 * coarse)
        _lay_marrow(layers, inner, gain * (1 + 0.4 * grain), gain * (1 + 1.1 * grain), x, y, z, s, fine, coarse)


@part_of_compiled
def _row(z):  # type: ignore[no-untyped-def]
    return int(min(max(z - TRUNK_BOTTOM_MM, 0.0), TRUNK_HEIGHTS - 1.0))


@part_of_compiled
def _marrow_gain(x, y, z, s):  # type: ignore[no-untyped-def]
    """Gain of the marrow, from its vertebra: the nearest in height, or behind the canal the one above."""
    nearest, gain = 1e9, 1.0
    level = int(s.trunk[_row(z), T_LEVEL] + 0.5)
    for v in range(max(level - 2, 0), min(level + 2, s.marrow.shape[0])):
        m = s.marrow[v]
        py, pz = y - m[M_BACK], z - m[M_HEIGHT]
        back = py * m[M_UP_HEIGHT] - pz * m[M_UP_BACK]
        up = py * m[M_UP_BACK] + pz * m[M_UP_HEIGHT]
        distance = abs(up + 0.5 * max(min(back - 18.0, 16.0), 0.0))
        if distance < nearest:
            nearest, gain = distance, m[M_GAIN] * (1 + m[M_GRADIENT] * up)
    return gain


@part_of_compiled
def _lay_marrow(layers, inner, water, fat, x, y, z, s, fine, coarse):  # type: ignore[no-untyped-def]
    """Lesions scale the water and the fat of the marrow they lie in; a Schmorl node is disc with a dark rim."""
    broken, disc = 9.0, 0
    cell = int(min(max((z - LESION_BOTTOM_MM) / LESION_CELL_MM, 0.0), N_LESION_CELLS - 1.0))
    for n in s.lesions_by_height[cell]:
        if n < 0:
            break
        o = s.lesions[n]
        px, py, pz = x - o[0], y - o[1], z - o[2]
        along = px * o[L_AXIS] + py * o[L_AXIS + 1] + pz * o[L_AXIS + 2]
        across = px * px + py * py + pz * pz - along * along
        if across > 1.7 * o[L_RADIUS] * o[L_RADIUS]:
            continue
        q = sqrt(across / (o[L_RADIUS] * o[L_RADIUS]) + along * along / (o[L_HALF_HEIGHT] * o[L_HALF_HEIGHT])) + 0.5 * coarse + 0.25 * fine
        if o[L_DISC] >= 0:
            if q < broken:
                broken, disc = q, int(o[L_DISC])
        elif q < 1:
            w = clip((1 - q) * 3)
            water *= 1 + w * (o[L_WATER] - 1)
            fat *= 1 + w * (o[L_FAT] - 1)
    lay_mixture(layers, inner, _MARROW, water, fat)
    lay(layers, inner * clip((1.3 - broken) * 5), _CORTEX, 1.0)
    lay(layers, inner * clip((0.95 - broken) * 5), _NUCLEUS + disc, 0.9)
