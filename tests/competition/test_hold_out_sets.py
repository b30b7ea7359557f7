"""Which studies are held out."""

import numpy as np
import pytest

from lumbargrade.competition import COLUMN_PRIOR, StudyLabels, hold_out_sets
from lumbargrade.errors import UsageError
from lumbargrade.terms import FINDINGS, Condition, Severity


def realistic_labels(studies: int, seed: int = 0) -> StudyLabels:
    """Severities at the frequencies of the real labels, correlated within a study, some missing."""
    rng = np.random.default_rng(seed)
    disease = rng.random((studies, 1)) + rng.random((studies, 25))
    rank = (disease.argsort(0).argsort(0) + 0.5) / studies
    values = (rank[..., None] > np.cumsum(COLUMN_PRIOR, 1)[None, :, :2]).sum(2)
    ids = rng.permutation(studies * 3)[:studies]
    return StudyLabels(
        tuple(int(study_id) for study_id in ids), np.ma.MaskedArray(values.astype(np.int8), rng.random((studies, 25)) < 0.05)
    )


@pytest.mark.parametrize(("studies", "folds"), [(2, 2), (7, 3), (101, 5), (5, 5)])
def test_every_study_is_held_out_exactly_once(studies: int, folds: int) -> None:
    pairs = hold_out_sets(realistic_labels(studies), folds, seed=1)
    assert len(pairs) == folds
    assert sorted(np.concatenate([held_out for _, held_out in pairs])) == list(range(studies))
    for train, held_out in pairs:
        assert sorted([*train, *held_out]) == list(range(studies))
        assert abs(len(held_out) - studies / folds) < 1


@pytest.mark.parametrize(("studies", "expected"), [(2, 1), (6, 1), (60, 10), (61, 10)])
def test_one_fold_holds_out_a_sixth(studies: int, expected: int) -> None:
    ((train, held_out),) = hold_out_sets(realistic_labels(studies), 1, seed=1)
    assert len(held_out) == expected
    assert sorted([*train, *held_out]) == list(range(studies))


def test_severe_labels_of_each_condition_are_spread_evenly() -> None:
    labels = realistic_labels(400)
    for condition in Condition:
        columns = [finding.condition is condition for finding in FINDINGS]
        severe = np.ma.filled(labels.severities[:, columns] == Severity.SEVERE, False).sum(1)
        shares = [severe[held_out].sum() / severe.sum() for _, held_out in hold_out_sets(labels, 5, seed=2)]
        assert severe.sum() > 50
        assert max(abs(share - 0.2) for share in shares) < 0.01
        ((_, single),) = hold_out_sets(labels, 1, seed=2)
        assert abs(severe[single].sum() / severe.sum() - 1 / 6) < 0.01


def test_the_same_seed_gives_the_same_sets_and_another_seed_others() -> None:
    labels = realistic_labels(60)
    first, again, other = (hold_out_sets(labels, 3, seed)[0][1].tolist() for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_the_order_of_the_studies_does_not_matter() -> None:
    labels = realistic_labels(60)
    order = np.random.default_rng(5).permutation(60)
    moved = StudyLabels(tuple(labels.study_ids[index] for index in order), labels.severities[order])
    for (_, held_out), (_, held_out_moved) in zip(hold_out_sets(labels, 4, 3), hold_out_sets(moved, 4, 3), strict=True):
        assert {labels.study_ids[index] for index in held_out} == {moved.study_ids[index] for index in held_out_moved}


@pytest.mark.parametrize(("studies", "folds"), [(1, 1), (4, 5), (10, 0)])
def test_too_few_studies_or_folds_are_refused(studies: int, folds: int) -> None:
    with pytest.raises(UsageError, match="labelled studies"):
        hold_out_sets(realistic_labels(studies), folds, seed=0)
