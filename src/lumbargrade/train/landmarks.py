"""A data set's label coordinates as points in the patient: what both localiser and grader learn from."""

from dataclasses import dataclass

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.study import Instance
from lumbargrade.terms import Finding, Severity


@dataclass(frozen=True, slots=True, eq=False)
class Landmark:
    """One labelled site: where a reader looked, and the grade given (None where the label is missing).

    Attributes:
        point_lps_mm: (3,) the labelled pixel in the patient.
        instance: the slice it was marked on.
    """

    finding: Finding
    point_lps_mm: FloatArray
    instance: Instance
    severity: Severity | None


StudyLandmarks = dict[Finding, Landmark]
"""The labelled sites of one study; sites without coordinates are absent."""
