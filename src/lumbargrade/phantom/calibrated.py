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


HEALTHY_SAC_SHARE: Levels = (0.738, 0.737, 0.738, 0.703, 0.73)
"""Share of the open sac that lies in the canal without any wear, L1/2 to L5/S1: medians over patients, at L5/S1, where readers call narrow
the fewest, what three in ten stay below."""

BURDENS = BurdenTable(
    canal_offset=(-0.721, 1.281, 1.888, 1.921, -12.8),
    canal_spread=(0.868, 0.617, 0.819, 1.406, 0.88),
    recess_offset=(-2.508, -1.679, -0.218, 1.155, 1.281),
    recess_spread=(2.056, 1.786, 1.056, 0.851, 0.728),
    foramen_offset=(-1.105, -0.221, 2.144, 4.545, 2.284),
    foramen_spread=(2.187, 1.538, 2.002, 2.07, 1.604),
)

SEVERITY_SCALE = {
    Condition.SPINAL_CANAL_STENOSIS: (0.2233, 0.1494),
    Condition.NEURAL_FORAMINAL_NARROWING: (0.2097, 0.1514),
    Condition.SUBARTICULAR_STENOSIS: (0.3577, 0.2239),
}
"""Mean and standard deviation of each condition's closure over sampled patients: severity is (closure - mean) / deviation."""

CUTS = {
    Condition.SPINAL_CANAL_STENOSIS: (1.188, 1.842),
    Condition.NEURAL_FORAMINAL_NARROWING: (0.793, 2.166),
    Condition.SUBARTICULAR_STENOSIS: (0.618, 1.705),
}
"""Severity from which a finding is moderate, and severe."""
