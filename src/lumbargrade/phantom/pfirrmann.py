"""How far each disc has degenerated: a continuous latent per disc, and its Pfirrmann grade.

A Gaussian copula: one factor of the patient (in part their age) and one of each disc make a standard normal latent, which is cut at the
frequencies that readers found at each level. Frequencies and rank correlations between levels: 218 patients of SPIDER (CC BY 4.0, Zenodo
10159290). The one factor reproduces the five published correlations (0.75, 0.70, 0.56, 0.44 between neighbours, 0.42 from L1/2 to L5/S1).
"""

from dataclasses import dataclass
from math import erf, sqrt

import numpy as np
from numpy.typing import NDArray

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.phantom.numbering import LUMBAR_DISCS, S1
from lumbargrade.phantom.person import Person

PFIRRMANN_SHARES = (
    (0.22, 0.29, 0.23, 0.17, 0.09),
    (0.18, 0.23, 0.32, 0.16, 0.11),
    (0.14, 0.20, 0.33, 0.22, 0.11),
    (0.10, 0.12, 0.33, 0.26, 0.19),
    (0.11, 0.13, 0.27, 0.23, 0.26),
)
"""Share of grades I to V at L1/2 to L5/S1; the published percentages, rounded, made to sum to one."""

_FACTOR_LOADING = (0.83, 0.96, 0.79, 0.81, 0.58)
_AGE_LOADING = 0.55
_MEAN_AGE, _SD_AGE = 57.0, 15.0
MOBILE_ROWS = np.maximum(np.arange(S1) - LUMBAR_DISCS[0], 0)
"""(9,) row of a lumbar table for each disc above the sacrum: those above L1/2 follow L1/2."""


@dataclass(frozen=True, slots=True, eq=False)
class DiscDegeneration:
    """Arrays over the nine discs above the sacrum, T9/10 to L5/S1.

    Attributes:
        patient: standard normal factor of the whole spine.
        latent: standard normal, higher is worse.
        grade: 1 to 5.
        continuous: grade with its fraction, 1 (young) to 6 (collapsed): 3.5 is in the middle of grade III.
    """

    patient: float
    latent: FloatArray
    grade: NDArray[np.int64]
    continuous: FloatArray


def sample_disc_degeneration(rng: np.random.Generator, person: Person) -> DiscDegeneration:
    """Draw the degeneration of the discs above the sacrum, older patients' further on."""
    age = (person.age_years - _MEAN_AGE) / _SD_AGE
    patient = _AGE_LOADING * age + sqrt(1 - _AGE_LOADING**2) * float(rng.normal())
    loading = np.array(_FACTOR_LOADING)[MOBILE_ROWS]
    latent = loading * patient + np.sqrt(1 - loading**2) * rng.normal(size=S1)
    rank = np.array([0.5 * (1 + erf(value / sqrt(2))) for value in latent])
    edges = np.concatenate([np.zeros((5, 1)), np.cumsum(PFIRRMANN_SHARES, 1)], 1)
    continuous = np.array([np.interp(rank[disc], edges[row], np.arange(1.0, 7.0)) for disc, row in enumerate(MOBILE_ROWS)])
    return DiscDegeneration(patient, latent, np.minimum(continuous.astype(np.int64), 5), continuous)
