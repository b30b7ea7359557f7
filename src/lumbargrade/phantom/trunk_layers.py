"""How the trunk is painted at one point: skin, fat and muscles of the wall, organs, vessels, muscles of the back and of the loin."""

from math import sqrt

from lumbargrade.phantom.colours import lay
from lumbargrade.phantom.compiled import part_of_compiled
from lumbargrade.phantom.organs import (
    CELL_BOTTOM_MM,
    CELL_MM,
    CELL_SIDE_MM,
    N_CELLS_SIDE,
    N_CELLS_Z,
    O_BEHIND,
    O_BUMPS,
    O_CONTENT,
    O_GAIN,
    O_GAS,
    O_HALF_DEPTH,
    O_HALF_HEIGHT,
    O_HALF_WIDTH,
    O_IS_FREE,
    O_LEAN,
    O_SIDE,
    O_WALL,
    O_WALL_MM,
    O_Z,
)
from lumbargrade.phantom.shapes.primitives import clip
from lumbargrade.phantom.texture import noise
from lumbargrade.phantom.tissue import Tissue
from lumbargrade.phantom.trunk import (
    CAVA,
    N_MUSCLES,
    N_VESSELS,
    T_FAT,
    T_FATTY,
    T_FRONT,
    T_FRONT_EDGE,
    T_FRONT_FAT,
    T_SWELL_RIGHT,
    T_TIPS,
    T_WIDE_RIGHT,
    T_WIDTH,
    T_X,
    T_Y,
    TRUNK_BOTTOM_MM,
    TRUNK_HEIGHTS,
)

_AIR, _FAT, _MUSCLE, _LIGAMENT = float(Tissue.AIR), float(Tissue.FAT), float(Tissue.MUSCLE), float(Tissue.LIGAMENT)
_VESSEL, _EPIDURAL, _VEIN, _BOWEL = float(Tissue.VESSEL), float(Tissue.EPIDURAL_FAT), float(Tissue.VEIN), float(Tissue.BOWEL)

_MIDDLE = -25.0
"""Behind the sac: where the trunk is widest."""

_BELLY_WALL_MM = 8.0


@part_of_compiled
def paint_trunk(layers, x, y, z, s, fine, coarse, edge):  # type: ignore[no-untyped-def]
    """Everything around the spine; leaves the air outside the body as it is."""
    row = int(min(max(z - TRUNK_BOTTOM_MM, 0.0), TRUNK_HEIGHTS - 1.0))
    t = s.trunk[row]
    side, behind = x - t[T_X], y - t[T_Y]
    ax, left = abs(side), 1 if side > 0 else 0
    beyond = max(ax - 45.0, 0.0)
    fascia = t[T_TIPS] + 3.0 + t[T_SWELL_RIGHT + left] * ax * ax / (ax * ax + 420.0) - 0.0024 * beyond * beyond
    u, v = side / t[T_WIDTH], (behind - _MIDDLE) / (_MIDDLE - t[T_FRONT])
    if v > 0:
        v = 1.6 * v * v
    outline = sqrt(u * u + v * v)
    around = (1 - outline) * sqrt(side * side + (behind - _MIDDLE) * (behind - _MIDDLE)) / outline if outline > 0.3 else 50.0
    depth = min(around, fascia + t[T_FAT] - behind)
    if depth < 0:
        return
    even = 1.0 + 0.16 * coarse + 0.10 * fine
    layer = abs(depth - 0.45 * t[T_FAT] + 9 * coarse) if behind > -30 else 9.0  # the superficial fascia
    lay(layers, 1.0, _FAT, even - 0.30 * clip(1 - layer))
    if depth < 3.5:
        lay(layers, clip(1.3 - depth / 1.6), _MUSCLE, 1.0)  # skin
        return
    if behind < 6:
        thick = _BELLY_WALL_MM + 9.0 * u * u
        wall = around - t[T_FRONT_FAT] * (1 - 0.4 * u * u) + 9 * coarse
        if wall > thick:
            _paint_organs(layers, side, behind, z, wall - thick, ax, s, fine, coarse, edge)
        elif wall > 0 and ax > 1.5:
            layer = min(abs(wall - 0.33 * thick), abs(wall - 0.7 * thick)) + 2 * fine if ax > 60 else 9.0
            lay(layers, clip(wall) * clip(thick - wall) * clip(layer + 0.2), _MUSCLE, even)
    if -75 < behind < -25 and ax < 75:
        _paint_vessels(layers, side, behind, row, s, coarse, edge)
    if behind > -14 and ax < 24:
        lay(layers, clip(14.0 - abs(behind)) * clip(24.0 - ax), _EPIDURAL, even - 0.35 * clip(1 - abs(fine) * 8))
    if behind > -95 and ax < 135:
        _paint_muscles(layers, x, y, z, side, behind, fascia, row, s, fine, coarse)


