"""Numbers that ``validation/phantom_labels.py --calibrate`` found and wrote here: label frequencies come out as readers' with them.

The targets are the published severity counts of the RSNA 2024 training labels, per condition and level (``competition.prior``).
"""

from dataclasses import dataclass

from lumbargrade.terms import Condition

Levels = tuple[float, float, float, float, float]


@dataclass(frozen=True, slots=True)
class BurdenTable:
    """Offset and spread of what narrows each site, L1/2 to L5/S1; see ``burden``."""

    canal_offset: Levels
    canal_spread: Levels
    recess_offset: Levels
    recess_spread: Levels
    foramen_offset: Levels
    foramen_spread: Levels


@dataclass(frozen=True, slots=True)
class Healthy:
    """Medians over patients without any wear, L1/2 to L5/S1, which closure is measured against: a low L5/S1 foramen is normal there.

    Attributes:
        sac_share: of the open sac's ellipse that lies in the canal.
        clearance, fat_share, foramen_area_mm2: of the foramen; see ``measure``.
    """

    sac_share: Levels
    clearance: Levels
    fat_share: Levels
    foramen_area_mm2: Levels


HEALTHY = Healthy(
    sac_share=(0.766, 0.747, 0.766, 0.742, 0.714),
    clearance=(1.494, 1.656, 1.787, 1.858, 1.691),
    fat_share=(1.0, 1.0, 1.0, 0.999, 0.905),
    foramen_area_mm2=(180.183, 188.636, 199.681, 195.86, 131.623),
)

BURDENS = BurdenTable(
    canal_offset=(-0.882, 0.223, 1.147, 1.46, -6.492),
    canal_spread=(1.039, 0.805, 0.783, 1.316, 0.92),
    recess_offset=(-1.572, -1.357, 0.233, 0.859, 0.788),
    recess_spread=(1.459, 1.547, 0.976, 0.962, 0.824),
    foramen_offset=(-0.408, 0.505, 2.557, 4.922, -0.917),
    foramen_spread=(2.131, 1.972, 2.2, 2.038, 0.734),
)

SEVERITY_SCALE = {
    Condition.SPINAL_CANAL_STENOSIS: (0.2349, 0.173),
    Condition.NEURAL_FORAMINAL_NARROWING: (0.2202, 0.1845),
    Condition.SUBARTICULAR_STENOSIS: (0.3876, 0.2118),
}
"""Mean and standard deviation of each condition's closure over sampled patients: severity is (closure - mean) / deviation."""

CUTS = {
    Condition.SPINAL_CANAL_STENOSIS: (1.04, 1.741),
    Condition.NEURAL_FORAMINAL_NARROWING: (0.784, 2.178),
    Condition.SUBARTICULAR_STENOSIS: (0.608, 1.689),
}
"""Severity from which a finding is moderate, and severe."""
