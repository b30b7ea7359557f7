"""``lumbargrade grade``: one or many studies into a folder of results each."""

import argparse
import errno
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lumbargrade.errors import InputError, OutputError, UsageError
from lumbargrade.terms import Severity

if TYPE_CHECKING:
    from lumbargrade.dicom import StudySource
    from lumbargrade.pipeline import Pipeline
    from lumbargrade.study import StudyGrades

EXAMPLE = "lumbargrade grade path/to/study --output results"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``grade``."""
    parser.add_argument(
        "studies", type=Path, nargs="+", metavar="STUDY", help="a folder of DICOM files in any nesting, a .zip, or a folder of such"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="where each study gets a folder of its own name")
    parser.add_argument("--models", type=Path, metavar="RUN_DIR", help="a training run's model instead of the one that ships")
    parser.add_argument(
        "--explain", action="store_true", help="add to the report where in the picture each grade comes from (about a second a study)"
    )
    parser.add_argument(
        "--shift-levels",
        type=int,
        choices=(-1, 1),
        default=0,
        metavar="+1|-1",
        help="overrule how the levels were counted: --shift-levels +1 names every disc one level lower (the disc called L4/L5 becomes "
        "L5/S1), --shift-levels -1 one level higher; of every study given",
    )
    parser.add_argument(
        "--include-identifiers",
        action="store_true",
        help="take the patient's name, ID, birth date, study date and accession number over into result.json and the report",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with a batch that was stopped: studies whose result by the same model lies in DIR are passed over",
    )


def run(options: argparse.Namespace) -> int:
    """Grade every study found; one that fails is a line on stderr, and exit code 4 where others did not."""
    from tqdm import tqdm

    from lumbargrade.cli.lines import say, warn
    from lumbargrade.cli.main import EXIT_DONE, EXIT_SOME_FAILED, EXIT_UNUSABLE
    from lumbargrade.pipeline import Pipeline, StudyFailure, for_each_study

    if options.output.exists() and not options.output.is_dir():
        raise UsageError(f"--output {options.output}: a file; the name of a folder is needed")
    pipeline = Pipeline.load(options.models)
    sources, refused = _find(options.studies)
    for reason in refused:
        warn("grade", reason)
    if sources:
        options.output.mkdir(parents=True, exist_ok=True)
    failed = 0
    left = [source for source in sources if not (options.resume and _is_done(pipeline, source, options))]
    if done := len(sources) - len(left):
        say(f"{done} of {len(sources)} studies were graded before")
    outcomes = for_each_study(left, lambda source: _grade(pipeline, source, options))
    try:
        for outcome in tqdm(outcomes, "grading", len(sources), unit="study", initial=done, disable=options.quiet or len(sources) < 2):
            if isinstance(outcome, StudyFailure):
                failed += 1
                warn("grade", str(outcome))
            else:
                done += 1
                say(outcome)
    except OutputError as error:  # no other study could be written either
        warn("grade", f"{error}; {done} of {len(sources)} studies are written, --resume goes on with the others")
        return EXIT_SOME_FAILED if done else EXIT_UNUSABLE
    if not failed and not refused:
        return EXIT_DONE
    return EXIT_SOME_FAILED if done else EXIT_UNUSABLE


def _find(paths: Sequence[Path]) -> "tuple[list[StudySource], list[str]]":
    """The studies below all paths, each with an output name of its own, and why paths hold none."""
    from lumbargrade.dicom import find_studies, unique_names

    found: list[StudySource] = []
    refused: list[str] = []
    for path in paths:
        try:
            found += find_studies(path)
        except InputError as error:
            refused.append(str(error))
    names = unique_names([_file_name(source.folder) for source in found])
    return [replace(source, folder=name) for name, source in zip(names, found, strict=True)], refused


def _file_name(folder: str) -> str:
    """A name that stays inside the output folder: those that come out of an archive can be anything."""
    name = folder.replace("\\", "/").rstrip("/").rpartition("/")[2].replace("\0", "")
    return "study" if name in ("", ".", "..") else name


def _is_done(pipeline: "Pipeline", source: "StudySource", options: argparse.Namespace) -> bool:
    from lumbargrade.report import has_result

    return has_result(options.output / source.folder, pipeline.bundle.sha256, options.shift_levels, options.include_identifiers)


def _grade(pipeline: "Pipeline", source: "StudySource", options: argparse.Namespace) -> str:
    """Grade one study and write its report; returns the line that says so."""
    from lumbargrade.report import write_report

    graded = pipeline.grade_source(
        source, shift=options.shift_levels, explain=options.explain, with_identifiers=options.include_identifiers
    )
    folder = options.output / source.folder
    try:
        write_report(folder, graded.study, graded.grades, graded.seconds)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise OutputError(f"{options.output}: {error.strerror}") from error
        raise
    return f"{source.folder}: {_counts(graded.grades)}; {folder / 'report.html'}"


def _counts(grades: "StudyGrades") -> str:
    """``2 severe, 5 moderate, 25 of 25 graded``; where none was, the reason that most findings have."""
    severities = Counter(grade.probabilities.severity for grade in grades.grades if grade.probabilities)
    if not severities:
        ((reason, _),) = Counter(grade.reason for grade in grades.grades).most_common(1)
        return f"0 of {len(grades.grades)} graded: {reason}"
    severe, moderate = severities[Severity.SEVERE], severities[Severity.MODERATE]
    return f"{severe} severe, {moderate} moderate, {severities.total()} of {len(grades.grades)} graded"
