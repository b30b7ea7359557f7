"""Labels counted: by condition, side and level, together with each other, and missing ones."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lumbargrade.terms import FINDING_INDEX, FINDINGS, LEVELS, SEVERITIES, Condition, Finding, Laterality, Severity

Labels = Mapping[int, Mapping[Finding, Severity | None]]
SITES: tuple[tuple[Condition, Laterality | None], ...] = tuple(
    dict.fromkeys((finding.condition, finding.laterality) for finding in FINDINGS)
)
FEWEST_PAIRS = 10
"""Of fewer labelled pairs no correlation is told."""


@dataclass(frozen=True, slots=True)
class LabelCount:
    """How often each severity was given to a finding, over studies, and how often none."""

    finding: Finding
    counts: tuple[int, int, int]
    missing: int


def label_array(labels: Labels) -> NDArray[np.float64]:
    """(studies, 25) severities, NaN where there is none."""
    values = np.full((len(labels), len(FINDINGS)), np.nan)
    for row, severities in enumerate(labels.values()):
        for finding, severity in severities.items():
            if severity is not None:
                values[row, FINDING_INDEX[finding]] = severity
    return values


def label_counts(values: NDArray[np.float64]) -> list[LabelCount]:
    """One a finding, in the order of ``FINDINGS``."""
    return [
        LabelCount(
            finding,
            (
                int((values[:, index] == Severity.NORMAL_MILD).sum()),
                int((values[:, index] == Severity.MODERATE).sum()),
                int((values[:, index] == Severity.SEVERE).sum()),
            ),
            int(np.isnan(values[:, index]).sum()),
        )
        for index, finding in enumerate(FINDINGS)
    ]


@dataclass(frozen=True, slots=True)
class Together:
    """Two sites at the same level.

    Attributes:
        correlation: of the severities as numbers, over all levels; None of fewer than ``FEWEST_PAIRS`` pairs or where one never varies.
        both: in how many pairs both are at least moderate, and of how many.
    """

    correlation: float | None
    both: int
    pairs: int


def together(values: NDArray[np.float64]) -> list[list[Together]]:
    """(5, 5): how the sites of one level go together, in the order of ``SITES``."""
    columns = {site: [FINDING_INDEX[Finding(*site, level)] for level in LEVELS] for site in SITES}
    return [[_pair(values[:, columns[one]].ravel(), values[:, columns[other]].ravel()) for other in SITES] for one in SITES]


def _pair(one: NDArray[np.float64], other: NDArray[np.float64]) -> Together:
    known = ~np.isnan(one) & ~np.isnan(other)
    first, second = one[known], other[known]
    both = int(((first >= Severity.MODERATE) & (second >= Severity.MODERATE)).sum())
    is_told = len(first) >= FEWEST_PAIRS and first.std() > 0 and second.std() > 0
    return Together(float(np.corrcoef(first, second)[0, 1]) if is_told else None, both, len(first))


def missing_by_level(values: NDArray[np.float64]) -> list[list[float]]:
    """(5, 5) shares of missing labels: sites in the order of ``SITES``, levels cranial first."""
    return [[float(np.isnan(values[:, FINDING_INDEX[Finding(*site, level)]]).mean()) for level in LEVELS] for site in SITES]


def percents(counts: tuple[int, int, int]) -> tuple[float, ...]:
    """Shares in percent, 0 for a finding without a label."""
    return tuple(100 * count / max(1, sum(counts)) for count in counts[: len(SEVERITIES)])
