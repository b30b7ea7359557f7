"""A labelled data set in the competition's layout as what training needs: one value a study, and a fingerprint of the whole."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np

from lumbargrade.competition import (
    DataSet,
    LabelCoordinate,
    Split,
    StudyLabels,
    held_out_phantom,
    marked_points,
    open_data_set,
    read_coordinates,
    read_labels,
    read_series_roles,
)
from lumbargrade.dicom import find_study, read_study
from lumbargrade.errors import InputError
from lumbargrade.study import Study
from lumbargrade.terms import FINDINGS, Finding, SeriesRole, Severity
from lumbargrade.train.landmarks import Landmark, StudyLandmarks


@dataclass(frozen=True, slots=True)
class LabelledStudy:
    """One study on disk with what readers said about it.

    Attributes:
        folder: its series' folder.
        roles: the role of each series by the name of its folder.
        coordinates: where readers saw findings; not empty.
        severities: the labels; missing ones are absent.
        truth: where a synthetic patient's truth lies; None for other patients.
    """

    study_id: int
    folder: Path
    roles: Mapping[str, SeriesRole]
    coordinates: tuple[LabelCoordinate, ...]
    severities: Mapping[Finding, Severity]
    truth: Path | None = None


@dataclass(frozen=True, slots=True)
class LabelledData:
    """A whole data set.

    Attributes:
        labels: of all studies of ``train.csv``.
        studies: by id, those that have coordinates.
        fingerprint: sha256 of the tables and of the names and sizes of all picture files.
    """

    labels: StudyLabels
    studies: dict[int, LabelledStudy]
    fingerprint: str

    def labels_of(self, study_ids: tuple[int, ...]) -> StudyLabels:
        """The labels of some of the studies, in the given order."""
        rows = {study_id: row for row, study_id in enumerate(self.labels.study_ids)}
        return StudyLabels(study_ids, self.labels.severities[[rows[study_id] for study_id in study_ids]])


class Purpose(Enum):
    """What labelled studies are for. Networks may not learn from a held-out phantom; a calibration may, which is a few numbers."""

    TRAINING = "training"
    CALIBRATION = "calibration"


def open_labelled_data(path: Path, purpose: Purpose = Purpose.TRAINING, coordinates: Path | None = None) -> LabelledData:
    """Read the tables of a data set and look at its files' names and sizes; no picture is opened.

    Args:
        coordinates: a file to take instead of the data set's own coordinates, in their format: corrected ones, or another reader's.

    Raises:
        InputError: no data set, one of a held-out phantom to train on, a table is missing or unusable, or no labelled study has
            coordinates.
    """
    data_set = open_data_set(path)
    held_out = held_out_phantom(data_set)
    if held_out is not None and purpose is Purpose.TRAINING:
        raise InputError(f"{path}: made with the phantom configuration {held_out}, which is held out to measure models; train on another")
    tables = (data_set.labels_path, coordinates or data_set.coordinates_path, data_set.series_path(Split.TRAIN))
    for table in tables:
        if not table.is_file():
            raise InputError(f"{table}: no such table; {purpose.value} needs {', '.join(each.name for each in tables)}")
    labels, roles = read_labels(tables[0]), read_series_roles(tables[2])
    points: dict[int, list[LabelCoordinate]] = defaultdict(list)
    for point in read_coordinates(tables[1]):
        points[point.study_id].append(point)
    studies = {
        study_id: LabelledStudy(
            study_id,
            data_set.study_folder(Split.TRAIN, study_id),
            {str(series_id): role for series_id, role in roles.get(study_id, {}).items()},
            tuple(points[study_id]),
            _severities(labels, row),
            data_set.known_truth(study_id),
        )
        for row, study_id in enumerate(labels.study_ids)
        if study_id in points
    }
    if not studies:
        problem = f"no coordinate of any study of {tables[0].name}"
        raise InputError(f"{tables[1]}: {problem}; {purpose.value} needs to know where the findings are")
    return LabelledData(labels, studies, _fingerprint(data_set, tables))


def read_labelled_study(labelled: LabelledStudy) -> tuple[Study, StudyLandmarks]:
    """The study and its labelled points in the patient; coordinates of pictures that cannot be used are left out.

    Raises:
        DicomError: no usable image.
    """
    study = read_study(find_study(labelled.folder), labelled.roles)
    landmarks = {}
    for marked in marked_points(study, labelled.coordinates):
        finding = marked.coordinate.finding
        landmarks[finding] = Landmark(finding, marked.point_lps_mm, marked.instance, labelled.severities.get(finding))
    return study, landmarks


def _severities(labels: StudyLabels, row: int) -> dict[Finding, Severity]:
    values, missing = labels.severities.data[row].tolist(), np.ma.getmaskarray(labels.severities)[row].tolist()
    return {finding: Severity(value) for finding, value, absent in zip(FINDINGS, values, missing, strict=True) if not absent}


def _fingerprint(data_set: DataSet, tables: tuple[Path, ...]) -> str:
    digest = hashlib.sha256()
    for table in tables:
        digest.update(hashlib.sha256(table.read_bytes()).digest())
    files = sorted((str(file.relative_to(data_set.train_images)), file.stat().st_size) for file in _files(data_set.train_images))
    for name, size in files:
        digest.update(f"{name}\n{size}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _files(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file()]
