"""The statistics of a whole data set's predictions: for each condition, and for each of its levels."""

from dataclasses import dataclass

import numpy as np

from lumbargrade.competition import SeverityArray
from lumbargrade.evaluate.levels import Estimate
from lumbargrade.evaluate.statistics import Rows, estimate
from lumbargrade.geometry.affine import FloatArray
from lumbargrade.terms import FINDINGS, LEVELS, Condition, Level, Severity


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """The findings of one condition, at one level or at all (None).

    Attributes:
        labelled: how many of each severity there are.
        statistics: by the names of ``STATISTICS``.
    """

    condition: Condition
    level: Level | None
    labelled: tuple[int, ...]
    statistics: dict[str, Estimate]


def break_down(severities: SeverityArray, probabilities: FloatArray, repeats: int, seed: int = 0) -> tuple[Group, ...]:
    """Every condition, each followed by its levels; groups without a label are left out.

    Args:
        severities: (study, 25), masked where there is no label.
        probabilities: (study, 25, 3), not tilted for the metric.
    """
    labelled = ~np.ma.getmaskarray(severities)
    groups = []
    for condition in Condition:
        for level in (None, *LEVELS):
            columns = np.array([finding.condition is condition and level in (None, finding.level) for finding in FINDINGS])
            studies, found = np.nonzero(labelled & columns)
            if studies.size:
                truth = severities.data[studies, found].astype(np.intp)
                rows = Rows(truth, probabilities[studies, found], studies)
                counts = np.bincount(truth, minlength=len(Severity))
                groups.append(Group(condition, level, tuple(counts.tolist()), estimate(rows, repeats, seed)))
    return tuple(groups)
