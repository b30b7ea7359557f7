"""What the labels of a synthetic data set are like: how often each grade was given, and how well any model could predict them.

Labels of one reader are noise in part; the truth files hold how probable each grade was. No model can be expected to score better than
these probabilities do.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lumbargrade.competition import SeverityArray, tilt
from lumbargrade.errors import TableError
from lumbargrade.evaluate.metric import Score, best_constant_score, score
from lumbargrade.phantom.readers import LabelSource
from lumbargrade.terms import FINDINGS, Condition, Severity

_ENTRY_OF = {LabelSource.READER: "reader", LabelSource.TRUE: "severity"}


def labels_of(truths: Sequence[Mapping[str, Any]]) -> SeverityArray:
    """(study, 25) the grades that the label table holds, the reader's or the true ones as each study's configuration says; masked where no
    picture shows the site.
    """
    severities = [
        [Severity[finding[_ENTRY_OF[LabelSource(truth["config"]["labels"])]].upper()] for finding in truth["findings"]] for truth in truths
    ]
    unlabelled = [[finding["label"] is None for finding in truth["findings"]] for truth in truths]
    return np.ma.MaskedArray(np.array(severities, np.int8), np.array(unlabelled))


def summarise(truths: Sequence[Mapping[str, Any]], labels: SeverityArray) -> dict[str, Any]:
    """Number of studies, counts of each grade by finding, and two scores of the competition's metric, null where it is not defined.

    ``best_possible_score`` is of the labels' own probabilities, tilted for the metric; ``best_constant_score`` of the labels' frequencies.
    """
    probabilities = np.array([[finding["probabilities"] for finding in truth["findings"]] for truth in truths])
    return {
        "studies": len(truths),
        "labels": {
            str(finding): {severity.label: int(np.ma.filled(labels[:, index] == severity, False).sum()) for severity in Severity}
            for index, finding in enumerate(FINDINGS)
        },
        "best_possible_score": _scores(lambda: score(labels, tilt(probabilities))),
        "best_constant_score": _scores(lambda: best_constant_score(labels)),
    }


def _scores(compute: Callable[[], Score]) -> dict[str, float] | None:
    """A score by its parts; None where a condition has no label at all."""
    try:
        found = compute()
    except TableError:
        return None
    parts = {condition.value: found.of(condition) for condition in Condition}
    return {**parts, "any_severe_spinal": found.any_severe_spinal, "total": found.total}
