"""How far a patient moved between the sagittal T2 and each axial series, read off the pictures: both show the same tissue alike.

Small squares of axial slices around the located discs are compared with what the sagittal stack has at the same places, by the correlation
of locally normalised brightness, and shifted until they agree best. What that leaves of the motion is measured on synthetic studies by
``validation/axial_motion.py``.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from lumbargrade.geometry.affine import FloatArray, SliceAffine
from lumbargrade.geometry.orientation import AnatomicalPlane
from lumbargrade.geometry.resample import Image, box_mean, grid_lps, sample_bilinear
from lumbargrade.study import Instance, LevelLocation, Problem, Series, Stack, Study
from lumbargrade.terms import SeriesRole

Mask = NDArray[np.bool_]

HALF_WIDTH_MM, GRID_MM = 26.0, 2.0
"""Of the squares: the canal with discs, joints and laminae around it, and little that breathes."""
SLICES_A_LEVEL, NEAR_DISC_MM = 2, 8.0
NORMALISED_OVER = 11
"""Pixels of the window within which brightness is normalised, 22 mm."""
STEPS_MM = (4.0, 2.0, 1.0, 0.5)
FARTHEST_MM = 10.0
"""Patients of one study were seen to move by 2.6 to 8.3 mm between series."""
RELUCTANCE_MM = 17.0
"""A shift of this length costs as much as a whole unit of correlation."""
LEAST_CORRELATION, LEAST_GAIN = 0.3, 0.02
"""Below these the pictures are too unlike (a STIR beside a T2), or a shift hardly makes them more alike, and none is believed."""
WORTH_SAYING_MM = 4.0
FEWEST_PIXELS = 200
_JUST_ONE = 1 + 1e-9
"""So far before the end a place still lies between two pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class _Squares:
    """Squares of axial slices: (n, c, c) locally normalised brightness, the (n, c, c, 3) LPS points, and where there is a picture."""

    values: Image
    points_lps_mm: FloatArray
    inside: Mask


def axial_motion(study: Study, locations: Sequence[LevelLocation]) -> tuple[dict[str, FloatArray], tuple[Problem, ...]]:
    """For each axial series, by its UID, the (3,) millimetres to add to a point of the sagittal T2 to find it there; and large ones told.

    Series for which nothing can be said are absent.
    """
    stacks = [stack for series in study.with_role(SeriesRole.SAGITTAL_T2) for stack in series.stacks]
    volumes = [volume for stack in stacks if (volume := _Volume.of(stack)) is not None]
    if not volumes or not locations:
        return {}, ()
    volume = max(volumes, key=lambda each: each.values.size)
    moved: dict[str, FloatArray] = {}
    problems = []
    for series in study.with_role(SeriesRole.AXIAL_T2):
        shift = _shift(volume, _squares(series, locations))
        if shift is None:
            continue
        moved[series.series_instance_uid] = shift
        length = float(np.linalg.norm(shift))
        if length >= WORTH_SAYING_MM:
            message = f"Axial series {series.series_instance_uid} lies {length:.0f} mm off the sagittal T2, which was allowed for."
            problems.append(Problem("patient_moved", message))
    return moved, tuple(problems)


@dataclass(frozen=True, slots=True, eq=False)
class _Volume:
    """A stack as (slices, rows, columns) values; slice i lies at ``offsets_mm[i]`` along the normal."""

    values: Image
    offsets_mm: FloatArray
    first: Instance
    normal: FloatArray

    @classmethod
    def of(cls, stack: Stack) -> "_Volume | None":
        """The slices of the commonest shape of a sagittal stack; None where they are no volume."""
        ((shape, count),) = Counter(instance.shape for instance in stack.instances).most_common(1)
        if stack.plane is not AnatomicalPlane.SAGITTAL or min(count, *shape) < 2:
            return None
        normal = stack.instances[0].affine.normal
        ordered = sorted(stack.instances, key=lambda instance: float(instance.affine.origin_lps_mm @ normal))
        same = [instance for instance in ordered if instance.shape == shape]
        values = np.stack([_smoothed(instance, GRID_MM) for instance in same])
        return cls(values, np.array([float(instance.affine.origin_lps_mm @ normal) for instance in same]), same[0], normal)

    def sample(self, points_lps_mm: FloatArray) -> tuple[Image, Mask]:
        """Values at (..., 3) points, linear between slices, and which points lie inside; outside are those of the nearest edge."""
        shape = points_lps_mm.shape[:-1]
        flat = points_lps_mm.reshape(-1, 3)
        points_px = self.first.affine.to_px(flat)
        rows, columns = self.values.shape[1:]
        offsets_mm = flat @ self.normal
        place = np.interp(offsets_mm, self.offsets_mm, np.arange(len(self.offsets_mm)))
        inside = (offsets_mm >= self.offsets_mm[0]) & (offsets_mm <= self.offsets_mm[-1])
        inside &= (points_px >= 0).all(1) & (points_px[:, 0] <= columns - 1) & (points_px[:, 1] <= rows - 1)
        place = np.clip(place, 0, len(self.values) - _JUST_ONE)
        column, row = np.clip(points_px[:, 0], 0, columns - _JUST_ONE), np.clip(points_px[:, 1], 0, rows - _JUST_ONE)
        z, y, x = (part.astype(np.intp) for part in (place, row, column))
        w, v, u = (np.asarray(part - whole, np.float32) for part, whole in ((place, z), (row, y), (column, x)))
        values = np.zeros(len(flat), np.float32)
        for dz, weight in ((0, 1 - w), (1, w)):
            for dy, share in ((0, weight * (1 - v)), (1, weight * v)):
                values += share * ((1 - u) * self.values[z + dz, y + dy, x] + u * self.values[z + dz, y + dy, x + 1])
        return values.reshape(shape), inside.reshape(shape)


