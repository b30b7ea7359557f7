"""Which slice of a study shows a site best, over all series of a role and all their stacks, or why none does."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.geometry.orientation import angle_between_deg
from lumbargrade.grade.recipe import (
    AXIAL_TILT_DEG,
    AXIAL_TILT_UNKNOWN_DISC_DEG,
    MM_PER_DEGREE,
    SAGITTAL_TILT_DEG,
    CropRecipe,
)
from lumbargrade.grade.site import Site
from lumbargrade.study import Instance, Series, Stack, Study
from lumbargrade.terms import SeriesRole

_ROLE_WORDS = {SeriesRole.SAGITTAL_T1: "sagittal T1", SeriesRole.SAGITTAL_T2: "sagittal T2", SeriesRole.AXIAL_T2: "axial T2"}
_LEFT, _HEAD = np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True, slots=True, eq=False)
class SliceChoice:
    """The slice at ``index`` of a stack of a series."""

    series: Series
    stack: Stack
    index: int

    @property
    def instance(self) -> Instance:
        return self.stack.instances[self.index]


@dataclass(frozen=True, slots=True)
class NoSlice:
    """No slice shows the site; ``reason`` says why in one phrase."""

    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class _Candidate:
    """One slice.

    Attributes:
        distance_mm: of its plane from the site, and if axial from the disc there: the larger.
        outside_mm: how far the site, seen along the slice's normal, lies beyond the edge of the picture.
    """

    choice: SliceChoice
    distance_mm: float
    tilt_deg: float
    cost_mm: float
    outside_mm: float


def choose_slice(study: Study, site: Site, recipe: CropRecipe) -> SliceChoice | NoSlice:
    """The slice with the smallest plane distance plus tilt penalty that is near enough, level enough and shows the site."""
    words = _ROLE_WORDS[recipe.role]
    candidates = list(_candidates(study, site, recipe))
    if not candidates:
        return NoSlice(f"no {words} series")
    target = "site" if recipe.role.is_sagittal else "disc"
    near = [candidate for candidate in candidates if candidate.distance_mm <= recipe.reach_mm]
    if not near:
        found = min(candidate.distance_mm for candidate in candidates)
        return NoSlice(f"nearest {words} slice is {found:.1f} mm from the {target} (limit {recipe.reach_mm:g} mm)")
    axis_name, limit_deg = _tilt_limit(site, recipe)
    level = [candidate for candidate in near if candidate.tilt_deg <= limit_deg]
    if not level:
        found = min(candidate.tilt_deg for candidate in near)
        return NoSlice(f"{words} slices near the {target} are tilted {found:.0f} degrees from {axis_name} (limit {limit_deg:g} degrees)")
    showing = [candidate for candidate in level if candidate.outside_mm == 0]
    if not showing:
        found = min(candidate.outside_mm for candidate in level)
        return NoSlice(f"the {target} lies {found:.1f} mm outside the {words} pictures")
    return min(showing, key=lambda candidate: _rank(candidate, recipe)).choice


def _candidates(study: Study, site: Site, recipe: CropRecipe) -> Iterator[_Candidate]:
    for series in study.with_role(recipe.role):
        here = site.seen_in(series.series_instance_uid)
        point = np.asarray(here.point_lps_mm, np.float64)
        targets = np.stack([point] if recipe.role.is_sagittal else [point, here.disc_lps_mm])
        for stack in series.stacks:
            tilt_deg = angle_between_deg(stack.normal, _tilt_axis(site, recipe))
            penalty_mm = MM_PER_DEGREE * tilt_deg if _is_against_disc(site, recipe) else 0.0
            for index, instance in enumerate(stack.instances):
                distances_mm = np.abs(instance.affine.distances_mm(targets))
                cost_mm = float(distances_mm[0]) + penalty_mm
                yield _Candidate(
                    SliceChoice(series, stack, index), float(distances_mm.max()), tilt_deg, cost_mm, _outside_mm(instance, point)
                )


def _outside_mm(instance: Instance, point_lps_mm: FloatArray) -> float:
    column, row = instance.affine.to_px(point_lps_mm)[0].tolist()
    rows, columns = instance.shape
    beyond_columns = max(-column, column - (columns - 1), 0.0) * instance.affine.column_spacing_mm
    beyond_rows = max(-row, row - (rows - 1), 0.0) * instance.affine.row_spacing_mm
    return math.hypot(beyond_columns, beyond_rows)


def _is_against_disc(site: Site, recipe: CropRecipe) -> bool:
    return not recipe.role.is_sagittal and site.disc_normal is not None


def _tilt_axis(site: Site, recipe: CropRecipe) -> FloatArray:
    if recipe.role.is_sagittal:
        return _LEFT
    return _HEAD if site.disc_normal is None else site.disc_normal


def _tilt_limit(site: Site, recipe: CropRecipe) -> tuple[str, float]:
    if recipe.role.is_sagittal:
        return "the sagittal plane", SAGITTAL_TILT_DEG
    return ("the horizontal", AXIAL_TILT_UNKNOWN_DISC_DEG) if site.disc_normal is None else ("the disc", AXIAL_TILT_DEG)


def _rank(candidate: _Candidate, recipe: CropRecipe) -> tuple[float, float, str, str]:
    """Cost first; ties (a site midway between two slices, a repeated series) are broken by place and identity, never by stored order."""
    choice = candidate.choice
    _, _, onwards = recipe.picture_axes(None)
    position_mm = float(onwards @ choice.instance.affine.origin_lps_mm)
    identity = choice.series.series_instance_uid, choice.instance.sop_instance_uid
    return round(candidate.cost_mm, 4), round(position_mm, 4), *identity
