"""``lumbargrade score``: the competition's metric of a submission."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from lumbargrade.competition import Coverage, match_submission, read_solution, read_submission_rows
from lumbargrade.evaluate import Score, best_constant_score, score

EXAMPLE = "lumbargrade score data/train.csv run/oof.csv"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("truth", type=Path, metavar="TRUTH.csv", help="train.csv, or the long file of row_id and one-hot labels")
    parser.add_argument("submission", type=Path, metavar="SUBMISSION.csv", help="row_id, normal_mild, moderate, severe")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--subset", action="store_true", help="score only the studies that both files have")


def run(options: argparse.Namespace) -> int:
    """Print the score, its four parts, and the score of the best constant on the same rows."""
    solution = read_solution(options.truth)
    submission = read_submission_rows(options.submission)
    scored = match_submission(solution, submission, Coverage.COMMON if options.subset else Coverage.ALL)
    truth = scored.solution
    result = score(truth.severities, scored.scores, truth.sample_weights)
    constant = best_constant_score(truth.severities, truth.sample_weights)
    if options.json:
        values = {"score": result.total, **asdict(result), "constant_prior": constant.total, "studies": len(truth.study_ids)}
        print(json.dumps(values))  # noqa: T201
    else:
        print(_text(result, constant, len(truth.study_ids)))  # noqa: T201
    return 0


def _text(result: Score, constant: Score, studies: int) -> str:
    rows = [("score", result.total, constant.total)]
    rows += [(f"  {name.replace('_', ' ')}", value, getattr(constant, name)) for name, value in asdict(result).items() if name != "rows"]
    lines = [f"{'':30}{'submission':>12}{'constant':>12}{'ratio':>8}"]
    for name, value, floor in rows:
        ratio = f"{value / floor:8.3f}" if floor > 1e-6 else f"{'-':>8}"
        lines.append(f"{name:30}{value:12.4f}{floor:12.4f}{ratio}")
    lines.append(
        f"{result.rows} labelled rows of {studies} studies; lower is better; constant: the weighted frequencies per column of this truth"
    )
    return "\n".join(lines)
