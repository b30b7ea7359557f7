"""``train_series_descriptions.csv`` and ``test_series_descriptions.csv``: what each series of a study is."""

from collections.abc import Mapping
from pathlib import Path

from lumbargrade.competition.names import SERIES_DESCRIPTIONS, parse_series_role
from lumbargrade.competition.table import identifier, read_table, write_table
from lumbargrade.terms import SeriesRole

COLUMNS = ("study_id", "series_id", "series_description")


def read_series_roles(path: Path) -> dict[int, dict[int, SeriesRole]]:
    """The roles by study and series, in the file's order. Plain T2 and STIR share a description and so a role.

    Raises:
        TableError: a column is missing, a cell cannot be read, or a series occurs twice in a study.
        OSError: the file cannot be opened.
    """
    table = read_table(path)
    table.require(*COLUMNS)
    studies = table.parsed("study_id", identifier)
    series = table.parsed("series_id", identifier)
    roles: dict[int, dict[int, SeriesRole]] = {}
    for row, role in enumerate(table.parsed("series_description", parse_series_role)):
        of_study = roles.setdefault(studies[row], {})
        if series[row] in of_study:
            raise table.error(row, "series_id", "each series of a study once is needed")
        of_study[series[row]] = role
    return roles


def write_series_roles(path: Path, roles: Mapping[int, Mapping[int, SeriesRole]]) -> None:
    """Write the roles in the competition's columns and spellings, in the given order."""
    rows = ((study, series, SERIES_DESCRIPTIONS[role]) for study, of_study in roles.items() for series, role in of_study.items())
    write_table(path, COLUMNS, rows)