@part_of_compiled
def _paint_organs(layers, side, behind, z, inside, ax, s, fine, coarse, edge):  # type: ignore[no-untyped-def]
    """Organs that reach into the point's cell, ended by the abdominal wall and, where they hang free, by the retroperitoneum."""
    row = int(min(max((z - CELL_BOTTOM_MM) / CELL_MM, 0.0), N_CELLS_Z - 1.0))
    column = int(min(max((side - CELL_SIDE_MM) / CELL_MM, 0.0), N_CELLS_SIDE - 1.0))
    members = s.organs_by_cell[row, column]
    within = clip(inside / edge)
    before = -(behind + 62.0 - 0.45 * max(ax - 30.0, 0.0) + 14.0 * coarse)
    free = within * clip(before / (2 * edge))
    haze = 0.7 * clip(0.35 + 1.5 * noise(s.texture, side, behind, 0.4 * z, 0.10) + 1.2 * coarse + 0.5 * fine)
    lay(layers, haze * within * clip(before / 25.0), _MUSCLE, 1.3)  # mesentery
    soft = edge + 1.0 + 2.5 * clip(before / 30.0)  # the further in front, the more it moves with the breath
    for m in members:
        if m < 0:
            break
        o = s.organs[m]
        dz = z - o[O_Z]
        qx, qy, qz = (side - o[O_SIDE] - o[O_LEAN] * dz) / o[O_HALF_WIDTH], (behind - o[O_BEHIND]) / o[O_HALF_DEPTH], dz / o[O_HALF_HEIGHT]
        q = qx * qx + qy * qy + qz * qz
        if q > 1.35:
            continue
        size = min(o[O_HALF_WIDTH], o[O_HALF_DEPTH])
        d = (sqrt(q) - 1 + o[O_BUMPS] * (0.7 * coarse + 0.4 * fine)) * size
        w = clip(0.3 - d / soft) * (free if o[O_IS_FREE] > 0 else within)
        if w > 0:
            if o[O_WALL_MM] > 0:
                lay(layers, w, o[O_WALL], 1.0)
                w *= clip(0.3 - (d + o[O_WALL_MM]) / soft)
            content = o[O_CONTENT]
            if qy < o[O_GAS]:
                content = _AIR
            gain = o[O_GAIN] * (1.0 + (0.8 * fine + 0.5 * coarse if content == _BOWEL else 0.15 * coarse))
            lay(layers, w, content, max(gain, 0.1))


@part_of_compiled
def _paint_vessels(layers, side, behind, row, s, coarse, edge):  # type: ignore[no-untyped-def]
    for vessel in range(N_VESSELS):
        o = s.vessels[row, vessel]
        dx, dy = side - o[0], behind - o[1]
        if abs(dx) < o[2] + 4 and abs(dy) < o[2] + 4:
            flat = 0.8 if vessel >= CAVA else 1.0
            d = sqrt(dx * dx * flat * flat + dy * dy / flat) - o[2]
            soft = edge + 1.5  # it pulsates
            w = clip(0.5 - d / soft)
            lay(layers, w, _LIGAMENT, 1.0)
            w *= clip(0.5 - (d + 1.1) / soft)
            lay(layers, w, _VESSEL, 1.0)
            if vessel >= CAVA:
                lay(layers, w * s.slow_flow * clip(0.9 + 2 * coarse), _VEIN, 0.8)


