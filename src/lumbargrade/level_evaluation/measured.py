"""What is measured of one patient, and how a study is located for it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from lumbargrade.evaluate.levels import Naming, Spine, naming_of
from lumbargrade.geometry.affine import FloatArray
from lumbargrade.localise import Localisation
from lumbargrade.report.level_picture import LevelPicture
from lumbargrade.study import Study
from lumbargrade.terms import LEVELS, Level

Locate = Callable[[Study], Localisation]

_ABOVE = ("T9/T10", "T10/T11", "T11/T12", "T12/L1")
PLACES: Mapping[str, int] = {name: place for place, name in enumerate((*_ABOVE, *(level.value for level in LEVELS)), -len(_ABOVE))}
"""Discs by name as places of ``evaluate.levels.Spine``."""


class Anatomy(Enum):
    """What is known of the lumbosacral junction."""

    ORDINARY = "ordinary"
    TRANSITIONAL = "transitional"
    UNKNOWN = "all"


@dataclass(frozen=True, slots=True)
class SiteDistance:
    """How far from the truth one site of a kind (``spinal canal``) was found; None where it was not."""

    kind: str
    level: Level
    distance_mm: float | None


@dataclass(frozen=True, slots=True)
class SliceCheck:
    """Whether the slice chosen for a site of a kind is the reader's or the one beside it."""

    kind: str
    is_within_one: bool


@dataclass(frozen=True, slots=True)
class MeasuredPatient:
    """One patient.

    Attributes:
        name: the study's or patient's number.
        naming: None where no lumbar level is known.
        problems: the codes of what the localiser found doubtful.
        seconds: that locating took, reading apart.
    """

    name: str
    anatomy: Anatomy
    distances: tuple[SiteDistance, ...]
    slices: tuple[SliceCheck, ...]
    naming: Naming | None
    problems: tuple[str, ...]
    seconds: float

    @property
    def missing(self) -> int:
        """Sites that were not located."""
        return sum(site.distance_mm is None for site in self.distances)

    @property
    def worst_mm(self) -> float:
        """The largest distance of a located site; 0 where there is none."""
        return max((site.distance_mm for site in self.distances if site.distance_mm is not None), default=0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """A measured patient and the picture of it, None where there is no sagittal slice to show."""

    patient: MeasuredPatient
    picture: LevelPicture | None


@dataclass(frozen=True, slots=True, eq=False)
class TimedLocalisation:
    """What the localiser said, and the seconds it took."""

    found: Localisation
    seconds: float

    @property
    def canals(self) -> dict[str, FloatArray]:
        """(3,) LPS canal points by level name."""
        return {location.level.value: location.canal_lps_mm for location in self.found.locations}

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(problem.code for problem in self.found.problems)


def locate_timed(study: Study, locate: Locate) -> TimedLocalisation:
    """Locate the levels of a study and take the time."""
    start = time.perf_counter()
    found = locate(study)
    return TimedLocalisation(found, time.perf_counter() - start)


def naming_by_name(located: Mapping[str, FloatArray], true: Mapping[str, FloatArray]) -> Naming | None:
    """``naming_of`` for points by disc name; None where no lumbar level is among the true ones."""
    if not any(level.value in true for level in LEVELS):
        return None
    return naming_of(_spine(located), _spine(true))


def _spine(points: Mapping[str, FloatArray]) -> Spine:
    return {PLACES[name]: point for name, point in points.items() if name in PLACES}
