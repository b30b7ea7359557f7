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


HEALTHY_SAC_SHARE: Levels = (0.746, 0.738, 0.748, 0.708, 0.71)
"""Share of the open sac that lies in the canal without any wear, L1/2 to L5/S1: medians over patients, at L5/S1, where readers call narrow
the fewest, what three in ten stay below."""

BURDENS = BurdenTable(
    canal_offset=(-0.565, 1.51, 1.931, 1.891, -13.846),
    canal_spread=(0.882, 0.583, 0.829, 1.425, 0.866),
    recess_offset=(-2.599, -1.6, -0.064, 1.134, 1.206),
    recess_spread=(2.148, 1.778, 1.112, 0.825, 0.722),
    foramen_offset=(-1.142, 0.271, 2.186, 4.692, 2.048),
    foramen_spread=(2.388, 1.343, 1.993, 2.214, 1.579),
)

SEVERITY_SCALE = {
    Condition.SPINAL_CANAL_STENOSIS: (0.2148, 0.1417),
    Condition.NEURAL_FORAMINAL_NARROWING: (0.2127, 0.1494),
    Condition.SUBARTICULAR_STENOSIS: (0.3524, 0.2156),
}
"""Mean and standard deviation of each condition's closure over sampled patients: severity is (closure - mean) / deviation."""

CUTS = {
    Condition.SPINAL_CANAL_STENOSIS: (1.214, 1.833),
    Condition.NEURAL_FORAMINAL_NARROWING: (0.795, 2.107),
    Condition.SUBARTICULAR_STENOSIS: (0.614, 1.696),
}
"""Severity from which a finding is moderate, and severe."""
