"""How good predictions are: arrays in, numbers out. Reads no file and draws no picture."""

from lumbargrade.evaluate.bootstrap import ScoreInterval, bootstrap_score
from lumbargrade.evaluate.metric import LEAST_CONSTANT, Score, best_constant_score, score, weighted_column_prior

__all__ = ["LEAST_CONSTANT", "Score", "ScoreInterval", "best_constant_score", "bootstrap_score", "score", "weighted_column_prior"]
