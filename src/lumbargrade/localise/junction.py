"""The lumbosacral junction: how much it looks like that of a transitional vertebra, told from the heat and the picture around it.

Bodies and discs there differ by a millimetre or two between a sacralised L5, a lumbarised S1 and an ordinary spine: more than any single
place of the heat tells. So a second small network sees all of it, upright, at one scale.
"""

import math
from collections.abc import Sequence

import numpy as np

from lumbargrade.geometry.resample import grid_lps, sample_bilinear
from lumbargrade.localise.chain import LAST
from lumbargrade.localise.channels import CHANNELS, input_to_heat_px
from lumbargrade.localise.decode import Spine
from lumbargrade.localise.view import Heat, StackView
from lumbargrade.models import Network

JUNCTION = "junction"
"""The network's name in a model."""
INPUT_NAME = "junctions"
"""(n, 20, 60, 33) float32: ``junction_patches``."""
OUTPUT_NAME = "logits"
"""(n,) float32, of being transitional."""
PATCH_MM = 2.0
PATCH_SHAPE = (60, 33)
PATCH_CHANNELS = CHANNELS + 1
MIDDLE_MM = 7.0
"""Slices so near to the middle of the disc are averaged."""


def junction_patches(views: Sequence[StackView], spine: Spine) -> Heat:
    """(n views, 20, 60, 33) the network's input around the disc above the sacrum, head up and front right; n is 0 where it is not seen.

    The first channels are the localiser's heat, the last is the picture at mean 0 and deviation 1.
    """
    shows_junction = spine.knows_margins and spine.shows(LAST)
    return np.stack([_patch(view, spine) for view in views]) if shows_junction else np.zeros((0, PATCH_CHANNELS, *PATCH_SHAPE), np.float32)


def transitional_probability(patches: Heat, networks: Sequence[Network]) -> float | None:
    """0..1, from the mean logit of all pictures and networks; None without either."""
    if not len(patches) or not networks:
        return None
    logit = float(np.mean([network.run(**{INPUT_NAME: patches})[OUTPUT_NAME] for network in networks]))
    return 1 / (1 + math.exp(-logit))


def _patch(view: StackView, spine: Spine) -> Heat:
    front, back = (margin.point_lps_mm for margin in (spine.discs[LAST].front, spine.discs[LAST].back))
    middle, left = (front + back) / 2, view.stack.left
    forward = front - back - ((front - back) @ left) * left
    forward /= np.linalg.norm(forward)
    points_lps = grid_lps(middle, forward, np.cross(left, forward), PATCH_SHAPE, PATCH_MM)
    points_px = view.stack.affines[0].to_px(points_lps.reshape(-1, 3)).reshape(*PATCH_SHAPE, 2)
    slices = view.slices_near(middle, MIDDLE_MM)
    heat = [sample_bilinear(each, input_to_heat_px(points_px)) for each in view.heat[slices].mean(0)]
    picture = sample_bilinear(view.stack.pixels[slices].mean(0), points_px)
    return np.stack([*heat, (picture - picture.mean()) / (picture.std() + 1e-6)])
