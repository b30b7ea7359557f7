"""Everything that contradicts itself in a data set of the competition's layout, found by rule and never by a list of known cases.

Reads the tables leniently, so that one bad cell does not hide the next, looks at every file, and holds what readers marked against where
the pictures lie in the patient. It only reads; what it can decide it corrects in a copy.
"""

from lumbargrade.check.coordinates_fix import corrected_coordinates
from lumbargrade.check.data_set import CheckOptions, CheckReport, check_data_set
from lumbargrade.check.faults import KINDS, Fault, Kind, Weight
from lumbargrade.check.images import SeriesFacts
from lumbargrade.check.tables import MarkedRow, Tables

__all__ = [
    "KINDS",
    "CheckOptions",
    "CheckReport",
    "Fault",
    "Kind",
    "MarkedRow",
    "SeriesFacts",
    "Tables",
    "Weight",
    "check_data_set",
    "corrected_coordinates",
]
