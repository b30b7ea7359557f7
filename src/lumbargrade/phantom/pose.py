"""Turning things in space: how the patient lies in the scanner, and how far a slice is off the direction it was meant to have."""

from dataclasses import dataclass

import numpy as np

from lumbargrade.geometry.affine import FloatArray, SliceAffine


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """Where the patient lies: scanner LPS = ``turn`` @ body + ``shift_mm``.

    Attributes:
        turn: (3, 3) rotation.
        shift_mm: (3,) where the body frame's origin lies in the scanner.
    """

    turn: FloatArray
    shift_mm: FloatArray

    def to_scanner(self, points_mm: FloatArray) -> FloatArray:
        """(..., 3) points of the body frame, in the scanner's LPS millimetres."""
        return np.asarray(points_mm @ self.turn.T + self.shift_mm)

    def affine_to_scanner(self, affine: SliceAffine) -> SliceAffine:
        """A slice of the body frame, as a header gives it."""
        return SliceAffine(
            self.to_scanner(affine.origin_lps_mm),
            self.turn @ affine.column_direction,
            self.turn @ affine.row_direction,
            affine.column_spacing_mm,
            affine.row_spacing_mm,
        )

    def moved(self, by_mm: FloatArray) -> "Pose":
        """The same patient after moving by (3,) millimetres of the scanner."""
        return Pose(self.turn, self.shift_mm + by_mm)


def rotation(angles_deg: FloatArray) -> FloatArray:
    """(3, 3) rotation by (3,) angles about x, then y, then z."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(np.radians(angles_deg)), np.sin(np.radians(angles_deg))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x)
