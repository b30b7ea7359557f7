"""How brightly each tissue shines in each picture, and how tissues that lie over each other at a point add up.

A point's ``out`` holds, for every contrast, water, then fat, then the share of the water that pulsates (CSF and blood, the source of flow
ghosts). ``colours`` (N_TISSUES, the same columns) is each pure tissue's signal. ``layers`` (MOST_LAYERS, 4) are the tissues that were laid
over the point, the lowest first, each with its opacity and the gains of its water and its fat; row 0 holds how many there are.
"""

import numpy as np

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.phantom.compiled import part_of_compiled
from lumbargrade.phantom.tissue import Signals, Tissue

MOST_LAYERS = 96
_TISSUE, _OPACITY, _WATER, _FAT = range(4)
_INVISIBLE = 0.002
_PULSATING = [Tissue.CSF, Tissue.VESSEL]


def colour_table(signals: Signals, marrow_fat: float) -> FloatArray:
    """(N_TISSUES, 3 contrasts): water, fat and pulsating water of every pure tissue; marrow is mixed by its fat fraction."""
    water, fat = signals.water.T.copy(), signals.fat.T.copy()
    water[Tissue.MARROW] *= 1 - marrow_fat
    fat[Tissue.MARROW] *= marrow_fat
    pulsating = np.zeros_like(water)
    pulsating[_PULSATING] = water[_PULSATING]
    return np.ascontiguousarray(np.concatenate([water, fat, pulsating], 1), np.float64)


@part_of_compiled
def lay_mixture(layers, opacity, tissue, water_gain, fat_gain):  # type: ignore[no-untyped-def]
    """Lay a tissue over what is there, its water and its fat each times a gain."""
    count = int(layers[0, 0]) + 1
    if opacity > 0 and count < MOST_LAYERS:
        layers[count, _TISSUE], layers[count, _OPACITY] = tissue, opacity
        layers[count, _WATER], layers[count, _FAT] = water_gain, fat_gain
        layers[0, 0] = count


@part_of_compiled
def lay(layers, opacity, tissue, gain):  # type: ignore[no-untyped-def]
    """Lay a tissue over what is there, its signal times ``gain``."""
    lay_mixture(layers, opacity, tissue, gain, gain)


@part_of_compiled
def add_layers(layers, colours, out):  # type: ignore[no-untyped-def]
    """Add what is seen of the layers, the uppermost first, to ``out``; returns how much of what lies below them is seen."""
    contrasts = out.shape[0] // 3
    seen = 1.0
    for n in range(int(layers[0, 0]), 0, -1):
        tissue, opacity = int(layers[n, _TISSUE]), layers[n, _OPACITY]
        water, fat = seen * opacity * layers[n, _WATER], seen * opacity * layers[n, _FAT]
        for c in range(contrasts):
            out[c] += water * colours[tissue, c]
            out[contrasts + c] += fat * colours[tissue, contrasts + c]
            out[2 * contrasts + c] += water * colours[tissue, 2 * contrasts + c]
        seen *= 1 - opacity
        if seen < _INVISIBLE:
            return 0.0
    return seen
