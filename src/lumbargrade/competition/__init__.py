"""The competition's data set: its folders, its tables, its row ids, its submission.

The only room that knows the names and spellings of the RSNA 2024 lumbar spine competition's files. It turns every table into frozen values
in the words of ``terms`` and back, strict when writing and tolerant of the known spellings when reading; what cannot be read is one
``TableError`` that names file, line and column. It never opens an image and never judges a prediction.
"""

from lumbargrade.competition.coordinates import LabelCoordinate, MarkedPoint, marked_points, read_coordinates, write_coordinates
from lumbargrade.competition.labels import CONDITION_COLUMNS, SEVERITY_WEIGHTS, SeverityArray, StudyLabels, read_labels, write_labels
from lumbargrade.competition.layout import DataSet, Split, held_out_phantom, open_data_set
from lumbargrade.competition.prior import COLUMN_PRIOR
from lumbargrade.competition.series import read_series_roles, write_series_roles
from lumbargrade.competition.solution import Coverage, ScoredStudies, Solution, match_submission, read_solution
from lumbargrade.competition.splits import hold_out_sets
from lumbargrade.competition.submission import (
    MaskedFloats,
    SubmissionRows,
    SubmissionScores,
    read_folds,
    read_submission,
    read_submission_rows,
    tilt,
    untilt,
    write_out_of_fold,
    write_submission,
)

__all__ = [
    "COLUMN_PRIOR",
    "CONDITION_COLUMNS",
    "SEVERITY_WEIGHTS",
    "Coverage",
    "DataSet",
    "LabelCoordinate",
    "MarkedPoint",
    "MaskedFloats",
    "ScoredStudies",
    "SeverityArray",
    "Solution",
    "Split",
    "StudyLabels",
    "SubmissionRows",
    "SubmissionScores",
    "held_out_phantom",
    "hold_out_sets",
    "marked_points",
    "match_submission",
    "open_data_set",
    "read_coordinates",
    "read_folds",
    "read_labels",
    "read_series_roles",
    "read_solution",
    "read_submission",
    "read_submission_rows",
    "tilt",
    "untilt",
    "write_coordinates",
    "write_labels",
    "write_out_of_fold",
    "write_series_roles",
    "write_submission",
]
