"""Where in the picture a grade comes from: what happens to it when one place after the other is hidden."""

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from lumbargrade.geometry.affine import FloatArray, SliceAffine
from lumbargrade.grade.crop import Crop
from lumbargrade.grade.recipe import LOGITS_OUTPUT, NETWORK_NAMES
from lumbargrade.grade.site_crops import SiteCrops, network_inputs, read_network
from lumbargrade.models import Member
from lumbargrade.study import Saliency
from lumbargrade.terms import Severity

HIDDEN_PX, STEP_PX = 12, 6
"""Side of the square that is hidden, 7 to 10 mm: about a facet or half a sac; and how far it moves each time."""


def find_saliency(crops: SiteCrops, members: Sequence[Member], severity: Severity) -> Saliency | None:
    """By how much hiding a square of the evidence lowers the log odds of a severity (Zeiler and Fergus, ECCV 2014), members averaged.

    The square is filled with the median of each slice; slices beside the chosen one are hidden alike. The log odds are those of the
    condition's own network, before the findings are heard together. None where there is no picture.
    """
    crop = crops.best
    if crop is None:
        return None
    condition, size = crops.site.finding.condition, crop.recipe.size_px
    starts = range((size - HIDDEN_PX) % STEP_PX // 2, size - HIDDEN_PX + 1, STEP_PX)
    places = list(product(starts, starts))
    inputs = network_inputs(condition, [crops] * (1 + len(places)))
    pictures = inputs[crop.recipe.input_name]
    fill = np.median(pictures[0], axis=(1, 2))[:, None, None]
    for picture, (row, column) in zip(pictures[1:], places, strict=True):
        picture[:, row : row + HIDDEN_PX, column : column + HIDDEN_PX] = fill
    name = NETWORK_NAMES[condition]
    outputs = [read_network(member.networks[name], condition, inputs)[LOGITS_OUTPUT] for member in members]
    odds = np.mean([_log_odds(logits, severity) for logits in outputs], axis=0)
    values = np.asarray((odds[0] - odds[1:]).reshape(len(starts), len(starts)), np.float32)
    return Saliency(values, _grid(crop, starts[0] + (HIDDEN_PX - 1) / 2))


def _log_odds(logits: NDArray[np.float32], severity: Severity) -> FloatArray:
    others = np.delete(logits.astype(np.float64), severity, axis=1)
    return np.asarray(logits[:, severity] - np.logaddexp(others[:, 0], others[:, 1]))


def _grid(crop: Crop, first_px: float) -> SliceAffine:
    """Where the middles of the hidden squares lie: the first is ``first_px`` from the first pixel that the network sees."""
    margin, affine = (crop.recipe.wide_px - crop.recipe.size_px) // 2, crop.affine
    origin = affine.to_lps(np.full((1, 2), margin + first_px))[0]
    step_mm = STEP_PX * crop.recipe.spacing_mm
    return SliceAffine(origin, affine.column_direction, affine.row_direction, step_mm, step_mm)
