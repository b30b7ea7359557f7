"""What about a study's grades should make a reader look twice."""

from collections.abc import Iterable

from lumbargrade.study import Grade, Problem
from lumbargrade.terms import Severity

FRAMED_WITHIN_MM = 7.0
"""A site that the network sees farther from the middle of its picture; still farther, and there is no grade (``reading.FARTHEST_MM``)."""
SITE_RADIUS_MM, LEAST_SHARE_AT_SITE = 15.0, 0.5
"""A grade whose saliency lies within this of its site for less than this share rests on something else."""


def badly_framed(grades: Iterable[Grade]) -> tuple[Problem, ...]:
    """The graded findings whose site lies far from the middle of the picture that they were graded from."""
    doubtful = [str(grade.finding) for grade in grades if grade.offset_mm is not None and grade.offset_mm > FRAMED_WITHIN_MM]
    if not doubtful:
        return ()
    message = f"The site seems to lie more than {FRAMED_WITHIN_MM:g} mm from where it was located, so look twice: {', '.join(doubtful)}."
    return (Problem("badly_framed", message),)


def off_site(grades: Iterable[Grade]) -> tuple[Problem, ...]:
    """Of the findings that are graded moderate or severe, those whose grade comes from elsewhere in the picture."""
    doubtful = [
        str(grade.finding)
        for grade in grades
        if grade.saliency and grade.evidence and grade.probabilities and grade.probabilities.severity is not Severity.NORMAL_MILD
        if grade.saliency.share_within(grade.evidence.point_lps_mm, SITE_RADIUS_MM) < LEAST_SHARE_AT_SITE
    ]
    if not doubtful:
        return ()
    message = f"Graded from places more than {SITE_RADIUS_MM:g} mm from the site, so look twice: {', '.join(doubtful)}."
    return (Problem("evidence_off_site", message),)
