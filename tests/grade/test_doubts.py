"""Grades that a reader should look at twice are named, and only those."""

import numpy as np
import pytest

from lumbargrade.geometry.affine import SliceAffine
from lumbargrade.grade import badly_framed, off_site
from lumbargrade.study import Evidence, Grade, Probabilities, Saliency
from lumbargrade.terms import Condition, Finding, Laterality, Level

LEFT = Finding(Condition.SUBARTICULAR_STENOSIS, Laterality.LEFT, Level.L4_L5)
SITE = np.array([10.0, -20.0, 3.0])
SEVERE, NORMAL = Probabilities(0.1, 0.2, 0.7), Probabilities(0.7, 0.2, 0.1)


def saliency(center_mm: float) -> Saliency:
    """All of it in one place, so far from the site along the columns."""
    values = np.zeros((9, 9), np.float32)
    values[4, 4] = 1
    corner = SITE + np.array([center_mm - 16, -16, 0])
    return Saliency(values, SliceAffine(corner, np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), 4.0, 4.0))


def grade(finding: Finding, probabilities: Probabilities, offset_mm: float = 0.0, salient_mm: float | None = None) -> Grade:
    evidence = Evidence("1.2", "1.2.3", 4, 10.0, 20.0, SITE)
    shown = None if salient_mm is None else saliency(salient_mm)
    return Grade(finding, probabilities, evidence, offset_mm=offset_mm, saliency=shown)


@pytest.mark.parametrize(("offset_mm", "is_named"), [(0.0, False), (6.9, False), (7.1, True)])
def test_a_site_that_seems_to_lie_elsewhere_is_named(offset_mm: float, is_named: bool) -> None:
    problems = badly_framed([grade(LEFT, NORMAL, offset_mm), grade(LEFT.mirrored, SEVERE, 1.0)])
    assert [problem.code for problem in problems] == ["badly_framed"] * is_named
    assert all(str(LEFT) in problem.message and str(LEFT.mirrored) not in problem.message for problem in problems)


@pytest.mark.parametrize(
    ("probabilities", "salient_mm", "is_named"), [(SEVERE, 3.0, False), (SEVERE, 18.0, True), (NORMAL, 18.0, False), (SEVERE, None, False)]
)
def test_a_narrowing_that_is_seen_far_from_its_site_is_named(
    probabilities: Probabilities, salient_mm: float | None, is_named: bool
) -> None:
    problems = off_site([grade(LEFT, probabilities, salient_mm=salient_mm)])
    assert [problem.code for problem in problems] == ["evidence_off_site"] * is_named


def test_a_finding_that_is_not_graded_raises_no_doubt() -> None:
    absent = Grade(LEFT, None, None, "no axial T2 series")
    assert badly_framed([absent]) == off_site([absent]) == ()
