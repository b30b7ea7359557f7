"""Several models as one submission: how much each is heard, how far the metric's weights tilt, and how a study's worst canal is raised."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lumbargrade.competition import CONDITION_COLUMNS, SEVERITY_WEIGHTS
from lumbargrade.errors import InputError
from lumbargrade.geometry.affine import FloatArray
from lumbargrade.terms import Condition, Severity

SCHEMA = "lumbargrade/blend/1"
LARGEST_SCORE = 1 - 1e-4


@dataclass(frozen=True, slots=True)
class ConditionBlend:
    """How one condition is blended: (models,) weights that sum to one, and (3,) what each severity's probability is multiplied by.

    Raises:
        ValueError: numbers that are not positive, or weights that do not sum to one.
    """

    weights: tuple[float, ...]
    tilt: tuple[float, float, float] = SEVERITY_WEIGHTS

    def __post_init__(self) -> None:
        if min(self.weights) < 0 or abs(sum(self.weights) - 1) > 1e-6 or min(self.tilt) <= 0 or not np.isfinite(self.tilt).all():
            raise ValueError("weights must not be negative and sum to one, and a tilt must be positive")


@dataclass(frozen=True, slots=True)
class Blend:
    """How models become a submission.

    Attributes:
        models: sha256 of each model's manifest, in the order of the weights; empty where any models are meant.
        any_severe: what the largest severe score of a study's five canals is multiplied by, for the metric's fourth part is about it.
    """

    models: tuple[str, ...]
    conditions: Mapping[Condition, ConditionBlend]
    any_severe: float = 1.0

    @classmethod
    def even(cls, count: int) -> "Blend":
        """Every model heard alike, and the metric's own weights as tilt."""
        return cls((), {condition: ConditionBlend((1 / count,) * count) for condition in Condition})

    def scores(self, probabilities: FloatArray) -> FloatArray:
        """(model, study, 25, 3) calibrated probabilities to (study, 25, 3) scores that sum to one."""
        mixed = np.empty(probabilities.shape[1:])
        for condition, columns in CONDITION_COLUMNS.items():
            blend = self.conditions[condition]
            mixed[:, columns] = np.tensordot(np.array(blend.weights), probabilities[:, :, columns], 1) * blend.tilt
        return raise_worst_canal(mixed / mixed.sum(-1, keepdims=True), self.any_severe)

    def write(self, path: Path) -> None:
        """As JSON, in one step."""
        parts = {name.value: {"weights": blend.weights, "tilt": blend.tilt} for name, blend in self.conditions.items()}
        partial = path.with_name(f"{path.name}.partial")
        text = json.dumps({"schema": SCHEMA, "models": self.models, "conditions": parts, "any_severe": self.any_severe}, indent=1)
        partial.write_text(text + "\n")
        partial.replace(path)


def raise_worst_canal(scores: FloatArray, factor: float) -> FloatArray:
    """(study, 25, 3) scores with the largest severe score of each study's canals multiplied, the rest of its row shrunk in proportion."""
    if factor == 1:
        return scores
    raised = scores.copy()
    canals = np.flatnonzero(CONDITION_COLUMNS[Condition.SPINAL_CANAL_STENOSIS])
    studies = np.arange(len(scores))
    worst = canals[scores[:, canals, Severity.SEVERE].argmax(1)]
    before = scores[studies, worst, Severity.SEVERE]
    after = np.clip(before * factor, 0, np.maximum(LARGEST_SCORE, before))
    raised[studies, worst] *= ((1 - after) / np.maximum(1 - before, 1e-12))[:, None]
    raised[studies, worst, Severity.SEVERE] = after
    return raised


def read_blend(path: Path) -> Blend:
    """What ``Blend.write`` wrote.

    Raises:
        InputError: no such file, or something else in it.
    """
    try:
        stored = json.loads(path.read_text())
        if stored["schema"] != SCHEMA:
            raise ValueError(f"schema {stored['schema']!r}")
        conditions = {
            condition: ConditionBlend(
                tuple(float(weight) for weight in stored["conditions"][condition.value]["weights"]),
                _three(stored["conditions"][condition.value]["tilt"]),
            )
            for condition in Condition
        }
        return Blend(tuple(stored["models"]), conditions, float(stored["any_severe"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a blend ({error}); lumbargrade blend writes one") from error


def _three(values: list[float]) -> tuple[float, float, float]:
    first, second, third = (float(value) for value in values)
    return first, second, third
