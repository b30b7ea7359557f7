"""``lumbargrade check``: every inconsistency of a data set in the competition's layout, and a corrected copy of its coordinates."""

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from lumbargrade.errors import UsageError

if TYPE_CHECKING:
    from lumbargrade.check import CheckReport

EXAMPLE = "lumbargrade check path/to/rsna-2024-lumbar-spine --fix-coordinates corrected.csv"
SHOWN = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``check``."""
    parser.add_argument("data", type=Path, metavar="DATA_DIR", help="a data set in the competition's layout")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--all", action="store_true", help=f"print every case, not the first {SHOWN} of each kind")
    parser.add_argument(
        "--quick", action="store_true", help="headers alone: no picture is decoded, and none is looked at for a lumbar spine"
    )
    parser.add_argument(
        "--fix-coordinates", type=Path, metavar="FILE", help="write a copy of the coordinates with what can be decided put right"
    )
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="processes side by side (one a core)")


def run(options: argparse.Namespace) -> int:
    """Check, then print a summary; what was found is no error of the command, so it ends with 0."""
    from lumbargrade.check import CheckOptions, check_data_set, corrected_coordinates
    from lumbargrade.cli.lines import check_bar, say
    from lumbargrade.cli.main import EXIT_DONE
    from lumbargrade.competition import DataSet, write_coordinates

    if options.workers < 1:
        raise UsageError(f"--workers {options.workers}: at least 1 is needed")
    fixed = options.fix_coordinates
    if fixed is not None and fixed.exists():
        raise UsageError(f"--fix-coordinates {fixed}: it is there already; the name of a new file is needed")
    with check_bar(options.quiet) as progress:
        report = check_data_set(options.data, CheckOptions(not options.quick, options.workers), progress)
    corrected = corrected_coordinates(report) if fixed is not None else None
    if corrected is not None and not corrected.rows:
        raise UsageError(f"{DataSet(options.data).coordinates_path}: no coordinates in it that could be put right")
    if options.json:
        done = {} if corrected is None else {"corrected": dict(corrected.done)}
        say(json.dumps({**report.as_json(), **done}))
    else:
        for line in _summary(report, len(report.faults) if options.all else SHOWN):
            say(line)
    if corrected is not None:
        write_coordinates(fixed, corrected.rows)
        if not options.json:
            changes = ", ".join(f"{count} {what}" for what, count in corrected.done.items()) or "nothing to put right"
            say(f"{fixed}: {len(corrected.rows)} coordinates; {changes}")
    return EXIT_DONE


def _summary(report: "CheckReport", shown: int) -> list[str]:
    """For people: kinds with most cases first, faults before notes, and of each the first cases."""
    from lumbargrade.check import KINDS, Weight

    lines = []
    counts = report.counts
    for weight in Weight:
        codes = sorted((code for code in counts if KINDS[code].weight is weight), key=lambda code: (-counts[code], code))
        for code in codes:
            lines.append(f"{weight.value} {code}: {counts[code]} x {KINDS[code].meaning}")
            cases = [fault for fault in report.faults if fault.code == code]
            lines += [f"    {fault.place}: {fault.detail}" if fault.place else f"    {fault.detail}" for fault in cases[:shown]]
            if len(cases) > shown:
                lines.append(f"    and {len(cases) - shown} more (--all, --json)")
    notes = len(report.faults) - report.contradictions
    looked_at = f"{report.studies} studies, {report.series} series, {report.files} files"
    lines.append(f"{looked_at}: {report.contradictions} faults of {_kinds(report)} kinds, {notes} notes")
    return lines


def _kinds(report: "CheckReport") -> int:
    from lumbargrade.check import Weight

    return len({fault.code for fault in report.faults if fault.kind.weight is Weight.FAULT})
