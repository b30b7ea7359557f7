"""Which slice of a study shows a site best, over all series of a role and all their stacks, or why none does."""

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
    choice: SliceChoice
    distance_mm: float
    tilt_deg: float
    cost_mm: float
    in_picture: bool


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
    showing = [candidate for candidate in level if candidate.in_picture]
    if not showing:
        return NoSlice(f"the {target} lies outside the {words} pictures")
    return min(showing, key=lambda candidate: _rank(candidate, recipe)).choice


def _candidates(study: Study, site: Site, recipe: CropRecipe) -> Iterator[_Candidate]:
    point = np.asarray(site.point_lps_mm, np.float64).reshape(1, 3)
    for series in study.with_role(recipe.role):
        for stack in series.stacks:
            tilt_deg = angle_between_deg(stack.normal, _tilt_axis(site, recipe))
            penalty_mm = MM_PER_DEGREE * tilt_deg if _is_against_disc(site, recipe) else 0.0
            for index, instance in enumerate(stack.instances):
                distance_mm = abs(float(instance.affine.distances_mm(point)[0]))
                column, row = instance.affine.to_px(point)[0]
                rows, columns = instance.shape
                in_picture = bool(0 <= column <= columns - 1 and 0 <= row <= rows - 1)
                yield _Candidate(SliceChoice(series, stack, index), distance_mm, tilt_deg, distance_mm + penalty_mm, in_picture)


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
