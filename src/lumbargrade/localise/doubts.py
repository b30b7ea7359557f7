"""What pictures say against what they are taken for: another contrast, metal, a patient who did not lie still.

Headers and descriptions are typed by people and copied from protocol to protocol, so these checks look at brightness around the levels that
were found and at nothing else. Their bounds were chosen on SPIDER's real sagittal pictures, in some of which motion was planted, and on
synthetic patients with and without implants; ``validation/picture_checks.py`` shows how well they divide. A doubt is a warning: it changes
no grade.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.geometry.resample import Image, box_mean
from lumbargrade.localise.motion import square_at
from lumbargrade.localise.prepare import GRID_MM, PreparedStack
from lumbargrade.localise.view import StackView
from lumbargrade.study import LevelLocation, Problem, Series, Study
from lumbargrade.terms import SeriesRole

Mask = NDArray[np.bool_]
Square = tuple[Image, Mask]
"""Brightness, and where there is a picture."""

FEWEST_LEVELS = 3
CANAL_MM, MARROW_MM = 4.5, 6.0
"""Half the widths of the squares in which fluid and marrow are looked for, midway between discs."""
FLUID_PERCENTILE = 80.0
LEAST_ON_T2, MOST_ON_T1 = 0.9, 1.2
"""Fluid over marrow: 0.97 to 6.2 on the real sagittal T2 of 61 patients, 0.24 to 1.09 on the real T1 of 43."""
AROUND_MM, NEAR_DISC_MM = 50.0, 6.0
LEAST_ON_AXIAL_T2 = 1.3
"""Fluid in the canal over the median of the picture around it, at the level where it is brightest."""
BEFORE_MM, BEHIND_MM, BEYOND_MM = 8.0, 35.0, 12.0
"""Around the spine: before the middle of the discs, behind the canal, and beyond the outermost levels. Vessels and gut lie outside."""
VOID_WIDTH_MM, VOID_SHARE, LEAST_VOID_MM2 = 5.0, 0.2, 100.0
"""A void is darker, over this width, than this share of what is usual there."""
EVEN_MM, DETAIL_MM = 28.0, 4.5
"""Windows: brightness is evened out over the first; detail is what departs from the mean over the second."""
STEADY_DETAIL = 0.24
LOOKED_AT = 5
"""Slices of a sagittal stack that detail is looked at in."""


def doubtful_pictures(
    study: Study, views: Sequence[StackView], locations: Sequence[LevelLocation], moved_mm: Mapping[str, FloatArray]
) -> tuple[Problem, ...]:
    """Warnings about the series that grades come from; none where fewer than three levels were found.

    Args:
        views: the sagittal stacks.
        moved_mm: as in ``Localisation``.
    """
    if len(locations) < FEWEST_LEVELS:
        return ()
    problems = [problem for view in views for problem in _about_sagittal(view, locations)]
    for series in study.with_role(SeriesRole.AXIAL_T2):
        moved = moved_mm.get(series.series_instance_uid, np.zeros(3))
        problems += _about_axial(series, [location.canal_lps_mm + moved for location in locations])
    return tuple(problems)


def fluid_over_marrow(stack: PreparedStack, locations: Sequence[LevelLocation]) -> float | None:
    """How much brighter the canal is than the vertebra before it, the median over the vertebrae; None where neither is in the pictures."""
    ratios = []
    for upper, lower in pairwise(locations):
        fluid = _square_of(stack, (upper.canal_lps_mm + lower.canal_lps_mm) / 2, CANAL_MM)
        marrow = _square_of(stack, (upper.disc_center_lps_mm + lower.disc_center_lps_mm) / 2, MARROW_MM)
        if fluid.size and marrow.size and np.median(marrow) > 0:
            ratios.append(np.percentile(fluid, FLUID_PERCENTILE) / np.median(marrow))
    return float(np.median(ratios)) if ratios else None


def fluid_over_surroundings(squares: Sequence[Square]) -> float | None:
    """How much brighter the canal is than the picture around it on axial slices, at the level where it is most; None without a slice."""
    ratios = [
        float(np.percentile(_middle(square, CANAL_MM), FLUID_PERCENTILE) / np.median(square[inside]))
        for square, inside in squares
        if np.median(square[inside]) > 0
    ]
    return max(ratios, default=None)


def void_mm2(stack: PreparedStack, locations: Sequence[LevelLocation]) -> float:
    """The largest area, on one slice, without signal around the spine."""
    near = _around_spine(stack, locations)
    if not near.any():
        return 0.0
    rows, columns = (slice(int(places.min()), int(places.max()) + 1) for places in np.nonzero(near))
    pixels, near = stack.pixels[:, rows, columns], near[rows, columns]
    smooth = box_mean(pixels, _odd(VOID_WIDTH_MM), (1, 2))
    largest = 0.0
    for picture, smoothed in zip(pixels, smooth, strict=True):
        shown = near & (picture > 0).any()
        if shown.any():
            largest = max(largest, float((smoothed[shown] < VOID_SHARE * np.median(picture[shown])).sum()) * GRID_MM**2)
    return largest


def unsteadiness(pictures: Image, shown: Mask) -> float:
    """Median over 95th percentile of detail in (n, rows, columns) pictures on a grid of 1.5 mm, the median of the pictures.

    Sharp pictures have much detail in few places; ghosts, blur along one axis and noise spread it over all.
    """
    values = []
    smooth = box_mean(pictures, _odd(EVEN_MM), (1, 2))
    for picture, smoothed, inside in zip(pictures, smooth, shown, strict=True):
        if not inside.any():
            continue
        bright = float(np.percentile(smoothed[inside], 90))
        even = np.asarray(picture / np.maximum(smoothed, 0.1 * bright), np.float32)
        detail = np.abs(even - box_mean(even, _odd(DETAIL_MM), (0, 1)))[inside & (smoothed > 0.25 * bright)]
        values.append(float(np.median(detail)) / max(float(np.percentile(detail, 95)), 1e-6))
    return float(np.median(values)) if values else 0.0


def sagittal_unsteadiness(stack: PreparedStack, locations: Sequence[LevelLocation]) -> float:
    """``unsteadiness`` of the slices nearest to the canal."""
    canal = np.mean([location.canal_lps_mm for location in locations], 0)
    nearest = np.argsort(np.abs(stack.offsets_mm - stack.offset_mm(canal)), kind="stable")[:LOOKED_AT]
    pictures = stack.pixels[np.sort(nearest)]
    return unsteadiness(pictures, pictures > 0)


def axial_unsteadiness(squares: Sequence[Square]) -> float:
    """``unsteadiness`` of the slices nearest to the levels, around the canal."""
    if not squares:
        return 0.0
    pictures, inside = (np.stack(parts) for parts in zip(*squares, strict=True))
    return unsteadiness(pictures, inside & (pictures > 0))


def _about_sagittal(view: StackView, locations: Sequence[LevelLocation]) -> list[Problem]:
    series, problems = f"Sagittal series {view.series.series_instance_uid}", []
    ratio, is_t1 = fluid_over_marrow(view.stack, locations), view.series.role is SeriesRole.SAGITTAL_T1
    if ratio is not None and is_t1 and ratio > MOST_ON_T1:
        problems.append(_another_contrast(series, "T1", "brighter than the vertebrae, as T2 shows it"))
    if ratio is not None and not is_t1 and ratio < LEAST_ON_T2:
        problems.append(_another_contrast(series, "T2", "darker than the vertebrae, as T1 shows it"))
    if is_t1 and (area := void_mm2(view.stack, locations)) >= LEAST_VOID_MM2:
        message = f"{series} has {area / 100:.0f} cm² without signal at the spine, as metal leaves it: do not rely on grades near it."
        problems.append(Problem("metal", message))
    return [*problems, *_unsteady(series, sagittal_unsteadiness(view.stack, locations))]


def _about_axial(series: Series, canals_lps_mm: Sequence[FloatArray]) -> list[Problem]:
    name, squares = f"Axial series {series.series_instance_uid}", axial_squares(series, canals_lps_mm)
    ratio, problems = fluid_over_surroundings(squares), []
    if ratio is not None and ratio < LEAST_ON_AXIAL_T2:
        problems.append(_another_contrast(name, "T2", "at no level brighter than what is around it, as other contrasts show it"))
    return [*problems, *_unsteady(name, axial_unsteadiness(squares))]


def _another_contrast(series: str, taken_for: str, canal: str) -> Problem:
    return Problem("another_contrast", f"{series} is taken for {taken_for}, but shows the canal {canal}: do not rely on its grades.")


def _unsteady(series: str, value: float) -> list[Problem]:
    if value <= STEADY_DETAIL:
        return []
    message = f"{series} looks ghosted, blurred or very noisy, as when a patient does not lie still: do not rely on its grades."
    return [Problem("unsteady_pictures", message)]


def _square_of(stack: PreparedStack, center_lps_mm: FloatArray, half_mm: float) -> Image:
    """The pixels of the slice nearest to a point in a square around it; empty outside the pictures."""
    column, row = stack.affines[0].to_px(center_lps_mm[None])[0].tolist()
    index = int(np.abs(stack.offsets_mm - stack.offset_mm(center_lps_mm)).argmin())
    half = half_mm / GRID_MM
    rows, columns = (slice(max(0, round(place - half)), max(0, round(place + half) + 1)) for place in (row, column))
    found = stack.pixels[index, rows, columns]
    return found[found > 0]


def _around_spine(stack: PreparedStack, locations: Sequence[LevelLocation]) -> Mask:
    """(rows, columns) where the spine lies, seen from the side; columns grow to posterior."""
    affine = stack.affines[0]
    canals, discs = (
        affine.to_px(np.array(points))
        for points in ([each.canal_lps_mm for each in locations], [each.disc_center_lps_mm for each in locations])
    )
    shape = stack.pixels.shape[1:]
    rows, columns = np.arange(shape[0])[:, None], np.arange(shape[1])[None]
    order = np.argsort(canals[:, 1])
    canal, disc = (np.interp(rows, canals[order, 1], points[order, 0]) for points in (canals, discs))
    near = (columns > disc - BEFORE_MM / GRID_MM) & (columns < canal + BEHIND_MM / GRID_MM)
    reach = BEYOND_MM / GRID_MM
    return np.asarray(near & (rows > canals[:, 1].min() - reach) & (rows < canals[:, 1].max() + reach))


def axial_squares(series: Series, canals_lps_mm: Sequence[FloatArray]) -> list[Square]:
    """Around the canal of each level on the slice nearest to it, if one is near; on a grid of 1.5 mm, and where there is a picture."""
    squares = []
    for canal in canals_lps_mm:
        distances = {id(each): abs(float(each.affine.distances_mm(canal[None])[0])) for each in series.instances}
        nearest = min(series.instances, key=lambda each: distances[id(each)])
        if distances[id(nearest)] <= NEAR_DISC_MM:
            values, _, inside = square_at(nearest, canal, AROUND_MM, GRID_MM)
            if inside.any():
                squares.append((values, inside))
    return squares


def _middle(square: Image, half_mm: float) -> Image:
    middle, half = len(square) // 2, round(half_mm / GRID_MM)
    return square[middle - half : middle + half + 1, middle - half : middle + half + 1]


def _odd(width_mm: float) -> int:
    return 2 * round((width_mm / GRID_MM - 1) / 2) + 1
