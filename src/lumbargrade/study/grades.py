"""Where the levels are and how each finding is graded."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lumbargrade.geometry.affine import FloatArray, SliceAffine
from lumbargrade.study.images import Problem
from lumbargrade.terms import FINDINGS, Finding, Laterality, Level, Severity


@dataclass(frozen=True, slots=True)
class Probabilities:
    """Calibrated probabilities of the three severities.

    Raises:
        ValueError: a value outside 0..1, or a sum that is not 1 (to 1e-4).
    """

    normal_mild: float
    moderate: float
    severe: float

    def __post_init__(self) -> None:
        if not all(0.0 <= value <= 1.0 for value in self.values) or abs(sum(self.values) - 1.0) > 1e-4:
            raise ValueError(f"not probabilities: {self.values}")

    @property
    def values(self) -> tuple[float, float, float]:
        return self.normal_mild, self.moderate, self.severe

    @property
    def severity(self) -> Severity:
        """The most probable severity."""
        return Severity(int(np.argmax(self.values)))


@dataclass(frozen=True, slots=True, eq=False)
class LevelLocation:
    """One disc level in patient space.

    Attributes:
        canal_lps_mm: (3,) centre of the spinal canal at the disc.
        disc_center_lps_mm: (3,) middle of the disc.
        disc_normal: (3,) unit normal of the disc plane, pointing to the head.
        foramen_lps_mm: (3,) centre of each neural foramen.
        subarticular_lps_mm: (3,) each subarticular zone.
        confidence: 0..1, how sure the localiser is that this is the level it names, and that it lies here.
    """

    level: Level
    canal_lps_mm: FloatArray
    disc_center_lps_mm: FloatArray
    disc_normal: FloatArray
    foramen_lps_mm: dict[Laterality, FloatArray]
    subarticular_lps_mm: dict[Laterality, FloatArray]
    confidence: float


@dataclass(frozen=True, slots=True, eq=False)
class Numbering:
    """How the levels got their names.

    Attributes:
        basis: one sentence: what was counted from, and what else was seen.
        confidence: 0..1, that every level bears its right name.
        discs_above: how many discs are seen above L1/L2.
        sacrum_lps_mm: (3,) middle of the body of S1; None where it is not seen.
        transitional: probability that the lumbosacral junction is that of a transitional vertebra, on synthetic patients a fifth of whom
            have one; None where the junction is not seen or the model does not tell.
        shift: by how many levels a person moved the names: +1 names every disc one level lower than it was found to be.
    """

    basis: str
    confidence: float
    discs_above: int
    sacrum_lps_mm: FloatArray | None
    transitional: float | None
    shift: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """The picture and the position in it that a grade was read from."""

    series_instance_uid: str
    sop_instance_uid: str
    instance_number: int
    column_px: float
    row_px: float
    point_lps_mm: FloatArray


@dataclass(frozen=True, slots=True)
class Measurement:
    """An estimate and its standard deviation, in the unit that its name ends with; without one it is a share."""

    value: float
    spread: float


@dataclass(frozen=True, slots=True, eq=False)
class Saliency:
    """Where on the slice of its evidence a grade comes from.

    Attributes:
        values: (rows, columns) by how much the log odds of the grade fall where a small square around is hidden; below 0 they rise.
        affine: where the values lie in the patient.
    """

    values: NDArray[np.float32]
    affine: SliceAffine

    def share_within(self, point_lps_mm: FloatArray, radius_mm: float) -> float:
        """0..1, how much of what speaks for the grade lies so near to a (3,) point; 1 where nothing does."""
        rows, columns = np.mgrid[: self.values.shape[0], : self.values.shape[1]]
        places = self.affine.to_lps(np.stack([columns, rows], -1).reshape(-1, 2).astype(np.float64))
        offsets = places - point_lps_mm
        in_plane = offsets - (offsets @ self.affine.normal)[:, None] * self.affine.normal
        weights = np.maximum(self.values.ravel(), 0).astype(np.float64)
        near = np.linalg.norm(in_plane, axis=1) <= radius_mm
        return float(weights[near].sum() / weights.sum()) if weights.any() else 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Grade:
    """A finding with its probabilities and evidence, or the reason why it has none.

    ``prediction_set`` are the severities that hold the true one in nine of ten findings of the kind that the model was calibrated on, mild
    first; empty where the model does not tell. ``measurements`` are what the networks estimate beside the grade, by name
    (``grade.recipe.MEASURES``), and ``opinions`` what the networks alone and counting bright pixels alone would say. ``saliency`` is where
    the grade comes from, if that was asked for. ``offset_mm`` is how far from the middle of its pictures the networks see the site, in
    that which shows it worst; None where they do not tell.

    Raises:
        ValueError: neither or both of probabilities and reason; probabilities without evidence.
    """

    finding: Finding
    probabilities: Probabilities | None
    evidence: Evidence | None
    reason: str | None = None
    prediction_set: tuple[Severity, ...] = ()
    measurements: Mapping[str, Measurement] = field(default_factory=dict)
    opinions: Mapping[str, Probabilities] = field(default_factory=dict)
    saliency: Saliency | None = None
    offset_mm: float | None = None

    def __post_init__(self) -> None:
        if (self.probabilities is None) == (self.reason is None):
            raise ValueError(f"{self.finding}: a grade has either probabilities or a reason for having none")
        if self.prediction_set and (self.probabilities is None or self.probabilities.severity not in self.prediction_set):
            raise ValueError(f"{self.finding}: a prediction set holds the likeliest severity of a graded finding")
        if self.probabilities is not None and self.evidence is None:
            raise ValueError(f"{self.finding}: a graded finding needs its evidence")

    @property
    def is_graded(self) -> bool:
        return self.probabilities is not None


@dataclass(frozen=True, slots=True, eq=False)
class StudyGrades:
    """The whole answer for one study: level locations, the 25 grades in the order of ``FINDINGS``, and the model that gave them.

    ``numbering`` is None where no level was sought or found.

    Raises:
        ValueError: grades that are not the 25 findings in order.
    """

    locations: tuple[LevelLocation, ...]
    grades: tuple[Grade, ...]
    problems: tuple[Problem, ...]
    model_name: str
    model_version: str
    model_sha256: str
    numbering: Numbering | None = None

    def __post_init__(self) -> None:
        if tuple(grade.finding for grade in self.grades) != FINDINGS:
            raise ValueError("grades must be the 25 findings in the order of FINDINGS")
