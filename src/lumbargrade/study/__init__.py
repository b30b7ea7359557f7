"""What a lumbar MR study is, and what is said about one: frozen values without files.

``Study`` holds ``Series``, a series holds ``Stack``s of one direction, a stack holds ``Instance``s in order along its normal.
``LevelLocation`` and ``StudyGrades`` are the answers. Nothing here reads, computes images or knows a file format.
"""

from lumbargrade.study.acquisition import PhaseEncoding, ScannerSettings
from lumbargrade.study.grades import Evidence, Grade, LevelLocation, Measurement, Numbering, Probabilities, Saliency, StudyGrades
from lumbargrade.study.images import Identifiers, Instance, Problem, Series, SeriesTiming, Stack, Study

__all__ = [
    "Evidence",
    "Grade",
    "Identifiers",
    "Instance",
    "LevelLocation",
    "Measurement",
    "Numbering",
    "PhaseEncoding",
    "Probabilities",
    "Problem",
    "Saliency",
    "ScannerSettings",
    "Series",
    "SeriesTiming",
    "Stack",
    "Study",
    "StudyGrades",
]
