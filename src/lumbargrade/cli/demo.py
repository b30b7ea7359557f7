"""``lumbargrade demo``: a synthetic patient from drawing to report, through the same files and code as a real one."""

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lumbargrade.errors import UsageError
from lumbargrade.terms import FINDINGS, LEVELS, Condition, Severity

if TYPE_CHECKING:
    from lumbargrade.study import Grade

EXAMPLE = "lumbargrade demo --output lumbargrade-demo"

_LETTERS = {Severity.NORMAL_MILD: "N", Severity.MODERATE: "M", Severity.SEVERE: "S"}
_SITES = {
    Condition.SPINAL_CANAL_STENOSIS: "canal",
    Condition.NEURAL_FORAMINAL_NARROWING: "foramen",
    Condition.SUBARTICULAR_STENOSIS: "subarticular",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``demo``."""
    parser.add_argument("--output", type=Path, default=Path("lumbargrade-demo"), metavar="DIR", help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=3, metavar="N", help="another number, another patient (default: 3, with every grade)")
    parser.add_argument("--models", type=Path, metavar="RUN_DIR", help="a training run's model instead of the one that ships")


def run(options: argparse.Namespace) -> int:
    """Draw the patient, write DICOM, read and grade it, write the report; print what was drawn beside what was graded."""
    from lumbargrade.cli.lines import say
    from lumbargrade.dicom import HeaderProfile, find_study, write_series
    from lumbargrade.phantom.ahead import compile_ahead
    from lumbargrade.phantom.patient import PhantomConfig, make_patient
    from lumbargrade.pipeline import Pipeline
    from lumbargrade.report import write_report

    if options.seed < 0:
        raise UsageError(f"--seed {options.seed}: at least 0 is needed")
    start = time.perf_counter()
    compile_ahead()
    pipeline = Pipeline.load(options.models)
    patient = make_patient(options.seed, PhantomConfig(), os.cpu_count() or 1)
    pictures = options.output / f"patient-{options.seed}"
    for series in patient.study.series:
        write_series(pictures / series.folder, patient.study.study_instance_uid, series, HeaderProfile.SIEMENS)
    graded = pipeline.grade_source(find_study(pictures))
    write_report(options.output, graded.study, graded.grades, graded.seconds)
    for line in _table([truth.severity for truth in patient.truth], graded.grades.grades):
        say(line)
    say(f"pictures: {pictures}")
    say(f"report:   {options.output / 'report.html'}")
    say(f"{time.perf_counter() - start:.1f} seconds in all, {graded.seconds:.1f} of them to read and grade")
    return 0


def _table(drawn: Sequence[Severity], grades: "Sequence[Grade]") -> list[str]:
    """A row a level, a column a site: the severity drawn, then the one graded."""
    given = [grade.probabilities.severity if grade.probabilities else None for grade in grades]
    rows = {level: f"{level.value:7}" for level in LEVELS}
    heads = f"{'':7}"
    for finding, truth, severity in zip(FINDINGS, drawn, given, strict=True):
        if finding.level is LEVELS[0]:
            heads += f"{(finding.laterality.value + ' ' if finding.laterality else '') + _SITES[finding.condition]:20}"
        rows[finding.level] += f"{_LETTERS[truth]} / {_LETTERS[severity] if severity is not None else '-':16}"
    agreed = sum(severity is truth for severity, truth in zip(given, drawn, strict=True))
    legend = "drawn / graded: N normal or mild, M moderate, S severe, - not graded"
    return [legend, *(line.rstrip() for line in (heads, *rows.values())), f"{agreed} of {len(drawn)} agree"]
