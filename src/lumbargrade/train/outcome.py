"""What a run is worth on its held-out studies: calibrations, scores as in the competition, and how far the localiser is off."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lumbargrade.competition import COLUMN_PRIOR, CONDITION_COLUMNS, StudyLabels, SubmissionScores, tilt
from lumbargrade.errors import TableError
from lumbargrade.evaluate import LEAST_CONSTANT, Score, best_constant_score, score
from lumbargrade.geometry.affine import FloatArray
from lumbargrade.grade import Calibration
from lumbargrade.terms import Condition
from lumbargrade.train.calibrate import fit_calibrations
from lumbargrade.train.held_out import HeldOutStudies

FAR_MM = 8.0
"""Beyond a quarter of the distance between levels, a site's crop may show another structure."""


def fit_on(parts: Sequence[tuple[HeldOutStudies, StudyLabels]]) -> dict[str, dict[str, float]]:
    """Each condition's calibration, from all its labelled and graded findings; labels are those of the same studies in order."""
    samples = {}
    for condition, columns in CONDITION_COLUMNS.items():
        logits, openness, severities = [], [], []
        for found, labels in parts:
            chosen = ~np.ma.getmaskarray(found.logits)[..., 0] & ~np.ma.getmaskarray(labels.severities) & columns
            logits.append(found.logits.data[chosen])
            openness.append(found.openness[chosen])
            severities.append(labels.severities.data[chosen].astype(np.int64))
        samples[condition] = np.concatenate(logits), np.concatenate(openness), np.concatenate(severities)
    return fit_calibrations(samples)


def tilted_scores(held_out: HeldOutStudies, calibrations: dict[str, dict[str, float]]) -> SubmissionScores:
    """The submission for the studies; findings that could not be graded get the competition's frequencies."""
    probabilities: FloatArray = np.tile(COLUMN_PRIOR, (len(held_out.study_ids), 1, 1))
    graded = ~np.ma.getmaskarray(held_out.logits)[..., 0]
    for condition, columns in CONDITION_COLUMNS.items():
        chosen = graded & columns
        calibration = Calibration.from_parameters(calibrations[condition.value])
        probabilities[chosen] = calibration.probability_array(held_out.logits.data[chosen], held_out.openness[chosen])
    return SubmissionScores(tuple(held_out.study_ids.tolist()), tilt(probabilities))


def describe(held_out: HeldOutStudies, labels: StudyLabels, calibrations: dict[str, dict[str, float]]) -> dict[str, Any]:
    """The numbers for ``run.json``.

    ``score`` is that of the calibrated predictions. Where the calibration is fitted on these very studies, the score flatters with few of
    them; ``score_uncalibrated`` does not.
    """
    neutral = {condition.value: Calibration().as_parameters() for condition in Condition}
    graded = ~np.ma.getmaskarray(held_out.logits)[..., 0]
    facts: dict[str, Any] = {"studies": len(held_out.study_ids), "graded_findings": int(graded.sum()), "findings": int(graded.size)}
    try:
        calibrated = score(labels.severities, tilted_scores(held_out, calibrations).scores)
        raw = score(labels.severities, tilted_scores(held_out, neutral).scores)
        constant = best_constant_score(labels.severities)
    except TableError as error:
        facts |= {"score": None, "score_absent": str(error)}
    else:
        facts |= {"score": calibrated.total, "score_uncalibrated": raw.total, "score_best_constant": constant.total}
        facts |= {"ratio_to_constant": _ratio(calibrated, constant), "score_parts": _parts(calibrated), "constant_parts": _parts(constant)}
    return {**facts, "localisation_mm": _localisation(held_out)}


def _ratio(found: Score, constant: Score) -> float | None:
    return found.total / constant.total if constant.total > LEAST_CONSTANT else None


def _parts(found: Score) -> dict[str, float]:
    return {**{condition.value: found.of(condition) for condition in Condition}, "any_severe_spinal": found.any_severe_spinal}


def _localisation(held_out: HeldOutStudies) -> dict[str, dict[str, float | int | None]]:
    """Per condition, over the sites that a reader marked; a site that was not found counts as far."""
    summary: dict[str, dict[str, float | int | None]] = {}
    for condition, columns in CONDITION_COLUMNS.items():
        marked = int((held_out.has_coordinate & columns).sum())
        errors = held_out.errors_mm[:, columns].compressed()
        far = int((errors > FAR_MM).sum()) + marked - len(errors)
        summary[condition.value] = {
            "marked_sites": marked,
            "found_sites": len(errors),
            "median": float(np.median(errors)) if len(errors) else None,
            "percentile_95": float(np.percentile(errors, 95)) if len(errors) else None,
            f"share_over_{FAR_MM:g}": far / marked if marked else None,
        }
    return summary
