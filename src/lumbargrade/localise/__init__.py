"""Finds the five lumbar levels of a study in patient space, from its sagittal series: canal, foramina, subarticular zones, disc planes.

Each stack is put on a fixed grid in millimetres, a network draws heat-maps on every slice, the levels are named jointly along the spine,
and the stacks are fused. This room never opens a file, never grades, and never guesses a level that it does not see.
"""

from lumbargrade.localise.channels import LOCALISER
from lumbargrade.localise.junction import JUNCTION
from lumbargrade.localise.locate import Localisation, locate_levels

__all__ = ["JUNCTION", "LOCALISER", "Localisation", "locate_levels"]
