"""How well probabilities tell severities, row by row: each statistic on the rows as they are, and on any resample of them at once.

A statistic takes rows and (resamples, rows) counts, how often each row was drawn, and gives (resamples,) values; NaN where a resample
does not define it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lumbargrade.competition import SEVERITY_WEIGHTS, tilt
from lumbargrade.evaluate.levels import Estimate
from lumbargrade.evaluate.metric import EPS, row_losses
from lumbargrade.geometry.affine import FloatArray
from lumbargrade.terms import SEVERITIES, Severity

CALIBRATION_BINS = 15
RESAMPLES_AT_ONCE = 50


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Labelled findings.

    Attributes:
        truth: (n,) the value of ``Severity``.
        probabilities: (n, 3) as they are meant, not tilted for the metric; each row sums to 1.
        studies: (n,) which study each is of, 0 to the number of studies less 1.
    """

    truth: NDArray[np.intp]
    probabilities: FloatArray
    studies: NDArray[np.intp]

    def at_least(self, severity: Severity) -> tuple[NDArray[np.bool_], FloatArray]:
        """(n,) whether each is as severe, and the probability that was given to it."""
        return self.truth >= severity, self.probabilities[:, severity:].sum(1)


Statistic = Callable[[Rows, FloatArray], FloatArray]


def tilted_log_loss(rows: Rows, counts: FloatArray) -> FloatArray:
    """The competition's: of the tilted probabilities, rows weighted 1, 2, 4 by severity."""
    weights = np.array(SEVERITY_WEIGHTS)[rows.truth]
    return _ratio(counts @ (row_losses(rows.truth, tilt(rows.probabilities)) * weights), counts @ weights)


def constant_log_loss(rows: Rows, counts: FloatArray) -> FloatArray:
    """The least weighted log loss that one answer to all rows can have."""
    weighted = counts @ (np.eye(len(SEVERITIES))[rows.truth] * SEVERITY_WEIGHTS)
    share = weighted / np.maximum(weighted.sum(1, keepdims=True), EPS)
    return np.asarray(-(share * np.log(np.maximum(share, EPS))).sum(1))


def auc(severity: Severity) -> Statistic:
    """The chance that a row at least so severe was given a higher probability of it than another row; ties count half."""

    def statistic(rows: Rows, counts: FloatArray) -> FloatArray:
        positive, given = rows.at_least(severity)
        order = np.argsort(given, kind="stable")
        first = np.flatnonzero(np.diff(given[order], prepend=-np.inf))
        drawn = counts[:, order]
        positives = np.add.reduceat(drawn * positive[order], first, axis=1)
        negatives = np.add.reduceat(drawn * ~positive[order], first, axis=1)
        below = np.cumsum(negatives, axis=1) - negatives / 2
        return _ratio((positives * below).sum(1), positives.sum(1) * negatives.sum(1))

    return statistic


def quadratic_kappa(rows: Rows, counts: FloatArray) -> FloatArray:
    """Cohen's kappa of the likeliest severity with squared distances as weights (Cohen, Psychological Bulletin 1968)."""
    count = len(SEVERITIES)
    pairs = np.eye(count**2)[rows.truth * count + rows.probabilities.argmax(1)]
    table = (counts @ pairs).reshape(-1, count, count)
    cost = (np.arange(count)[:, None] - np.arange(count)) ** 2
    by_chance = table.sum(2)[:, :, None] * table.sum(1)[:, None]
    found, expected = (table * cost).sum((1, 2)) * table.sum((1, 2)), (by_chance * cost).sum((1, 2))
    return np.asarray(1 - _ratio(found, expected))


def calibration_error(severity: Severity) -> Statistic:
    """The expected calibration error of being at least so severe, over 15 bins of equal width (Guo et al., ICML 2017)."""

    def statistic(rows: Rows, counts: FloatArray) -> FloatArray:
        positive, given = rows.at_least(severity)
        bins = np.eye(CALIBRATION_BINS)[np.minimum((given * CALIBRATION_BINS).astype(np.intp), CALIBRATION_BINS - 1)]
        gaps = np.abs(counts @ (bins * (positive - given)[:, None]))
        return _ratio(gaps.sum(1), counts.sum(1))

    return statistic


STATISTICS: dict[str, Statistic] = {
    "weighted_log_loss": tilted_log_loss,
    "constant_log_loss": constant_log_loss,
    "auc_severe": auc(Severity.SEVERE),
    "auc_moderate": auc(Severity.MODERATE),
    "kappa": quadratic_kappa,
    "calibration_error_severe": calibration_error(Severity.SEVERE),
    "calibration_error_moderate": calibration_error(Severity.MODERATE),
}


def estimate(rows: Rows, repeats: int, seed: int = 0) -> dict[str, Estimate]:
    """Every statistic of some rows, with the percentile bootstrap by study (Efron and Tibshirani 1993, chapter 13).

    None stands for what is not defined: the AUC of rows of one kind, say; resamples that do not define a statistic are left out of its
    interval, and fewer than half of them defined, or fewer than two studies, make none.
    """
    once = np.ones((1, len(rows.truth)))
    values = {name: float(statistic(rows, once)[0]) for name, statistic in STATISTICS.items()}
    draws: dict[str, list[FloatArray]] = {name: [] for name in STATISTICS}
    studies, rng = np.unique(rows.studies), np.random.default_rng(seed)
    for first in range(0, repeats if len(studies) > 1 else 0, RESAMPLES_AT_ONCE):
        times = rng.multinomial(len(studies), np.full(len(studies), 1 / len(studies)), min(RESAMPLES_AT_ONCE, repeats - first))
        counts = times[:, np.searchsorted(studies, rows.studies)].astype(np.float64)
        for name, statistic in STATISTICS.items():
            draws[name].append(statistic(rows, counts))
    return {name: _estimate(value, np.concatenate(draws[name]) if draws[name] else np.zeros(0)) for name, value in values.items()}


def _estimate(value: float, draws: FloatArray) -> Estimate:
    if not np.isfinite(value):
        return Estimate(None)
    known = draws[np.isfinite(draws)]
    if 2 * len(known) < len(draws) or not len(draws):
        return Estimate(value)
    low, high = np.percentile(known, [2.5, 97.5])
    return Estimate(value, float(low), float(high))


def _ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    return np.asarray(np.divide(above, below, out=np.full(np.shape(above), np.nan), where=np.asarray(below) > 0))
