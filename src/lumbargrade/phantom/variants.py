"""Spines that depart from the ordinary: transitional and fused vertebrae, ribs too many or too few, and what surgeons left behind.

Frequencies: transitional vertebrae in 11.6 % of 2,011 people, 82 % of them sacralised fifth lumbar vertebrae (PMC3955794); the rest is a
design, rare enough not to change any other figure.
"""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.phantom.numbering import LUMBAR_DISCS, N_DISCS, N_VERTEBRAE, S1, VERTEBRAE
from lumbargrade.phantom.person import AnatomyConfig

T12, L1, L5 = VERTEBRAE.index("T12"), VERTEBRAE.index("L1"), VERTEBRAE.index("L5")

_TRANSITIONAL, _SACRALISED_SHARE = 0.10, 0.82
_RIBS_DEPART, _FUSED, _SCREWS, _CAGE, _LAMINECTOMY = 0.04, 0.01, 0.008, 0.006, 0.015
_OPERATED_LEVELS = (0.02, 0.06, 0.16, 0.50, 0.26)
"""Where operations are done, L1/2 to L5/S1."""


class Lumbosacral(Enum):
    """How the last lumbar vertebra joins the sacrum. Vertebrae and discs keep the names that counting down from the skull gives them."""

    ORDINARY = "ordinary"
    SACRALISED_L5 = "sacralised L5"
    LUMBARISED_S1 = "lumbarised S1"


class Thoracolumbar(Enum):
    """Which vertebra bears the last ribs."""

    ORDINARY = "ordinary"
    T12_WITHOUT_RIBS = "T12 without ribs"
    L1_WITH_RIBS = "L1 with short ribs"


@dataclass(frozen=True, slots=True, eq=False)
class Surgery:
    """What was operated on.

    Attributes:
        screws, laminectomy: (14,) vertebrae with a pair of pedicle screws; without their spinous process and the middle of their laminae.
        cage: (13,) discs replaced by a cage.
    """

    screws: FloatArray
    laminectomy: FloatArray
    cage: FloatArray

    @classmethod
    def none(cls) -> "Surgery":
        """A spine never operated on."""
        return cls(np.zeros(N_VERTEBRAE), np.zeros(N_VERTEBRAE), np.zeros(N_DISCS))


@dataclass(frozen=True, slots=True, eq=False)
class Variants:
    """What departs from the ordinary in one patient.

    Attributes:
        process_share: (2,) right and left, how far a transitional vertebra's transverse processes reach towards the ala, 0 to 1.
        fused: (13,) discs whose vertebrae grew together before birth.
    """

    lumbosacral: Lumbosacral
    process_share: FloatArray
    thoracolumbar: Thoracolumbar
    fused: FloatArray
    surgery: Surgery

    @classmethod
    def none(cls) -> "Variants":
        """The ordinary spine."""
        return cls(Lumbosacral.ORDINARY, np.zeros(2), Thoracolumbar.ORDINARY, np.zeros(N_DISCS), Surgery.none())


def sample_variants(rng: np.random.Generator, config: AnatomyConfig) -> Variants:
    """Draw them: ``config.variants`` scales how often anatomy departs by itself, ``config.lesions`` fusions and operations."""
    lumbosacral = Lumbosacral.ORDINARY
    if rng.random() < _TRANSITIONAL * config.variants:
        lumbosacral = Lumbosacral.SACRALISED_L5 if rng.random() < _SACRALISED_SHARE else Lumbosacral.LUMBARISED_S1
    share = rng.uniform(0.55, 1.0, 2)
    if rng.random() < 0.4:  # one side only
        share[rng.integers(2)] = 0.0
    thoracolumbar = Thoracolumbar.ORDINARY
    if rng.random() < _RIBS_DEPART * config.variants:
        thoracolumbar = Thoracolumbar.T12_WITHOUT_RIBS if rng.random() < 0.5 else Thoracolumbar.L1_WITH_RIBS
    fused = np.zeros(N_DISCS)
    if rng.random() < _FUSED * config.lesions:
        fused[rng.integers(LUMBAR_DISCS[0], S1 - 1)] = 1.0
    return Variants(lumbosacral, share, thoracolumbar, fused, _sample_surgery(rng, config))


def _sample_surgery(rng: np.random.Generator, config: AnatomyConfig) -> Surgery:
    surgery = Surgery.none()
    disc = LUMBAR_DISCS[rng.choice(len(LUMBAR_DISCS), p=_OPERATED_LEVELS)]
    chances = rng.random(3) / config.lesions if config.lesions > 0 else np.ones(3)
    if chances[0] < _SCREWS:
        surgery.screws[disc : disc + 2] = 1.0
    if chances[1] < _CAGE:
        surgery.cage[disc] = 1.0
    if chances[2] < _LAMINECTOMY:
        surgery.laminectomy[disc - int(rng.random() < 0.4) : disc + 1] = 1.0
    return surgery
