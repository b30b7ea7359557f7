"""``lumbargrade``: finds the command, runs it, and turns every expected error into one line and its exit code."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from lumbargrade import __version__
from lumbargrade.cli.lines import warn
from lumbargrade.errors import LumbarGradeError
from lumbargrade.terms import INTENDED_USE

COMMANDS = {
    "demo": "make a synthetic study, grade it and write the report",
    "grade": "grade one or many studies: folders of DICOM files or zip files",
    "inspect": "say what is in a study: series, stacks, roles and why",
    "phantom": "write a data set of synthetic studies with known truth",
    "check": "list every inconsistency of a data set",
    "explore": "a page with the counts, pictures and suspicious cases of a data set",
    "train": "train localiser and grader on a labelled data set",
    "calibrate": "refit a model's calibration on a site's labelled studies",
    "blend": "how several training runs are best heard together",
    "predict": "write the competition's submission for a data set",
    "score": "the competition's metric of a submission",
    "evaluate": "predictions against labels, by condition and level: log loss, AUC, kappa, calibration",
    "levels": "measure how well levels are located, against a data set's label coordinates or SPIDER's",
}

EXIT_DONE, EXIT_USAGE, EXIT_UNUSABLE, EXIT_SOME_FAILED, EXIT_MODEL = 0, 2, 3, 4, 5


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code (see ``errors``)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        prog="lumbargrade",
        description=f"Grades degeneration on lumbar MR. {INTENDED_USE}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="commands:\n"
        + "\n".join(f"  {name:9}{summary}" for name, summary in COMMANDS.items())
        + "\n\nexample: lumbargrade demo\nhelp on a command: lumbargrade grade --help",
    )
    parser.add_argument("--version", action="version", version=f"lumbargrade {__version__}")
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND")
    name = parser.parse_args(arguments[:1] or ["--help"]).command
    module = importlib.import_module(f"lumbargrade.cli.{name}")
    command = argparse.ArgumentParser(
        prog=f"lumbargrade {name}",
        description=f"{COMMANDS[name].capitalize()}.",
        epilog=f"example: {module.EXAMPLE}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(command)
    command.add_argument("--quiet", action="store_true", help="no progress on standard error")
    options = command.parse_args(arguments[1:])
    try:
        return int(module.run(options))
    except LumbarGradeError as error:
        warn(name, str(error))
        return error.exit_code
    except OSError as error:
        place = f": {error.filename}" if error.filename else ""
        warn(name, f"{error.strerror or error}{place}")
        return EXIT_UNUSABLE
    except KeyboardInterrupt:
        warn(name, "interrupted")
        return 130
    finally:
        _flush_quietly()


def _flush_quietly() -> None:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
