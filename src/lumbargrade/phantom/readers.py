"""Readers who disagree: how probably a reader gives each grade, and the one label that one reader gave.

A reader sees the true severity with an error of their own: score = z + offset + s x noise, cut where the truth is cut. The deviations s
reproduce published agreement (Schizas grade: kappa 0.65 to 0.7 between readers; foramen 0.58; subarticular 0.49; SPORT, PMC2754786); the
offset of a reader has a deviation of 0.25; one label in a hundred is that of the other side or of the next level.
"""

from dataclasses import dataclass
from enum import Enum
from math import erf, hypot, sqrt

import numpy as np

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.phantom.calibrated import CUTS
from lumbargrade.phantom.measure import FindingTruth
from lumbargrade.terms import FINDING_INDEX, FINDINGS, LEVELS, Condition, Finding, Severity

NOISE = {
    Condition.SPINAL_CANAL_STENOSIS: 0.30,
    Condition.NEURAL_FORAMINAL_NARROWING: 0.45,
    Condition.SUBARTICULAR_STENOSIS: 0.60,
}
"""Deviation of one reading from the severity, where severities have a standard deviation of one."""

READER_OFFSET, SLIP = 0.25, 0.01


class LabelSource(Enum):
    """Whose grades a data set's label table holds."""

    TRUE = "true"
    READER = "reader"


@dataclass(frozen=True, slots=True)
class Reading:
    """How readers see one finding.

    Attributes:
        probabilities: that a reader chosen at random gives normal/mild, moderate, severe; they sum to one.
        label: what this study's reader gave.
    """

    probabilities: tuple[float, float, float]
    label: Severity


def read_study(truth: tuple[FindingTruth, ...], rng: np.random.Generator) -> tuple[Reading, ...]:
    """One reader's labels of a study and the probabilities of any reader's; ``truth`` in the order of ``FINDINGS``, as the result."""
    own = np.array([grade_probabilities(each) for each in truth])
    offset = {condition: READER_OFFSET * float(rng.normal()) for condition in Condition}
    noise, slipped, partner = rng.normal(size=len(truth)), rng.random(len(truth)) < SLIP, rng.random(len(truth))
    seen = [
        Severity(sum(each.z + offset[each.finding.condition] + NOISE[each.finding.condition] * error >= cut for cut in _cuts(each)))
        for each, error in zip(truth, noise.tolist(), strict=True)
    ]
    readings = []
    for index, finding in enumerate(FINDINGS):
        mistaken = _mistaken_for(finding)
        probabilities: FloatArray = (1 - SLIP) * own[index] + SLIP * own[mistaken].mean(0)
        source = mistaken[int(partner[index] * len(mistaken))] if slipped[index] else index
        normal, moderate, severe = probabilities.tolist()
        readings.append(Reading((normal, moderate, severe), seen[source]))
    return tuple(readings)


def grade_probabilities(truth: FindingTruth) -> tuple[float, float, float]:
    """Phi((cut - z) / s) between the cuts: how probably a reader gives each grade, were none ever to mistake side or level."""
    deviation = hypot(NOISE[truth.finding.condition], READER_OFFSET)
    at_most = [0.5 * (1 + erf((cut - truth.z) / deviation / sqrt(2))) for cut in _cuts(truth)]
    return at_most[0], at_most[1] - at_most[0], 1 - at_most[1]


def _cuts(truth: FindingTruth) -> tuple[float, float]:
    return CUTS[truth.finding.condition]


def _mistaken_for(finding: Finding) -> list[int]:
    """Findings whose label slips into this one's place: the other side's, and those of the levels above and below."""
    row = LEVELS.index(finding.level)
    near = [
        Finding(finding.condition, finding.laterality, level) for level in LEVELS[max(row - 1, 0) : row + 2] if level is not finding.level
    ]
    if finding.laterality is not None:
        near.append(finding.mirrored)
    return [FINDING_INDEX[each] for each in near]
