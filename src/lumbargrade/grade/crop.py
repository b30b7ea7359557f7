"""Cutting the picture of a site out of a stack: a square of millimetres in one orientation for every patient, side and scanner."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lumbargrade.geometry.affine import FloatArray, SliceAffine
from lumbargrade.geometry.resample import Image, grid_lps, sample_bilinear
from lumbargrade.grade.recipe import CropRecipe
from lumbargrade.grade.site import Site
from lumbargrade.grade.slices import NoSlice, SliceChoice, choose_slice
from lumbargrade.study import Evidence, Instance, Stack, Study

NETWORK_SLICES = 5
"""The chosen slice and two neighbours on each side."""
DISTINCT_MM = 0.5
"""Slices nearer to each other than this repeat a position (repeated acquisitions occur) and are no neighbours."""
NEIGHBOUR_MM = 10.0
"""Slices farther apart than this belong to different blocks of an angled series: the edge slice is repeated instead."""
DARK_PERCENTILE, BRIGHT_PERCENTILE = 0.5, 99.8
"""What becomes 0 and 1: robust against single hot pixels, and wide enough to keep fluid and fat apart."""


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """One site on one slice and its neighbours.

    Attributes:
        pixels: (slices, wide, wide) float32, 0..1; the site lies at the exact middle of the middle slice.
        evidence: the slice chosen and where the site lies in it.
        affine: where the pixels of the middle slice lie in the patient; that of a right side runs the other way.
    """

    recipe: CropRecipe
    pixels: NDArray[np.float32]
    evidence: Evidence
    affine: SliceAffine

    @property
    def network_pixels(self) -> NDArray[np.float32]:
        """(5, size, size): the middle of it, as the network sees it."""
        margin, middle = (self.recipe.wide_px - self.recipe.size_px) // 2, len(self.pixels) // 2
        window = slice(margin, margin + self.recipe.size_px)
        return self.pixels[middle - NETWORK_SLICES // 2 : middle + NETWORK_SLICES // 2 + 1, window, window]


def crop_site(study: Study, site: Site, recipe: CropRecipe) -> Crop | NoSlice:
    """The crop of a site from the slice that shows it best, or the reason why none does."""
    choice = choose_slice(study, site, recipe)
    return choice if isinstance(choice, NoSlice) else cut_crop(choice, site, recipe)


def cut_crop(choice: SliceChoice, site: Site, recipe: CropRecipe, slices: int = NETWORK_SLICES) -> Crop:
    """Cut ``slices`` (an odd number) slices around the chosen one, centred on the site's projection, right sides mirrored.

    The picture is turned by choosing and flipping the stored axes, never by an angle: what tilt is left in the plane is the patient's.
    """
    columns_to, rows_to, slices_to = recipe.picture_axes(site.finding.laterality)
    right, down = nearest_picture_axes(choice.instance.affine, columns_to, rows_to)
    affine = choice.instance.affine
    point = np.asarray(site.seen_in(choice.series.series_instance_uid).point_lps_mm, np.float64)
    center = point - affine.distances_mm(point)[0] * affine.normal
    step = 1 if float(choice.stack.normal @ slices_to) >= 0 else -1
    around = neighbours(choice.stack, choice.index, step, slices // 2)
    pixels = np.stack([_sample(instance, center, right, down, recipe) for instance in around])
    corner = center - (recipe.wide_px - 1) / 2 * recipe.spacing_mm * (right + down)
    grid = SliceAffine(corner, right, down, recipe.spacing_mm, recipe.spacing_mm)
    return Crop(recipe, _normalised(pixels), _evidence(choice, point), grid)


def nearest_picture_axes(affine: SliceAffine, columns_to: FloatArray, rows_to: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The slice's own two directions, swapped and flipped so that they come nearest to the wanted ones of columns and rows."""
    first, second = affine.column_direction, affine.row_direction
    as_stored = abs(float(first @ columns_to)) + abs(float(second @ rows_to))
    transposed = abs(float(second @ columns_to)) + abs(float(first @ rows_to))
    right, down = (first, second) if as_stored >= transposed else (second, first)
    return right * (1 if float(right @ columns_to) >= 0 else -1), down * (1 if float(down @ rows_to) >= 0 else -1)


def neighbours(stack: Stack, index: int, step: int, reach: int) -> list[Instance]:
    """2 * reach + 1 instances around ``index``, in the stack's order for ``step`` 1 and against it for -1; edges are repeated."""
    before = _walk(stack, index, -step, reach)
    after = _walk(stack, index, step, reach)
    return [*reversed(before), stack.instances[index], *after]


def _walk(stack: Stack, index: int, step: int, reach: int) -> list[Instance]:
    positions = stack.positions_mm
    found: list[Instance] = []
    current = index
    for candidate in range(index + step, len(positions) if step > 0 else -1, step):
        distance = abs(float(positions[candidate] - positions[current]))
        if distance > NEIGHBOUR_MM or len(found) == reach:
            break
        if distance > DISTINCT_MM:
            found.append(stack.instances[candidate])
            current = candidate
    return found + [stack.instances[current]] * (reach - len(found))


def _sample(instance: Instance, center: FloatArray, right: FloatArray, down: FloatArray, recipe: CropRecipe) -> Image:
    """(wide, wide) raw values; beyond the picture its edge goes on, so that a crop at the rim gets no black band to be scaled by.

    Where the stored pixels are finer than the crop's, each crop pixel is the mean of samples about as dense as they are.
    """
    rows, columns = instance.shape
    finest_mm = min(instance.affine.column_spacing_mm, instance.affine.row_spacing_mm)
    times = max(1, round(recipe.spacing_mm / finest_mm))
    side = recipe.wide_px * times
    grid = grid_lps(center, right, down, (side, side), recipe.spacing_mm / times)
    positions = np.clip(instance.affine.to_px(grid.reshape(-1, 3)), 0, [columns - 1, rows - 1])
    values = sample_bilinear(instance.pixels, positions).reshape(recipe.wide_px, times, recipe.wide_px, times)
    return np.asarray(values.mean(axis=(1, 3), dtype=np.float64), np.float32)


def _normalised(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Percentiles of the middle three slices to 0 and 1, the same for all slices, so that a crop cut deeper looks no different."""
    middle = len(pixels) // 2
    low, high = np.percentile(pixels[max(middle - 1, 0) : middle + 2], [DARK_PERCENTILE, BRIGHT_PERCENTILE])
    return np.asarray(np.clip((pixels - low) / max(float(high - low), 1e-6), 0.0, 1.0), np.float32)


def _evidence(choice: SliceChoice, point: FloatArray) -> Evidence:
    instance = choice.instance
    column, row = instance.affine.to_px(point)[0].tolist()
    uid = choice.series.series_instance_uid
    return Evidence(uid, instance.sop_instance_uid, instance.instance_number, column, row, point)
