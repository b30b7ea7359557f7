"""``lumbargrade blend``: how several training runs are best heard together, fitted on their held-out predictions."""

import argparse
from pathlib import Path

import numpy as np

from lumbargrade.errors import InputError, UsageError

EXAMPLE = "lumbargrade blend data/train.csv runs/first runs/second --output blend.json"
REPEATS = 500


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``blend``."""
    parser.add_argument("truth", type=Path, metavar="TRUTH.csv", help="train.csv")
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN_DIR", help="training runs, each with its oof.csv")
    parser.add_argument("--output", type=Path, required=True, metavar="BLEND.json", help="for predict --blend")


def run(options: argparse.Namespace) -> int:
    """Fit, print what each run, an even and a fitted blend score out of fold, and write the blend."""
    try:
        from lumbargrade.train.blend import fit_blend, out_of_fold_scores
    except ModuleNotFoundError as error:
        raise UsageError(f"blending needs {error.name}, which is not installed; pip install lumbargrade[train]") from error
    from lumbargrade.blend import Blend
    from lumbargrade.cli.lines import say
    from lumbargrade.competition import Coverage, match_submission, read_folds, read_solution, read_submission_rows, untilt
    from lumbargrade.evaluate import bootstrap_difference, score
    from lumbargrade.models import load_bundle

    solution = read_solution(options.truth)
    matched = [match_submission(solution, read_submission_rows(path / "oof.csv"), Coverage.COMMON) for path in options.runs]
    common = [study_id for study_id in solution.study_ids if all(study_id in each.solution.study_ids for each in matched)]
    if len(common) < 10:
        raise InputError(f"{len(common)} studies were held out by every run; a blend needs at least 10")
    rows = [[each.solution.study_ids.index(study_id) for study_id in common] for each in matched]
    severities = matched[0].solution.severities[rows[0]]
    submitted = [each.scores[row].filled(1 / 3) for each, row in zip(matched, rows, strict=True)]
    probabilities = np.stack([untilt(each) for each in submitted])
    folds = read_folds(options.runs[0] / "oof.csv", common)
    if len(np.unique(folds)) < 2:
        folds = np.arange(len(common)) % 5
    even = Blend.even(len(options.runs)).scores(probabilities)
    fitted = out_of_fold_scores(severities, probabilities, folds)
    for path, scores in zip(options.runs, submitted, strict=True):
        say(f"{score(severities, scores).total:.4f}  {path}")
    say(f"{score(severities, even).total:.4f}  all alike")
    say(f"{score(severities, fitted).total:.4f}  fitted, each fold by a blend of the others")
    difference = bootstrap_difference(severities, even, fitted, REPEATS)
    say(f"fitted against alike: {difference.mean:+.4f} ({difference.low:+.4f} to {difference.high:+.4f}), {difference.words}")
    blend = fit_blend(severities, probabilities, [load_bundle(path).sha256 for path in options.runs])
    for condition, each in blend.conditions.items():
        weights, tilt = (", ".join(f"{value:.2f}" for value in values) for values in (each.weights, each.tilt))
        say(f"{condition.value.replace('_', ' ')}: weights {weights}; tilt {tilt}")
    say(f"worst canal's severe score times {blend.any_severe:.2f}")
    blend.write(options.output)
    say(f"{options.output}: fitted on {len(common)} studies; use it with predict --models RUN_DIR ... --blend {options.output}")
    return 0
