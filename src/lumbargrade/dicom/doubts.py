"""What a header says that a reader of the grades should know, in words of ours: what people type into headers is never quoted."""

import re
from collections.abc import Iterator, Sequence

import numpy as np

from lumbargrade.dicom.roles import SeriesClues, is_enhanced, is_fat_suppressed
from lumbargrade.geometry.orientation import AnatomicalPlane
from lumbargrade.study import Problem, Stack
from lumbargrade.terms import SeriesRole

CHILD = Problem("child", "by the header the patient is younger than 18; the networks know adults alone")
CONTRAST_ENHANCED, FAT_SUPPRESSED = "contrast_enhanced", "fat_suppressed"

_GAP = 1.6
"""A distance between slices, in usual ones, from which on one is missing."""


def _word(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![a-z])(?:{pattern})(?![a-z])")


_LUMBAR = re.compile(r"lumb|lend|sacr|sakr|lws|(?<![a-z])(?:[ct]*l|ls|whole|total|full|entire)[-_ ./]*(?:spine|sp(?![a-z]))")
_OTHER_PARTS = (
    ("head", _word(r"head|brain|skull|cerebr\w*|cranium|kopf|sch(?:ae|ä)del|orbits?|pituitary|sella")),
    ("cervical spine", _word(r"c[-_ ./]*spine|cerv\w*|hws|neck|hals")),
    ("thoracic spine", _word(r"c?t[-_ ./]*spine|thoracic\w*|bws")),
    ("chest", _word(r"chest|thorax|heart|cardiac|breasts?|mamma")),
    ("abdomen", _word(r"abdo\w*|liver|leber|kidneys?|pancreas|mrcp")),
    ("pelvis", _word(r"pelvis|becken|hips?|h(?:ue|ü)fte|prostat\w*|uterus|rectum")),
    ("knee", _word(r"knees?|knie")),
    ("shoulder", _word(r"shoulders?|schulter")),
    ("limb", _word(r"extremity|ankles?|foot|wrists?|hands?|elbows?|femur|tibia|humerus|forearm|thigh|calf")),
)


def series_doubts(clues: SeriesClues, role: SeriesRole, stacks: Sequence[Stack]) -> Iterator[Problem]:
    """The problems of one series: where it belongs, and if it is used, what about it the networks are not used to."""
    if (part := other_body_part(clues)) is not None:
        yield Problem("other_body_part", f"the header names another body part ({part}); people type headers, the pictures decide")
    if role is SeriesRole.OTHER:
        return
    if is_enhanced(clues):
        yield Problem(CONTRAST_ENHANCED, "taken after a contrast agent was given, by the header; the networks know pictures without")
    if role is SeriesRole.AXIAL_T2 and is_fat_suppressed(clues):
        yield Problem(FAT_SUPPRESSED, "fat-suppressed, by the header; the networks know axial pictures with bright fat")
    if clues.image_type[:1] == ("DERIVED",):
        yield Problem("derived", "computed from other pictures, by the header")
    yield from _gaps(stacks)


def other_body_part(clues: SeriesClues) -> str | None:
    """Another part of the body that the header or the description names; None where they name none, or the lumbar spine with it."""
    for text in (clues.body_part.lower(), clues.description.lower()):
        if _LUMBAR.search(text):
            continue
        for part, pattern in _OTHER_PARTS:
            if pattern.search(text):
                return part
    return None


def _gaps(stacks: Sequence[Stack]) -> Iterator[Problem]:
    """Places where a sagittal stack lacks slices. Axial slices are often taken in parallel blocks, so their gaps say nothing."""
    for stack in stacks:
        usual = stack.spacing_mm
        if stack.plane is not AnatomicalPlane.SAGITTAL or usual <= 0:
            continue
        steps = np.diff(stack.positions_mm)
        for index in np.flatnonzero(steps > _GAP * usual).tolist():
            first, second = sorted(stack.instances[place].instance_number for place in (index, index + 1))
            between = f"{steps[index]:.1f} mm between instances {first} and {second}, {usual:.1f} mm between the others"
            yield Problem("slice_gap", f"slices are missing: {between}")
