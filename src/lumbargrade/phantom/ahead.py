"""Compiling two halves of the phantom at a time, so that a first run does not wait for one after the other.

What is compiled is kept where numba keeps it; the process that asked, and later runs, find it there.
"""

import numpy as np

from lumbargrade.phantom import render, sdf
from lumbargrade.phantom.anatomy import sample_anatomy
from lumbargrade.phantom.colours import colour_table
from lumbargrade.phantom.compiled import is_kept
from lumbargrade.phantom.person import AnatomyConfig
from lumbargrade.phantom.scene import furnish
from lumbargrade.phantom.skeleton import stand_up
from lumbargrade.phantom.tissue import N_TISSUES, Signals
from lumbargrade.side_by_side import run_side_by_side


def compile_ahead() -> None:
    """Compile what no earlier run has kept, in two processes; returns at once where all of it is there or none can be kept."""
    if not all(is_kept(entry) for entry in (*sdf.ENTRIES, *render.ENTRIES)):
        for _ in run_side_by_side(_compile_half, ("distances", "painting"), 2):
            pass


def _compile_half(half: str) -> None:
    """Call what is to be compiled, with as little as it can be called with."""
    rng = np.random.default_rng(0)
    skeleton = stand_up(sample_anatomy(rng, AnatomyConfig()))
    geometry = sdf.Geometry.of(skeleton)
    if half == "distances":
        sdf.distances(geometry, np.zeros((1, 3)))
        return
    signals = Signals(*np.ones((2, 1, N_TISSUES), np.float32))
    render.paint_nothing(geometry, furnish(skeleton, rng), colour_table(signals, 0.5))
