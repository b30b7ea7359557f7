"""How good predictions are: arrays in, numbers out. Reads no file and draws no picture."""

from lumbargrade.evaluate.bootstrap import ScoreDifference, ScoreInterval, bootstrap_difference, bootstrap_score
from lumbargrade.evaluate.breakdown import Group, break_down
from lumbargrade.evaluate.levels import Estimate
from lumbargrade.evaluate.metric import LEAST_CONSTANT, Score, best_constant_score, score, weighted_column_prior
from lumbargrade.evaluate.statistics import Rows, estimate

__all__ = [
    "LEAST_CONSTANT",
    "Estimate",
    "Group",
    "Rows",
    "Score",
    "ScoreDifference",
    "ScoreInterval",
    "best_constant_score",
    "bootstrap_difference",
    "bootstrap_score",
    "break_down",
    "estimate",
    "score",
    "weighted_column_prior",
]
