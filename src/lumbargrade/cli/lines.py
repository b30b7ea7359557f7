"""What commands print beside a progress bar: one line a message, whatever characters a folder's name brings along."""

import sys
from typing import TextIO


def say(text: str) -> None:
    """One line to standard output."""
    _write(text, sys.stdout)


def warn(command: str, text: str) -> None:
    """One line to standard error, in the form of every error of the command line."""
    _write(f"lumbargrade {command}: {text}", sys.stderr)


def _write(text: str, stream: TextIO) -> None:
    from tqdm import tqdm

    line = "".join(character if character.isprintable() else _escaped(character) for character in text)
    encoding = stream.encoding or "utf-8"
    # tqdm's own print moves a bar out of the way
    tqdm.write(line.encode(encoding, "backslashreplace").decode(encoding), file=stream)


def _escaped(character: str) -> str:
    """Line breaks, control characters and the lone surrogates of file names that are no Unicode."""
    return character.encode("unicode_escape").decode("ascii")
