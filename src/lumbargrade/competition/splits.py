"""Which studies are held out: whole studies, with the rare severities spread evenly, the same for the same seed."""

import numpy as np
from numpy.typing import NDArray

from lumbargrade.competition.labels import CONDITION_COLUMNS, StudyLabels
from lumbargrade.errors import UsageError
from lumbargrade.geometry.affine import FloatArray
from lumbargrade.terms import Condition, Severity

IndexArray = NDArray[np.intp]
SINGLE_HOLD_OUT_SHARE = 1 / 6
"""Held out when there is one fold only."""


def hold_out_sets(labels: StudyLabels, folds: int, seed: int) -> list[tuple[IndexArray, IndexArray]]:
    """Pairs of (training, held-out) indices into ``labels.study_ids``, both ascending.

    With several folds every study is held out exactly once; with one fold there is one pair with a sixth of the studies held out. The
    order of the studies in ``labels`` does not matter.

    Raises:
        UsageError: no fold, or more folds than studies (two studies are needed for one fold).
    """
    count = len(labels.study_ids)
    if folds < 1 or count < max(folds, 2):
        raise UsageError(f"{folds} folds of {count} labelled studies: at least one fold, two studies, and a study for each fold are needed")
    if folds == 1:
        held_out = max(1, round(count * SINGLE_HOLD_OUT_SHARE))
        sizes = [held_out, count - held_out]
    else:
        sizes = [count // folds + (fold < count % folds) for fold in range(folds)]
    groups = _spread(labels, np.array(sizes), np.random.default_rng(seed))
    return [(np.flatnonzero(groups != fold), np.flatnonzero(groups == fold)) for fold in range(folds)]


def _spread(labels: StudyLabels, sizes: IndexArray, rng: np.random.Generator) -> IndexArray:
    """A group of the given size for each study, greedily: studies with most rare labels first, each where it adds least to the chi-squared
    distance between the groups' features and their shares by size."""
    features = _features(labels)
    totals = np.maximum(features.sum(0), 1.0)
    targets = totals * (sizes / sizes.sum())[:, None]
    by_id = np.argsort(labels.study_ids)
    shuffled = by_id[rng.permutation(len(by_id))]
    rarity = (features / totals).sum(1)
    groups = np.full(len(features), -1, np.intp)
    filled = np.zeros_like(targets)
    free = sizes.copy()
    for study in shuffled[np.argsort(-rarity[shuffled], kind="stable")]:
        before, after = filled - targets, filled - targets + features[study]
        cost = ((after**2 - before**2) / (targets * totals)).sum(1)
        group = int(np.argmin(np.where(free > 0, cost, np.inf)))
        groups[study] = group
        filled[group] += features[study]
        free[group] -= 1
    return groups


def _features(labels: StudyLabels) -> FloatArray:
    """(study, 9) how many findings of each condition have each severity."""
    columns = []
    for condition in Condition:
        of_condition = labels.severities[:, CONDITION_COLUMNS[condition]]
        columns += [np.ma.filled(of_condition == severity, False).sum(1) for severity in Severity]
    return np.stack(columns, 1).astype(np.float64)
