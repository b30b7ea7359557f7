"""Locating levels, measured: every patient of a data set through the localiser, beside the truth, summed up in tables.

It reads data sets in the competition's layout and the SPIDER folder, and never trains, grades or prints.
"""

from lumbargrade.level_evaluation.cases import Case, find_cases
from lumbargrade.level_evaluation.measured import MeasuredPatient, Measurement
from lumbargrade.level_evaluation.summary import LevelSummary, summarise
from lumbargrade.level_evaluation.tables import as_json, as_text

__all__ = ["Case", "LevelSummary", "MeasuredPatient", "Measurement", "as_json", "as_text", "find_cases", "summarise"]
