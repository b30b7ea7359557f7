"""Each statistic against scikit-learn's or a plain loop, on the rows as they are and on resamples of them."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, log_loss, roc_auc_score

from lumbargrade.competition import tilt
from lumbargrade.evaluate.breakdown import break_down
from lumbargrade.evaluate.statistics import (
    CALIBRATION_BINS,
    STATISTICS,
    Rows,
    auc,
    calibration_error,
    constant_log_loss,
    estimate,
    quadratic_kappa,
    tilted_log_loss,
)
from lumbargrade.terms import FINDINGS, Condition, Level, Severity

WEIGHTS = np.array([1.0, 2.0, 4.0])


@pytest.fixture(params=[0, 1, 2])
def rows(request: pytest.FixtureRequest) -> Rows:
    rng = np.random.default_rng(request.param)
    probabilities = rng.dirichlet([4, 1, 1], 300).round(2) + 1e-3  # rounded, so that there are ties
    probabilities /= probabilities.sum(1, keepdims=True)
    truth = np.array([rng.choice(3, p=0.6 * row + 0.4 / 3) for row in probabilities])
    return Rows(truth, probabilities, np.repeat(np.arange(60), 5))


@pytest.fixture
def counts(rows: Rows) -> np.ndarray:
    """Once as they are, then two resamples of the studies."""
    rng = np.random.default_rng(5)
    times = [np.ones(60), *(np.bincount(rng.integers(0, 60, 60), minlength=60) for _ in range(2))]
    return np.array(times, float)[:, rows.studies]


def test_log_loss(rows: Rows, counts: np.ndarray) -> None:
    expected = [log_loss(rows.truth, tilt(rows.probabilities), sample_weight=times * WEIGHTS[rows.truth]) for times in counts]
    np.testing.assert_allclose(tilted_log_loss(rows, counts), expected, rtol=1e-10)


def test_the_constant_is_the_best_one(rows: Rows, counts: np.ndarray) -> None:
    for times, found in zip(counts, constant_log_loss(rows, counts), strict=True):
        weights = times * WEIGHTS[rows.truth]
        share = np.array([weights[rows.truth == severity].sum() for severity in range(3)]) / weights.sum()
        losses = [
            log_loss(rows.truth, np.tile(one / one.sum(), (300, 1)), sample_weight=weights)
            for one in (share, share * [1.1, 1, 1], share * [1, 1, 0.9])
        ]
        assert found == pytest.approx(losses[0], rel=1e-10)
        assert found < min(losses[1:])


@pytest.mark.parametrize("severity", [Severity.MODERATE, Severity.SEVERE])
def test_auc(rows: Rows, counts: np.ndarray, severity: Severity) -> None:
    given = rows.probabilities[:, severity:].sum(1)
    expected = [roc_auc_score(rows.truth >= severity, given, sample_weight=times) for times in counts]
    np.testing.assert_allclose(auc(severity)(rows, counts), expected, rtol=1e-10)


def test_kappa(rows: Rows, counts: np.ndarray) -> None:
    likeliest = rows.probabilities.argmax(1)
    expected = [cohen_kappa_score(rows.truth, likeliest, weights="quadratic", sample_weight=times) for times in counts]
    np.testing.assert_allclose(quadratic_kappa(rows, counts), expected, rtol=1e-10)


def test_calibration_error(rows: Rows, counts: np.ndarray) -> None:
    for times, found in zip(counts, calibration_error(Severity.SEVERE)(rows, counts), strict=True):
        gap = 0.0
        for index in range(CALIBRATION_BINS):
            given = rows.probabilities[:, 2]
            inside = (given >= index / CALIBRATION_BINS) & (given < (index + 1) / CALIBRATION_BINS)
            gap += abs(float((times[inside] * ((rows.truth[inside] == 2) - given[inside])).sum()))
        assert found == pytest.approx(gap / times.sum(), rel=1e-10)


def test_intervals_hold_the_value_and_shrink_with_more_studies(rows: Rows) -> None:
    few = Rows(rows.truth[:60], rows.probabilities[:60], rows.studies[:60])
    wide, narrow = estimate(few, 200), estimate(rows, 200)
    for name in STATISTICS:
        if "calibration" not in name:  # that of resamples is higher: noise adds to it
            assert narrow[name].low < narrow[name].value < narrow[name].high
    assert narrow["auc_severe"].high - narrow["auc_severe"].low < wide["auc_severe"].high - wide["auc_severe"].low


def test_what_is_not_defined_is_none() -> None:
    mild = Rows(np.zeros(6, np.intp), np.tile([0.7, 0.2, 0.1], (6, 1)), np.arange(6))
    found = estimate(mild, 20)
    assert found["auc_severe"].value is None
    assert found["kappa"].value is None
    assert found["weighted_log_loss"].value == pytest.approx(-np.log(0.7 / 1.5))
    alone = estimate(Rows(np.array([0, 2]), np.array([[0.7, 0.2, 0.1], [0.1, 0.2, 0.7]]), np.zeros(2, np.intp)), 20)
    assert (alone["auc_severe"].value, alone["auc_severe"].low) == (1.0, None)


def test_every_condition_and_level_has_its_own_rows() -> None:
    rng = np.random.default_rng(0)
    severities = np.ma.MaskedArray(rng.integers(0, 3, (8, 25)), rng.random((8, 25)) < 0.3)
    probabilities = rng.dirichlet([1, 1, 1], (8, 25))
    columns = [index for index, finding in enumerate(FINDINGS) if finding.condition is Condition.SUBARTICULAR_STENOSIS]
    severities[:, columns] = np.ma.masked
    groups = {(group.condition, group.level): group for group in break_down(severities, probabilities, 0)}
    assert len(groups) == 12
    canal = [index for index, finding in enumerate(FINDINGS) if finding.condition is Condition.SPINAL_CANAL_STENOSIS]
    assert sum(groups[Condition.SPINAL_CANAL_STENOSIS, None].labelled) == severities[:, canal].count()
    group = groups[Condition.SPINAL_CANAL_STENOSIS, Level.L4_L5]
    column = next(index for index in canal if FINDINGS[index].level is Level.L4_L5)
    labelled = ~severities.mask[:, column]
    once = np.ones((1, int(labelled.sum())))
    rows = Rows(severities.data[labelled, column].astype(np.intp), probabilities[labelled, column], np.flatnonzero(labelled))
    assert group.statistics["weighted_log_loss"].value == pytest.approx(float(tilted_log_loss(rows, once)[0]))
