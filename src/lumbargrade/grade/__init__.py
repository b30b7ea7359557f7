"""Study + level locations -> crops in millimetres -> calibrated grades with their evidence.

``grade_study`` is the door. A finding that no slice shows is not graded and says why. Nothing here finds levels, trains, or knows the
competition's metric: the probabilities are those of the patient in hand, not tilted for a score.
"""

from lumbargrade.grade.calibration import USUAL, Calibration, Logits, Opinion
from lumbargrade.grade.doubts import badly_framed, off_site
from lumbargrade.grade.grading import grade_sites, grade_study
from lumbargrade.grade.reading import read_sites
from lumbargrade.grade.site import Site, sites_from_locations, sites_from_points
from lumbargrade.grade.site_crops import SiteCrops, crop_sites

__all__ = [
    "USUAL",
    "Calibration",
    "Logits",
    "Opinion",
    "Site",
    "SiteCrops",
    "badly_framed",
    "crop_sites",
    "grade_sites",
    "grade_study",
    "off_site",
    "read_sites",
    "sites_from_locations",
    "sites_from_points",
]
