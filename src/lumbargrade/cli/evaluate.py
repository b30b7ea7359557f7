"""``lumbargrade evaluate``: predictions against labels, condition by condition and level by level."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from lumbargrade.errors import InputError, UsageError

if TYPE_CHECKING:
    from lumbargrade.evaluate import Estimate, Group

EXAMPLE = "lumbargrade evaluate data/train.csv run/oof.csv --subset"
SCHEMA = "lumbargrade/evaluation/1"
_COLUMNS = {
    "weighted_log_loss": "log loss",
    "constant_log_loss": "constant",
    "auc_severe": "AUC severe",
    "auc_moderate": "AUC moderate",
    "kappa": "kappa",
    "calibration_error_severe": "ECE severe",
    "calibration_error_moderate": "ECE moderate",
}
_WITHOUT_INTERVAL = {"constant_log_loss"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("truth", type=Path, metavar="TRUTH.csv", help="train.csv, or the long file of row_id and one-hot labels")
    parser.add_argument(
        "predictions", type=Path, metavar="PREDICTIONS.csv", help="row_id, normal_mild, moderate, severe; as in a submission"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--subset", action="store_true", help="only the studies that both files have")
    parser.add_argument(
        "--untilted", action="store_true", help="the predictions are probabilities, not multiplied by 1, 2, 4 for the metric"
    )
    parser.add_argument(
        "--bootstrap", type=int, default=500, metavar="N", help="resamples of the studies for 95 %% intervals (500; 0 for none)"
    )


def run(options: argparse.Namespace) -> int:
    """Print a table, or one JSON object."""
    import numpy as np

    from lumbargrade.cli.lines import say
    from lumbargrade.competition import Coverage, match_submission, read_solution, read_submission_rows, untilt
    from lumbargrade.evaluate import break_down

    if options.bootstrap < 0:
        raise UsageError(f"--bootstrap {options.bootstrap}: at least 0 is needed")
    coverage = Coverage.COMMON if options.subset else Coverage.ALL
    scored = match_submission(read_solution(options.truth), read_submission_rows(options.predictions), coverage)
    scores = scored.scores.filled(1.0)
    with np.errstate(over="ignore"):
        sums = scores.sum(-1, keepdims=True)
    if (scores < 0).any() or not ((sums > 0) & np.isfinite(sums)).all():
        raise InputError(f"{options.predictions}: every row needs values that are at least zero, and a sum above")
    shares = scores / sums
    groups = break_down(scored.solution.severities, shares if options.untilted else untilt(shares), options.bootstrap)
    studies = len(scored.solution.study_ids)
    if options.json:
        say(
            json.dumps(
                {"schema": SCHEMA, "studies": studies, "resamples": options.bootstrap, "groups": [_as_json(each) for each in groups]}
            )
        )
    else:
        for line in _table(groups):
            say(line)
        say(f"{studies} studies; in brackets the middle 95 % of {options.bootstrap} resamples of them; moderate: at least moderate.")
    return 0


def _as_json(group: "Group") -> dict[str, object]:
    named = {"condition": group.condition.value, "level": group.level.value if group.level else None}
    return {**named, "labelled": list(group.labelled), **{name: asdict(value) for name, value in group.statistics.items()}}


def _table(groups: "tuple[Group, ...]") -> list[str]:
    rows = [("condition", "level", "normal/moderate/severe", *_COLUMNS.values())]
    for group in groups:
        level = group.level.value if group.level else "all"
        cells = [_cell(group.statistics[name], name not in _WITHOUT_INTERVAL) for name in _COLUMNS]
        rows.append((group.condition.value.replace("_", " "), level, "/".join(map(str, group.labelled)), *cells))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _cell(value: "Estimate", with_interval: bool) -> str:
    if value.value is None:
        return "-"
    interval = f" [{value.low:.3f}, {value.high:.3f}]" if with_interval and value.low is not None and value.high is not None else ""
    return f"{value.value:.3f}{interval}"
