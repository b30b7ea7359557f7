"""The tables read leniently: every cell that can be understood is, every other is a fault with its line."""

import csv
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from lumbargrade.check.faults import Fault
from lumbargrade.competition import DataSet, LabelCoordinate, Split
from lumbargrade.competition.coordinates import COLUMNS as COORDINATE_COLUMNS
from lumbargrade.competition.names import (
    FINDING_COLUMNS,
    SERIES_DESCRIPTIONS,
    SEVERITY_TITLES,
    condition_title,
    parse_level,
    parse_series_role,
    parse_severity,
    parse_site,
    plain,
)
from lumbargrade.competition.series import COLUMNS as SERIES_COLUMNS
from lumbargrade.competition.table import Table, finite_number, identifier, open_table, read_table
from lumbargrade.errors import TableError
from lumbargrade.terms import FINDINGS, Condition, Finding, Laterality, SeriesRole, Severity

Value = TypeVar("Value")
LABEL_COLUMNS = ("study_id", *FINDING_COLUMNS)


@dataclass(frozen=True, slots=True)
class MarkedRow:
    """A row of coordinates and its line in the file."""

    line: int
    coordinate: LabelCoordinate


@dataclass(slots=True)
class Tables:
    """What the tables of a split say. Tables that cannot be read, or that the split does not have, are None.

    Attributes:
        labels: severities by study; None for a label that is missing.
        roles: by study and series; None for a description that means nothing.
        coordinates: in the file's order.
        dropped_coordinates: rows of coordinates that cannot be understood, or stand there twice.
        faults: what was wrong with cells, rows and columns.
    """

    labels: dict[int, dict[Finding, Severity | None]] | None = None
    roles: dict[int, dict[int, SeriesRole | None]] | None = None
    coordinates: list[MarkedRow] | None = None
    dropped_coordinates: int = 0
    faults: list[Fault] = field(default_factory=list)

    def study_ids(self) -> set[int]:
        """The studies that any table names, save one of coordinates alone."""
        return set(self.labels or ()) | set(self.roles or ())

    def marks_by_study(self) -> dict[int, tuple[MarkedRow, ...]]:
        """The coordinates of each study."""
        found: dict[int, list[MarkedRow]] = defaultdict(list)
        for row in self.coordinates or ():
            found[row.coordinate.study_id].append(row)
        return {study_id: tuple(rows) for study_id, rows in found.items()}


def read_tables(data_set: DataSet, split: Split) -> Tables:
    """All tables of a split, and what is wrong within and between them."""
    tables = Tables()
    is_train = split is Split.TRAIN
    series = _opened(data_set.series_path(split), SERIES_COLUMNS, tables.faults)
    if series is not None:
        tables.roles = _roles(series, tables.faults)
    if is_train:
        labels = _opened(data_set.labels_path, LABEL_COLUMNS, tables.faults)
        if labels is not None:
            tables.labels = _labels(labels, tables.faults)
        marks = _opened(data_set.coordinates_path, COORDINATE_COLUMNS, tables.faults)
        if marks is not None:
            tables.coordinates = _coordinates(marks, tables.faults)
            tables.dropped_coordinates = len(marks.rows) - len(tables.coordinates)
        tables.faults += _between(tables, data_set)
    return tables


def _opened(path: Path, columns: Sequence[str], faults: list[Fault]) -> Table | None:
    """The table, with the columns that it has; None if nothing can be read of it."""
    if not path.is_file():
        faults.append(Fault("table_missing", "not there", path.name))
        return None
    try:
        table = read_table(path)
    except (TableError, OSError) as error:
        faults.append(Fault("table_unreadable", str(error).removeprefix(f"{path}: "), path.name))
        return None
    faults += [Fault("column_missing", column, path.name) for column in columns if not table.has(column)]
    with open_table(path) as file:
        header = next(csv.reader(file))
    for name in header:
        if plain(name) not in columns:
            faults.append(Fault("column_unknown", ascii(name[:60]), path.name))
        elif name not in columns:
            faults.append(Fault("spelling", f"column {name!a} for {plain(name)}", path.name, 1))
    return table


def _cells(
    table: Table, column: str, parse: Callable[[str], Value], official: Callable[[Value], str] | None, faults: list[Fault]
) -> list[Value | None]:
    """Each cell understood, or None with a fault; one spelled otherwise than ``official`` does is understood, with a fault. Labels may be
    empty."""
    if not table.has(column):
        return [None] * len(table.rows)
    index, values = table.columns.index(column), list[Value | None]()
    for row, line in zip(table.rows, table.lines, strict=True):
        cell = row[index]
        if column in FINDING_COLUMNS and not cell:
            values.append(None)
            continue
        try:
            value = parse(cell)
        except ValueError as error:
            faults.append(
                Fault("value_unreadable", f"{column} is {cell[:40]!a}; {error} is needed", table.path.name, line, _study_of(table, row))
            )
            values.append(None)
            continue
        if official is not None and cell != official(value):
            faults.append(Fault("spelling", f"{column} {cell[:40]!a} for {official(value)}", table.path.name, line, _study_of(table, row)))
        values.append(value)
    return values


def _study_of(table: Table, row: Sequence[str]) -> int | None:
    """The study that a row is about, where its cell says."""
    try:
        return identifier(row[table.columns.index("study_id")])
    except ValueError:
        return None


