"""The vocabulary: the field's standard words as closed types, and the 25 findings of a lumbar MR study.

Standard library only. Everything here is a value that other rooms pass around; nothing here reads, computes or knows a file format.
"""

from dataclasses import dataclass
from enum import Enum, IntEnum


class Level(Enum):
    """A lumbar intervertebral disc level, cranial to caudal."""

    L1_L2 = "L1/L2"
    L2_L3 = "L2/L3"
    L3_L4 = "L3/L4"
    L4_L5 = "L4/L5"
    L5_S1 = "L5/S1"


class Laterality(Enum):
    """The patient's side, never the side of the picture."""

    LEFT = "left"
    RIGHT = "right"

    @property
    def opposite(self) -> "Laterality":
        return Laterality.RIGHT if self is Laterality.LEFT else Laterality.LEFT

    @property
    def lps_sign(self) -> int:
        """+1 for the left, -1 for the right: the direction of this side along the LPS x axis."""
        return 1 if self is Laterality.LEFT else -1


class Condition(Enum):
    """What is graded at a level."""

    SPINAL_CANAL_STENOSIS = "spinal_canal_stenosis"
    NEURAL_FORAMINAL_NARROWING = "neural_foraminal_narrowing"
    SUBARTICULAR_STENOSIS = "subarticular_stenosis"

    @property
    def is_paired(self) -> bool:
        """Whether the condition exists once a side (foramen, subarticular zone) or once a level (canal)."""
        return self is not Condition.SPINAL_CANAL_STENOSIS


class Severity(IntEnum):
    """The three grades, in order; the value is the index on every severity axis."""

    NORMAL_MILD = 0
    MODERATE = 1
    SEVERE = 2

    @property
    def label(self) -> str:
        """The stable lower-case name used in files: ``normal_mild``, ``moderate``, ``severe``."""
        return self.name.lower()


class SeriesRole(Enum):
    """What a series is used for."""

    SAGITTAL_T1 = "sagittal_t1"
    SAGITTAL_T2 = "sagittal_t2"
    AXIAL_T2 = "axial_t2"
    OTHER = "other"

    @property
    def is_sagittal(self) -> bool:
        return self in (SeriesRole.SAGITTAL_T1, SeriesRole.SAGITTAL_T2)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to grade: a condition at a level, on a side where the condition has sides.

    Raises:
        ValueError: a laterality on the canal, or none on a paired condition.
    """

    condition: Condition
    laterality: Laterality | None
    level: Level

    def __post_init__(self) -> None:
        if self.condition.is_paired and self.laterality is None:
            raise ValueError(f"{self.condition.value} has two sides: a laterality is needed")
        if not self.condition.is_paired and self.laterality is not None:
            raise ValueError(f"{self.condition.value} has no sides: laterality must be None, not {self.laterality.value}")

    @property
    def mirrored(self) -> "Finding":
        """The same finding in a patient reflected left to right."""
        return Finding(self.condition, self.laterality and self.laterality.opposite, self.level)

    def __str__(self) -> str:
        side = f"{self.laterality.value} " if self.laterality else ""
        return f"{side}{self.condition.value.replace('_', ' ')} {self.level.value}"


LEVELS: tuple[Level, ...] = tuple(Level)
SEVERITIES: tuple[Severity, ...] = tuple(Severity)

_SITES = (
    (Condition.SPINAL_CANAL_STENOSIS, None),
    (Condition.NEURAL_FORAMINAL_NARROWING, Laterality.LEFT),
    (Condition.NEURAL_FORAMINAL_NARROWING, Laterality.RIGHT),
    (Condition.SUBARTICULAR_STENOSIS, Laterality.LEFT),
    (Condition.SUBARTICULAR_STENOSIS, Laterality.RIGHT),
)
FINDINGS: tuple[Finding, ...] = tuple(Finding(condition, side, level) for condition, side in _SITES for level in LEVELS)
"""The 25 findings. Their order is axis 1 of every (study, finding, severity) array: canal, left and right foramen, left and right
subarticular zone, each L1/L2 to L5/S1."""

FINDING_INDEX: dict[Finding, int] = {finding: index for index, finding in enumerate(FINDINGS)}
INTENDED_USE = "Research use only. Not for diagnostic use."
