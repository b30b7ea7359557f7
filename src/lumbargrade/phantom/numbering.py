"""The vertebrae and discs that every phantom has, by index: T9 to S5, and the disc below each but the last."""

VERTEBRAE = ("T9", "T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1", "S2", "S3", "S4", "S5")
N_VERTEBRAE, N_DISCS = len(VERTEBRAE), len(VERTEBRAE) - 1
S1 = VERTEBRAE.index("S1")
LUMBAR_DISCS = range(VERTEBRAE.index("L1"), S1)
"""Disc k lies between vertebra k and k + 1: L1/L2 to L5/S1."""