def _labels(table: Table, faults: list[Fault]) -> dict[int, dict[Finding, Severity | None]]:
    study_ids = _cells(table, "study_id", identifier, None, faults)
    columns = {
        finding: _cells(table, column, parse_severity, SEVERITY_TITLES.__getitem__, faults)
        for finding, column in zip(FINDINGS, FINDING_COLUMNS, strict=True)
    }
    found: dict[int, dict[Finding, Severity | None]] = {}
    for row, (study_id, line) in enumerate(zip(study_ids, table.lines, strict=True)):
        if study_id is None:
            continue
        if study_id in found:
            faults.append(Fault("study_repeated", "labelled before", table.path.name, line, study_id))
            continue
        found[study_id] = {finding: values[row] for finding, values in columns.items()}
    return found


def _roles(table: Table, faults: list[Fault]) -> dict[int, dict[int, SeriesRole | None]]:
    studies = _cells(table, "study_id", identifier, None, faults)
    series = _cells(table, "series_id", identifier, None, faults)
    roles = _cells(table, "series_description", parse_series_role, SERIES_DESCRIPTIONS.__getitem__, faults)
    found: dict[int, dict[int, SeriesRole | None]] = {}
    studies_of: dict[int, int] = {}
    for study_id, series_id, role, line in zip(studies, series, roles, table.lines, strict=True):
        if study_id is None or series_id is None:
            continue
        if series_id in studies_of:
            other = "before" if studies_of[series_id] == study_id else f"as one of study {studies_of[series_id]}"
            faults.append(Fault("series_repeated", f"listed {other}", table.path.name, line, study_id, series_id))
        studies_of[series_id] = study_id
        found.setdefault(study_id, {})[series_id] = role
    return found


def _coordinates(table: Table, faults: list[Fault]) -> list[MarkedRow]:
    studies, series, instances = (_cells(table, column, identifier, None, faults) for column in COORDINATE_COLUMNS[:3])
    sites = _cells(table, "condition", parse_site, _site_title, faults)
    levels = _cells(table, "level", parse_level, lambda level: level.value, faults)
    columns_px, rows_px = (_cells(table, column, finite_number, None, faults) for column in ("x", "y"))
    found = []
    seen: dict[LabelCoordinate, int] = {}
    marked: dict[tuple[int, Finding], int] = {}
    cells = zip(table.lines, studies, series, instances, sites, levels, columns_px, rows_px, strict=True)
    for line, study_id, series_id, number, site, level, column_px, row_px in cells:
        if study_id is None or series_id is None or number is None or site is None or level is None or column_px is None or row_px is None:
            continue
        condition, side = site
        finding = Finding(condition, side, level)
        coordinate = LabelCoordinate(study_id, series_id, number, finding, column_px, row_px)
        place = (table.path.name, line, study_id, series_id, number, finding)
        if coordinate in seen:
            faults.append(Fault("row_repeated", f"the same as line {seen[coordinate]}", *place))
            continue
        if (study_id, finding) in marked:
            faults.append(Fault("finding_marked_twice", f"marked in line {marked[study_id, finding]} too", *place))
        seen[coordinate] = marked[study_id, finding] = line
        found.append(MarkedRow(line, coordinate))
    return found


def _between(tables: Tables, data_set: DataSet) -> Iterator[Fault]:
    """What one table says and another does not."""
    labels, roles = tables.labels, tables.roles
    if labels is not None and roles is not None:
        label_table, series_table = data_set.labels_path.name, data_set.series_path(Split.TRAIN).name
        yield from (Fault("study_without_labels", "no row", label_table, None, each) for each in sorted(set(roles) - set(labels)))
        yield from (Fault("study_without_series", "no row", series_table, None, each) for each in sorted(set(labels) - set(roles)))
    for study_id, severities in (labels or {}).items():
        missing = sum(severity is None for severity in severities.values())
        if missing:
            code = "study_unlabelled" if missing == len(severities) else "labels_missing"
            yield Fault(code, f"{missing} of {len(severities)} labels missing", data_set.labels_path.name, None, study_id)
    if tables.coordinates is not None:
        yield from _between_coordinates(tables, tables.coordinates, data_set.coordinates_path.name)


def _between_coordinates(tables: Tables, rows: Sequence[MarkedRow], table: str) -> Iterator[Fault]:
    unknown: Counter[int] = Counter()
    marked: dict[int, set[Finding]] = defaultdict(set)
    for row in rows:
        mark = row.coordinate
        place = (table, row.line, mark.study_id, mark.series_id, mark.instance_number, mark.finding)
        if tables.labels is not None and mark.study_id not in tables.labels:
            unknown[mark.study_id] += 1
            continue
        marked[mark.study_id].add(mark.finding)
        if tables.roles is not None and mark.series_id not in tables.roles.get(mark.study_id, {}):
            yield Fault("coordinates_of_unknown_series", "the series is none of this study's", *place)
        if tables.labels is not None and tables.labels[mark.study_id].get(mark.finding) is None:
            yield Fault("coordinates_without_label", "no label", *place)
    yield from (Fault("coordinates_of_unknown_study", f"{count} rows", table, None, study) for study, count in sorted(unknown.items()))
    for study_id, severities in (tables.labels or {}).items():
        for finding, severity in severities.items():
            if severity is not None and finding not in marked[study_id]:
                yield Fault("label_without_coordinates", severity.label, table, None, study_id, finding=finding)


def _site_title(site: tuple[Condition, Laterality | None]) -> str:
    return next(condition_title(finding) for finding in FINDINGS if (finding.condition, finding.laterality) == site)
