"""Relaxation times and proton density of what a patient is made of.

Times at 1.5 T follow synthetic MRI (Hagiwara et al. 2020, PMC7410772), Stanisz et al. 2005, de Bazelaire et al. 2004 and, for discs by
Pfirrmann grade, T2 mapping series; fat has the longer apparent T2 that it has in turbo spin echo (PMC2849643).
"""

from dataclasses import dataclass

import numpy as np

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.phantom.anatomy import Anatomy
from lumbargrade.phantom.tissue import N_TISSUES, Tissue

# T1 and T2 in milliseconds and proton density of the water in each tissue, at 1.5 T
_WATER: dict[Tissue, tuple[float, float, float]] = {
    Tissue.FAT: (900, 45, 0.08),
    Tissue.MUSCLE: (950, 38, 0.80),
    Tissue.MARROW: (900, 60, 0.85),
    Tissue.CORTEX: (500, 1, 0.05),
    Tissue.ANNULUS: (640, 32, 0.58),
    Tissue.CSF: (4270, 1600, 1.0),
    Tissue.ROOT: (800, 62, 0.77),
    Tissue.CORD: (745, 72, 0.75),
    Tissue.LIGAMENT: (600, 24, 0.45),
    Tissue.VESSEL: (1400, 40, 0.06),
    Tissue.EPIDURAL_FAT: (900, 45, 0.08),
    Tissue.FLUID: (2200, 300, 0.85),
    Tissue.BOWEL: (1000, 70, 0.75),
    Tissue.ORGAN: (900, 65, 0.78),
    Tissue.VEIN: (1440, 200, 0.60),
}
_FAT_T1_MS, _FAT_T2_MS, FAT_DENSITY = 270.0, 140.0, 0.92
FAT_TISSUES = (Tissue.FAT, Tissue.EPIDURAL_FAT)

# Nucleus by Pfirrmann grade I to V: water (``Wear.hydration``), T1, T2, density. T2 mapping found 210, 129, 84 and 51 ms in grades I to
# IV, synthetic MRI 102 to 56 ms in whole discs. T2 here is shorter, fitted so that whole discs are as dark against CSF as SPIDER's: what
# is drawn as nucleus holds the inner annulus too.
_NUCLEUS_HYDRATION = (1.02, 0.79, 0.50, 0.23, 0.07)
_NUCLEUS_T1_MS = (1150, 1050, 820, 640, 520)
_NUCLEUS_T2_MS = (140, 78, 47, 35, 30)
_NUCLEUS_DENSITY = (0.82, 0.75, 0.64, 0.55, 0.47)
_ANNULUS_T2_MS = (36, 34, 31, 29, 26)
"""Between the lamellae's 62 to 37 ms and the 15 to 25 ms of the fibres that hold them to the rim."""


_FREE_WATER = [Tissue.CSF, Tissue.FLUID]
_WATER_GROWTH_EXPONENT, _FAT_GROWTH_EXPONENT = 0.275, 0.46
"""T1 grows as a power of the field: by 1.21 in tissue and 1.37 in fat from 1.5 T to 3 T (de Bazelaire 2004); free water's hardly does."""


@dataclass(frozen=True, slots=True, eq=False)
class Relaxation:
    """(N_TISSUES,) T1 and T2 in milliseconds and proton density of each tissue's water."""

    t1_ms: FloatArray
    t2_ms: FloatArray
    density: FloatArray


def water_relaxation(anatomy: Anatomy, field_tesla: float) -> Relaxation:
    """What the tissues of a patient are at a field strength; each nucleus by its water."""
    t1, t2, density = np.ones(N_TISSUES), np.ones(N_TISSUES), np.zeros(N_TISSUES)
    for tissue, (tissue_t1, tissue_t2, tissue_density) in _WATER.items():
        t1[tissue], t2[tissue], density[tissue] = tissue_t1, tissue_t2, tissue_density
    hydration = anatomy.wear.hydration
    t1[Tissue.NUCLEUS :] = _by_hydration(hydration, _NUCLEUS_T1_MS)
    t2[Tissue.NUCLEUS :] = _by_hydration(hydration, _NUCLEUS_T2_MS)
    density[Tissue.NUCLEUS :] = _by_hydration(hydration, _NUCLEUS_DENSITY)
    t2[Tissue.ANNULUS] = float(np.mean(_by_hydration(hydration, _ANNULUS_T2_MS)))
    growth = np.full(N_TISSUES, (field_tesla / 1.5) ** _WATER_GROWTH_EXPONENT)
    growth[_FREE_WATER] = 1.0
    return Relaxation(t1 * growth, t2, density)


def fat_relaxation_ms(field_tesla: float) -> tuple[float, float]:
    """T1 and apparent T2 of fat."""
    return _FAT_T1_MS * (field_tesla / 1.5) ** _FAT_GROWTH_EXPONENT, _FAT_T2_MS


def _by_hydration(hydration: FloatArray, of_grades: tuple[float, ...]) -> FloatArray:
    """Between the values of the grades, which fall with the water."""
    return np.asarray(np.interp(hydration, _NUCLEUS_HYDRATION[::-1], of_grades[::-1]))
