"""What is known of a patient's spine, as points and areas of the channels that the localiser learns: from labels, truth or masks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lumbargrade.competition.truth import SpineTruth
from lumbargrade.geometry.affine import FloatArray
from lumbargrade.localise.channels import (
    CANAL_ABOVE,
    CANAL_BELOW,
    CANAL_CHANNELS,
    CHANNELS,
    DISC,
    DISC_BACK,
    DISC_FRONT,
    FIRST_SACRAL,
    FORAMEN_CHANNELS,
    SACRUM,
    TRANSITIONAL,
    VERTEBRA,
)
from lumbargrade.spider import SpiderPatient
from lumbargrade.terms import FINDINGS, LEVELS, Condition
from lumbargrade.train.landmarks import StudyLandmarks

FINDING_SITES = tuple(finding for finding in FINDINGS if finding.condition is not Condition.SUBARTICULAR_STENOSIS)
"""The 15 sites that the competition labels on sagittal slices: canal, left foramen, right foramen, each L1/L2 to L5/S1."""
_ABOVE = ("T9/T10", "T10/T11", "T11/T12", "T12/L1")
_DISCS = (*_ABOVE, *(level.value for level in LEVELS))
_BODIES = ("T9", "T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5")
_SACRAL_BODIES = ("S1", "S2", "S3", "S4", "S5")

SITE_CHANNELS = np.array(
    [
        *range(CANAL_CHANNELS.start, CANAL_CHANNELS.stop),
        *2 * tuple(range(FORAMEN_CHANNELS.start, FORAMEN_CHANNELS.stop)),
        *[CANAL_ABOVE] * len(_ABOVE),
        CANAL_BELOW,
        *[DISC_FRONT] * len(_DISCS),
        *[DISC_BACK] * len(_DISCS),
        FIRST_SACRAL,
        TRANSITIONAL,
    ]
)
"""(40,) the network's channel that shows each site: those of ``FINDING_SITES``, then those that labels do not tell."""
SITES = len(SITE_CHANNELS)
REGION_CHANNELS = np.array([*[VERTEBRA] * len(_BODIES), *[SACRUM] * len(_SACRAL_BODIES), *[DISC] * len(_DISCS)])
"""(23,) the channel of each area."""
REGIONS = len(REGION_CHANNELS)
_FIRST_ABOVE, _FIRST_BACK = len(FINDING_SITES), len(FINDING_SITES) + len(_ABOVE) + 1 + len(_DISCS)


@dataclass(frozen=True, slots=True, eq=False)
class SpineMarks:
    """One patient's marks.

    Attributes:
        points_lps_mm: (40, 3) the sites of ``SITE_CHANNELS``; NaN where unknown.
        complete: (19,) channels all of whose places in the pictures are marked: where there is no mark, there is nothing. Of the others a
            place without a mark is unknown; the channels of ``FINDING_SITES`` are never complete.
        regions_lps_mm: (23, 4, 3) corners of the areas of ``REGION_CHANNELS`` in the middle sagittal plane, front top, back top, back
            bottom, front bottom; None where unknown.
        moved_mm: (3,) to add to all of them for the series in a folder, (0, 0, 0) for those that are absent.
    """

    points_lps_mm: FloatArray
    complete: NDArray[np.bool_]
    regions_lps_mm: FloatArray | None = None
    moved_mm: Mapping[str, FloatArray] = field(default_factory=dict)


def marks_of_labels(landmarks: StudyLandmarks) -> SpineMarks:
    """What the competition's label coordinates tell."""
    points = _unknown()
    for index, site in enumerate(FINDING_SITES):
        if site in landmarks:
            points[index] = landmarks[site].point_lps_mm
    return SpineMarks(points, np.zeros(CHANNELS, bool))


def marks_of_truth(truth: SpineTruth) -> SpineMarks:
    """Everything about a synthetic patient."""
    points = _unknown()
    for index, site in enumerate(FINDING_SITES):
        if site.condition is Condition.SPINAL_CANAL_STENOSIS:
            points[index] = truth.discs[site.level.value][2]
        elif site in truth.findings:
            points[index] = truth.findings[site]
    discs = np.stack([truth.discs[name] for name in _DISCS])
    transitional = truth.discs[truth.transitional][:2].mean(0) if truth.transitional else np.full(3, np.nan)
    points[_FIRST_ABOVE:] = [
        *discs[: len(_ABOVE), 2],
        truth.discs["S1/S2"][2],
        *discs[:, 0],
        *discs[:, 1],
        truth.bodies["S1"].mean(0),
        transitional,
    ]
    complete = np.arange(CHANNELS) >= FORAMEN_CHANNELS.stop
    return SpineMarks(points, complete, _true_regions(truth), truth.moved_mm)


def marks_of_spider(patient: SpiderPatient) -> SpineMarks:
    """What SPIDER's masks tell: the canal at every disc above the sacrum, and the discs' posterior edges."""
    points, discs = _unknown(), patient.medians
    for index, site in enumerate(FINDING_SITES):
        found = discs.get(site.level.value)
        if site.condition is Condition.SPINAL_CANAL_STENOSIS and found is not None and found.canal_lps_mm is not None:
            points[index] = found.canal_lps_mm
    for index, name in enumerate(_DISCS):
        if name in discs:
            points[_FIRST_BACK + index] = discs[name].edge_lps_mm
            if name in _ABOVE and (canal := discs[name].canal_lps_mm) is not None:
                points[_FIRST_ABOVE + index] = canal
    return SpineMarks(points, np.isin(np.arange(CHANNELS), (CANAL_ABOVE, DISC_BACK)))


def _unknown() -> FloatArray:
    return np.full((SITES, 3), np.nan)


def _true_regions(truth: SpineTruth) -> FloatArray:
    """A disc fills what its neighbours leave."""
    bodies = [truth.bodies[name] for name in (*_BODIES, *_SACRAL_BODIES)]
    discs = [np.stack([above[3], above[2], below[1], below[0]]) for above, below in pairwise(bodies[: len(_DISCS) + 1])]
    return np.stack([*bodies, *discs])
