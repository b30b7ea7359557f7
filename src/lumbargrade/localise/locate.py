"""The whole localiser on one page: prepare every sagittal stack, run the networks, decode, fuse."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lumbargrade.errors import InputError
from lumbargrade.geometry.orientation import AnatomicalPlane
from lumbargrade.localise.candidates import Heat
from lumbargrade.localise.channels import INPUT_NAME, OUTPUT_NAME
from lumbargrade.localise.decode import decode_stack
from lumbargrade.localise.fuse import fuse_stacks
from lumbargrade.localise.prepare import PreparedStack, network_inputs, prepare_stack
from lumbargrade.localise.stack_levels import StackLevels
from lumbargrade.models import Network
from lumbargrade.study import LevelLocation, Problem, Series, Stack, Study
from lumbargrade.terms import SeriesRole

SLICES_AT_ONCE = 8
"""Bounds the memory that the networks take."""


@dataclass(frozen=True, slots=True, eq=False)
class Localisation:
    """Where the levels are, cranial first, each at most once; levels that were not found are absent and named in ``problems``."""

    locations: tuple[LevelLocation, ...]
    problems: tuple[Problem, ...]


def locate_levels(study: Study, networks: Sequence[Network]) -> Localisation:
    """Find the five levels of a study in patient space, from whichever sagittal series it has.

    The heat-maps of several networks are averaged. What is missing is said in ``problems``; nothing is raised for a poor study.
    """
    series = study.with_role(SeriesRole.SAGITTAL_T1, SeriesRole.SAGITTAL_T2)
    sagittal = [(each, stack) for each in series for stack in each.stacks if stack.plane is AnatomicalPlane.SAGITTAL]
    if not sagittal:
        return Localisation((), (Problem("no_sagittal", "The study has no sagittal T1 or T2 series, so no level can be located."),))
    found: list[StackLevels] = []
    problems: list[Problem] = []
    for each, stack in sagittal:
        try:
            levels = _locate_in_stack(each, stack, networks)
        except InputError as error:
            problems.append(Problem("sagittal_unusable", f"{_name(each)}: {error}"))
            continue
        if levels is None:
            problems.append(Problem("no_levels_in_series", f"{_name(each)} shows no lumbar level that could be named."))
        else:
            found.append(levels)
    if not found:
        return Localisation((), (*problems, Problem("no_levels", "No lumbar level was found on any sagittal series.")))
    locations, fusion_problems = fuse_stacks(found)
    return Localisation(locations, (*problems, *fusion_problems))


def _locate_in_stack(series: Series, stack: Stack, networks: Sequence[Network]) -> StackLevels | None:
    prepared = prepare_stack(stack)
    return decode_stack(_name(series), prepared, mean_heat(prepared, networks))


def mean_heat(stack: PreparedStack, networks: Sequence[Network]) -> Heat:
    """(slices, 10, rows / 2, columns / 2) heat of a prepared stack, averaged over the networks."""
    parts = []
    for first in range(0, len(stack.pixels), SLICES_AT_ONCE):
        inputs = network_inputs(stack.pixels[first : first + SLICES_AT_ONCE])
        parts.append(np.mean([network.run(**{INPUT_NAME: inputs})[OUTPUT_NAME] for network in networks], axis=0))
    return np.concatenate(parts).astype(np.float32)


def _name(series: Series) -> str:
    """By UID: a folder's name may be a patient's."""
    contrast = "T1" if series.role is SeriesRole.SAGITTAL_T1 else "T2"
    return f"Sagittal {contrast} series {series.series_instance_uid}"
