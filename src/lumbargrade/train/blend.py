"""Fitting a blend on out-of-fold predictions: each condition by itself, then what the worst canal is raised by."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar

from lumbargrade.blend import Blend, ConditionBlend, raise_worst_canal
from lumbargrade.competition import CONDITION_COLUMNS, SEVERITY_WEIGHTS, SeverityArray
from lumbargrade.evaluate import score
from lumbargrade.geometry.affine import FloatArray
from lumbargrade.terms import Condition

LARGEST_ANY_SEVERE = 2.0
STEADYING = 1e-3
"""How much squared logarithms of what differs from an even blend with the metric's tilt cost: with few labels little is moved."""


def fit_blend(severities: SeverityArray, probabilities: FloatArray, models: Sequence[str] = ()) -> Blend:
    """The blend with the least score on labelled studies.

    Args:
        severities: (study, 25), masked where there is no label.
        probabilities: (model, study, 25, 3), of models that did not learn from these studies.
        models: sha256 of each model's manifest, for the record.

    Raises:
        TableError: the metric is not defined on so few labels.
    """
    conditions = {condition: _fit_condition(severities, probabilities, condition) for condition in Condition}
    plain = Blend(tuple(models), conditions).scores(probabilities)
    found = minimize_scalar(
        lambda log_factor: score(severities, raise_worst_canal(plain, float(np.exp(log_factor)))).total + STEADYING * log_factor**2,
        bounds=(0.0, np.log(LARGEST_ANY_SEVERE)),
        method="bounded",
    )
    return Blend(tuple(models), conditions, float(np.exp(found.x)))


def out_of_fold_scores(severities: SeverityArray, probabilities: FloatArray, folds: NDArray[np.intp]) -> FloatArray:
    """(study, 25, 3) scores of each fold's studies by a blend fitted on the others: what a fitted blend is honestly worth.

    Raises:
        TableError: the metric is not defined on so few labels.
    """
    scores = np.empty(probabilities.shape[1:])
    for fold in np.unique(folds):
        inside = folds == fold
        scores[inside] = fit_blend(severities[~inside], probabilities[:, ~inside]).scores(probabilities[:, inside])
    return scores


def _fit_condition(severities: SeverityArray, probabilities: FloatArray, condition: Condition) -> ConditionBlend:
    chosen = ~np.ma.getmaskarray(severities) & CONDITION_COLUMNS[condition]
    truth = severities.data[chosen].astype(np.intp)
    said = probabilities[:, chosen]
    weights = np.array(SEVERITY_WEIGHTS)[truth]

    def parts(parameters: FloatArray) -> tuple[FloatArray, FloatArray]:
        shares = np.exp(parameters[: len(said)] - parameters[: len(said)].max())
        return shares / shares.sum(), np.array(SEVERITY_WEIGHTS) * np.exp([0.0, *parameters[len(said) :]])

    def loss(parameters: FloatArray) -> float:
        shares, tilt = parts(parameters)
        tilted = np.tensordot(shares, said, 1) * tilt
        of_truth = np.take_along_axis(tilted, truth[:, None], 1)[:, 0] / tilted.sum(1)
        return float(-(weights * np.log(np.maximum(of_truth, 1e-12))).sum() / weights.sum() + STEADYING * parameters @ parameters)

    found = minimize(loss, np.zeros(len(said) + 2), method="L-BFGS-B", bounds=[(-4, 4)] * len(said) + [(-1.5, 1.5)] * 2)
    shares, tilt = parts(found.x)
    first, second, third = (float(value) for value in tilt)
    return ConditionBlend(tuple(shares.tolist()), (first, second, third))
