"""A model's calibration refitted on a site's own labelled studies: about 25 of them suffice, for a few numbers a condition."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lumbargrade import __version__
from lumbargrade.competition import CONDITION_COLUMNS, Split, StudyLabels, open_data_set, read_labels
from lumbargrade.errors import InputError, UsageError
from lumbargrade.evaluate import Rows, estimate
from lumbargrade.geometry.affine import FloatArray
from lumbargrade.grade import Calibration
from lumbargrade.models import ModelBundle, load_bundle, write_manifest
from lumbargrade.models.bundle import RUN_WEIGHTS
from lumbargrade.prediction import predict_studies, study_requests
from lumbargrade.terms import Condition
from lumbargrade.train.calibrate import fit_calibration
from lumbargrade.train.progress import progress_bar
from lumbargrade.train.record import write_json

SCHEMA = "lumbargrade/calibration/1"
FOLDS = 5
"""Of studies, for an honest figure: each is judged with a calibration that was fitted on the others."""
LEAST_PROBABILITY = 1e-6


def calibrate_run(
    data_dir: Path, run_dir: Path, models: Path | None, workers: int, quiet: bool, warn: Callable[[str], None]
) -> dict[str, Any]:
    """Grade the labelled studies of a data set, refit each condition's calibration, and write the model anew with it.

    A model of several members is graded as a whole, and each member's calibration changed alike. ``warn`` is told of each study that cannot
    be graded. Returns what ``run.json`` holds: per condition the new numbers and the log loss before and after, the latter by folds.

    Raises:
        UsageError: the folder holds something.
        InputError: no data set, or none of its labelled studies could be graded.
        ModelFileError: the model cannot be used.
    """
    if run_dir.exists() and (not run_dir.is_dir() or any(run_dir.iterdir())):
        raise UsageError(f"{run_dir}: the name of a new or empty folder is needed")
    bundle, data_set = load_bundle(models), open_data_set(data_dir)
    if not data_set.labels_path.is_file():
        raise InputError(f"{data_set.labels_path}: no such table; a calibration needs labels")
    labels = read_labels(data_set.labels_path)
    known = set(labels.study_ids)
    requests = [each for each in study_requests(data_set, Split.TRAIN, None, None) if each.study_id in known]
    predictions = []
    with progress_bar(len(requests), "grading", "study", quiet=quiet) as bar:
        for prediction in predict_studies(requests, [models], min(workers, max(1, len(requests)))):
            predictions.append(prediction)
            bar.update()
            if prediction.failure is not None:
                warn(str(prediction.failure))
    graded = sorted((each for each in predictions if each.graded), key=lambda each: each.study_id)
    if not graded:
        raise InputError(f"{data_dir}: none of {len(requests)} labelled studies could be graded")
    rows = {study_id: row for row, study_id in enumerate(labels.study_ids)}
    severities = labels.severities[[rows[each.study_id] for each in graded]]
    probabilities = np.array([each.probabilities[0] for each in graded])
    usable = np.array([each.is_graded for each in graded]) & ~np.ma.getmaskarray(severities)
    same = StudyLabels(tuple(each.study_id for each in graded), np.ma.MaskedArray(severities.data, ~usable))
    fitted = {condition: _refit(condition, same, probabilities) for condition in Condition}
    run_dir.mkdir(parents=True, exist_ok=True)
    _write_model(bundle, {condition: calibration for condition, (calibration, _) in fitted.items()}, run_dir / RUN_WEIGHTS)
    record = {
        "schema": SCHEMA,
        "calibrated_from": bundle.sha256,
        "studies": len(graded),
        "conditions": {condition.value: {"change": each.as_parameters(), **facts} for condition, (each, facts) in fitted.items()},
    }
    write_json(run_dir / "run.json", record)
    return record


def _refit(condition: Condition, labels: StudyLabels, probabilities: FloatArray) -> tuple[Calibration, dict[str, Any]]:
    """What to apply to the model's probabilities of a condition, and what that is worth."""
    columns = CONDITION_COLUMNS[condition]
    studies, found = np.nonzero(~np.ma.getmaskarray(labels.severities) & columns)
    truth, given = labels.severities.data[studies, found].astype(np.int64), probabilities[studies, found]
    logits = np.log(np.maximum(given, LEAST_PROBABILITY))
    facts: dict[str, Any] = {"findings": len(truth), "before": None, "after": None}
    if len(truth):
        after = given.copy()
        folds = np.random.default_rng(0).permutation(len(labels.study_ids))[studies] % FOLDS
        for fold in range(FOLDS):
            others = fit_calibration(logits[folds != fold], truth[folds != fold])
            after[folds == fold] = others.probability_array(logits[folds == fold])
        facts["before"], facts["after"] = (_worth(Rows(truth, values, studies)) for values in (given, after))
    return fit_calibration(logits, truth), facts


def _worth(rows: Rows) -> dict[str, float | None]:
    found = estimate(rows, 0)
    return {name: found[name].value for name in ("weighted_log_loss", "calibration_error_severe")}


def _write_model(bundle: ModelBundle, changes: dict[Condition, Calibration], weights: Path) -> None:
    """The same networks; a calibration without a change stays with its prediction sets."""
    weights.mkdir()
    members = []
    for index, member in enumerate(bundle.members):
        files = {name: f"{name}.onnx" if len(bundle.members) == 1 else f"{name}-{index}.onnx" for name in member.contents}
        for name, content in member.contents.items():
            (weights / files[name]).write_bytes(content)
        before = {condition: Calibration.from_parameters(member.calibration.get(condition.value, {})) for condition in Condition}
        calibration = {
            condition.value: (before[condition] if change == Calibration() else before[condition].then(change)).as_parameters()
            for condition, change in changes.items()
        }
        members.append({"networks": files, "calibration": calibration})
    write_manifest(weights, f"{bundle.name}-calibrated", f"{bundle.version}+{__version__}", members)
