"""What readers make of the truth: probabilities that are right, noise that leaves pictures alone, agreement as published."""

from dataclasses import replace

import numpy as np
import pytest

from lumbargrade.competition import tilt
from lumbargrade.evaluate.metric import score
from lumbargrade.label_summary import labels_of, summarise
from lumbargrade.phantom.calibrated import CUTS
from lumbargrade.phantom.measure import FindingTruth
from lumbargrade.phantom.readers import READER_OFFSET, SLIP, grade_probabilities, read_study
from lumbargrade.terms import FINDING_INDEX, FINDINGS, Condition, Finding, Laterality, Level, Severity

STUDIES = 600


def truth_of(z: np.ndarray) -> tuple[FindingTruth, ...]:
    """A study with these (25,) severities."""
    return tuple(
        FindingTruth(finding, np.zeros(3), Severity(sum(value >= cut for cut in CUTS[finding.condition])), value, {"closure": 0.5})
        for finding, value in zip(FINDINGS, z.tolist(), strict=True)
    )


@pytest.fixture(scope="module")
def severities() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(STUDIES, 25))


@pytest.fixture(scope="module")
def readings(severities: np.ndarray) -> list[tuple]:
    return [read_study(truth_of(z), np.random.default_rng(study)) for study, z in enumerate(severities)]


@pytest.fixture(scope="module")
def labels(readings: list[tuple]) -> np.ndarray:
    return np.array([[int(each.label) for each in study] for study in readings])


@pytest.fixture(scope="module")
def probabilities(readings: list[tuple]) -> np.ndarray:
    return np.array([[each.probabilities for each in study] for study in readings])


def test_probabilities_sum_to_one_and_follow_severity() -> None:
    for condition in Condition:
        side = Laterality.LEFT if condition.is_paired else None
        finding = Finding(condition, side, Level.L3_L4)
        z = np.linspace(-3, 5, 30)
        found = np.array([grade_probabilities(FindingTruth(finding, np.zeros(3), Severity.MODERATE, value, {})) for value in z])
        np.testing.assert_allclose(found.sum(1), 1)
        assert (np.diff(found[:, 0]) <= 0).all()
        assert (np.diff(found[:, 2]) >= 0).all()


def test_at_a_cut_half_of_all_readers_go_beyond_it() -> None:
    moderate, severe = CUTS[Condition.SPINAL_CANAL_STENOSIS]
    canal = Finding(Condition.SPINAL_CANAL_STENOSIS, None, Level.L4_L5)
    assert grade_probabilities(FindingTruth(canal, np.zeros(3), Severity.MODERATE, moderate, {}))[0] == pytest.approx(0.5)
    assert grade_probabilities(FindingTruth(canal, np.zeros(3), Severity.SEVERE, severe, {}))[2] == pytest.approx(0.5)


def test_labels_come_as_often_as_their_probabilities_say(labels: np.ndarray, probabilities: np.ndarray) -> None:
    for condition in Condition:
        columns = [FINDING_INDEX[finding] for finding in FINDINGS if finding.condition is condition]
        for grade in range(3):
            expected = probabilities[:, columns, grade]
            found = (labels[:, columns] == grade).mean()
            spread = np.sqrt((expected * (1 - expected)).mean() / expected.size) + READER_OFFSET / np.sqrt(STUDIES)
            assert found == pytest.approx(expected.mean(), abs=4 * spread)


def test_readers_agree_with_the_truth_as_often_as_their_noise_allows(severities: np.ndarray, labels: np.ndarray) -> None:
    agreement = {}
    for condition in Condition:
        columns = [FINDING_INDEX[finding] for finding in FINDINGS if finding.condition is condition]
        true = sum((severities[:, columns] >= cut).astype(int) for cut in CUTS[condition])
        agreement[condition] = float((labels[:, columns] == true).mean())
    assert agreement[Condition.SPINAL_CANAL_STENOSIS] > agreement[Condition.SUBARTICULAR_STENOSIS] + 0.03
    assert all(0.6 < share < 0.97 for share in agreement.values())


def test_a_slip_gives_another_side_or_level_its_label() -> None:
    z = np.full(25, -9.0)
    left = FINDING_INDEX[Finding(Condition.SUBARTICULAR_STENOSIS, Laterality.LEFT, Level.L4_L5)]
    z[left] = 30.0
    counts = np.zeros(25)
    for study in range(3000):
        counts += [each.label is Severity.SEVERE for each in read_study(truth_of(z), np.random.default_rng(study))]
    mirrored = FINDING_INDEX[FINDINGS[left].mirrored]
    neighbours = [FINDING_INDEX[Finding(Condition.SUBARTICULAR_STENOSIS, Laterality.LEFT, level)] for level in (Level.L3_L4, Level.L5_S1)]
    assert counts[left] == pytest.approx(3000 * (1 - SLIP), abs=30)
    assert all(2 <= counts[index] <= 35 for index in (mirrored, *neighbours))
    assert counts.sum() == counts[[left, mirrored, *neighbours]].sum()


def test_no_prediction_scores_better_than_the_labels_own_probabilities(labels: np.ndarray, probabilities: np.ndarray) -> None:
    severities = np.ma.MaskedArray(labels.astype(np.int8))
    best = score(severities, tilt(probabilities))
    flat = probabilities**0.5
    sharp = probabilities**2
    for other in (flat / flat.sum(-1, keepdims=True), sharp / sharp.sum(-1, keepdims=True)):
        assert score(severities, tilt(other)).subarticular_stenosis > best.subarticular_stenosis


def test_a_summary_counts_labels_and_holds_the_best_score(labels: np.ndarray, probabilities: np.ndarray) -> None:
    truths = [
        {
            "config": {"labels": "reader"},
            "findings": [
                {
                    "severity": "normal_mild",
                    "reader": Severity(grade).label,
                    "probabilities": probability,
                    "label": None if column == 0 and study == 0 else {},
                }
                for column, (grade, probability) in enumerate(zip(row.tolist(), chances.tolist(), strict=True))
            ],
        }
        for study, (row, chances) in enumerate(zip(labels[:200], probabilities[:200], strict=True))
    ]
    found = summarise(truths, labels_of(truths))
    assert found["studies"] == 200
    assert sum(found["labels"][str(FINDINGS[0])].values()) == 199
    assert sum(found["labels"][str(FINDINGS[1])].values()) == 200
    assert found["best_possible_score"]["total"] < found["best_constant_score"]["total"]
    truths[0] = {**truths[0], "config": {"labels": "true"}}
    assert (labels_of(truths)[0].compressed() == Severity.NORMAL_MILD).all()


def test_what_a_reader_does_follows_from_their_own_stream_alone(severities: np.ndarray) -> None:
    truth = truth_of(severities[0])
    assert read_study(truth, np.random.default_rng(4)) == read_study(truth, np.random.default_rng(4))
    other = tuple(replace(each, measures={}) for each in truth)
    assert read_study(other, np.random.default_rng(4)) == read_study(truth, np.random.default_rng(4))
