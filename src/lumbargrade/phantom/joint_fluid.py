"""Fluid in facet joints and synovial cysts, by how far each joint and its level have worn.

Effusions go with facet arthrosis and slips; cysts are rare, and most lie at L4/5. Frequencies are a design, not a measurement.
"""

from dataclasses import replace

import numpy as np

from lumbargrade.phantom.degeneration import Wear
from lumbargrade.phantom.numbering import LUMBAR_DISCS, N_DISCS, S1
from lumbargrade.phantom.person import AnatomyConfig

_CYST, _CYST_LEVELS = 0.02, (0.02, 0.08, 0.20, 0.60, 0.10)
"""How many patients have one, and where: L1/2 to L5/S1."""

_MOST_EFFUSION_MM = 3.0


def with_joint_fluid(rng: np.random.Generator, config: AnatomyConfig, wear: Wear) -> Wear:
    """Draw the fluid of every joint."""
    effusion, cyst = np.zeros((2, N_DISCS)), np.zeros((2, N_DISCS))
    worn = 0.12 * wear.facet_hypertrophy[:, :S1] + 0.10 * np.minimum(wear.slip[:S1], 5.0)
    swollen = rng.random((2, S1)) < 0.04 + 0.5 * np.minimum(worn, 0.6)
    effusion[:, :S1] = np.minimum(np.where(swollen, rng.gamma(2.0, 0.6, (2, S1)), 0.25 * rng.random((2, S1))), _MOST_EFFUSION_MM)
    side, disc = int(rng.integers(2)), LUMBAR_DISCS[rng.choice(len(LUMBAR_DISCS), p=_CYST_LEVELS)]
    radius = float(rng.uniform(2.0, 5.0))
    if rng.random() < _CYST * config.lesions:
        cyst[side, disc] = radius
    return replace(wear, effusion=effusion, synovial_cyst=cyst)
