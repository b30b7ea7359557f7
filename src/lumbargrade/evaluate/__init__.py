"""How good predictions are: arrays in, numbers out. Reads no file and draws no picture."""

from lumbargrade.evaluate.metric import Score, best_constant_score, score, weighted_column_prior

__all__ = ["Score", "best_constant_score", "score", "weighted_column_prior"]
