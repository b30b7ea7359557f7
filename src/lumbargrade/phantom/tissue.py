"""What a phantom is made of, and how brightly each part shines in an image."""

from dataclasses import dataclass
from enum import IntEnum, auto

import numpy as np
from numpy.typing import NDArray

from lumbargrade.phantom.numbering import N_DISCS


class Tissue(IntEnum):
    """Column of a signal table. The nucleus of disc k has column ``NUCLEUS + k``: every disc has its own water."""

    AIR = 0
    FAT = auto()
    MUSCLE = auto()
    MARROW = auto()
    CORTEX = auto()
    ANNULUS = auto()
    CSF = auto()
    ROOT = auto()
    CORD = auto()
    LIGAMENT = auto()
    VESSEL = auto()
    EPIDURAL_FAT = auto()
    FLUID = auto()
    BOWEL = auto()
    ORGAN = auto()
    VEIN = auto()
    NUCLEUS = auto()


N_TISSUES = int(Tissue.NUCLEUS) + N_DISCS


@dataclass(frozen=True, slots=True, eq=False)
class Signals:
    """Signal per volume of pure tissue for several contrasts taken of one geometry, water and fat apart (they part at readout).

    Attributes:
        water, fat: (contrasts, N_TISSUES) float32, arbitrary units, at least 0. Marrow holds the signal of pure water and of pure fat;
            the renderer mixes them by the patient's marrow fat fraction.
    """

    water: NDArray[np.float32]
    fat: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.water.shape != self.fat.shape or self.water.shape[1:] != (N_TISSUES,):
            raise ValueError(f"signal tables must be (contrasts, {N_TISSUES}), not {self.water.shape} and {self.fat.shape}")
