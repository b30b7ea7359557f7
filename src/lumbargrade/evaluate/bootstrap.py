"""How much a score would move with other studies of the same kind."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from lumbargrade.competition import MaskedFloats, SeverityArray
from lumbargrade.errors import TableError
from lumbargrade.evaluate.metric import LEAST_CONSTANT, best_constant_score, score
from lumbargrade.geometry.affine import FloatArray


@dataclass(frozen=True, slots=True)
class ScoreInterval:
    """The middle 95 % of resamples: of the score, and of its ratio to the best constant's on the same resample."""

    low: float
    high: float
    ratio_low: float
    ratio_high: float


def bootstrap_score(
    severities: SeverityArray, predictions: ArrayLike, repeats: int, sample_weights: FloatArray | None = None, seed: int = 0
) -> ScoreInterval:
    """The percentile bootstrap by study (Efron and Tibshirani 1993, chapter 13); arguments as in ``score``.

    Resamples that have no score, without a label of some condition, or no ratio (``LEAST_CONSTANT``), are drawn again.

    Raises:
        TableError: as ``score``; or a score cannot be had from resamples of so few labels.
    """
    submitted: MaskedFloats = np.ma.asanyarray(predictions)
    rng = np.random.default_rng(seed)
    scores: list[tuple[float, float]] = []
    for _ in range(10 * repeats):
        if len(scores) == repeats:
            break
        drawn = rng.integers(0, len(severities), len(severities))
        weights = None if sample_weights is None else sample_weights[drawn]
        try:
            found = score(severities[drawn], submitted[drawn], weights).total
            constant = best_constant_score(severities[drawn], weights).total
        except TableError:
            continue
        if constant > LEAST_CONSTANT:
            scores.append((found, found / constant))
    if len(scores) < repeats:
        raise TableError(f"{len(severities)} studies have too few labels for a bootstrap")
    low, high = np.percentile(scores, [2.5, 97.5], axis=0)
    return ScoreInterval(float(low[0]), float(high[0]), float(low[1]), float(high[1]))
