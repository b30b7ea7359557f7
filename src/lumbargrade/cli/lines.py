"""What commands print beside a progress bar: one line a message, whatever characters a folder's name brings along."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO


def say(text: str) -> None:
    """One line to standard output."""
    _write(text, sys.stdout)


def warn(command: str, text: str) -> None:
    """One line to standard error, in the form of every error of the command line."""
    _write(f"lumbargrade {command}: {text}", sys.stderr)


@contextmanager
def check_bar(quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """The progress bar of a data set's check, to be told of (studies done, studies in all)."""
    from tqdm import tqdm

    with tqdm(total=None, desc="checking", unit="study", disable=quiet) as bar:

        def progress(done: int, count: int) -> None:
            bar.total = count
            bar.update(done - bar.n)

        yield progress


def _write(text: str, stream: TextIO) -> None:
    from tqdm import tqdm

    line = "".join(character if character.isprintable() else _escaped(character) for character in text)
    encoding = stream.encoding or "utf-8"
    # tqdm's own print moves a bar out of the way
    tqdm.write(line.encode(encoding, "backslashreplace").decode(encoding), file=stream)


def _escaped(character: str) -> str:
    """Line breaks, control characters and the lone surrogates of file names that are no Unicode."""
    return character.encode("unicode_escape").decode("ascii")