def _squares(series: Series, locations: Sequence[LevelLocation]) -> _Squares | None:
    """Around the canal of each level on the slices nearest to it; None where no slice is near."""
    squares = []
    for location in locations:
        center = location.canal_lps_mm
        near = [(abs(float(instance.affine.distances_mm(center[None])[0])), instance) for instance in series.instances]
        near = sorted((each for each in near if each[0] <= NEAR_DISC_MM), key=lambda each: each[0])
        squares += [square_at(instance, center, HALF_WIDTH_MM, GRID_MM) for _, instance in near[:SLICES_A_LEVEL]]
    if not squares:
        return None
    values, points, inside = (np.stack(parts) for parts in zip(*squares, strict=True))
    return _Squares(_normalised(values), points, inside)


def square_at(instance: Instance, center_lps_mm: FloatArray, half_width_mm: float, grid_mm: float) -> tuple[Image, FloatArray, Mask]:
    """A square of a slice around a (3,) point, laid onto it: values, the LPS points, and where there is a picture."""
    affine = instance.affine
    on_slice = center_lps_mm - float(affine.distances_mm(center_lps_mm[None])[0]) * affine.normal
    count = 2 * round(half_width_mm / grid_mm) + 1
    points = grid_lps(on_slice, affine.column_direction, affine.row_direction, (count, count), grid_mm)
    points_px = affine.to_px(points.reshape(-1, 3)).reshape(count, count, 2)
    rows, columns = instance.shape
    inside = (points_px >= 0).all(2) & (points_px[..., 0] <= columns - 1) & (points_px[..., 1] <= rows - 1)
    values = sample_bilinear(_smoothed(instance, grid_mm), points_px)
    return values, points, inside


def _smoothed(instance: Instance, grid_mm: float) -> Image:
    """The picture averaged over about a pixel of the grid, and over an odd number of its own, since an even one has no middle."""
    pixels = instance.pixels.astype(np.float32)
    for axis, pixel_mm in ((0, instance.affine.row_spacing_mm), (1, instance.affine.column_spacing_mm)):
        width = 2 * round((grid_mm / pixel_mm - 1) / 2) + 1
        if width > 1:
            pixels = box_mean(pixels, width, [axis])
    return pixels


def _shift(volume: _Volume, squares: _Squares | None) -> FloatArray | None:
    """The shift that makes the squares most like the volume, sought along each of its axes in ever finer steps; None where none can be
    believed. Both ways along an axis are tried before one is taken, so that a mirrored patient's is the mirrored shift."""
    if squares is None:
        return None
    axes = _nearest_axes(volume.first.affine)
    best, unmoved = np.zeros(3), _likeness(volume, squares, np.zeros(3))
    highest = unmoved
    for step_mm in STEPS_MM:
        moving = True
        while moving:
            moving = False
            for step in step_mm * np.eye(3)[::-1]:
                tried = [along for along in (best + step, best - step) if np.abs(along).max() <= FARTHEST_MM]
                likeness = [_likeness(volume, squares, along @ axes) for along in tried]
                if max(likeness) > highest + 1e-4:
                    best, highest, moving = tried[int(np.argmax(likeness))], max(likeness), True
    correlation = highest + _cost(best)
    return np.asarray(best @ axes) if correlation >= LEAST_CORRELATION and highest - unmoved >= LEAST_GAIN else None


def _nearest_axes(affine: SliceAffine) -> FloatArray:
    """(3, 3) rows: of a slice's own directions those nearest to the patient's left, back and head, whichever way they are stored."""
    own = np.stack([affine.column_direction, affine.row_direction, affine.normal])
    axes = own[list(max(permutations(range(3)), key=lambda order: float(np.abs(own[list(order)]).trace())))]
    return np.asarray(axes * np.sign(axes.diagonal())[:, None])


def _likeness(volume: _Volume, squares: _Squares, shift_mm: FloatArray) -> float:
    """Mean correlation of the squares with the volume, a patient shifted by so much, less what so large a shift costs."""
    values, inside = volume.sample(squares.points_lps_mm - shift_mm)
    both = (squares.inside & inside).reshape(len(values), -1).astype(np.float32)
    one, other = (_centred(part.reshape(len(values), -1), both) for part in (squares.values, _normalised(values)))
    products = (one * other).sum(1) / np.sqrt(np.maximum((one * one).sum(1) * (other * other).sum(1), 1e-9))
    return float(np.where(both.sum(1) >= FEWEST_PIXELS, products, 0.0).mean()) - _cost(shift_mm)


def _centred(values: Image, where: Image) -> Image:
    """Values less their mean where there are any, 0 elsewhere."""
    mean = (values * where).sum(1, keepdims=True) / np.maximum(where.sum(1, keepdims=True), 1)
    return np.asarray((values - mean) * where, np.float32)


def _cost(shift_mm: FloatArray) -> float:
    return float(shift_mm @ shift_mm) / RELUCTANCE_MM**2


def _normalised(values: Image) -> Image:
    """(n, rows, columns) brightness less its local mean, over its local deviation."""
    mean = box_mean(values, NORMALISED_OVER, (1, 2))
    deviation = np.sqrt(np.maximum(box_mean(values * values, NORMALISED_OVER, (1, 2)) - mean * mean, 0))
    return np.asarray((values - mean) / (deviation + 0.1 * values.std((1, 2), keepdims=True) + 1e-6), np.float32)
