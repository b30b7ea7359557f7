"""Labels that networks which had not seen the study find unlikely: what a reader should look at again first."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lumbargrade.competition import StudyLabels, SubmissionScores, untilt
from lumbargrade.competition.names import FINDING_COLUMNS, SEVERITY_TITLES
from lumbargrade.terms import Severity

UNLIKELY = 0.05
"""A label of a lower calibrated probability is listed. Sound labels are listed too: rare things happen."""


class DoubtfulLabel(NamedTuple):
    """A label, in the spelling of ``train.csv``, and the calibrated probabilities of those who had not seen the study."""

    study_id: int
    finding: str
    label: str
    normal_mild: float
    moderate: float
    severe: float
    fold: int


def doubtful_labels(
    labels: StudyLabels, predicted: SubmissionScores, graded: NDArray[np.bool_], folds: NDArray[np.integer[Any]]
) -> list[DoubtfulLabel]:
    """The least likely label first.

    Args:
        predicted: tilted scores of the same studies in the same order.
        graded: (study, 25), where the prediction looked at a picture.
        folds: (study,).
    """
    probabilities = untilt(predicted.scores)
    known = graded & ~np.ma.getmaskarray(labels.severities)
    given = np.take_along_axis(probabilities, labels.severities.filled(0)[..., None].astype(np.int64), 2)[..., 0]
    studies, findings = np.nonzero(known & (given < UNLIKELY))
    order = np.argsort(given[studies, findings], kind="stable")
    found = []
    for study, finding in zip(studies[order].tolist(), findings[order].tolist(), strict=True):
        normal_mild, moderate, severe = probabilities[study, finding].round(4).tolist()
        label = SEVERITY_TITLES[Severity(labels.severities.data[study, finding])]
        fold = int(folds[study])
        found.append(DoubtfulLabel(labels.study_ids[study], FINDING_COLUMNS[finding], label, normal_mild, moderate, severe, fold))
    return found
