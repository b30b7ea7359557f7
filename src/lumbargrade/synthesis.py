"""A data set of synthetic patients in the competition's layout, with the truth beside it.

::

    phantom.json                        version, seed and configuration: what a later run must agree with to go on
    train.csv  train_label_coordinates.csv  train_series_descriptions.csv
    train_images/<study_id>/<series_id>/<instance_number>.dcm
    truth/<study_id>/truth.json         grades, what they were measured from, points, anatomy

A study's truth is put in place last, so a study that has one is complete, and a run that was stopped goes on where it was.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from lumbargrade import __version__
from lumbargrade.competition import DataSet, LabelCoordinate, Split, StudyLabels, write_coordinates, write_labels, write_series_roles
from lumbargrade.dicom import HeaderProfile, write_series
from lumbargrade.errors import InputError, UsageError
from lumbargrade.phantom.patient import CONFIGS, Patient, PhantomConfig, make_patient
from lumbargrade.side_by_side import run_side_by_side
from lumbargrade.terms import FINDING_INDEX, FINDINGS, SeriesRole, Severity

SCHEMA, TRUTH_SCHEMA = "lumbargrade/phantom/1", "lumbargrade/truth/1"
MARK, TRUTH_FOLDER, TRUTH_FILE, UNFINISHED = "phantom.json", "truth", "truth.json", "unfinished"
_STUDY_IDS, _STEP = 3_999_999_979, 1_618_033_987
"""Study ids are steps through the remainders of a prime, so that no two studies of a seed share one."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class StudyOrder:
    """One study to make."""

    output: Path
    seed: int
    index: int
    config: PhantomConfig

    @property
    def study_id(self) -> int:
        start = int(np.random.SeedSequence(self.seed).generate_state(1, np.uint64)[0])
        return (start + self.index * _STEP) % _STUDY_IDS

    @property
    def patient_seed(self) -> int:
        return int(np.random.SeedSequence((self.seed, self.index)).generate_state(1, np.uint64)[0])

    @property
    def is_complete(self) -> bool:
        return self.truth_path.is_file()

    @property
    def truth_path(self) -> Path:
        return self.output / TRUTH_FOLDER / str(self.study_id) / TRUTH_FILE


def write_data_set(output: Path, studies: int, seed: int, config: str, workers: int, progress: Progress | None = None) -> DataSet:
    """Write studies that are not there yet in ``workers`` processes, then the tables of all that are.

    Args:
        output: a new or empty folder, or one that an earlier run of the same version, seed and configuration began.
        studies: how many there are to be.
        config: a name of ``CONFIGS``.
        progress: called with (studies there, studies in all), first for those that were there before.

    Raises:
        UsageError: an unknown configuration, a number below its least, a folder that holds something else, or a worker process that died.
    """
    configs = _checked_configs(studies, seed, config, workers)
    _claim(output, seed, configs)
    orders = [StudyOrder(output, seed, index, configs[index % len(configs)]) for index in range(studies)]
    missing = [order for order in orders if not order.is_complete]
    report = progress or (lambda done, of: None)
    already = studies - len(missing)
    report(already, studies)
    for written, _ in enumerate(run_side_by_side(write_study, missing, workers), 1):
        report(already + written, studies)
    shutil.rmtree(output / UNFINISHED, ignore_errors=True)
    _write_tables(DataSet(output))
    return DataSet(output)


def write_study(order: StudyOrder) -> None:
    """Make one patient and put pictures and truth in place; what an interrupted run left of this study is replaced."""
    patient = make_patient(order.patient_seed, order.config)
    unfinished = order.output / UNFINISHED / str(order.study_id)
    images = DataSet(order.output).study_folder(Split.TRAIN, order.study_id)
    for leftover in (unfinished, images):
        if leftover.exists():
            shutil.rmtree(leftover)
    for series in patient.study.series:
        write_series(unfinished / "images" / series.folder, str(order.study_id), series, HeaderProfile.COMPETITION)
    truth = unfinished / "truth"
    truth.mkdir()
    (truth / TRUTH_FILE).write_text(json.dumps(_truth(order, patient), indent=1, default=_plain) + "\n", encoding="utf-8")
    for source, target in ((unfinished / "images", images), (truth, order.truth_path.parent)):
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)
    unfinished.rmdir()


