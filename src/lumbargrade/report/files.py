"""Writing files so that they are there whole or not at all, whoever else writes, and however this process ends."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path


def write_atomically(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8 beside ``path``, then rename it into place; whatever fails, no half file bears the name.

    Folder names that are not valid Unicode reach us as lone surrogates, which UTF-8 cannot hold; they are written as ``\\udcXX``.
    """
    partial = _partial(path)
    try:
        _write(partial, text)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_together(folder: Path, texts: Mapping[str, str]) -> None:
    """Write files that belong together; the last name stands for all of them.

    All are written before any takes its place, so that a disk that is full costs nothing that was there; an older file of the last name
    goes first and the new one comes last, so wherever it lies, those beside it are of the same run. Two processes take turns, where the
    system knows locks (Windows does not), and what a killed one left half written is removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    *_, sign = texts
    with _alone_in(folder):
        for left in folder.glob(".*.partial"):
            left.unlink(missing_ok=True)
        partials = {name: _partial(folder / name) for name in texts}
        try:
            for name, text in texts.items():
                _write(partials[name], text)
            (folder / sign).unlink(missing_ok=True)
            for name, partial in partials.items():
                partial.replace(folder / name)
        finally:
            for partial in partials.values():
                partial.unlink(missing_ok=True)


def _partial(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.partial")


def _write(path: Path, text: str) -> None:
    with path.open("wb") as stream:
        stream.write(text.encode("utf-8", "backslashreplace"))
        stream.flush()
        os.fsync(stream.fileno())


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """While no other process is in here for the same folder; the lock goes with the process that holds it."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems know no locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
