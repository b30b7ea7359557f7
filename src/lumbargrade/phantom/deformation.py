"""A smooth displacement of the whole anatomy: shapes beyond what the shape functions can draw, with every proportion of a finding kept.

What is rendered at a point of space is what the undeformed anatomy has at ``to_anatomy`` of it. Grades are measured on the undeformed
anatomy: they are ratios of neighbouring parts, which a smooth displacement leaves as they are.
"""

from dataclasses import dataclass

import numpy as np

from lumbargrade.geometry.affine import FloatArray

_WAVES = 5
_ITERATIONS = 12


@dataclass(frozen=True, slots=True, eq=False)
class Deformation:
    """A sum of sine waves in the body frame.

    Attributes:
        direction: (n, 3) wave vectors, radians a millimetre.
        displacement: (n, 3) millimetres.
        phase: (n,) radians.
    """

    direction: FloatArray
    displacement: FloatArray
    phase: FloatArray

    def to_anatomy(self, points_mm: FloatArray) -> FloatArray:
        """(n, 3) points of space to where they lie in the undeformed anatomy."""
        if not len(self.phase):
            return points_mm
        return np.asarray(points_mm + np.sin(points_mm @ self.direction.T + self.phase) @ self.displacement)

    def to_space(self, points_mm: FloatArray) -> FloatArray:
        """(n, 3) points of the undeformed anatomy to space: the inverse, by fixed-point iteration, which converges as ``to_anatomy`` never
        stretches anything by as much as its own length."""
        points = points_mm
        for _ in range(_ITERATIONS):
            points = points + points_mm - self.to_anatomy(points)
        return np.asarray(points)


def sample_deformation(rng: np.random.Generator, amplitude_mm: float, wavelength_mm: tuple[float, float]) -> Deformation:
    """Waves of random direction whose displacements have a root mean square sum of ``amplitude_mm``; none where that is 0."""
    count = _WAVES if amplitude_mm else 0
    direction = rng.normal(size=(count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    direction *= 2 * np.pi / rng.uniform(*wavelength_mm, (count, 1))
    displacement = rng.normal(size=(count, 3)) * amplitude_mm / np.sqrt(3 * max(count, 1))
    return Deformation(direction, displacement, rng.uniform(0, 2 * np.pi, count))
