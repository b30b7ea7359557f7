"""``lumbargrade explore``: one page with the counts, the pictures and the suspicious cases of a data set."""

import argparse
import os
from pathlib import Path

from lumbargrade.errors import UsageError

EXAMPLE = "lumbargrade explore path/to/rsna-2024-lumbar-spine --output explore.html"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``explore``."""
    parser.add_argument("data", type=Path, metavar="DATA_DIR", help="a data set in the competition's layout")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.html", help="the page, which needs no other file")
    parser.add_argument("--examples", type=int, default=4, metavar="N", help="pictures of each condition and grade (4)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="another number, other examples (0)")
    parser.add_argument("--quick", action="store_true", help="headers alone: pictures are not checked one by one")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="processes side by side (one a core)")


def run(options: argparse.Namespace) -> int:
    """Check the data set, then write the page and say where it is."""
    from lumbargrade.check import CheckOptions, check_data_set
    from lumbargrade.cli.lines import check_bar, say
    from lumbargrade.cli.main import EXIT_DONE
    from lumbargrade.competition import open_data_set
    from lumbargrade.explore import explore_page
    from lumbargrade.report.files import write_atomically

    if options.workers < 1 or options.examples < 0:
        raise UsageError("--workers must be at least 1 and --examples at least 0")
    with check_bar(options.quiet) as progress:
        report = check_data_set(options.data, CheckOptions(not options.quick, options.workers), progress)
    page = explore_page(open_data_set(options.data), report, examples=options.examples, seed=options.seed)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(options.output, page)
    say(f"{options.output}: {report.studies} studies, {report.contradictions} faults")
    return EXIT_DONE
