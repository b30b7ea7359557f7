"""The SPIDER data set's selection of sagittal pictures and disc points as studies and points in the patient.

SPIDER, van der Graaf et al., Scientific Data 2024, doi 10.1038/s41597-024-03090-w, CC BY 4.0. The folder is::

    levels.csv  midsagittal.csv  radiological_gradings.csv
    space/images/<patient>_t2_SPACE_slice<n>.png      T2 SPACE, slices 1 mm apart of which every third is there
    midsagittal/<patient>_t1.png, <patient>_t2.png    one T1 and one T2 picture each

Positions in the patient are made up: the first pixel of slice n lies at x = n mm, y = z = 0. Which end of the slices is the patient's left
is not known, so nothing may be concluded from the sign of x.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from lumbargrade.errors import InputError
from lumbargrade.geometry.affine import FloatArray, SliceAffine
from lumbargrade.study import Instance, Series, SeriesTiming, Stack, Study
from lumbargrade.terms import LEVELS, SeriesRole

_POSTERIOR, _FEET = np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, -1.0])
_ROLES = {"t1": SeriesRole.SAGITTAL_T1, "t2": SeriesRole.SAGITTAL_T2}

Row = Mapping[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class DiscPoints:
    """What is known of a disc: (3,) LPS millimetres.

    Attributes:
        center_lps_mm: centroid of its area. edge_lps_mm: middle of its posterior edge.
        canal_lps_mm: the canal's mid-line beside that edge; None where the canal is not on the slice there.
    """

    center_lps_mm: FloatArray
    edge_lps_mm: FloatArray
    canal_lps_mm: FloatArray | None


@dataclass(frozen=True, slots=True, eq=False)
class DiscOnSlice:
    """One disc on one slice; ``name`` is ``L4/L5``, above L1/L2 also ``T12/L1`` and so on."""

    instance: Instance
    name: str
    points: DiscPoints


@dataclass(frozen=True, slots=True, eq=False)
class SpiderPatient:
    """One patient's T2 SPACE slices as a study of one sagittal series, and the discs on them."""

    patient: int
    study: Study
    discs: tuple[DiscOnSlice, ...]

    @property
    def medians(self) -> dict[str, DiscPoints]:
        """The median over the slices of each disc's points, by name in the order of the table; the canal's over slices that show it."""
        names = dict.fromkeys(disc.name for disc in self.discs)
        return {name: _median([disc.points for disc in self.discs if disc.name == name]) for name in names}


@dataclass(frozen=True, slots=True, eq=False)
class MidsagittalPair:
    """A T1 and a T2 picture of one patient as a study of two series of one slice, their middles put on each other.

    Attributes:
        levels: which of the five lumbar discs SPIDER's readers graded, ``L1/L2`` to ``L5/S1``.
    """

    patient: int
    study: Study
    levels: tuple[str, ...]


def is_spider_folder(folder: Path) -> bool:
    """Whether a folder looks like SPIDER's."""
    return (folder / "levels.csv").is_file() and (folder / "space" / "images").is_dir()


def spider_patients(folder: Path) -> tuple[int, ...]:
    """The patients that have T2 SPACE slices, ascending.

    Raises:
        InputError: the folder is not SPIDER's.
    """
    return _patients(folder / "levels.csv")


def read_spider_patient(folder: Path, patient: int) -> SpiderPatient:
    """One patient's slices and disc points.

    Raises:
        InputError: the folder is not SPIDER's, does not hold the patient, or a picture cannot be read.
    """
    table = folder / "levels.csv"
    rows = _rows_of(table, patient)
    slices: dict[int, Instance] = {}
    discs = []
    try:
        for row in rows:
            number, spacing_mm = int(row["slice"]), float(row["pixel_spacing_mm"])
            if number not in slices:
                affine = SliceAffine(np.array([float(number), 0.0, 0.0]), _POSTERIOR, _FEET, spacing_mm, spacing_mm)
                pixels = _read_picture(folder / "space" / "images" / row["file"])
                slices[number] = Instance(f"{patient}.{number}", number, affine, pixels)
            discs.append(DiscOnSlice(slices[number], row["level"], _points(row, slices[number].affine)))
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable(table, error) from error
    series = _series(patient, "t2", "T2 SPACE", Stack.ordered(list(slices.values())))
    return SpiderPatient(patient, Study(str(patient), str(patient), (series,)), tuple(discs))


