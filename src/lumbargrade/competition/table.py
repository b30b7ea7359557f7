"""A CSV file as text cells that remember their line, so that every complaint can say where.

The standard library's reader rather than a data frame: no type is guessed, an empty cell stays empty, and a 10-digit study id stays whole.
"""

import csv
import math
import os
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO, TypeVar

from lumbargrade.competition.names import plain
from lumbargrade.errors import TableError

Value = TypeVar("Value")
MAX_TABLE_BYTES = 64 * 2**20
"""The competition's largest table has 5 MB; in memory a table takes ten times its size."""
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Table:
    """The cells of one file.

    Attributes:
        path: the file, for messages.
        columns: names in the plain spelling (``names.plain``), in the file's order.
        rows: the cells of each row, one for each column.
        lines: the line of the file on which each row ends, the header being line 1.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]

    def has(self, *columns: str) -> bool:
        """Whether the file has all of these columns."""
        return set(columns) <= set(self.columns)

    def require(self, *columns: str) -> None:
        """Raises TableError if one of these columns is missing."""
        missing = [column for column in columns if column not in self.columns]
        if missing:
            found = ", ".join(_shown(column) for column in self.columns[:6])
            raise TableError(f"{self.path}: {_listed(missing)} missing; the first line holds {found}")

    def parsed(self, column: str, parse: Callable[[str], Value]) -> list[Value]:
        """Every cell of a column through ``parse``.

        Raises:
            TableError: the column is missing, or ``parse`` raised a ValueError, whose text says what is needed.
        """
        self.require(column)
        index = self.columns.index(column)
        values = []
        for number, row in enumerate(self.rows):
            try:
                values.append(parse(row[index]))
            except ValueError as error:
                raise self.error(number, column, f"{error} is needed") from error
        return values

    def error(self, row: int, column: str, needed: str) -> TableError:
        """What to raise about one cell: where, what was found, what is needed. ``row`` is an index into ``rows``."""
        found = _shown(self.rows[row][self.columns.index(column)])
        return TableError(f"{self.path}: line {self.lines[row]}, column {column}: found {found}; {needed}")


def open_table(path: Path) -> TextIO:
    """A CSV file's text, without a byte order mark.

    Raises:
        TableError: no file but a pipe, a device or a folder, or one larger than ``MAX_TABLE_BYTES``.
        OSError: it cannot be opened.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise TableError(f"{path}: not a file; a CSV table is needed")
    if status.st_size > MAX_TABLE_BYTES:
        raise TableError(f"{path}: {status.st_size // 2**20} MiB; at most {MAX_TABLE_BYTES // 2**20} MiB of a table are read")
    return path.open(encoding="utf-8-sig", newline="")


def read_table(path: Path) -> Table:
    """Read a CSV file (UTF-8, with or without a byte order mark).

    Raises:
        TableError: no text, no header, no rows, a column twice, a row of another length than the header, or as ``open_table``.
        OSError: the file cannot be opened.
    """
    lines: list[int] = []
    rows: list[tuple[str, ...]] = []
    try:
        with open_table(path) as file:
            reader = csv.reader(file, strict=True)
            for cells in reader:
                if cells:
                    rows.append(tuple(cells))
                    lines.append(reader.line_num)
    except UnicodeDecodeError as error:
        raise TableError(f"{path}: not a text file; a CSV table in UTF-8 is needed") from error
    except csv.Error as error:
        raise TableError(f"{path}: line {reader.line_num}: not a CSV table ({error})") from error
    if len(rows) < 2:
        raise TableError(f"{path}: {'only a header' if rows else 'empty'}; a CSV table with a header and at least one row is needed")
    columns = tuple(plain(name) for name in rows[0])
    repeated = sorted({column for column in columns if columns.count(column) > 1})
    if repeated:
        raise TableError(f"{path}: column {_shown(repeated[0])} occurs more than once")
    for row, line in zip(rows, lines, strict=True):
        if len(row) != len(columns):
            raise TableError(f"{path}: line {line}: {len(row)} cells where the header has {len(columns)}")
    return Table(path, columns, tuple(rows[1:]), tuple(lines[1:]))


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file in one step: a reader finds the old file or the whole new one. Floats keep every digit."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(rows)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def identifier(text: str) -> int:
    """A study, series or instance number, for ``Table.parsed``.

    Raises:
        ValueError: not decimal digits alone, or more than 18 of them.
    """
    digits = text.strip()
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 18):
        raise ValueError("a whole number")
    return int(digits)


def finite_number(text: str) -> float:
    """A finite decimal number, for ``Table.parsed``.

    Raises:
        ValueError: anything else.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError("a finite number")
    return value


def _shown(text: str) -> str:
    """A cell safe for a one-line message: quoted, escaped, not longer than a glance."""
    return ascii(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"column {shown}" if len(names) == 1 else f"columns {shown}"
