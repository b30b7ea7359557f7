"""``lumbargrade score``: the competition's metric of a submission."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from lumbargrade.competition import Coverage, match_submission, read_solution, read_submission_rows
from lumbargrade.errors import InputError, UsageError
from lumbargrade.evaluate import LEAST_CONSTANT, Score, ScoreInterval, best_constant_score, bootstrap_difference, bootstrap_score, score

EXAMPLE = "lumbargrade score data/train.csv run/oof.csv"
RESAMPLES = 500


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("truth", type=Path, metavar="TRUTH.csv", help="train.csv, or the long file of row_id and one-hot labels")
    parser.add_argument("submission", type=Path, metavar="SUBMISSION.csv", help="row_id, normal_mild, moderate, severe")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--subset", action="store_true", help="score only the studies that both files have")
    parser.add_argument("--against", type=Path, metavar="OTHER.csv", help="a second submission: how much better is it, and is that noise?")
    parser.add_argument("--bootstrap", type=int, default=0, metavar="N", help="a 95 %% interval from N resamples of the studies")


def run(options: argparse.Namespace) -> int:
    """Print the score, its four parts, and the score of the best constant on the same rows."""
    if options.bootstrap < 0:
        raise UsageError(f"--bootstrap {options.bootstrap}: at least 0 is needed")
    solution = read_solution(options.truth)
    submission = read_submission_rows(options.submission)
    scored = match_submission(solution, submission, Coverage.COMMON if options.subset else Coverage.ALL)
    truth = scored.solution
    result = score(truth.severities, scored.scores, truth.sample_weights)
    constant = best_constant_score(truth.severities, truth.sample_weights)
    interval, difference = None, None
    if options.bootstrap:
        interval = bootstrap_score(truth.severities, scored.scores, options.bootstrap, truth.sample_weights)
    if options.against is not None:
        other = match_submission(truth, read_submission_rows(options.against), Coverage.COMMON)
        if other.solution.study_ids != truth.study_ids:
            raise InputError(f"{options.against}: other studies than in {options.submission}")
        difference = bootstrap_difference(
            truth.severities, scored.scores, other.scores, options.bootstrap or RESAMPLES, truth.sample_weights
        )
    if options.json:
        values = {"score": result.total, **asdict(result), "constant_prior": constant.total, "studies": len(truth.study_ids)}
        if interval:
            values["interval_95"] = asdict(interval)
        if difference:
            values["against"] = {**asdict(difference), "is_noise": difference.is_noise}
        print(json.dumps(values))  # noqa: T201
    else:
        print(_text(result, constant, len(truth.study_ids)))  # noqa: T201
        if interval:
            print(_interval_text(interval, options.bootstrap))  # noqa: T201
        if difference:
            span = f"{difference.mean:+.4f} (95 %: {difference.low:+.4f} to {difference.high:+.4f})"
            print(f"{options.against} against {options.submission}: {span}, {difference.words}")  # noqa: T201
    return 0


def _interval_text(interval: ScoreInterval, repeats: int) -> str:
    spans = f"score {interval.low:.4f} to {interval.high:.4f}, ratio {interval.ratio_low:.3f} to {interval.ratio_high:.3f}"
    return f"95 % of {repeats} resamples of the studies: {spans}"


def _text(result: Score, constant: Score, studies: int) -> str:
    rows = [("score", result.total, constant.total)]
    rows += [(f"  {name.replace('_', ' ')}", value, getattr(constant, name)) for name, value in asdict(result).items() if name != "rows"]
    lines = [f"{'':30}{'submission':>12}{'constant':>12}{'ratio':>8}"]
    for name, value, floor in rows:
        ratio = f"{value / floor:8.3f}" if floor > LEAST_CONSTANT else f"{'-':>8}"
        lines.append(f"{name:30}{value:12.4f}{floor:12.4f}{ratio}")
    lines.append(
        f"{result.rows} labelled rows of {studies} studies; lower is better; constant: the weighted frequencies per column of this truth"
    )
    return "\n".join(lines)
