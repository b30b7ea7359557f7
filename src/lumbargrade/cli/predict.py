"""``lumbargrade predict``: the competition's submission for a data set."""

import argparse
import os
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from lumbargrade.errors import UsageError

if TYPE_CHECKING:
    from lumbargrade.blend import Blend
    from lumbargrade.prediction import StudyPrediction, StudyRequest

EXAMPLE = "lumbargrade predict data --split test --output submission.csv"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``predict``."""
    parser.add_argument("data", type=Path, metavar="DATA_DIR", help="a data set in the competition's layout")
    parser.add_argument("--output", type=Path, required=True, metavar="CSV", help="the submission to write")
    parser.add_argument("--split", choices=("test", "train"), default="test", help="which studies (default: test)")
    parser.add_argument(
        "--models", type=Path, nargs="+", metavar="RUN_DIR", help="training runs' models, averaged, instead of the one that ships"
    )
    parser.add_argument("--blend", type=Path, metavar="BLEND.json", help="how these models are heard together: what blend wrote")
    parser.add_argument("--locations", type=Path, metavar="CSV", help="label coordinates to look at instead of localising")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="studies at a time (default: one a core)")


def run(options: argparse.Namespace) -> int:
    """Write every expected row; studies that fail get the prior, a line on stderr, and exit code 4, or 3 where all do."""
    from lumbargrade.cli.lines import say, warn
    from lumbargrade.cli.main import EXIT_DONE, EXIT_SOME_FAILED, EXIT_UNUSABLE
    from lumbargrade.competition import Split, open_data_set, read_coordinates, write_submission
    from lumbargrade.models import load_bundle
    from lumbargrade.prediction import expected_rows, study_requests, submission_scores

    if options.workers < 1:
        raise UsageError(f"--workers {options.workers}: at least 1 is needed")
    if options.output.is_dir():
        raise UsageError(f"--output {options.output}: a folder; the name of a file is needed")
    bundles = [load_bundle(each) for each in options.models or [None]]  # a model that cannot be used is said before any work
    blend = _blend(options, [bundle.sha256 for bundle in bundles])
    data_set, split = open_data_set(options.data), Split(options.split)
    coordinates = read_coordinates(options.locations) if options.locations else None
    expected = expected_rows(data_set, split)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=options.output.parent):  # hours of work need a place to go
        pass
    predictions = _predict(study_requests(data_set, split, expected, coordinates), options)
    write_submission(options.output, submission_scores(predictions, blend), expected)
    failures = [prediction.failure for prediction in predictions if prediction.failure is not None]
    for failure in failures:
        warn("predict", f"{failure}; its rows are the prior")
    graded = sum(prediction.graded for prediction in predictions)
    findings = sum(len(prediction.is_graded) for prediction in predictions)
    read = f"{len(predictions) - len(failures)} of {len(predictions)} studies read"
    say(f"{options.output}: {read}, {graded} of {findings} findings graded, the others are the prior")
    if len(failures) == len(predictions):
        return EXIT_UNUSABLE
    return EXIT_SOME_FAILED if failures else EXIT_DONE


def _blend(options: argparse.Namespace, models: list[str]) -> "Blend":
    from lumbargrade.blend import Blend, read_blend

    if options.blend is None:
        return Blend.even(len(models))
    blend = read_blend(options.blend)
    if list(blend.models) != models:
        raise UsageError(f"--blend {options.blend}: fitted for {len(blend.models)} other models, or for these in another order")
    return blend


def _predict(requests: "list[StudyRequest]", options: argparse.Namespace) -> "list[StudyPrediction]":
    from tqdm import tqdm

    from lumbargrade.prediction import predict_studies

    outcomes = predict_studies(requests, options.models or [None], min(options.workers, len(requests)))
    return list(tqdm(outcomes, "predicting", len(requests), unit="study", disable=options.quiet))
