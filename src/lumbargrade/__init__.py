"""LumbarGrade: lumbar MR studies in, calibrated grades of degeneration with their evidence out. Research use only."""

__version__ = "0.2.0"