def _checked_configs(studies: int, seed: int, config: str, workers: int) -> tuple[PhantomConfig, ...]:
    if config not in CONFIGS:
        raise UsageError(f"no configuration is called {config!r}; there are {', '.join(CONFIGS)}")
    for name, value, least in (("studies", studies, 1), ("seed", seed, 0), ("workers", workers, 1)):
        if value < least:
            raise UsageError(f"{name} {value}: at least {least} is needed")
    return CONFIGS[config]


def _claim(output: Path, seed: int, configs: Sequence[PhantomConfig]) -> None:
    """Mark the folder as made with this version, seed and configuration, or check that it was."""
    values = {"schema": SCHEMA, "version": __version__, "seed": seed, "configs": [asdict(each) for each in configs]}
    wanted = json.loads(json.dumps(values, default=_plain))
    mark = output / MARK
    if mark.is_file():
        found = _read_json(mark)
        differing = [name for name in wanted if found.get(name) != wanted[name]]
        if differing:
            raise UsageError(f"{output}: made with another {differing[0]}; give the same, or a new folder")
        return
    partial = mark.with_name(f"{MARK}.partial")
    if output.is_dir() and any(path != partial for path in output.iterdir()):
        raise UsageError(f"{output}: holds files but no {MARK}; a new or empty folder is needed")
    output.mkdir(parents=True, exist_ok=True)
    partial.write_text(json.dumps(wanted, indent=1) + "\n", encoding="utf-8")
    partial.replace(mark)


def _truth(order: StudyOrder, patient: Patient) -> dict[str, Any]:
    return {
        "schema": TRUTH_SCHEMA,
        "study_id": order.study_id,
        "seed": order.seed,
        "index": order.index,
        "patient_seed": order.patient_seed,
        "config": asdict(order.config),
        "series": [{"series_id": int(series.folder), "role": series.role} for series in patient.study.series],
        "findings": [_finding_truth(patient, index) for index in range(len(FINDINGS))],
        "anatomy": asdict(patient.anatomy),
    }


def _finding_truth(patient: Patient, index: int) -> dict[str, Any]:
    """The grade is always there; ``label`` is None where no picture reaches the site, so that a reader could not give one."""
    truth = patient.truth[index]
    landmark = patient.landmarks.get(truth.finding)
    return {
        "condition": truth.finding.condition,
        "laterality": truth.finding.laterality,
        "level": truth.finding.level,
        "severity": truth.severity.label,
        "measures": truth.measures,
        "label": landmark
        and {
            "series_id": int(patient.study.series[landmark.series_index].folder),
            "instance_number": landmark.instance_number,
            "column_px": landmark.column_px,
            "row_px": landmark.row_px,
            "point_lps_mm": landmark.point_lps_mm,
        },
    }


def _plain(value: object) -> object:
    """What JSON cannot hold, as what it can."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, np.ndarray):
        return np.round(value, 6).tolist()
    raise TypeError(f"{type(value).__name__} has no place in a truth file")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: not a JSON file; delete the folder and make it again") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: a JSON object is needed; delete the folder and make it again")
    return content


def _write_tables(data_set: DataSet) -> None:
    """The competition's three tables, of every study that has its truth, by study id."""
    truths = sorted(
        (_read_json(path) for path in (data_set.root / TRUTH_FOLDER).glob(f"*/{TRUTH_FILE}")), key=lambda truth: truth["study_id"]
    )
    severities = np.array([[Severity[finding["severity"].upper()] for finding in truth["findings"]] for truth in truths], np.int8)
    unlabelled = np.array([[finding["label"] is None for finding in truth["findings"]] for truth in truths])
    write_labels(data_set.labels_path, StudyLabels(tuple(truth["study_id"] for truth in truths), np.ma.MaskedArray(severities, unlabelled)))
    write_coordinates(data_set.coordinates_path, (coordinate for truth in truths for coordinate in _coordinates(truth)))
    roles = {truth["study_id"]: {series["series_id"]: SeriesRole(series["role"]) for series in truth["series"]} for truth in truths}
    write_series_roles(data_set.series_path(Split.TRAIN), roles)


def _coordinates(truth: dict[str, Any]) -> Iterator[LabelCoordinate]:
    for finding, index in FINDING_INDEX.items():
        label = truth["findings"][index]["label"]
        if label is not None:
            place = label["series_id"], label["instance_number"]
            yield LabelCoordinate(truth["study_id"], *place, finding, label["column_px"], label["row_px"])
