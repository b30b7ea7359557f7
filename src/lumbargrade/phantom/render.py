"""A slice through a scene: water, fat and pulsating signal at every pixel, for several contrasts at once, partial volume included."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lumbargrade.geometry.affine import FloatArray, SliceAffine
from lumbargrade.phantom.colours import MOST_LAYERS, add_layers, colour_table
from lumbargrade.phantom.compiled import compiled, part_of_compiled
from lumbargrade.phantom.layers import paint_spine
from lumbargrade.phantom.scene import Scene, Surroundings
from lumbargrade.phantom.sdf import Geometry, distances
from lumbargrade.phantom.shapes.canal import sac_and_nerves
from lumbargrade.phantom.shapes.columns import CORD, CROWDING, DISC, DISC_INDEX, N_FIELDS, OUTERMOST, ROOTLET, SAC, VEIN
from lumbargrade.phantom.shapes.primitives import FAR
from lumbargrade.phantom.texture import noise
from lumbargrade.phantom.tissue import Signals
from lumbargrade.phantom.trunk_layers import paint_trunk

_TILES = (4, 16)
_REACH_MM = 3.5
"""A surface of the spine further away than this does not change a pixel."""

_COARSE_BELOW_MM = 0.7
"""Where pixels are smaller than this, distances and what lies around the spine are taken at every second pixel and interpolated: distances
are smooth, and no scanner resolves more. What is finer than that, rootlets and dura, is computed for every pixel all the same."""

_MARGIN_MM = 0.9
"""A pixel is sampled through the slice's thickness where a surface of the spine lies this far, or less, beyond the outermost sample."""


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
    grid = _Grid.over(scene, plane)
    around = np.zeros((*grid.shape, colours.shape[1] + 2), np.float32)
    positions = grid.positions(0.0)
    _paint_around(positions, scene.surroundings, colours, grid.step * grid.edge_mm, around.reshape(-1, around.shape[-1]))
    image = np.zeros((plane.rows, plane.columns, colours.shape[1]), np.float32)
    pixels = np.stack(np.divmod(np.arange(plane.rows * plane.columns), plane.columns), 1)
    wanted = np.ones(grid.shape, np.bool_)
    look = np.array([grid.edge_mm, sub_slices // 2 * plane.thickness_mm / sub_slices + _MARGIN_MM, abs(float(plane.affine.normal[2]))])
    steps = [sign * thin for thin in range(1, sub_slices // 2 + 1) for sign in (-1, 1)]
    for step in (0, *steps):
        if step:
            positions = grid.positions(step * plane.thickness_mm / sub_slices)
        fields, points = grid.fields(positions, wanted), positions.reshape(*grid.shape, 3)
        is_near, near_nodes = np.empty(len(pixels), np.bool_), np.zeros(grid.shape, np.bool_)
        _add_spine(pixels, grid.step, points, fields, around, scene.geometry, scene.surroundings, colours, look, image, is_near, near_nodes)
        if step == 0:
            pixels, wanted = pixels[is_near], near_nodes
    image[pixels[:, 0], pixels[:, 1]] /= sub_slices
    return np.ascontiguousarray(np.moveaxis(image, 2, 0)).reshape(3, len(signals.water), plane.rows, plane.columns)


@dataclass(frozen=True, slots=True, eq=False)
class _Grid:
    """The nodes at which distances are taken: every ``step``-th pixel and one more at the end of each axis.

    Attributes:
        scene, plane: what is cut where.
        shape: rows and columns of nodes.
        edge_mm: size of a pixel.
    """

    scene: Scene
    plane: Plane
    step: int
    shape: tuple[int, int]
    edge_mm: float

    @classmethod
    def over(cls, scene: Scene, plane: Plane) -> "_Grid":
        edge_mm = max(plane.affine.row_spacing_mm, plane.affine.column_spacing_mm)
        step = 2 if edge_mm < _COARSE_BELOW_MM else 1
        return cls(scene, plane, step, (-(-plane.rows // step) + 1, -(-plane.columns // step) + 1), edge_mm)

    def positions(self, offset_mm: float) -> FloatArray:
        """(nodes, 3) in the undeformed anatomy, row by row, at a distance from the slice's middle."""
        affine = self.plane.affine
        down = affine.row_direction * affine.row_spacing_mm * self.step
        along = affine.column_direction * affine.column_spacing_mm * self.step
        origin = affine.origin_lps_mm + offset_mm * affine.normal
        rows, columns = (np.arange(count)[:, None] for count in self.shape)
        positions = ((origin + rows * down)[:, None] + (columns * along)[None]).reshape(-1, 3)
        return self.scene.anatomy.deformation.to_anatomy(positions)

    def fields(self, positions: FloatArray, wanted: NDArray[np.bool_]) -> NDArray[np.float32]:
        """(rows, columns, N_FIELDS) distances at the wanted nodes, which lie at these positions."""
        order = _tile_by_tile(*self.shape)
        fields = distances(self.scene.geometry, positions, _REACH_MM, order[wanted.ravel()[order]])
        return fields.reshape(*self.shape, -1)


@lru_cache(maxsize=8)
def _tile_by_tile(rows: int, columns: int) -> NDArray[np.intp]:
    """(rows * columns,) indices tile by tile, so that neighbours follow each other."""
    row, column = np.divmod(np.arange(rows * columns), columns)
    return np.lexsort([index // side for side in (1, *_TILES) for index in (column, row)])


@compiled
def _paint_around(points, s, colours, edge, around):  # type: ignore[no-untyped-def]
    """What lies around the spine at every point, and two scales of grain."""
    layers = np.zeros((MOST_LAYERS, 4))
    last = colours.shape[1]
    for n in range(points.shape[0]):
        x, y, z = points[n, 0], points[n, 1], points[n, 2]
        fine, coarse = noise(s.texture, x, y, z, 0.22), noise(s.texture, x, y, z, 0.06)
        around[n, last], around[n, last + 1] = fine, coarse
        layers[0, 0] = 0
        paint_trunk(layers, x, y, z, s, fine, coarse, edge)
        add_layers(layers, colours, around[n, :last])


@part_of_compiled
def _between(nodes, i, j, k, m, u, v, c):  # type: ignore[no-untyped-def]
    """Bilinear interpolation of a channel between nodes of rows i and k and columns j and m, a fraction ``u`` down and ``v`` along."""
    upper = nodes[i, j, c] * (1 - v) + nodes[i, m, c] * v
    return upper if k == i else upper * (1 - u) + (nodes[k, j, c] * (1 - v) + nodes[k, m, c] * v) * u


@part_of_compiled
def _fields_between(nodes, sac, bottom, rootlets, conus_z, i, j, k, m, u, v, at, f):  # type: ignore[no-untyped-def]
    """A pixel's distances from those of the nodes around it, into ``f``; sac and rootlets, which are finer, are computed anew."""
    for c in range(N_FIELDS):
        f[c] = _between(nodes, i, j, k, m, u, v, c)
    if u + v > 0:
        row, column = i, j
        for p in range(4):
            r, q = (i if p < 2 else k), (j if p % 2 == 0 else m)
            if nodes[r, q, DISC] < nodes[row, column, DISC]:
                row, column = r, q
        f[DISC_INDEX] = nodes[row, column, DISC_INDEX]
        if f[SAC] < _REACH_MM:
            f[SAC] = f[ROOTLET] = f[CORD] = FAR
            f[CROWDING] = 0.0
            sac_and_nerves(sac, bottom, rootlets, conus_z, at[0], at[1], at[2], f)


@compiled
def _add_spine(pixels, step, points, fields, around, g, s, colours, look, image, is_near, near_nodes):  # type: ignore[no-untyped-def]
    """Add the spine, laid over what lies around it, to every pixel; note which have a surface within the second of ``look``.

    ``look``: size of a pixel, that depth, and how far the slice lies across the canal, 0 to 1.
    """
    edge, depth, flow = look[0], look[1], look[2]
    layers = np.zeros((MOST_LAYERS, 4))
    last = colours.shape[1]
    f, at = np.empty(N_FIELDS, np.float32), np.empty(3)
    for n in range(pixels.shape[0]):
        row, column = pixels[n, 0], pixels[n, 1]
        i, j = row // step, column // step
        u, v = (row - i * step) / step, (column - j * step) / step
        k, m = i + (u > 0), j + (v > 0)
        seen, is_near[n] = 1.0, False
        outermost = min(min(fields[i, j, OUTERMOST], fields[k, m, OUTERMOST]), min(fields[i, m, OUTERMOST], fields[k, j, OUTERMOST]))
        if outermost < _REACH_MM:
            for c in range(3):
                at[c] = _between(points, i, j, k, m, u, v, c)
            _fields_between(fields, g.sac, g.sac_bottom, g.rootlets, g.conus_z, i, j, k, m, u, v, at, f)
            nearest = FAR
            for c in range(VEIN + 1):
                nearest = min(nearest, abs(f[c]))
            if nearest < depth:
                is_near[n] = near_nodes[i, j] = near_nodes[k, j] = near_nodes[i, m] = near_nodes[k, m] = True
            fine, coarse = _between(around, i, j, k, m, u, v, last), _between(around, i, j, k, m, u, v, last + 1)
            layers[0, 0] = 0
            paint_spine(layers, f, at[0], at[1], at[2], s, fine, coarse, flow, edge)
            seen = add_layers(layers, colours, image[row, column])
        if seen > 0:
            for c in range(last):
                image[row, column, c] += seen * _between(around, i, j, k, m, u, v, c)


ENTRIES = (_paint_around, _add_spine)
"""What is compiled when a slice is first rendered, distances apart."""


def paint_nothing(geometry: Geometry, surroundings: Surroundings, colours: FloatArray) -> None:
    """Call ``ENTRIES`` with a single node and no pixel: it compiles them."""
    channels = colours.shape[1]
    around = np.zeros((1, 1, channels + 2), np.float32)
    _paint_around(np.zeros((1, 3)), surroundings, colours, 1.0, around.reshape(1, -1))
    fields, image = np.zeros((1, 1, N_FIELDS), np.float32), np.zeros((1, 1, channels), np.float32)
    pixels, is_near, near_nodes = np.zeros((0, 2), np.intp), np.zeros(0, np.bool_), np.zeros((1, 1), np.bool_)
    points, look = np.zeros((1, 1, 3)), np.zeros(3)
    _add_spine(pixels, 1, points, fields, around, geometry, surroundings, colours, look, image, is_near, near_nodes)
