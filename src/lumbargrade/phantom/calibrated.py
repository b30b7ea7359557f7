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


HEALTHY_SAC_SHARE: Levels = (0.748, 0.739, 0.748, 0.705, 0.71)
"""Share of the open sac that lies in the canal without any wear, L1/2 to L5/S1: medians over patients, at L5/S1, where readers call narrow
the fewest, what three in ten stay below."""

BURDENS = BurdenTable(
    canal_offset=(-0.557, 1.486, 1.92, 1.861, -13.647),
    canal_spread=(0.885, 0.597, 0.827, 1.415, 0.879),
    recess_offset=(-2.522, -1.538, -0.081, 1.114, 1.21),
    recess_spread=(2.131, 1.79, 1.094, 0.833, 0.727),
    foramen_offset=(-0.901, 0.365, 2.254, 4.781, 1.932),
    foramen_spread=(2.383, 1.433, 2.031, 2.207, 1.571),
)

SEVERITY_SCALE = {
    Condition.SPINAL_CANAL_STENOSIS: (0.2148, 0.1415),
    Condition.NEURAL_FORAMINAL_NARROWING: (0.2162, 0.1561),
    Condition.SUBARTICULAR_STENOSIS: (0.3525, 0.2152),
}
"""Mean and standard deviation of each condition's closure over sampled patients: severity is (closure - mean) / deviation."""

CUTS = {
    Condition.SPINAL_CANAL_STENOSIS: (1.216, 1.839),
    Condition.NEURAL_FORAMINAL_NARROWING: (0.781, 2.133),
    Condition.SUBARTICULAR_STENOSIS: (0.615, 1.689),
}
"""Severity from which a finding is moderate, and severe."""