def midsagittal_patients(folder: Path) -> tuple[int, ...]:
    """The patients that have a mid-sagittal pair, ascending.

    Raises:
        InputError: the folder is not SPIDER's.
    """
    return _patients(folder / "midsagittal.csv")


def read_midsagittal_pair(folder: Path, patient: int) -> MidsagittalPair:
    """One patient's mid-sagittal T1 and T2 picture.

    Raises:
        InputError: the folder is not SPIDER's, does not hold the patient, or a picture cannot be read.
    """
    table, gradings = folder / "midsagittal.csv", folder / "radiological_gradings.csv"
    series = []
    try:
        for row in _rows_of(table, patient):
            weighting, spacing_mm = row["weighting"].lower(), float(row["pixel_spacing_mm"])
            pixels = _read_picture(folder / "midsagittal" / row["file"])
            half_rows, half_columns = ((count - 1) / 2 * spacing_mm for count in pixels.shape)
            affine = SliceAffine(np.array([0.0, -half_columns, half_rows]), _POSTERIOR, _FEET, spacing_mm, spacing_mm)
            stack = Stack((Instance(f"{patient}.{weighting}", 1, affine, pixels),))
            series.append(_series(patient, weighting, f"mid-sagittal {weighting.upper()}", stack))
        labels = {int(row["IVD label"]) for row in _rows_of(gradings, patient, "Patient")}
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable(table, error) from error
    levels = tuple(level.value for index, level in enumerate(LEVELS) if len(LEVELS) - index in labels)
    return MidsagittalPair(patient, Study(str(patient), str(patient), tuple(series)), levels)


def _series(patient: int, weighting: str, description: str, stack: Stack) -> Series:
    uid, reason = f"{patient}.{weighting}", "SPIDER's file name says so"
    return Series(uid, weighting, description, SeriesTiming(), _ROLES[weighting], reason, (stack,))


def _points(row: Row, affine: SliceAffine) -> DiscPoints:
    def point(name: str) -> FloatArray:
        return np.asarray(affine.to_lps(np.array([[float(row[f"{name}_column_px"]), float(row[f"{name}_row_px"])]]))[0])

    return DiscPoints(point("disc"), point("edge"), point("canal") if row["canal_column_px"] else None)


def _median(points: list[DiscPoints]) -> DiscPoints:
    canals = [each.canal_lps_mm for each in points if each.canal_lps_mm is not None]
    return DiscPoints(
        np.median([each.center_lps_mm for each in points], axis=0),
        np.median([each.edge_lps_mm for each in points], axis=0),
        np.median(canals, axis=0) if canals else None,
    )


def _patients(table: Path) -> tuple[int, ...]:
    try:
        return tuple(sorted({int(row["patient"]) for row in _rows(table)}))
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable(table, error) from error


def _rows_of(table: Path, patient: int, column: str = "patient") -> list[Row]:
    found = [row for row in _rows(table) if row.get(column) == str(patient)]
    if not found:
        raise InputError(f"{table}: nothing of patient {patient}")
    return found


def _rows(table: Path) -> list[Row]:
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{table}: cannot be read ({type(error).__name__}); the folder of the SPIDER selection is needed") from error


def _read_picture(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """(rows, columns) grey values as stored."""
    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert("L"), np.float32)
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{path}: not a picture that can be read ({type(error).__name__})") from error


def _unreadable(table: Path, error: Exception) -> InputError:
    return InputError(f"{table}: not a table of the SPIDER selection ({type(error).__name__}: {error})")
