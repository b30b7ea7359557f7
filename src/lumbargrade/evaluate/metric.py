"""The competition's metric: the mean of four weighted log losses.

Source: the competition's metric notebook ``rsna-lumbar-metric-71549``. Its log loss is that of scikit-learn 1.2.2, which the competition
ran in autumn 2024: clip to [eps, 1 - eps] of float64, then divide each row by its sum. scikit-learn 1.5 and later do not divide; for rows
that sum to one, which ours do, both agree.

Two things differ from the notebook, where it gives a wrong number or none: rows are matched by study and finding and not by their order;
and studies of which all or none have a severe canal are scored, where the notebook stops with "y_true contains only one label".
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lumbargrade.competition import CONDITION_COLUMNS, SEVERITY_WEIGHTS, MaskedFloats, SeverityArray
from lumbargrade.errors import TableError
from lumbargrade.geometry.affine import FloatArray
from lumbargrade.terms import FINDINGS, Condition, Severity

EPS = float(np.finfo(np.float64).eps)
LEAST_CONSTANT = 1e-6
"""Below this the best constant's score is rounding (each column has one severity), and no ratio to it means anything."""


@dataclass(frozen=True, slots=True)
class Score:
    """The four weighted log losses (nats) and the number of labelled rows behind them. Lower is better."""

    spinal_canal_stenosis: float
    neural_foraminal_narrowing: float
    subarticular_stenosis: float
    any_severe_spinal: float
    rows: int

    @property
    def total(self) -> float:
        """The competition's score: the plain mean of the four."""
        return (self.spinal_canal_stenosis + self.neural_foraminal_narrowing + self.subarticular_stenosis + self.any_severe_spinal) / 4

    def of(self, condition: Condition) -> float:
        """The log loss of one condition."""
        return float(getattr(self, condition.value))


def score(severities: SeverityArray, predictions: ArrayLike, sample_weights: FloatArray | None = None) -> Score:
    """The competition's score.

    Args:
        severities: (study, 25), masked where there is no label; such rows are not scored.
        predictions: (study, 25, 3) submitted values, tilted for this metric or not; may be masked where there is no label. Rows need not
            sum to one. Computed in float64 whatever the type.
        sample_weights: (study, 25), by default 1, 2, 4 by severity.

    Raises:
        TableError: with the metric's own texts, a prediction that is not numeric, not finite or negative, or a negative label; a condition
            without a single label, for which the metric is not defined.
        ValueError: arrays of other shapes, or a label whose prediction is masked.
    """
    predicted = _checked(severities, predictions)
    labelled = ~np.ma.getmaskarray(severities)
    truth = severities.filled(0).astype(np.intp)
    weights = np.array(SEVERITY_WEIGHTS)[truth] if sample_weights is None else np.asarray(sample_weights, np.float64)
    if weights.shape != truth.shape:
        raise ValueError(f"sample weights must be {truth.shape}, not {weights.shape}")
    losses = {}
    for condition in Condition:
        chosen = labelled & CONDITION_COLUMNS[condition]
        if not chosen.any():
            raise TableError(f"no label of {condition.value}; the metric needs at least one of each condition")
        losses[condition.value] = weighted_log_loss(truth[chosen], predicted[chosen], weights[chosen])
    return Score(**losses, any_severe_spinal=_any_severe_spinal(truth, predicted, weights, labelled), rows=int(labelled.sum()))


def weighted_log_loss(truth: NDArray[np.intp], predictions: FloatArray, weights: FloatArray) -> float:
    """Weighted mean of ``row_losses``; (row,) weights."""
    return float((weights * row_losses(truth, predictions)).sum() / weights.sum())


def row_losses(truth: NDArray[np.intp], predictions: FloatArray) -> FloatArray:
    """(row,) -ln of the value predicted for the truth: (row,) class indices, (row, class) values >= 0."""
    clipped = np.clip(predictions, EPS, 1 - EPS)
    of_truth = np.take_along_axis(clipped, truth[:, None], 1)[:, 0] / clipped.sum(1)
    return np.asarray(-np.log(of_truth))


def weighted_column_prior(severities: SeverityArray, sample_weights: FloatArray | None = None) -> MaskedFloats:
    """(25, 3) weighted frequency of each severity in each column: the constant with the least weighted log loss on these labels, and what
    any model has to beat. A column without labels is masked."""
    labelled = ~np.ma.getmaskarray(severities)
    truth = severities.filled(0).astype(np.intp)
    weights = np.array(SEVERITY_WEIGHTS)[truth] if sample_weights is None else sample_weights
    sums = np.stack([(weights * (labelled & (truth == severity))).sum(0) for severity in Severity], 1)
    totals = np.ma.masked_equal(sums.sum(1, keepdims=True), 0.0)
    return np.ma.asarray(sums / totals)


def best_constant_score(severities: SeverityArray, sample_weights: FloatArray | None = None) -> Score:
    """The score of ``weighted_column_prior`` on the labels it was made from.

    Raises:
        TableError: as ``score``.
    """
    prior = weighted_column_prior(severities, sample_weights)
    constant: MaskedFloats = np.ma.stack([prior] * len(severities))
    return score(severities, constant, sample_weights)


def _checked(severities: SeverityArray, predictions: ArrayLike) -> FloatArray:
    """The predictions as float64, after the metric's checks in the metric's order."""
    submitted: np.ma.MaskedArray[Any, np.dtype[Any]] = np.ma.asanyarray(predictions)
    if submitted.dtype.kind not in "buif":
        raise TableError("All submission values must be numeric")
    if severities.shape[1:] != (len(FINDINGS),) or submitted.shape != (*severities.shape, 3):
        raise ValueError(f"severities must be (study, 25) and predictions (study, 25, 3), not {severities.shape} and {submitted.shape}")
    values = submitted.compressed()
    if not np.isfinite(values).all():
        raise TableError("All submission values must be finite")
    if (severities.compressed() < 0).any():
        raise TableError("All labels must be at least zero")
    if (values < 0).any():
        raise TableError("All predictions must be at least zero")
    absent = np.ma.getmaskarray(submitted).any(-1) & ~np.ma.getmaskarray(severities)
    if absent.any():
        raise ValueError(f"{absent.sum()} labels have no prediction")
    return submitted.filled(0).astype(np.float64)


def _any_severe_spinal(truth: NDArray[np.intp], predicted: FloatArray, weights: FloatArray, labelled: NDArray[np.bool_]) -> float:
    """Whether any level of a study has a severe canal: predicted by the largest submitted severe value, weighted by the largest sample
    weight, both over the study's labelled levels."""
    levels = labelled & CONDITION_COLUMNS[Condition.SPINAL_CANAL_STENOSIS]
    studies = levels.any(1)
    is_severe = (levels & (truth == Severity.SEVERE)).any(1)[studies]
    probability = np.where(levels, predicted[..., Severity.SEVERE], 0.0).max(1)[studies]
    weight = np.where(levels, weights, 0.0).max(1)[studies]
    probability = np.clip(probability, EPS, 1 - EPS)
    return weighted_log_loss(is_severe.astype(np.intp), np.stack([1 - probability, probability], 1), weight)