@part_of_compiled
def _paint_muscles(layers, x, y, z, side, behind, fascia, row, s, fine, coarse):  # type: ignore[no-untyped-def]
    t = s.trunk[row]
    ax, left = abs(side), 1 if side > 0 else 0
    u = ax / t[T_WIDE_RIGHT + left]
    front = t[T_FRONT_EDGE]
    half = (fascia - front) * 0.5
    back_muscle = 9.0
    if behind > front - 4 and u < 1.1 and half > 2:
        back_muscle = abs(behind - front - half) - half * (1 - u * u * u * u)
    d = back_muscle
    for muscle in range(N_MUSCLES):
        m = s.muscles[row, left, muscle]
        if m[2] > 1.0:
            px = (ax - m[0]) / m[2]
            if abs(px) < 1.2:
                py = (behind - m[1] - m[4] * (ax - m[0])) / m[3]
                q = px * px + py * py
                if q < 1.6:
                    d = min(d, (q - 1) * 0.5 * min(m[2], m[3]))
    d += 2.2 * coarse + 0.8 * fine
    if d < 0.6:
        w = clip(0.5 - d / 1.1)
        fat = _fat_in_muscle(x, y, z, ax, left, behind, fascia, back_muscle, t[T_FATTY], s, fine, coarse)
        lay(layers, w * (1 - fat), _MUSCLE, 1.0 + 0.10 * fine + 0.12 * coarse)
    if behind > 12 and back_muscle < 2:
        sheath = abs(back_muscle + 1.0) if behind > front + half else 9.0
        if ax < 4.5 and behind < fascia:
            strand = noise(s.texture, x, y * 0.8 + z * 0.5, z - 0.4 * y, 0.35)
            lay(layers, clip(2.6 - ax * 0.55) * clip(0.1 + 1.6 * strand), _MUSCLE, 0.9)  # interspinous ligament
            sheath *= 0.6
        lay(layers, clip(1.3 - sheath) * clip((1.05 - u) * 12), _LIGAMENT, 1.0)


@part_of_compiled
def _fat_in_muscle(x, y, z, ax, left, behind, fascia, back_muscle, fatty, s, fine, coarse):  # type: ignore[no-untyped-def]
    """Share of fat at a point: diffuse and in short streaks along the fibres, and the septa of the back's muscles."""
    streak = noise(s.texture, 1.2 * x, 1.1 * y, 0.25 * z, 0.55)
    share = 0.30 * fatty * (1 + 1.5 * coarse)
    septum = 0.0
    if back_muscle < 2:
        deep = fascia - behind
        share = fatty * (0.7 + 1.0 * clip(1 - ax / 26.0) * clip(deep / 30.0) + 0.35 * clip((ax - 45) / 25) + 1.4 * coarse)
        first = abs(ax - s.septa[left] - 0.45 * deep - 7.0 * coarse - 3.0 * fine)
        second = abs(ax - s.septa[left] - 34.0 - 0.10 * deep - 10.0 * coarse - 3.0 * fine)
        septum = max(0.8 * clip(1.3 - first * 0.8), 0.6 * clip(1.1 - second)) * clip(0.35 + fatty + 1.5 * coarse + streak)
        if ax < 8:
            share = max(share, 0.85 - 0.06 * ax + 0.5 * coarse)  # between the spinous processes
    return max(septum, 0.85 * clip(0.3 * share + clip((streak - 0.55 + 1.2 * share + 0.4 * fine) / 0.8)))
