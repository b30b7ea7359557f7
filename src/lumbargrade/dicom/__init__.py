"""The room that opens DICOM: finds studies in folders and archives, reads them into ``Study`` values, and writes series as files.

It believes what a file contains and not what it is called, bounds all it reads, and turns every damaged file into a problem that names no
patient. It never judges a picture, never joins series by frame of reference, and never changes a file that it has read.
"""

from lumbargrade.dicom.file_facts import FileFacts, file_facts
from lumbargrade.dicom.hospital_study import WrittenSeries, syntax_of, write_study
from lumbargrade.dicom.index import StudySource, find_studies, find_study, unique_names
from lumbargrade.dicom.profiles import HOSPITAL_PROFILES, HeaderProfile
from lumbargrade.dicom.read import read_study
from lumbargrade.dicom.roles import SeriesClues, assign_role
from lumbargrade.dicom.secondary_capture import write_secondary_capture
from lumbargrade.dicom.write import TransferSyntax, write_series

__all__ = [
    "HOSPITAL_PROFILES",
    "FileFacts",
    "HeaderProfile",
    "SeriesClues",
    "StudySource",
    "TransferSyntax",
    "WrittenSeries",
    "assign_role",
    "file_facts",
    "find_studies",
    "find_study",
    "read_study",
    "syntax_of",
    "unique_names",
    "write_secondary_capture",
    "write_series",
    "write_study",
]
