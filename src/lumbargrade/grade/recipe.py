"""What each condition is read from: series role, crop size in millimetres, and how far a slice may lie from its site."""

from dataclasses import dataclass

import numpy as np

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.terms import Condition, Laterality, SeriesRole

SAGITTAL_REACH_MM = 5.0
"""Sagittal slices lie 4 to 5.5 mm apart, so a covered site is at most 2.8 mm from one; 5 allows for localiser error and one lost slice."""
AXIAL_REACH_MM = 6.0
"""Axial slices lie 4 to 5 mm apart; 6 mm from mid-disc is still disc, facet and recess, beyond is the pedicle (9th place rejects at 5)."""
AXIAL_TILT_DEG = 45.0
"""An unangled stack meets the L5/S1 disc at 15 to 40 degrees, the slope of the sacrum, and is still read; steeper slices are coronal."""
AXIAL_TILT_UNKNOWN_DISC_DEG = 60.0
"""From the horizontal, where only a point is known: the steepest L5/S1 block, so that only mislabelled series are left out."""
SAGITTAL_TILT_DEG = 45.0
"""From the patient's left-right axis: scoliosis tilts to 30; beyond 45 a slice is nearer to another anatomical plane."""
MM_PER_DEGREE = 0.1
"""What a degree of tilt against the disc costs in the choice of an axial slice: 20 degrees weigh like half a slice distance."""


@dataclass(frozen=True, slots=True)
class CropRecipe:
    """One input picture of a network.

    Attributes:
        input_name: the network's input.
        size_px: side of the square that the network sees.
        wide_px: side of the square cut around it, which leaves room for moving the crop in training; same parity as ``size_px``.
    """

    input_name: str
    role: SeriesRole
    size_px: int
    wide_px: int
    spacing_mm: float

    def __post_init__(self) -> None:
        if self.wide_px < self.size_px or (self.wide_px - self.size_px) % 2:
            raise ValueError(f"a crop of {self.size_px} pixels cannot lie in the middle of {self.wide_px}")

    @property
    def reach_mm(self) -> float:
        """The largest distance of a site from the plane of the slice it is read on."""
        return SAGITTAL_REACH_MM if self.role.is_sagittal else AXIAL_REACH_MM

    def picture_axes(self, laterality: Laterality | None) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Where growing columns, growing rows and following slices should point, (3,) LPS each.

        Axial: the patient's left, posterior, feet. Sagittal: posterior, feet, the patient's left. A right-sided site has left and right
        exchanged, so that its crop looks like a left one and slices run from medial to lateral on both sides.
        """
        outwards = np.array([laterality.lps_sign if laterality else 1.0, 0.0, 0.0])
        posterior, feet = np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, -1.0])
        return (posterior, feet, outwards) if self.role.is_sagittal else (outwards, posterior, feet)


CANAL_SAGITTAL = CropRecipe("sagittal", SeriesRole.SAGITTAL_T2, 64, 90, 0.8)
CANAL_AXIAL = CropRecipe("axial", SeriesRole.AXIAL_T2, 80, 112, 0.6)
FORAMEN_SAGITTAL = CropRecipe("sagittal", SeriesRole.SAGITTAL_T1, 64, 90, 0.7)
SUBARTICULAR_AXIAL = CropRecipe("axial", SeriesRole.AXIAL_T2, 72, 100, 0.55)

RECIPES: dict[Condition, tuple[CropRecipe, ...]] = {
    Condition.SPINAL_CANAL_STENOSIS: (CANAL_SAGITTAL, CANAL_AXIAL),
    Condition.NEURAL_FORAMINAL_NARROWING: (FORAMEN_SAGITTAL,),
    Condition.SUBARTICULAR_STENOSIS: (SUBARTICULAR_AXIAL,),
}
"""The inputs of each condition, in order of preference as evidence. A condition with several is graded from those that there are."""

NETWORK_NAMES: dict[Condition, str] = {
    Condition.SPINAL_CANAL_STENOSIS: "canal",
    Condition.NEURAL_FORAMINAL_NARROWING: "foramen",
    Condition.SUBARTICULAR_STENOSIS: "subarticular",
}
"""What the networks are called in a model's manifest."""

MEASURES: dict[Condition, tuple[str, ...]] = {
    Condition.SPINAL_CANAL_STENOSIS: ("sac_area_mm2", "relative_sac_area", "csf_fraction"),
    Condition.NEURAL_FORAMINAL_NARROWING: ("foramen_area_mm2", "root_surroundings_free"),
    Condition.SUBARTICULAR_STENOSIS: ("recess_gap_mm", "recess_area_mm2"),
}
"""What a condition's network estimates beside the grade, by the names that the phantom measures them under: the cross-section of the dural
sac, its share of the patient's own open one, and of it the share of fluid; the foramen's area, and the share of the root's surroundings
that are free; the gap between facet and disc in the recess, and its area."""

PRESENT_INPUT = "present"
"""Input of a network with several pictures: (n, pictures), 1 where the picture is there and 0 where it is blank."""
LOGITS_OUTPUT = "logits"
OFFSET_OUTPUT = "offset_mm"
"""(n, pictures, 2) estimates of where the site lies from the middle of each picture, along its columns and along its rows."""
MEASURES_OUTPUT, SPREAD_OUTPUT = "measures", "spread"
"""(n, measures) estimates in their units, and their standard deviations; of networks that were taught them."""
