"""``lumbargrade inspect``: what is in a study, as a table for people or as JSON."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lumbargrade.errors import DicomError

if TYPE_CHECKING:
    from lumbargrade.study import Problem, Series, Stack, Study

EXAMPLE = "lumbargrade inspect path/to/study"
SCHEMA = "lumbargrade/inspect/1"

_COLUMNS = ("series", "role", "stack", "plane", "slices", "spacing", "matrix", "pixel")
_MISSING = "-"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``inspect``."""
    parser.add_argument("study", type=Path, metavar="STUDY", help="a folder of DICOM files in any nesting, or a .zip")
    parser.add_argument("--json", action="store_true", help="one JSON object a line for each study found")
    parser.add_argument(
        "--include-identifiers",
        action="store_true",
        help="show the patient's name, ID, birth date, study date and accession number, and what the folders of the series are called",
    )


def run(options: argparse.Namespace) -> int:
    """Read every study found and say what is in it; one that cannot be read is a line on stderr, and exit code 4 where others can."""
    from lumbargrade.cli.lines import say, warn
    from lumbargrade.cli.main import EXIT_DONE, EXIT_SOME_FAILED
    from lumbargrade.dicom import find_studies, read_study

    sources = find_studies(options.study)
    code = EXIT_DONE
    for source in sources:
        try:
            study = read_study(source, with_identifiers=options.include_identifiers)
        except DicomError as error:
            if len(sources) == 1:
                raise
            warn("inspect", str(error))
            code = EXIT_SOME_FAILED
            continue
        for line in [json.dumps(_as_json(study))] if options.json else _as_text(study):
            say(line)
    return code


def _as_json(study: "Study") -> dict[str, Any]:
    """The fields of result.json that concern the input, and the stacks in detail."""
    from lumbargrade.report import study_entry

    is_named = study.identifiers is not None
    return {
        "schema": SCHEMA,
        "study": study_entry(study),
        "series": [_series_as_json(series, is_named) for series in study.series],
        "problems": _problems_as_json(study.problems),
    }


def _series_as_json(series: "Series", is_named: bool) -> dict[str, Any]:
    return {
        "series_instance_uid": series.series_instance_uid,
        "folder": _folder(series, is_named),
        "role": series.role.value,
        "role_reason": series.role_reason,
        "instances": sum(len(stack.instances) for stack in series.stacks),
        "stacks": len(series.stacks),
        "stack_details": [_stack_as_json(stack) for stack in series.stacks],
        "problems": _problems_as_json(series.problems),
    }


def _folder(series: "Series", is_named: bool) -> str:
    """The name of the series' folder where the patient may be named or the name is part of the series' UID, else empty: exports name
    folders after patients."""
    return series.folder if is_named or series.folder in series.series_instance_uid.split(".") else ""


def _stack_as_json(stack: "Stack") -> dict[str, Any]:
    first = stack.instances[0]
    return {
        "plane": stack.plane.value,
        "normal_lps": [round(float(value), 4) for value in stack.normal],
        "instances": len(stack.instances),
        "spacing_mm": round(stack.spacing_mm, 3),
        "shapes": [list(shape) for shape in sorted({instance.shape for instance in stack.instances})],
        "pixel_spacing_mm": [round(first.affine.row_spacing_mm, 4), round(first.affine.column_spacing_mm, 4)],
    }


def _problems_as_json(problems: Sequence["Problem"]) -> list[dict[str, str]]:
    return [{"code": problem.code, "message": problem.message} for problem in problems]


def _as_text(study: "Study") -> list[str]:
    from lumbargrade.report.wording import patient_line

    is_named = study.identifiers is not None
    names = {id(series): _folder(series, is_named) or f"series {number}" for number, series in enumerate(study.series, 1)}
    rows = [_COLUMNS, *(row for series in study.series for row in _rows(names[id(series)], series))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    width = max(map(len, names.values()))
    reasons = [f"  {names[id(series)].ljust(width)}  {series.role.value}: {series.role_reason}" for series in study.series]
    problems = [f"  {problem.message} ({problem.code})" for problem in study.problems]
    problems += [f"  {names[id(series)]}: {problem.message} ({problem.code})" for series in study.series for problem in series.problems]
    patient = [patient_line(study.identifiers)] if study.identifiers else []
    return [f"study {study.folder}", *patient, "", *table, "", "roles", *reasons, "", "problems", *(problems or ["  none"]), ""]


def _rows(name: str, series: "Series") -> list[tuple[str, ...]]:
    """A row for each stack; what belongs to the series stands in its first row only."""
    lines: list[tuple[str, ...]] = []
    for number, stack in enumerate(series.stacks, 1):
        affine = stack.instances[0].affine
        shapes = sorted({instance.shape for instance in stack.instances})
        matrix = " or ".join(f"{rows}x{columns}" for rows, columns in shapes[:3])
        spacing = f"{stack.spacing_mm:.2f} mm" if len(stack.instances) > 1 else _MISSING
        pixel = f"{affine.row_spacing_mm:.2f}x{affine.column_spacing_mm:.2f} mm"
        label = (name, series.role.value) if number == 1 else ("", "")
        position = f"{number} of {len(series.stacks)}"
        lines.append((*label, position, stack.plane.value, str(len(stack.instances)), spacing, matrix, pixel))
    return lines
