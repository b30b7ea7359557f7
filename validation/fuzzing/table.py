"""How a CSV table is spoilt with regard to what its bytes mean: cells, columns, rows, line ends, encoding."""

import csv
import io
import random
from collections.abc import Sequence

from fuzzing.octets import BYTES, Mutation

_CELLS = (
    *(
        "",
        " ",
        "nan",
        "NaN",
        "inf",
        "-inf",
        "1e999",
        "-1e999",
        "1e308",
        "-1e308",
        "1e-320",
        "-0",
        "-1",
        "0",
        "1",
        "0.5",
        "1.5",
        "1_000",
        "0x10",
    ),
    *(
        "9" * 18,
        "9" * 19,
        "9" * 400,
        "9" * 5000,
        "1.0",
        "+5",
        " 7 ",
        "\u0663\u0664",
        "None",
        "NULL",
        "true",
        "a" * 70_000,
        "\0",
        "\ufeff",
        "\n",
        "\r",
        '"',
    ),
    *(
        "L1/L2",
        "L6/S1",
        "l5_s1",
        "Severe",
        "severe",
        "Normal/Mild",
        "Spinal Canal Stenosis",
        "Left Subarticular Stenosis",
        "Axial T2",
        "Other",
    ),
    *(
        "30",
        "4",
        "4294967295",
        "30_spinal_canal_stenosis_l1_l2",
        "9" * 4000 + "_spinal_canal_stenosis_l1_l2",
        "=1+1",
        "'",
        ";",
        "\ud800",
        "\x1b[31m",
    ),
)

_NUMBERS = (
    "0",
    "1",
    "0.0",
    "1.0",
    "2",
    "4",
    "0.333333",
    "1e-300",
    "5e-324",
    "1e308",
    "1.7e308",
    "1e-6",
    "0.999999999999",
    "1e15",
    "30",
    "7",
)


def change_cells(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    rows = _rows(content)
    cells = [(row, column) for row, cells in enumerate(rows) for column in range(len(cells))]
    for row, column in rng.sample(cells, min(len(cells), rng.choice((1, 1, 1, 2, 9)))):
        rows[row][column] = rng.choice(_CELLS)
    return _text(rng, rows)


def change_numbers(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Numbers to other numbers, which may be read all the same."""
    rows = _rows(content)
    cells = [(row, column) for row, cells in enumerate(rows) for column, cell in enumerate(cells) if _is_number(cell)]
    for row, column in rng.sample(cells, min(len(cells), rng.choice((1, 3, 40, len(cells))))):
        rows[row][column] = rng.choice(_NUMBERS)
    return _text(rng, rows)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def change_column(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """One cell in all rows of a column."""
    rows = _rows(content)
    column, cell = rng.randrange(max(map(len, rows), default=0) or 1), rng.choice(_CELLS)
    for row in rows[rng.choice((0, 1, 1, 1)) :]:
        row[column : column + 1] = [cell]
    return _text(rng, rows)


def move_columns(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Dropped, repeated or in another order, in all rows or in the header alone."""
    rows = _rows(content)
    order = list(range(max(map(len, rows), default=0)))
    change = rng.choice((rng.shuffle, lambda each: each.pop() if each else None, lambda each: each.append(0)))
    change(order)
    for row in rows[: rng.choice((1, len(rows)))]:
        row[:] = [row[index] for index in order if index < len(row)]
    return _text(rng, rows)


def move_rows(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    rows = _rows(content)
    if rows:
        row = rng.choice(rows)
        rng.choice((rows.remove, rows.append, lambda each: rows.insert(0, each), lambda each: rows.extend([each] * 50)))(row)
    if rng.random() < 0.2:
        del rows[rng.randint(0, len(rows)) :]
    return _text(rng, rows)


def change_lines(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Line ends, divisions and quotes."""
    old, new = rng.choice(
        (
            (b"\n", b"\r\n"),
            (b"\n", b"\r"),
            (b"\n", b"\n\n"),
            (b"\n", b"\0\n"),
            (b",", b";"),
            (b",", b"\t"),
            (b",", b',"'),
            (b"_", b'"'),
            (b"\n", b""),
        )
    )
    return content.replace(old, new, rng.choice((-1, 1, 3)))


def change_encoding(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    text = content.decode("utf-8", "replace")
    return text.encode(rng.choice(("utf-8-sig", "utf-16", "utf-16-le", "utf-32", "utf-7", "cp500")), "replace")


TABLE: tuple[Mutation, ...] = (
    *BYTES,
    *(change_cells,) * 5,
    *(change_numbers,) * 5,
    *(change_column,) * 3,
    move_columns,
    move_rows,
    move_rows,
    change_lines,
    change_encoding,
)


def _rows(content: bytes) -> list[list[str]]:
    text = content.decode("utf-8", "surrogateescape")
    try:
        return list(csv.reader(io.StringIO(text)))
    except csv.Error:
        return [line.split(",") for line in text.splitlines()]


def _text(rng: random.Random, rows: Sequence[Sequence[str]]) -> bytes:
    """With quotes where they are needed, or without any."""
    if rng.random() < 0.2:
        return "\n".join(map(",".join, rows)).encode("utf-8", "surrogatepass")
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue().encode("utf-8", "surrogatepass")
