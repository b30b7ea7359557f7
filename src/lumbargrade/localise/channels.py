"""What the localiser's network takes and gives: names, order and scale of its input and output."""

from typing import TypeVar

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.terms import LEVELS

Position = TypeVar("Position", float, FloatArray)

LOCALISER = "localiser"
"""The network's name in a model."""
INPUT_NAME = "slices"
"""(n, 2, rows, columns) float32: ``prepare.network_inputs``."""
OUTPUT_NAME = "heat"
"""(n, 19, rows / 2, columns / 2) float32, 0 to 1."""
STRIDE = 2
"""Input pixels per heat pixel."""

_N = len(LEVELS)
CANAL_CHANNELS = slice(0, _N)
"""The spinal canal at L1/L2 to L5/S1."""
FORAMEN_CHANNELS = slice(_N, 2 * _N)
"""The foramina of either side at L1/L2 to L5/S1: which side a slice shows is told by where it lies."""
CANAL_ABOVE, CANAL_BELOW = 2 * _N, 2 * _N + 1
"""The spinal canal at any disc above L1/L2, and at the remnant of a disc between S1 and S2."""
DISC_FRONT, DISC_BACK = 2 * _N + 2, 2 * _N + 3
"""The middle of the front and of the back margin of any disc above the sacrum."""
FIRST_SACRAL = 2 * _N + 4
"""The middle of the body of S1."""
TRANSITIONAL = 2 * _N + 5
"""The disc of a transitional vertebra: rudimentary under a sacralised L5, too well formed under a lumbarised S1."""
VERTEBRA, SACRUM, DISC = 2 * _N + 6, 2 * _N + 7, 2 * _N + 8
"""Areas, not places: bodies of the vertebrae above the sacrum, of the sacrum, and the discs between the former."""
CHANNELS = 2 * _N + 9


def heat_to_input_px(position: Position) -> Position:
    """A heat-map position as a position of the input: a heat pixel lies at the centre of its 2 x 2 input pixels."""
    return position * STRIDE + (STRIDE - 1) / 2


def input_to_heat_px(position: Position) -> Position:
    """The way back from ``heat_to_input_px``."""
    return (position - (STRIDE - 1) / 2) / STRIDE
