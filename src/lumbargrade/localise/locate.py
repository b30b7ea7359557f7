"""The whole localiser on one page: prepare every sagittal stack, run the networks, find and name one chain of discs, place landmarks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from lumbargrade.errors import InputError
from lumbargrade.geometry.affine import FloatArray
from lumbargrade.geometry.orientation import AnatomicalPlane
from lumbargrade.localise.channels import INPUT_NAME, OUTPUT_NAME
from lumbargrade.localise.decode import find_spine, locate
from lumbargrade.localise.doubts import doubtful_pictures
from lumbargrade.localise.junction import junction_patches, transitional_probability
from lumbargrade.localise.motion import axial_motion
from lumbargrade.localise.numbering import absent_levels, number_levels, why_not_lumbar, why_not_named
from lumbargrade.localise.prepare import PreparedStack, network_inputs, prepare_stack
from lumbargrade.localise.view import Heat, StackView
from lumbargrade.models import Network
from lumbargrade.study import LevelLocation, Numbering, Problem, Study
from lumbargrade.terms import SeriesRole

SLICES_AT_ONCE = 8
"""Bounds the memory that the networks take."""


@dataclass(frozen=True, slots=True, eq=False)
class Localisation:
    """Where the levels are, cranial first, each at most once; levels that were not found are absent and named in ``problems``.

    ``numbering`` says what their names rest on; None where there are none. ``moved_mm`` is, by the UID of an axial series, the (3,)
    millimetres to add to these points to find them there; absent for a series of which that cannot be told.
    """

    locations: tuple[LevelLocation, ...]
    problems: tuple[Problem, ...]
    numbering: Numbering | None = None
    moved_mm: Mapping[str, FloatArray] = field(default_factory=dict)


def locate_levels(study: Study, networks: Sequence[Network], shift: int = 0, junction: Sequence[Network] = ()) -> Localisation:
    """Find the five levels of a study in patient space, from whichever sagittal series it has.

    The heat-maps of several networks are averaged. What is missing is said in ``problems``; nothing is raised for a poor study. ``shift``
    overrules the count: with +1 every disc is named one level lower than it was found to be, with -1 one higher. Without the networks
    that look at the lumbosacral ``junction`` nothing is said of transitional vertebrae.
    """
    views, problems = sagittal_views(study, networks)
    if not views and not problems:
        return Localisation((), (Problem("no_sagittal", "The study has no sagittal T1 or T2 series, so no level can be located."),))
    spine = find_spine(views) if views else None
    reason = why_not_lumbar(spine)
    if spine is None or reason is not None:
        return _refused(problems, reason)
    transitional = transitional_probability(junction_patches(views, spine), junction) if junction else None
    numbering, doubts = number_levels(views, spine, transitional, shift)
    if not shift and (reason := why_not_named(numbering)) is not None:
        return _refused(problems, reason)
    locations = locate(views, spine, numbering.confidence, shift)
    moved, movements = axial_motion(study, locations)
    doubts = (*doubts, *movements, *doubtful_pictures(study, views, locations, moved), *absent_levels(locations))
    return Localisation(locations, (*problems, *doubts), numbering, moved)


def sagittal_views(study: Study, networks: Sequence[Network]) -> tuple[list[StackView], list[Problem]]:
    """Every usable sagittal stack of a study with its heat, and what is wrong with the others."""
    views: list[StackView] = []
    problems: list[Problem] = []
    for series in study.with_role(SeriesRole.SAGITTAL_T1, SeriesRole.SAGITTAL_T2):
        for stack in series.stacks:
            if stack.plane is AnatomicalPlane.SAGITTAL:
                try:
                    prepared = prepare_stack(stack)
                except InputError as error:
                    problems.append(Problem("sagittal_unusable", f"Sagittal series {series.series_instance_uid}: {error}"))
                else:
                    views.append(StackView(series, prepared, mean_heat(prepared, networks)))
    return views, problems


def _refused(problems: Sequence[Problem], reason: str | None) -> Localisation:
    return Localisation((), (*problems, Problem("no_levels", f"No lumbar level could be named: {reason}.")))


def mean_heat(stack: PreparedStack, networks: Sequence[Network]) -> Heat:
    """(slices, 19, rows / 2, columns / 2) heat of a prepared stack, averaged over the networks."""
    parts = []
    for first in range(0, len(stack.pixels), SLICES_AT_ONCE):
        inputs = network_inputs(stack.pixels[first : first + SLICES_AT_ONCE])
        parts.append(np.mean([network.run(**{INPUT_NAME: inputs})[OUTPUT_NAME] for network in networks], axis=0))
    return np.concatenate(parts).astype(np.float32)
