"""``lumbargrade levels``: how well the levels are located and named, in tables, with pictures of the worst cases."""

import argparse
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lumbargrade.errors import InputError, UsageError

if TYPE_CHECKING:
    from lumbargrade.level_evaluation import Case, MeasuredPatient, Measurement
    from lumbargrade.pipeline import Pipeline, StudyFailure

EXAMPLE = "lumbargrade levels data --output worst"
SCHEMA = "lumbargrade/levels/1"
MOST_PICTURES = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``levels``."""
    parser.add_argument(
        "data", type=Path, metavar="DATA", help="a data set in the competition's layout with label coordinates, or the SPIDER selection"
    )
    parser.add_argument("--models", type=Path, metavar="RUN_DIR", help="a training run's model instead of the one that ships")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--output", type=Path, metavar="DIR", help=f"where to put pictures of the {MOST_PICTURES} worst cases")
    parser.add_argument("--studies", type=int, metavar="N", help="the first N studies alone (default: all)")


def run(options: argparse.Namespace) -> int:
    """Locate every study and print the tables; one that cannot be read is a line on stderr, and exit code 4, or 3 where all are."""
    from lumbargrade.cli.lines import say, warn
    from lumbargrade.cli.main import EXIT_DONE, EXIT_SOME_FAILED
    from lumbargrade.level_evaluation import as_json, as_text, find_cases, summarise
    from lumbargrade.pipeline import Pipeline

    if options.studies is not None and options.studies < 1:
        raise UsageError(f"--studies {options.studies}: at least 1 is needed")
    if options.output and options.output.exists() and (not options.output.is_dir() or any(options.output.iterdir())):
        raise UsageError(f"--output {options.output}: the name of a new or empty folder is needed")
    pipeline = Pipeline.load(options.models)
    cases = find_cases(options.data, options.studies)
    patients, worst, failures = _measure(cases, pipeline, options.quiet)
    for failure in failures:
        warn("levels", str(failure))
    if not patients:
        raise InputError(f"{options.data}: none of {len(cases)} studies could be measured")
    summary = summarise(patients)
    if options.output:
        _write_pictures(worst, options.output)
    if options.json:
        bundle, failed = pipeline.bundle, [failure.folder for failure in failures]
        model = {"name": bundle.name, "version": bundle.version, "sha256": bundle.sha256}
        say(json.dumps({"schema": SCHEMA, "model": model, "failed": failed, **as_json(summary, patients)}))
    else:
        for line in as_text(summary, patients):
            say(line)
    return EXIT_SOME_FAILED if failures else EXIT_DONE


def _measure(
    cases: "Sequence[Case]", pipeline: "Pipeline", quiet: bool
) -> "tuple[list[MeasuredPatient], list[Measurement], list[StudyFailure]]":
    """Every patient measured, the worst with their pictures, and those that could not be read."""
    from tqdm import tqdm

    from lumbargrade.pipeline import StudyFailure, attempt

    patients: list[MeasuredPatient] = []
    worst: list[Measurement] = []
    failures: list[StudyFailure] = []
    for case in tqdm(cases, "locating", unit="study", disable=quiet):
        outcome = attempt(case.name, partial(case.measure, pipeline.locate))
        if isinstance(outcome, StudyFailure):
            failures.append(outcome)
            continue
        patients.append(outcome.patient)
        if outcome.picture is not None:
            worst = sorted([*worst, outcome], key=lambda each: (-each.patient.missing, -each.patient.worst_mm))[:MOST_PICTURES]
    return patients, worst, failures


def _write_pictures(worst: "Sequence[Measurement]", folder: Path) -> None:
    from lumbargrade.report.level_picture import draw_level_picture

    folder.mkdir(parents=True, exist_ok=True)
    for rank, each in enumerate(worst, 1):
        if each.picture is not None:
            missing = f"-{each.patient.missing}-missing" if each.patient.missing else ""
            name = f"{rank:02}-{each.patient.name}{missing}-{each.patient.worst_mm:.0f}mm.png"
            (folder / name).write_bytes(draw_level_picture(each.picture))
