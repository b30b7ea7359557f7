"""``train_label_coordinates.csv``: where in which picture a reader saw a finding."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lumbargrade.competition.names import condition_title, parse_level, parse_site
from lumbargrade.competition.table import finite_number, identifier, read_table, write_table
from lumbargrade.geometry.affine import FloatArray
from lumbargrade.study import Instance, Study
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


@dataclass(frozen=True, slots=True, eq=False)
class MarkedPoint:
    """A coordinate found in a study: the slice it was marked on, and (3,) the point in the patient."""

    coordinate: LabelCoordinate
    instance: Instance
    point_lps_mm: FloatArray


def marked_points(study: Study, coordinates: Iterable[LabelCoordinate]) -> Iterator[MarkedPoint]:
    """The coordinates as points in the patient; those on slices that the study does not hold are left out."""
    instances = {(series.folder, instance.instance_number): instance for series in study.series for instance in series.instances}
    for coordinate in coordinates:
        instance = instances.get((str(coordinate.series_id), coordinate.instance_number))
        if instance is not None:
            point = instance.affine.to_lps(np.array([[coordinate.column_px, coordinate.row_px]]))[0]
            yield MarkedPoint(coordinate, instance, point)


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
