"""Mean positions of what is sought near, or cannot be seen, relative to the canal point of a level: a frame, and offsets in it."""

from dataclasses import dataclass

import numpy as np

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.terms import Laterality, Level


@dataclass(frozen=True, slots=True)
class Offset:
    """Millimetres from the canal point: away from the midline, to the front, and along the disc normal to the head."""

    lateral_mm: float
    anterior_mm: float
    cranial_mm: float


FORAMEN_OFFSETS = {
    Level.L1_L2: Offset(16.1, 4.8, 5.9),
    Level.L2_L3: Offset(16.4, 4.4, 5.8),
    Level.L3_L4: Offset(16.9, 4.4, 5.8),
    Level.L4_L5: Offset(17.8, 4.6, 5.7),
    Level.L5_S1: Offset(19.0, 4.9, 4.7),
}
"""The middle of the keyhole between the pedicles, above the disc plane."""
SUBARTICULAR_OFFSETS = {
    Level.L1_L2: Offset(8.8, 4.8, -0.1),
    Level.L2_L3: Offset(9.1, 4.5, -0.2),
    Level.L3_L4: Offset(9.4, 4.4, -0.2),
    Level.L4_L5: Offset(10.1, 4.6, -0.3),
    Level.L5_S1: Offset(11.0, 4.9, -1.3),
}
"""The anterolateral corner of the canal, where the next root leaves the sac."""
_LPS_LEFT = np.array([1.0, 0.0, 0.0])
DISC_BACK_MM, DISC_FRONT_MM = 7.6, 43.0
"""How far before the canal point the margins of a disc lie. These numbers are medians of 60 phantom patients
(``validation/level_offsets.py``)."""


@dataclass(frozen=True, slots=True, eq=False)
class LevelFrame:
    """The directions of one level: (3,) unit vectors, perpendicular to each other."""

    canal_lps_mm: FloatArray
    left: FloatArray
    anterior: FloatArray
    cranial: FloatArray

    @classmethod
    def at(cls, canal_lps_mm: FloatArray, disc_normal: FloatArray, left: FloatArray = _LPS_LEFT) -> "LevelFrame":
        """The frame of a disc plane, its left as near to the patient's (3,) ``left`` as the plane allows."""
        posterior = np.cross(disc_normal, left)
        posterior /= np.linalg.norm(posterior)
        return cls(canal_lps_mm, np.cross(posterior, disc_normal), -posterior, disc_normal)

    def place(self, offset: Offset, side: Laterality) -> FloatArray:
        """(3,) LPS of an offset on one side."""
        lateral = side.lps_sign * offset.lateral_mm * self.left
        return np.asarray(self.canal_lps_mm + lateral + offset.anterior_mm * self.anterior + offset.cranial_mm * self.cranial)


def canal_directions(canal_lps_mm: FloatArray, place: FloatArray) -> FloatArray:
    """(n, 3) unit vectors to the head along the canal through (n, 3) points of caudally growing places.

    The ends are extrapolated to second order: the sacral disc is steeper than the chord above it. A single point gets the patient's axis.
    """
    count = len(canal_lps_mm)
    if count == 1:
        return np.array([[0.0, 0.0, 1.0]])
    tangents = -np.gradient(canal_lps_mm, place, axis=0, edge_order=2 if count > 2 else 1)
    return np.asarray(tangents / np.linalg.norm(tangents, axis=1, keepdims=True))


def disc_normal(front_lps_mm: FloatArray, back_lps_mm: FloatArray, canal_direction: FloatArray, left: FloatArray) -> FloatArray:
    """(3,) unit normal to the head of a disc whose margins lie at two points, leaning to the patient's ``left`` as the canal does there."""
    sagittal = np.cross(left, back_lps_mm - front_lps_mm)
    sagittal *= np.sign(sagittal @ canal_direction) / np.linalg.norm(sagittal)
    sideways = float(canal_direction @ left)
    normal = sagittal + sideways / max(float(np.linalg.norm(canal_direction - sideways * left)), 1e-6) * left
    return np.asarray(normal / np.linalg.norm(normal))
