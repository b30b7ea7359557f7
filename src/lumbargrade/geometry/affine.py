"""The exact transform between the pixels of one slice and the patient."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class SliceAffine:
    """Where the pixels of one slice lie in the patient (DICOM PS3.3 C.7.6.2.1.1).

    Attributes:
        origin_lps_mm: (3,) centre of pixel (column 0, row 0): ImagePositionPatient.
        column_direction: (3,) unit vector in which the column index grows: the first triple of ImageOrientationPatient.
        row_direction: (3,) unit vector in which the row index grows: the second triple of ImageOrientationPatient.
        column_spacing_mm: distance between neighbouring columns: PixelSpacing[1].
        row_spacing_mm: distance between neighbouring rows: PixelSpacing[0].

    Raises:
        ValueError: directions that are not perpendicular unit vectors (to 1e-3 after normalising), or a spacing that is not positive.
    """

    origin_lps_mm: FloatArray
    column_direction: FloatArray
    row_direction: FloatArray
    column_spacing_mm: float
    row_spacing_mm: float

    def __post_init__(self) -> None:
        for name in ("origin_lps_mm", "column_direction", "row_direction"):
            vector = np.array(getattr(self, name), np.float64)
            if vector.shape != (3,) or not np.isfinite(vector).all():
                raise ValueError(f"{name} must be three finite numbers, not {vector.tolist()}")
            if name != "origin_lps_mm":
                length = float(np.linalg.norm(vector))
                if not 0.5 < length < 2.0:
                    raise ValueError(f"{name} must be a unit vector, its length is {length:.3g}")
                vector /= length
            vector.flags.writeable = False
            object.__setattr__(self, name, vector)
        if abs(float(self.column_direction @ self.row_direction)) > 1e-3:
            raise ValueError("column and row directions must be perpendicular")
        if not (0 < self.column_spacing_mm < 1e3 and 0 < self.row_spacing_mm < 1e3):
            raise ValueError(f"pixel spacing must be positive, not {self.row_spacing_mm} x {self.column_spacing_mm}")

    @property
    def normal(self) -> FloatArray:
        """(3,) unit normal, column direction x row direction."""
        normal = np.cross(self.column_direction, self.row_direction)
        return np.asarray(normal / np.linalg.norm(normal))

    @property
    def position_mm(self) -> float:
        """Signed distance of the slice plane from the patient origin along its normal; what slices are sorted by."""
        return float(self.normal @ self.origin_lps_mm)

    def to_lps(self, points_px: FloatArray) -> FloatArray:
        """(n, 2) pixel positions (column, row) to (n, 3) LPS millimetres."""
        points = np.asarray(points_px, np.float64).reshape(-1, 2)
        along_columns = points[:, :1] * self.column_spacing_mm * self.column_direction
        along_rows = points[:, 1:] * self.row_spacing_mm * self.row_direction
        return np.asarray(self.origin_lps_mm + along_columns + along_rows)

    def to_px(self, points_lps_mm: FloatArray) -> FloatArray:
        """(n, 3) LPS millimetres, projected along the normal, to (n, 2) pixel positions (column, row)."""
        offset = np.asarray(points_lps_mm, np.float64).reshape(-1, 3) - self.origin_lps_mm
        return np.stack([offset @ self.column_direction / self.column_spacing_mm, offset @ self.row_direction / self.row_spacing_mm], 1)

    def distances_mm(self, points_lps_mm: FloatArray) -> FloatArray:
        """(n,) signed distances of (n, 3) points from the slice plane, positive along the normal."""
        return np.asarray((np.asarray(points_lps_mm, np.float64).reshape(-1, 3) - self.origin_lps_mm) @ self.normal)
