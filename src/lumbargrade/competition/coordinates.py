"""``train_label_coordinates.csv``: where in which picture a reader saw a finding."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lumbargrade.competition.names import condition_title, parse_level, parse_site
from lumbargrade.competition.table import finite_number, identifier, read_table, write_table
from lumbargrade.terms import Finding

COLUMNS = ("study_id", "series_id", "instance_number", "condition", "level", "x", "y")


@dataclass(frozen=True, slots=True)
class LabelCoordinate:
    """One point. ``instance_number`` is the file's name and DICOM's InstanceNumber, not an index into a sorted stack; ``column_px`` and
    ``row_px`` are the file's x and y, in pixels of the stored picture."""

    study_id: int
    series_id: int
    instance_number: int
    finding: Finding
    column_px: float
    row_px: float


def read_coordinates(path: Path) -> list[LabelCoordinate]:
    """Read the points in the file's order.

    Raises:
        TableError: a column is missing or a cell cannot be read.
        OSError: the file cannot be opened.
    """
    table = read_table(path)
    table.require(*COLUMNS)
    return [
        LabelCoordinate(study_id, series_id, instance_number, Finding(condition, side, level), column_px, row_px)
        for study_id, series_id, instance_number, (condition, side), level, column_px, row_px in zip(
            table.parsed("study_id", identifier),
            table.parsed("series_id", identifier),
            table.parsed("instance_number", identifier),
            table.parsed("condition", parse_site),
            table.parsed("level", parse_level),
            table.parsed("x", finite_number),
            table.parsed("y", finite_number),
            strict=True,
        )
    ]


def write_coordinates(path: Path, coordinates: Iterable[LabelCoordinate]) -> None:
    """Write the points in the competition's columns and spellings, in the given order."""
    rows = (
        (
            point.study_id,
            point.series_id,
            point.instance_number,
            condition_title(point.finding),
            point.finding.level.value,
            float(point.column_px),
            float(point.row_px),
        )
        for point in coordinates
    )
    write_table(path, COLUMNS, rows)
