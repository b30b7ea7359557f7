"""Which patients a folder holds to measure the localiser on, whatever kind of folder it is."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lumbargrade.competition import DataSet, LabelCoordinate, Split, open_data_set, read_coordinates, read_series_roles
from lumbargrade.errors import InputError
from lumbargrade.level_evaluation.competition_cases import LabelledStudy, measure_labelled_study
from lumbargrade.level_evaluation.measured import Locate, Measurement
from lumbargrade.level_evaluation.spider_cases import measure_midsagittal_pair, measure_spider_patient
from lumbargrade.spider import is_spider_folder, midsagittal_patients, spider_patients


@dataclass(frozen=True, slots=True)
class Case:
    """One patient to be measured; ``measure`` reads the pictures and raises InputError where that fails."""

    name: str
    measure: Callable[[Locate], Measurement]


def find_cases(folder: Path, most: int | None = None) -> list[Case]:
    """The patients of the SPIDER folder or of a data set with label coordinates; at most ``most`` of each kind, the lowest numbers first.

    Raises:
        InputError: neither kind of folder, or a table that cannot be used.
    """
    return _spider_cases(folder, most) if is_spider_folder(folder) else _competition_cases(open_data_set(folder), most)


def _spider_cases(folder: Path, most: int | None) -> list[Case]:
    slices = [Case(str(patient), partial(measure_spider_patient, folder, patient)) for patient in spider_patients(folder)[:most]]
    pairs = midsagittal_patients(folder)[:most] if (folder / "midsagittal.csv").is_file() else ()
    return slices + [Case(f"{patient} T1/T2", partial(measure_midsagittal_pair, folder, patient)) for patient in pairs]


def _competition_cases(data_set: DataSet, most: int | None) -> list[Case]:
    if not data_set.coordinates_path.is_file():
        raise InputError(f"{data_set.coordinates_path}: no such table; label coordinates are needed to measure the levels against")
    coordinates: dict[int, list[LabelCoordinate]] = defaultdict(list)
    for coordinate in read_coordinates(data_set.coordinates_path):
        coordinates[coordinate.study_id].append(coordinate)
    table = data_set.series_path(Split.TRAIN)
    roles = read_series_roles(table) if table.is_file() else {}
    return [
        Case(
            str(study_id),
            partial(
                measure_labelled_study,
                LabelledStudy(
                    study_id,
                    data_set.study_folder(Split.TRAIN, study_id),
                    {str(series_id): role for series_id, role in roles.get(study_id, {}).items()},
                    tuple(coordinates[study_id]),
                    data_set.known_truth(study_id),
                ),
            ),
        )
        for study_id in sorted(coordinates)[:most]
    ]
