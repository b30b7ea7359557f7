"""Reading synthetic studies to measure a model on: held-out families too, which ``lumbargrade train`` refuses to learn from."""

import re
from collections import defaultdict
from pathlib import Path

import pydicom

from lumbargrade.competition import DataSet, LabelCoordinate, Split, StudyLabels, read_coordinates, read_labels, read_series_roles
from lumbargrade.synthesis import STUDIES_FOLDER
from lumbargrade.terms import FINDINGS, Severity
from lumbargrade.train.data_set import LabelledStudy


def labelled_studies(folder: Path) -> tuple[list[LabelledStudy], StudyLabels]:
    """The studies that ``lumbargrade phantom`` wrote, in either layout, and their labels in the same order.

    Those written as a hospital's scanners do have no roles: they are told from the images, as in use.
    """
    data_set = DataSet(folder)
    labels, roles = read_labels(data_set.labels_path), read_series_roles(data_set.series_path(Split.TRAIN))
    is_competition = data_set.train_images.is_dir()
    coordinates: dict[int, list[LabelCoordinate]] = defaultdict(list)
    for point in read_coordinates(data_set.coordinates_path) if is_competition else ():
        coordinates[point.study_id].append(point)
    studies = []
    for row, study_id in enumerate(labels.study_ids):
        severities = labels.severities[row]
        images = data_set.study_folder(Split.TRAIN, study_id) if is_competition else folder / STUDIES_FOLDER / str(study_id)
        studies.append(
            LabelledStudy(
                study_id,
                images,
                {str(series_id): role for series_id, role in roles[study_id].items()} if is_competition else {},
                tuple(coordinates[study_id]),
                {finding: Severity(int(severities.data[index])) for index, finding in enumerate(FINDINGS) if not severities.mask[index]},
                data_set.known_truth(study_id),
            )
        )
    return studies, labels


def scanner_of(folder: Path) -> tuple[str, str] | None:
    """Vendor and field strength that the first image of a study states; None for the competition's, which state neither."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            header = pydicom.dcmread(path, stop_before_pixels=True, force=True)
            if "MagneticFieldStrength" in header and "Manufacturer" in header:
                return re.split(r"[\s_]", str(header.Manufacturer))[0].upper(), f"{float(header.MagneticFieldStrength):.1f} T"
    return None
