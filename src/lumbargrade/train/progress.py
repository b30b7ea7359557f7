"""Progress bars that stay readable when several processes show theirs at once, and when standard error is a file."""

import sys

from tqdm import tqdm

REDRAWN_SECONDS = 0.2
LOGGED_SECONDS = 30.0
"""A file keeps every redrawn line, so it gets few."""


def progress_bar(total: int, label: str, unit: str, line: int = 0, quiet: bool = False) -> "tqdm[None]":
    """A bar on standard error; ``line`` is its line below the first where other processes have bars too."""
    is_terminal = sys.stderr.isatty()
    return tqdm(
        total=total,
        desc=label,
        unit=unit,
        position=line if is_terminal else 0,
        mininterval=REDRAWN_SECONDS if is_terminal else LOGGED_SECONDS,
        leave=line == 0 or not is_terminal,
        disable=quiet,
    )
