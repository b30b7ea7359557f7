"""A slice through a scene: water, fat and pulsating signal at every pixel, for several contrasts at once, partial volume included."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lumbargrade.geometry.affine import FloatArray, SliceAffine
from lumbargrade.phantom.colours import MOST_LAYERS, add_layers, colour_table
from lumbargrade.phantom.compiled import compiled
from lumbargrade.phantom.layers import paint_spine
from lumbargrade.phantom.scene import Scene
from lumbargrade.phantom.sdf import distances
from lumbargrade.phantom.shapes.columns import VEIN
from lumbargrade.phantom.shapes.primitives import FAR
from lumbargrade.phantom.texture import noise
from lumbargrade.phantom.tissue import Signals
from lumbargrade.phantom.trunk_layers import paint_trunk

_TILES = (4, 16)
_REACH_MM = 3.0
"""A surface of the spine further away than this does not change a pixel."""

_COARSE_BELOW_MM = 0.7
"""What lies around the spine is painted at every second pixel where pixels are smaller than this: no scanner resolves more."""

_MARGIN_MM = 0.7
"""A pixel is sampled through the slice's thickness where a surface of the spine lies within half the thickness and this margin of it."""


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """One slice to take: pixel positions in the body frame, its size and its thickness."""

    affine: SliceAffine
    rows: int
    columns: int
    thickness_mm: float

    def window(self, centre_mm: FloatArray, size_mm: float) -> "Plane":
        """The square of this size around the pixel nearest to (3,) a point's projection, on the same grid; it may leave the picture."""
        column, row = np.rint(self.affine.to_px(centre_mm)[0])
        columns, rows = (2 * round(size_mm / spacing / 2) for spacing in (self.affine.column_spacing_mm, self.affine.row_spacing_mm))
        origin = self.affine.to_lps(np.array([column - columns // 2, row - rows // 2]))[0]
        return replace(self, affine=replace(self.affine, origin_lps_mm=origin), rows=rows, columns=columns)


def render_slice(scene: Scene, plane: Plane, signals: Signals, sub_slices: int = 3) -> NDArray[np.float32]:
    """(3, contrasts, rows, columns) water, fat and pulsating signal. Thread-safe, and releases the interpreter lock.

    Where a surface of the spine is near, ``sub_slices`` (an odd number) thin slices through the thickness are averaged; what lies around
    the spine, and the grain of tissues, is that of the slice's middle.
    """
    colours = colour_table(signals, scene.anatomy.person.marrow_fat)
    edge = max(plane.affine.row_spacing_mm, plane.affine.column_spacing_mm)
    flow = abs(float(plane.affine.normal[2]))
    deformation, surroundings = scene.anatomy.deformation, scene.surroundings
    step = 2 if edge < _COARSE_BELOW_MM else 1
    around = _around(plane, scene, colours, step)
    pixels = _tiled_pixels(plane.rows, plane.columns)
    positions = plane.affine.to_lps(pixels[:, ::-1].astype(np.float64))
    image = np.zeros((plane.rows, plane.columns, colours.shape[1]), np.float32)

    def add(offset_mm: float, pixels: NDArray[np.intp], positions: FloatArray) -> NDArray[np.bool_]:
        points = deformation.to_anatomy(positions + offset_mm * plane.affine.normal)
        fields = distances(scene.geometry, points, _REACH_MM)
        is_near = np.empty(len(points), np.bool_)
        depth = plane.thickness_mm / 2 + _MARGIN_MM
        _add_spine(points, pixels, fields, surroundings, flow, colours, edge, around, step, depth, image, is_near)
        return is_near

    is_near = add(0.0, pixels, positions)
    near, near_positions = pixels[is_near], positions[is_near]
    for thin in range(1, sub_slices // 2 + 1):
        for sign in (-1, 1):
            add(sign * thin * plane.thickness_mm / sub_slices, near, near_positions)
    image[near[:, 0], near[:, 1]] /= sub_slices
    return np.ascontiguousarray(np.moveaxis(image, 2, 0)).reshape(3, len(signals.water), plane.rows, plane.columns)


def _around(plane: Plane, scene: Scene, colours: FloatArray, step: int) -> NDArray[np.float32]:
    """(rows / step, columns / step, 3 contrasts + 2) what lies around the spine at every ``step``-th pixel, and two scales of grain."""
    rows, columns = -(-plane.rows // step) + 1, -(-plane.columns // step) + 1
    row, column = np.divmod(np.arange(rows * columns), columns)
    positions = plane.affine.to_lps(step * np.stack([column, row], 1).astype(np.float64))
    around = np.zeros((rows * columns, colours.shape[1] + 2), np.float32)
    edge = step * max(plane.affine.row_spacing_mm, plane.affine.column_spacing_mm)
    _paint_around(scene.anatomy.deformation.to_anatomy(positions), scene.surroundings, colours, edge, around)
    return around.reshape(rows, columns, -1)


@lru_cache(maxsize=8)
def _tiled_pixels(rows: int, columns: int) -> NDArray[np.intp]:
    """(rows * columns, 2) row and column of every pixel, tile by tile, so that neighbours follow each other."""
    row, column = np.divmod(np.arange(rows * columns), columns)
    keys = [index // side for side in (1, *_TILES) for index in (column, row)]
    order = np.lexsort(keys)
    return np.stack([row[order], column[order]], 1)


@compiled
def _paint_around(points, s, colours, edge, around):  # type: ignore[no-untyped-def]
    layers = np.zeros((MOST_LAYERS, 4))
    last = colours.shape[1]
    for n in range(points.shape[0]):
        x, y, z = points[n, 0], points[n, 1], points[n, 2]
        fine, coarse = noise(s.texture, x, y, z, 0.22), noise(s.texture, x, y, z, 0.06)
        around[n, last], around[n, last + 1] = fine, coarse
        layers[0, 0] = 0
        paint_trunk(layers, x, y, z, s, fine, coarse, edge)
        add_layers(layers, colours, around[n, :last])


@compiled
def _add_spine(points, pixels, fields, s, flow, colours, edge, around, step, depth, image, is_near):  # type: ignore[no-untyped-def]
    """Add the spine at every point, laid over what lies around it, to the point's pixel; note whether its surfaces are within ``depth``."""
    layers = np.zeros((MOST_LAYERS, 4))
    last = colours.shape[1]
    below = np.empty(last + 2, np.float32)
    for n in range(points.shape[0]):
        row, column = pixels[n, 0], pixels[n, 1]
        i, j = row // step, column // step
        u, v = row / step - i, column / step - j
        for c in range(last + 2):
            below[c] = around[i, j, c]
            if u + v > 0:
                upper = below[c] * (1 - v) + around[i, j + 1, c] * v
                below[c] = upper * (1 - u) + (around[i + 1, j, c] * (1 - v) + around[i + 1, j + 1, c] * v) * u
        nearest = outermost = FAR
        for f in range(VEIN + 1):
            nearest, outermost = min(nearest, abs(fields[n, f])), min(outermost, fields[n, f])
        is_near[n] = nearest < depth
        seen = 1.0
        if outermost < _REACH_MM:
            layers[0, 0] = 0
            paint_spine(layers, fields[n], points[n, 0], points[n, 1], points[n, 2], s, below[last], below[last + 1], flow, edge)
            seen = add_layers(layers, colours, image[row, column])
        for c in range(last):
            image[row, column, c] += seen * below[c]
