"""What one sagittal stack says about the levels, before the stacks are fused."""

from dataclasses import dataclass

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.terms import Laterality, Level


@dataclass(frozen=True, slots=True, eq=False)
class Landmark:
    """A (3,) LPS point and its heat, 0..1."""

    point_lps_mm: FloatArray
    heat: float


@dataclass(frozen=True, slots=True, eq=False)
class StackLevel:
    """One level in one stack; ``foramina`` holds only those that were seen."""

    canal: Landmark
    foramina: dict[Laterality, Landmark]


@dataclass(frozen=True, slots=True, eq=False)
class StackLevels:
    """The levels that one stack shows.

    ``margin``, 0..1, says how clearly this naming of the levels beats the next best. ``series`` names the stack in messages.
    """

    series: str
    levels: dict[Level, StackLevel]
    margin: float

    @property
    def trust(self) -> float:
        """Total canal heat, up to doubled by the margin: which of two stacks that disagree is believed."""
        return (1 + self.margin) * sum(level.canal.heat for level in self.levels.values())
