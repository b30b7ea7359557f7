"""What the localiser's network takes and gives: names, order and scale of its input and output."""

from lumbargrade.terms import LEVELS

INPUT_NAME = "slices"
"""(n, 2, rows, columns) float32: ``prepare.network_inputs``."""
OUTPUT_NAME = "heat"
"""(n, 10, rows / 2, columns / 2) float32, 0 to 1."""
STRIDE = 2
"""Input pixels per heat pixel."""
CANAL_CHANNELS = slice(0, len(LEVELS))
"""The spinal canal at L1/L2 to L5/S1."""
FORAMEN_CHANNELS = slice(len(LEVELS), 2 * len(LEVELS))
"""The foramina of either side at L1/L2 to L5/S1: which side a slice shows is told by where it lies."""
CHANNELS = 2 * len(LEVELS)


def heat_to_input_px(position: float) -> float:
    """A heat-map position as a position of the input: a heat pixel lies at the centre of its 2 x 2 input pixels."""
    return position * STRIDE + (STRIDE - 1) / 2


def input_to_heat_px(position: float) -> float:
    """The way back from ``heat_to_input_px``."""
    return (position - (STRIDE - 1) / 2) / STRIDE
