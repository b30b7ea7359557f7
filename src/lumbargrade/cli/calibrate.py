"""``lumbargrade calibrate``: the calibration of a model refitted on a site's labelled studies."""

import argparse
import os
from pathlib import Path
from typing import Any

from lumbargrade.errors import UsageError

EXAMPLE = "lumbargrade calibrate path/to/site --output runs/site"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``calibrate``."""
    parser.add_argument(
        "data", type=Path, metavar="DATA_DIR", help="a data set in the competition's layout; about 25 labelled studies or more"
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="RUN_DIR", help="a new folder for the model, to be used with --models"
    )
    parser.add_argument("--models", type=Path, metavar="RUN_DIR", help="the model to calibrate instead of the one that ships")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="studies at a time (default: one a core)")


def run(options: argparse.Namespace) -> int:
    """Write the model with its new calibration, and print what that is worth on studies that it was not fitted on."""
    from lumbargrade.cli.lines import say, warn
    from lumbargrade.cli.main import EXIT_DONE, EXIT_SOME_FAILED

    if options.workers < 1:
        raise UsageError(f"--workers {options.workers}: at least 1 is needed")
    try:
        from lumbargrade.train.site import calibrate_run
    except ModuleNotFoundError as error:
        if error.name == "scipy":
            raise UsageError("calibrating needs scipy, which is not installed; pip install scipy, or lumbargrade[train]") from error
        raise
    failures: list[str] = []
    record = calibrate_run(options.data, options.output, options.models, options.workers, options.quiet, failures.append)
    for failure in failures:
        warn("calibrate", failure)
    for line in _summary(record):
        say(line)
    say(f"model in {options.output}; use it with --models {options.output}")
    return EXIT_SOME_FAILED if failures else EXIT_DONE


def _summary(record: dict[str, Any]) -> list[str]:
    lines = [f"{record['studies']} studies; log loss, and calibration error of severe, before and on studies left out of the fit after:"]
    for condition, facts in record["conditions"].items():
        name = condition.replace("_", " ")
        if not facts["findings"]:
            lines.append(f"{name}: no labelled finding could be graded; its calibration stays")
            continue
        before, after = facts["before"], facts["after"]
        changes = [f"{before[key]:.3f} to {after[key]:.3f}" for key in ("weighted_log_loss", "calibration_error_severe")]
        lines.append(f"{name}: {', '.join(changes)} ({facts['findings']} findings)")
    return lines
