"""What narrows a canal, a recess and a foramen is drawn for each of them, so that their grades have causes of their own.

A burden is the amount of narrowing change at a site: offset + spread x a standard normal latent. Latents share the patient's factor, the
disc's degeneration and, on one side, what recess and foramen have in common, the facet joint. The loadings are a design; they were set so
that readers' labels correlate as in the competition's (between sides, between canal and recess, between recess and foramen). Offsets and
spreads by level were found by ``validation/phantom_labels.py --calibrate``, so that label frequencies come out as readers'.
"""

from dataclasses import dataclass

import numpy as np

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.phantom.calibrated import BurdenTable, Levels
from lumbargrade.phantom.numbering import LUMBAR_DISCS, S1
from lumbargrade.phantom.pfirrmann import MOBILE_ROWS, DiscDegeneration

_ABOVE_LUMBAR = -0.4
"""Thoracic discs carry less than L1/2."""

_CANAL_PATIENT, _CANAL_OWN_PATIENT, _CANAL_DISC = 0.40, 0.35, 0.30
_RECESS_CANAL, _RECESS_LEVEL = 0.40, np.array((0.64, 0.44, 0.40, 0.40, 0.64))[MOBILE_ROWS]
_FORAMEN_DISC, _FORAMEN_CANAL = np.array((0.28, 0.28, 0.28, 0.24, -0.45))[MOBILE_ROWS], np.array((0.2, 0.2, 0.2, 0.2, 0.0))[MOBILE_ROWS]
_FORAMEN_RECESS_SIDE = 0.75
"""At L5/S1 a worn disc narrows both foramina by its lost height alone, so it takes from what else narrows them."""


@dataclass(frozen=True, slots=True, eq=False)
class Burdens:
    """Amounts over the nine discs above the sacrum, 0 or more; ``recess`` and ``foramen`` (2, 9): right, left."""

    canal: FloatArray
    recess: FloatArray
    foramen: FloatArray


def sample_burdens(rng: np.random.Generator, discs: DiscDegeneration, levels: BurdenTable) -> Burdens:
    """Draw the burdens. The draws do not depend on offsets and spreads, so a calibration sees the same patients again."""
    own = float(rng.normal())
    level, both_sides = rng.normal(size=S1), rng.normal(size=S1)
    side, foraminal = rng.normal(size=(2, S1)), rng.normal(size=(2, S1))
    canal = _filled_up(
        _CANAL_PATIENT * discs.patient + _CANAL_OWN_PATIENT * own + _CANAL_DISC * discs.latent, level, _canal_shared_variance()
    )
    recess = _filled_up(_RECESS_CANAL * canal + _RECESS_LEVEL * both_sides, side, _RECESS_CANAL**2 + _RECESS_LEVEL**2)
    shared = _FORAMEN_DISC * discs.latent + _FORAMEN_CANAL * canal + _FORAMEN_RECESS_SIDE * side
    foramen = _filled_up(shared, foraminal, _FORAMEN_DISC**2 + _FORAMEN_CANAL**2 + _FORAMEN_RECESS_SIDE**2 + 0.07)
    return Burdens(
        _amount(canal, levels.canal_offset, levels.canal_spread),
        _amount(recess, levels.recess_offset, levels.recess_spread),
        _amount(foramen, levels.foramen_offset, levels.foramen_spread),
    )


def _canal_shared_variance() -> float:
    """Of the patient's, their canal's and the disc's parts; the patient's factor and the disc correlate by about 0.8."""
    return _CANAL_PATIENT**2 + _CANAL_OWN_PATIENT**2 + _CANAL_DISC**2 + 2 * 0.8 * _CANAL_PATIENT * _CANAL_DISC


def _filled_up(shared: FloatArray, own: FloatArray, shared_variance: float | FloatArray) -> FloatArray:
    """The shared part and as much of the site's own as makes the variance one."""
    return np.asarray(shared + np.sqrt(1 - shared_variance) * own)


def _amount(latent: FloatArray, offset: Levels, spread: Levels) -> FloatArray:
    """softplus(offset + spread x latent): a little in open sites, growing linearly in narrow ones."""
    above = np.arange(S1) < LUMBAR_DISCS[0]
    return np.asarray(np.logaddexp(0.0, np.array(offset)[MOBILE_ROWS] + _ABOVE_LUMBAR * above + np.array(spread)[MOBILE_ROWS] * latent))
