"""The competition's metric against a slow plain reference, against scikit-learn, on worked examples and as laws."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import log_loss

from lumbargrade.competition import COLUMN_PRIOR, MaskedFloats, SeverityArray, tilt
from lumbargrade.errors import TableError
from lumbargrade.evaluate import best_constant_score, score, weighted_column_prior
from lumbargrade.evaluate.metric import weighted_log_loss
from lumbargrade.terms import FINDINGS, Condition

WEIGHTS = (1, 2, 4)
EPS = 2.220446049250313e-16


def case(seed: int, studies: int = 6, missing: float = 0.3) -> tuple[SeverityArray, np.ndarray]:
    """Random labels with gaps (each condition has some, and some but not all studies are severe) and random predictions."""
    rng = np.random.default_rng(seed)
    severities = np.ma.MaskedArray(rng.integers(0, 3, (studies, 25)).astype(np.int8), rng.random((studies, 25)) < missing)
    severities[0, :5] = (0, 1, 0, 0, 1)
    severities[1, :5] = (0, 2, 0, 0, 1)
    severities[0, 5::5] = 2
    return severities, rng.dirichlet((0.4, 0.4, 0.4), (studies, 25))


def plain_loss(rows: list[tuple[int, list[float], float]]) -> float:
    """Weighted log loss as scikit-learn 1.2.2 computes it: clip, divide by the sum, average."""
    total = weight_sum = 0.0
    for truth, values, weight in rows:
        clipped = [min(max(value, EPS), 1 - EPS) for value in values]
        total -= weight * math.log(clipped[truth] / sum(clipped))
        weight_sum += weight
    return total / weight_sum


def plain_score(severities: SeverityArray, predictions: np.ndarray) -> list[float]:
    """The metric as its description reads, one row at a time: spinal, foraminal, subarticular, any severe, mean."""
    losses = []
    for condition in Condition:
        rows = [
            (
                int(severities[study, index]),
                [float(value) for value in predictions[study, index]],
                float(WEIGHTS[int(severities[study, index])]),
            )
            for study in range(len(severities))
            for index, finding in enumerate(FINDINGS)
            if finding.condition is condition and severities[study, index] is not np.ma.masked
        ]
        losses.append(plain_loss(rows))
    studies = []
    for study in range(len(severities)):
        levels = [index for index in range(5) if severities[study, index] is not np.ma.masked]
        if levels:
            any_severe = int(any(severities[study, index] == 2 for index in levels))
            weight = float(max(WEIGHTS[int(severities[study, index])] for index in levels))
            predicted = float(max(predictions[study, index, 2] for index in levels))
            predicted = min(max(predicted, EPS), 1 - EPS)
            studies.append((any_severe, [1 - predicted, predicted], weight))
    losses.append(plain_loss(studies))
    return [*losses, sum(losses) / 4]


def parts(severities: SeverityArray, predictions: np.ndarray) -> list[float]:
    result = score(severities, predictions)
    return [*(result.of(condition) for condition in Condition), result.any_severe_spinal, result.total]


def test_metric_equals_the_slow_plain_reference_on_a_thousand_cases() -> None:
    for seed in range(1000):
        severities, predictions = case(seed, studies=2 + seed % 7, missing=0.1 * (seed % 8))
        assert parts(severities, predictions) == pytest.approx(plain_score(severities, predictions), rel=1e-12, abs=1e-12), seed


@pytest.mark.parametrize("seed", range(5))
def test_rows_that_do_not_sum_to_one_are_clipped_and_divided_by_their_sum(seed: int) -> None:
    severities, predictions = case(seed)
    stretched = predictions * np.random.default_rng(seed).uniform(0, 3, (6, 25, 1))
    stretched[2:4] = 0
    assert parts(severities, stretched) == pytest.approx(plain_score(severities, stretched), rel=1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_each_part_equals_scikit_learn(seed: int) -> None:
    severities, predictions = case(seed)
    predictions = (predictions + 1e-3) / (1 + 3e-3)
    result = score(severities, predictions)
    labelled = ~severities.mask
    weights = np.array(WEIGHTS)[severities.filled(0)]
    for condition in Condition:
        chosen = labelled & np.array([finding.condition is condition for finding in FINDINGS])
        expected = log_loss(severities.data[chosen], predictions[chosen], sample_weight=weights[chosen], labels=[0, 1, 2])
        assert result.of(condition) == pytest.approx(expected, rel=1e-12)
    canal, studies = labelled[:, :5], labelled[:, :5].any(1)
    truth = ((severities.data[:, :5] == 2) & canal).any(1)[studies]
    predicted = np.where(canal, predictions[:, :5, 2], 0).max(1)[studies]
    weight = np.where(canal, weights[:, :5], 0).max(1)[studies]
    assert result.any_severe_spinal == pytest.approx(log_loss(truth, predicted, sample_weight=weight), rel=1e-12)


def test_worked_example_of_three_rows() -> None:
    rows = np.array([[0.7, 0.2, 0.1], [0.2, 0.5, 0.3], [0.1, 0.2, 0.7]])
    assert weighted_log_loss(np.array([0, 1, 2]), rows, np.array([1.0, 2.0, 4.0])) == pytest.approx(0.4528, abs=5e-5)
    assert weighted_log_loss(np.array([0, 1, 2]), rows / 2, np.array([1.0, 2.0, 4.0])) == pytest.approx(0.4528, abs=5e-5)


def test_worked_example_of_the_whole_score() -> None:
    # Study 0 is normal with at most .1 severe and weight 1; study 1 is severe with .9 and weight 4. Every condition holds one row of
    # each severity, as in the three-row example, but for the canal, where the two studies' rows are fixed by the any-severe example.
    severities = np.ma.masked_all((2, 25), np.int8)
    predictions = np.full((2, 25, 3), 1 / 3)
    for study, index, severity, row in (
        (0, 0, 0, (0.8, 0.1, 0.1)),
        (1, 0, 2, (0.05, 0.05, 0.9)),
        *(
            (0, 5 + 10 * pair + severity, severity, row)
            for pair in (0, 1)
            for severity, row in enumerate(((0.7, 0.2, 0.1), (0.2, 0.5, 0.3), (0.1, 0.2, 0.7)))
        ),
    ):
        severities[study, index] = severity
        predictions[study, index] = row
    result = score(severities, predictions)
    assert result.neural_foraminal_narrowing == pytest.approx(0.4528, abs=5e-5)
    assert result.subarticular_stenosis == pytest.approx(0.4528, abs=5e-5)
    assert result.any_severe_spinal == pytest.approx(0.10536, abs=5e-6)
    canal = -(math.log(0.8) + 4 * math.log(0.9)) / 5
    assert result.total == pytest.approx((canal + 2 * 0.452824 + 0.105361) / 4, abs=1e-5)
    assert result.rows == 8


def test_uniform_predictions_cost_ln_3_a_row() -> None:
    severities, predictions = case(1)
    result = score(severities, np.full(predictions.shape, 1 / 3))
    assert [result.of(condition) for condition in Condition] == pytest.approx([math.log(3)] * 3)


def test_a_certain_mistake_costs_36_nats_in_any_float_type() -> None:
    severities = np.ma.zeros((1, 25), np.int8)
    wrong = np.tile([0.0, 1.0, 0.0], (1, 25, 1))
    for dtype in (np.float64, np.float32, np.int64):
        assert score(severities, wrong.astype(dtype)).spinal_canal_stenosis == pytest.approx(36.04, abs=0.01)


def test_the_any_severe_weight_is_the_largest_of_the_labelled_levels_and_so_may_be_2() -> None:
    severities, predictions = case(2)
    severities[0, :5] = (0, 1, 0, 0, 0)
    severities[1, :5] = (0, 2, 0, 0, 0)
    only = severities[:2].copy()
    values = predictions[:2]
    p, q = values[0, :5, 2].max(), values[1, :5, 2].max()
    assert score(only, values).any_severe_spinal == pytest.approx(-(2 * math.log(1 - p) + 4 * math.log(q)) / 6)


def test_an_unlabelled_level_counts_nowhere() -> None:
    severities, predictions = case(3)
    severities[2, 1] = np.ma.masked
    changed = predictions.copy()
    changed[severities.mask] = (0.0, 0.0, 1.0)
    assert parts(severities, changed) == parts(severities, predictions)


def test_a_set_without_any_severe_canal_is_scored() -> None:
    result = score(np.ma.zeros((2, 25), np.int8), np.full((2, 25, 3), 1 / 3))
    assert result.any_severe_spinal == pytest.approx(-math.log(2 / 3))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 8))
def test_the_order_of_studies_does_not_matter_and_the_score_is_never_negative(seed: int, studies: int) -> None:
    severities, predictions = case(seed, studies)
    order = np.random.default_rng(seed).permutation(studies)
    assert parts(severities[order], predictions[order]) == pytest.approx(parts(severities, predictions), rel=1e-12)
    assert min(parts(severities, predictions)) >= 0


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_sides_are_pooled_and_doubling_the_data_changes_nothing(seed: int) -> None:
    severities, predictions = case(seed)
    mirrored = [FINDINGS.index(finding.mirrored) for finding in FINDINGS]
    expected = pytest.approx(parts(severities, predictions), rel=1e-12)
    assert parts(severities[:, mirrored], predictions[:, mirrored]) == expected
    assert parts(np.ma.concatenate([severities, severities]), np.concatenate([predictions, predictions])) == expected


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 0.9))
def test_moving_towards_the_truth_lowers_every_condition(seed: int, step: float) -> None:
    severities, predictions = case(seed)
    truth = np.eye(3)[severities.filled(0)]
    better = (1 - step) * predictions + step * truth
    assert all(after < before for after, before in zip(parts(severities, better)[:3], parts(severities, predictions)[:3], strict=True))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(-0.2, 0.2), st.floats(-0.2, 0.2))
def test_no_other_constant_beats_the_weighted_prior_on_a_condition(seed: int, moderate: float, severe: float) -> None:
    severities, _ = case(seed, studies=20, missing=0.1)
    best = best_constant_score(severities)
    other = weighted_column_prior(severities).filled(1 / 3) * np.exp([0, moderate, severe])
    other /= other.sum(1, keepdims=True)
    result = score(severities, np.broadcast_to(other, (20, 25, 3)))
    assert all(best.of(condition) <= result.of(condition) + 1e-12 for condition in Condition)


def test_the_weighted_prior_is_the_tilted_frequency_and_masked_where_a_column_is_empty() -> None:
    severities: SeverityArray = np.ma.MaskedArray(np.tile(np.array([[0], [0], [1], [2]], np.int8), (1, 25)))
    severities[:, 24] = np.ma.masked
    prior: MaskedFloats = weighted_column_prior(severities)
    assert prior[:24].tolist() == [pytest.approx(tilt([0.5, 0.25, 0.25]))] * 24
    assert prior.mask[24].all()
    assert best_constant_score(severities).rows == 96


def test_labels_of_the_published_frequencies_give_the_published_score_of_the_best_constant() -> None:
    # Published for the real training labels: 0.9994 for 1/3 everywhere, 0.7897 for the weighted prior of each column. The first gives the
    # weighted share of studies with a severe canal, hence the any-severe loss of the second; what is left is the three conditions.
    any_severe_uniform = 4 * 0.9994 - 3 * math.log(3)
    share = (any_severe_uniform - math.log(1.5)) / (math.log(3) - math.log(1.5))
    studies = 1000
    rank = np.arange(studies)[:, None, None] + 0.5
    severities = np.ma.MaskedArray((rank > np.cumsum(COLUMN_PRIOR, 1)[:, :2] * studies).sum(2).astype(np.int8))
    highest = tilt(COLUMN_PRIOR)[:5, 2].max()
    any_severe = -share * math.log(highest) - (1 - share) * math.log(1 - highest)
    best = best_constant_score(severities)
    assert (sum(best.of(condition) for condition in Condition) + any_severe) / 4 == pytest.approx(0.7897, abs=2e-3)


@pytest.mark.parametrize(
    ("bad", "text"),
    [
        (np.full((6, 25, 3), "0.5"), "All submission values must be numeric"),
        (np.full((6, 25, 3), np.nan), "All submission values must be finite"),
        (np.full((6, 25, 3), -np.inf), "All submission values must be finite"),
        (np.full((6, 25, 3), -0.1), "All predictions must be at least zero"),
    ],
)
def test_bad_predictions_raise_the_metrics_own_texts(bad: np.ndarray, text: str) -> None:
    with pytest.raises(TableError) as caught:
        score(case(0)[0], bad)
    assert str(caught.value) == text
    assert caught.value.exit_code == 3


def test_a_negative_label_is_reported_before_a_negative_prediction_but_after_an_infinite_one() -> None:
    severities, predictions = case(0)
    severities[0, 0] = -1
    with pytest.raises(TableError, match=r"^All labels must be at least zero$"):
        score(severities, -predictions)
    with pytest.raises(TableError, match=r"^All submission values must be finite$"):
        score(severities, np.full(predictions.shape, np.inf))


def test_a_condition_without_labels_has_no_score() -> None:
    severities, predictions = case(0)
    severities[:, 5:15] = np.ma.masked
    with pytest.raises(TableError, match="no label of neural_foraminal_narrowing"):
        score(severities, predictions)


def test_arrays_of_other_shapes_and_gaps_in_the_predictions_are_refused() -> None:
    severities, predictions = case(0)
    with pytest.raises(ValueError, match="predictions"):
        score(severities, predictions[:, :24])
    with pytest.raises(ValueError, match="sample weights"):
        score(severities, predictions, np.ones((6, 24)))
    with pytest.raises(ValueError, match="labels have no prediction"):
        score(severities, np.ma.masked_all_like(predictions))


def test_given_sample_weights_replace_1_2_4() -> None:
    severities, predictions = case(0)
    weights = np.array(WEIGHTS, float)[severities.filled(0)]
    assert score(severities, predictions, weights * 10).total == pytest.approx(score(severities, predictions).total)
    assert score(severities, predictions, np.ones((6, 25))).total != pytest.approx(score(severities, predictions).total)
