"""Study, series, stack and instance."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lumbargrade.geometry.affine import FloatArray, SliceAffine
from lumbargrade.geometry.orientation import AnatomicalPlane, anatomical_plane, order_along_normal
from lumbargrade.study.acquisition import ScannerSettings
from lumbargrade.terms import SeriesRole


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that the reader of a result should know: a stable code, and one sentence without identifying data."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    """One slice: a DICOM instance, or one frame of a multi-frame instance.

    Attributes:
        sop_instance_uid: as in the file; frames of one multi-frame instance share it.
        instance_number: DICOM InstanceNumber (for a frame: the 1-based frame number). Not an index, and it may skip.
        affine: pixel positions to LPS millimetres.
        pixels: (rows, columns) float32, rescaled, larger is brighter (MONOCHROME1 is inverted).
    """

    sop_instance_uid: str
    instance_number: int
    affine: SliceAffine
    pixels: NDArray[np.float32]

    @property
    def shape(self) -> tuple[int, int]:
        rows, columns = self.pixels.shape
        return rows, columns


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """Instances of one direction, ordered along their common normal (ascending position).

    Raises:
        ValueError: no instances.
    """

    instances: tuple[Instance, ...]

    def __post_init__(self) -> None:
        if not self.instances:
            raise ValueError("a stack needs at least one instance")

    @classmethod
    def ordered(cls, instances: list[Instance]) -> "Stack":
        """A stack from instances of one direction in any order."""
        return cls(tuple(instances[index] for index in order_along_normal([instance.affine for instance in instances])))

    @property
    def normal(self) -> FloatArray:
        return self.instances[0].affine.normal

    @property
    def plane(self) -> AnatomicalPlane:
        return anatomical_plane(self.normal)

    @property
    def positions_mm(self) -> FloatArray:
        """(n,) ascending positions along ``normal``."""
        normal = self.normal
        return np.array([float(normal @ instance.affine.origin_lps_mm) for instance in self.instances])

    @property
    def spacing_mm(self) -> float:
        """Median distance between neighbouring slices, from positions and not from headers; 0 for a single slice."""
        return float(np.median(np.diff(self.positions_mm))) if len(self.instances) > 1 else 0.0


@dataclass(frozen=True, slots=True)
class SeriesTiming:
    """Echo, repetition and inversion time in milliseconds, each None where the header does not say."""

    echo_time_ms: float | None = None
    repetition_time_ms: float | None = None
    inversion_time_ms: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One series: its stacks, the role it was given, and why.

    ``folder`` is the name of the folder the files lay in where all lay in one (the competition's series_id), else empty.
    ``settings`` and ``is_derived``, which says that the pictures were computed from another series, are known of series that were made
    here; those of files are not read.
    """

    series_instance_uid: str
    folder: str
    description: str
    timing: SeriesTiming
    role: SeriesRole
    role_reason: str
    stacks: tuple[Stack, ...]
    problems: tuple[Problem, ...] = ()
    settings: ScannerSettings | None = None
    is_derived: bool = False

    @property
    def instances(self) -> Iterator[Instance]:
        return (instance for stack in self.stacks for instance in stack.instances)


@dataclass(frozen=True, slots=True)
class Identifiers:
    """Whose study it is, as the files say it; dates as DICOM writes them (YYYYMMDD). None where no file says, or files disagree.

    ``patient_name`` has its parts divided by ``^`` (PS3.5 6.2.1).
    """

    patient_name: str | None = None
    patient_id: str | None = None
    birth_date: str | None = None
    study_date: str | None = None
    accession_number: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """One examination of one patient. ``folder`` is the name (not the path) of what it was read from.

    ``identifiers`` are None unless reading was asked for them, so that no result can hold them by mistake.
    """

    study_instance_uid: str
    folder: str
    series: tuple[Series, ...]
    problems: tuple[Problem, ...] = ()
    identifiers: Identifiers | None = None

    def with_role(self, *roles: SeriesRole) -> tuple[Series, ...]:
        return tuple(series for series in self.series if series.role in roles)
