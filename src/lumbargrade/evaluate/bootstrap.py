"""How much a score would move with other studies of the same kind."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lumbargrade.competition import MaskedFloats, SeverityArray
from lumbargrade.errors import TableError
from lumbargrade.evaluate.metric import LEAST_CONSTANT, best_constant_score, score
from lumbargrade.geometry.affine import FloatArray

Found = TypeVar("Found")


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

    def measure(drawn: NDArray[np.intp], weights: FloatArray | None) -> tuple[float, float] | None:
        found = score(severities[drawn], submitted[drawn], weights).total
        constant = best_constant_score(severities[drawn], weights).total
        return (found, found / constant) if constant > LEAST_CONSTANT else None

    low, high = np.percentile(_resampled(measure, len(severities), repeats, sample_weights, seed), [2.5, 97.5], axis=0)
    return ScoreInterval(float(low[0]), float(high[0]), float(low[1]), float(high[1]))


@dataclass(frozen=True, slots=True)
class ScoreDifference:
    """How much lower (negative) or higher a second submission scores than a first, on the same studies.

    Attributes:
        low, high: the middle 95 % of resamples of the studies.
        lower_share: in which share of the resamples the second scores lower.
    """

    mean: float
    low: float
    high: float
    lower_share: float

    @property
    def is_noise(self) -> bool:
        """Whether other studies of the same kind might as well say the opposite."""
        return self.low <= 0 <= self.high

    @property
    def words(self) -> str:
        if self.is_noise:
            return f"which may be noise: the second is better in {100 * self.lower_share:.0f} % of resamples"
        return "the second is better, beyond noise" if self.high < 0 else "the second is worse, beyond noise"


def bootstrap_difference(
    severities: SeverityArray, first: ArrayLike, second: ArrayLike, repeats: int, sample_weights: FloatArray | None = None, seed: int = 0
) -> ScoreDifference:
    """The paired bootstrap by study: both submissions are scored on the same resamples.

    Raises:
        TableError: as ``score``; or a score cannot be had from resamples of so few labels.
    """
    one: MaskedFloats = np.ma.asanyarray(first)
    other: MaskedFloats = np.ma.asanyarray(second)

    def measure(drawn: NDArray[np.intp], weights: FloatArray | None) -> float:
        return score(severities[drawn], other[drawn], weights).total - score(severities[drawn], one[drawn], weights).total

    differences = _resampled(measure, len(severities), repeats, sample_weights, seed)
    low, high = np.percentile(differences, [2.5, 97.5])
    exact = score(severities, other, sample_weights).total - score(severities, one, sample_weights).total
    return ScoreDifference(exact, float(low), float(high), float((np.array(differences) < 0).mean()))


def _resampled(
    measure: Callable[[NDArray[np.intp], FloatArray | None], Found | None],
    studies: int,
    repeats: int,
    sample_weights: FloatArray | None,
    seed: int,
) -> list[Found]:
    """What is measured on each resample of the studies; those on which it is None or not defined are drawn again.

    Raises:
        TableError: too few of the resamples can be measured.
    """
    rng = np.random.default_rng(seed)
    found: list[Found] = []
    for _ in range(10 * repeats):
        if len(found) == repeats:
            break
        drawn = rng.integers(0, studies, studies)
        try:
            measured = measure(drawn, None if sample_weights is None else sample_weights[drawn])
        except TableError:
            continue
        if measured is not None:
            found.append(measured)
    if len(found) < repeats:
        raise TableError(f"{studies} studies have too few labels for a bootstrap")
    return found
