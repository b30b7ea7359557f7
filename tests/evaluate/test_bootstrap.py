"""The interval of a score."""

import numpy as np
import pytest

from lumbargrade.errors import TableError
from lumbargrade.evaluate import bootstrap_score, score


def labels_and_predictions(studies: int, seed: int = 0) -> tuple[np.ma.MaskedArray, np.ndarray]:
    rng = np.random.default_rng(seed)
    severities = np.ma.MaskedArray(rng.choice(3, (studies, 25), p=(0.7, 0.2, 0.1)).astype(np.int8), rng.random((studies, 25)) < 0.1)
    hit = np.eye(3)[severities.filled(0)]
    return severities, 0.5 * hit + 0.5 * rng.dirichlet((5, 2, 2), (studies, 25))


def test_the_interval_holds_the_score_and_narrows_with_more_studies() -> None:
    widths = []
    for studies in (20, 180):
        severities, predictions = labels_and_predictions(studies)
        interval = bootstrap_score(severities, predictions, 200)
        assert interval.low < score(severities, predictions).total < interval.high
        assert 0 < interval.ratio_low < interval.ratio_high < 1
        widths.append(interval.high - interval.low)
    assert widths[1] < 0.6 * widths[0]


def test_about_19_of_20_intervals_hold_the_score_of_all_studies() -> None:
    severities, predictions = labels_and_predictions(4000, seed=3)
    wanted = score(severities, predictions).total
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(60):
        drawn = rng.choice(4000, 60, replace=False)
        interval = bootstrap_score(severities[drawn], predictions[drawn], 100)
        held += interval.low <= wanted <= interval.high
    assert 50 <= held <= 60


def test_the_same_seed_gives_the_same_interval() -> None:
    severities, predictions = labels_and_predictions(30)
    assert bootstrap_score(severities, predictions, 50, seed=1) == bootstrap_score(severities, predictions, 50, seed=1)
    assert bootstrap_score(severities, predictions, 50, seed=1) != bootstrap_score(severities, predictions, 50, seed=2)


def test_resamples_without_labels_of_a_condition_are_drawn_again_and_at_last_refused() -> None:
    severities, predictions = labels_and_predictions(3)
    severities[1:, :5] = np.ma.masked
    severities[0, 5:15] = np.ma.masked
    severities[2, 5:15] = np.ma.masked
    interval = bootstrap_score(severities, predictions, 20)
    assert np.isfinite([interval.low, interval.high]).all()
    severities[:, 15:] = np.ma.masked
    with pytest.raises(TableError, match="too few labels"):
        bootstrap_score(severities, predictions, 20)
