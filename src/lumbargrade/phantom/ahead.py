"""Compiling two halves of the phantom at a time, so that a first run does not wait for one after the other.

What is compiled is kept where numba keeps it; the process that asked, and later runs, find it there.
"""

import multiprocessing

import numpy as np

from lumbargrade.phantom import render, sdf
from lumbargrade.phantom.anatomy import sample_anatomy
from lumbargrade.phantom.colours import colour_table
from lumbargrade.phantom.compiled import is_kept
from lumbargrade.phantom.person import AnatomyConfig
from lumbargrade.phantom.scene import furnish
from lumbargrade.phantom.skeleton import stand_up
from lumbargrade.phantom.tissue import N_TISSUES, Signals


def compile_ahead() -> None:
    """Compile what no earlier run has kept, half of it in another process; returns at once where all of it is there or none can be kept.

    Should that process fail, what it was to compile is compiled when it is first called.
    """
    if not all(is_kept(entry) for entry in (*sdf.ENTRIES, *render.ENTRIES)):
        beside = multiprocessing.get_context("spawn").Process(target=compile_painting)
        beside.start()
        compile_distances()
        beside.join()


def compile_distances() -> None:
    """Ask for the distances of a single point."""
    sdf.distances(sdf.Geometry.of(stand_up(sample_anatomy(np.random.default_rng(0), AnatomyConfig()))), np.zeros((1, 3)))


def compile_painting() -> None:
    """Paint nothing; needs no distances."""
    rng = np.random.default_rng(0)
    skeleton = stand_up(sample_anatomy(rng, AnatomyConfig()))
    colours = colour_table(Signals(*np.ones((2, 1, N_TISSUES), np.float32)), 0.5)
    render.paint_nothing(sdf.Geometry.of(skeleton), furnish(skeleton, rng), colours)
