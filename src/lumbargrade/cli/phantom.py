"""``lumbargrade phantom``: a data set of synthetic studies with known truth."""

import argparse
import os
from pathlib import Path

EXAMPLE = "lumbargrade phantom --output studies --studies 20 --seed 1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``phantom``."""
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="a new folder, or one to go on with")
    parser.add_argument("--studies", type=int, required=True, metavar="N", help="how many there are to be")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="another number, other patients (default: 0)")
    parser.add_argument(
        "--config",
        default="physics",
        metavar="NAME",
        help="physics, randomised (any contrast), mixed (both), levels (for localisers), heldout-a or -b (for testing); default: physics",
    )
    parser.add_argument(
        "--profile",
        default="competition",
        metavar="NAME",
        help="whose headers and names: competition; siemens, philips, ge, canon or enhanced (multi-frame), written to DIR/studies with "
        "localisers and other series that nobody grades; or mixed, those five in turn (default: competition)",
    )
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="studies at a time (default: one a core)")


def run(options: argparse.Namespace) -> int:
    """Write the data set and say where it is."""
    from tqdm import tqdm

    from lumbargrade.cli.lines import say
    from lumbargrade.synthesis import write_data_set

    with tqdm(desc="making", total=options.studies, unit="study", disable=options.quiet) as bar:

        def show(done: int, _: int) -> None:
            bar.update(done - bar.n)

        data_set = write_data_set(options.output, options.studies, options.seed, options.config, options.workers, show, options.profile)
    say(f"{data_set.root}: {options.studies} {'study' if options.studies == 1 else 'studies'} with truth")
    return 0
