"""A data set of synthetic patients, in the competition's layout or as a hospital's archive has them, with the truth beside it.

::

    phantom.json                        version, seed, configuration and profile: what a later run must agree with to go on
    train.csv  train_label_coordinates.csv  train_series_descriptions.csv
    train_images/<study_id>/<series_id>/<instance_number>.dcm      the competition's profile
    studies/<study_id>/...              every other profile: the vendor's folders and names, distractors and scanned pages among them
    truth/summary.json                  how often each grade was given, and the best score that any model can reach
    truth/<study_id>/truth.json         grades, what they were measured from, points, anatomy, where each series lies

The tables name series by ``series_id`` whatever the profile; a study's truth says in which folder below the study's that series lies and
what its SeriesInstanceUID is, and holds the distractors, which the tables leave out. Instance numbers are those that a reader finds: in a
multi-frame file the frame's. A study's truth is put in place last, so a study that has one is complete, and a run that was stopped goes on
where it was.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from lumbargrade import __version__
from lumbargrade.competition import DataSet, LabelCoordinate, Split, StudyLabels, write_coordinates, write_labels, write_series_roles
from lumbargrade.dicom import (
    HOSPITAL_PROFILES,
    HeaderProfile,
    WrittenSeries,
    syntax_of,
    write_secondary_capture,
    write_series,
    write_study,
)
from lumbargrade.errors import InputError, UsageError
from lumbargrade.label_summary import labels_of, summarise
from lumbargrade.phantom.ahead import compile_ahead
from lumbargrade.phantom.distractors import Distractor, DistractorKind, make_distractors, report_page
from lumbargrade.phantom.patient import CONFIGS, Patient, PhantomConfig, make_patient
from lumbargrade.side_by_side import run_side_by_side
from lumbargrade.study import Study
from lumbargrade.terms import FINDING_INDEX, FINDINGS, SeriesRole

SCHEMA, TRUTH_SCHEMA = "lumbargrade/phantom/1", "lumbargrade/truth/1"
TRUTH_FOLDER, TRUTH_FILE, SUMMARY_FILE, UNFINISHED = "truth", "truth.json", "summary.json", "unfinished"
STUDIES_FOLDER = "studies"
PROFILES: Mapping[str, tuple[HeaderProfile, ...]] = {profile.value: (profile,) for profile in HeaderProfile} | {"mixed": HOSPITAL_PROFILES}
"""By name, in whose headers studies are written; they take turns where a name stands for several."""

_SCANNED_PAGES = 0.2
"""Share of a hospital's studies that hold a scanned page."""

_STUDY_IDS, _STEP = 3_999_999_979, 1_618_033_987
"""Study ids are steps through the remainders of a prime, so that no two studies of a seed share one."""

Progress = Callable[[int, int], None]
Named = TypeVar("Named")


@dataclass(frozen=True, slots=True)
class StudyOrder:
    """One study to make."""

    output: Path
    seed: int
    index: int
    config: PhantomConfig
    profile: HeaderProfile = HeaderProfile.COMPETITION

    @property
    def study_id(self) -> int:
        start = int(np.random.SeedSequence(self.seed).generate_state(1, np.uint64)[0])
        return (start + self.index * _STEP) % _STUDY_IDS

    @property
    def patient_seed(self) -> int:
        return int(np.random.SeedSequence((self.seed, self.index)).generate_state(1, np.uint64)[0])

    @property
    def images(self) -> Path:
        """The folder of the study's pictures."""
        if self.profile.is_hospital:
            return self.output / STUDIES_FOLDER / str(self.study_id)
        return DataSet(self.output).study_folder(Split.TRAIN, self.study_id)

    @property
    def is_complete(self) -> bool:
        return self.truth_path.is_file()

    @property
    def truth_path(self) -> Path:
        return DataSet(self.output).truth_path(self.study_id)


def write_data_set(
    output: Path, studies: int, seed: int, config: str, workers: int, progress: Progress | None = None, profile: str = "competition"
) -> DataSet:
    """Write studies that are not there yet in ``workers`` processes, then the tables of all that are.

    Args:
        output: a new or empty folder, or one that an earlier run of the same version, seed, configuration and profile began.
        studies: how many there are to be.
        config: a name of ``CONFIGS``.
        progress: called with (studies there, studies in all), first for those that were there before.
        profile: a name of ``PROFILES``.

    Raises:
        UsageError: an unknown name, a number below its least, a folder that holds something else, or a worker process that died.
    """
    _check_numbers(studies, seed, workers)
    configs, profiles = _named("configuration", config, CONFIGS), _named("profile", profile, PROFILES)
    _claim(output, {"seed": seed, "config": config, "configs": [asdict(each) for each in configs], "profile": profile})
    orders = [StudyOrder(output, seed, index, configs[index % len(configs)], profiles[index % len(profiles)]) for index in range(studies)]
    missing = [order for order in orders if not order.is_complete]
    report = progress or (lambda done, of: None)
    if missing:
        compile_ahead()
    already = studies - len(missing)
    report(already, studies)
    for written, _ in enumerate(run_side_by_side(write_order, missing, workers), 1):
        report(already + written, studies)
    shutil.rmtree(output / UNFINISHED, ignore_errors=True)
    _write_tables(DataSet(output))
    return DataSet(output)


def write_order(order: StudyOrder) -> None:
    """Make one patient and put pictures and truth in place; what an interrupted run left of this study is replaced."""
    patient = make_patient(order.patient_seed, order.config)
    unfinished = order.output / UNFINISHED / str(order.study_id)
    for leftover in (unfinished, order.images):
        if leftover.exists():
            shutil.rmtree(leftover)
    write_pictures = _write_as_hospital if order.profile.is_hospital else _write_as_competition
    pictures = write_pictures(order, patient.study, unfinished / "images")
    truth = unfinished / "truth"
    truth.mkdir()
    (truth / order.truth_path.name).write_text(
        json.dumps(_truth(order, patient, pictures), indent=1, default=_plain) + "\n", encoding="utf-8"
    )
    for source, target in ((unfinished / "images", order.images), (truth, order.truth_path.parent)):
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)
    unfinished.rmdir()


@dataclass(frozen=True, slots=True)
class _Pictures:
    """A study as it was written.

    Attributes:
        study_instance_uid: as in its files.
        series: those of the patient's study, in its order.
        distractors: what else lies there, and where.
    """

    study_instance_uid: str
    series: tuple[WrittenSeries, ...]
    distractors: tuple[tuple[Distractor, WrittenSeries], ...] = ()


def _write_as_competition(order: StudyOrder, study: Study, folder: Path) -> _Pictures:
    uid = str(order.study_id)
    written = []
    for series in study.series:
        write_series(folder / series.folder, uid, series, order.profile)
        numbers = {instance.instance_number: instance.instance_number for instance in series.instances}
        written.append(WrittenSeries(f"{uid}.{series.folder}", series.folder, numbers))
    return _Pictures(uid, tuple(written))


def _write_as_hospital(order: StudyOrder, study: Study, folder: Path) -> _Pictures:
    """Localisers come first, other distractors last, as they are taken."""
    rng = np.random.default_rng(np.random.SeedSequence((order.seed, order.index, 1)))
    distractors = sorted(make_distractors(study, rng), key=lambda each: each.kind is not DistractorKind.LOCALISER)
    localisers = sum(each.kind is DistractorKind.LOCALISER for each in distractors)
    series = [each.series for each in distractors]
    series[localisers:localisers] = study.series
    written = list(write_study(folder, replace(study, series=tuple(series)), order.profile, syntax_of(study)))
    if rng.random() < _SCANNED_PAGES:
        write_secondary_capture(folder / "SCAN" / "IM0001", study.study_instance_uid, report_page(rng))
    own = written[localisers : localisers + len(study.series)]
    del written[localisers : localisers + len(study.series)]
    return _Pictures(study.study_instance_uid, tuple(own), tuple(zip(distractors, written, strict=True)))


def _check_numbers(studies: int, seed: int, workers: int) -> None:
    for name, value, least in (("studies", studies, 1), ("seed", seed, 0), ("workers", workers, 1)):
        if value < least:
            raise UsageError(f"{name} {value}: at least {least} is needed")


def _named(kind: str, name: str, known: Mapping[str, tuple[Named, ...]]) -> tuple[Named, ...]:
    if name not in known:
        raise UsageError(f"no {kind} is called {name!r}; there are {', '.join(known)}")
    return known[name]


def _claim(output: Path, made_with: Mapping[str, Any]) -> None:
    """Mark the folder as made with this version and these values, or check that it was."""
    wanted = json.loads(json.dumps({"schema": SCHEMA, "version": __version__, **made_with}, default=_plain))
    mark = DataSet(output).phantom_mark
    if mark.is_file():
        found = _read_json(mark)
        differing = [name for name in wanted if found.get(name) != wanted[name]]
        if differing:
            raise UsageError(f"{output}: made with another {differing[0]}; give the same, or a new folder")
        return
    partial = mark.with_name(f"{mark.name}.partial")
    if output.is_dir() and any(path != partial for path in output.iterdir()):
        raise UsageError(f"{output}: holds files but no {mark.name}; a new or empty folder is needed")
    output.mkdir(parents=True, exist_ok=True)
    partial.write_text(json.dumps(wanted, indent=1) + "\n", encoding="utf-8")
    partial.replace(mark)


def _truth(order: StudyOrder, patient: Patient, pictures: _Pictures) -> dict[str, Any]:
    return {
        "schema": TRUTH_SCHEMA,
        "study_id": order.study_id,
        "study_instance_uid": pictures.study_instance_uid,
        "profile": order.profile,
        "seed": order.seed,
        "index": order.index,
        "patient_seed": order.patient_seed,
        "config": asdict(order.config),
        "series": [
            {"series_id": int(series.folder), "role": series.role, "moved_mm": moved_mm, **_place(written)}
            for series, moved_mm, written in zip(patient.study.series, patient.moved_mm, pictures.series, strict=True)
        ],
        "distractors": [{"kind": each.kind, "role": each.series.role, **_place(written)} for each, written in pictures.distractors],
        "findings": [_finding_truth(patient, index, pictures) for index in range(len(FINDINGS))],
        "spine": asdict(patient.spine),
        "anatomy": asdict(patient.anatomy),
    }


def _place(written: WrittenSeries) -> dict[str, Any]:
    return {"folder": written.folder, "series_instance_uid": written.series_instance_uid}


def _finding_truth(patient: Patient, index: int, pictures: _Pictures) -> dict[str, Any]:
    """True severity, any reader's probabilities and one reader's grade are always there; ``label`` is None where no picture reaches the
    site, so that a reader could not have given one.
    """
    truth, reading = patient.truth[index], patient.readings[index]
    landmark = patient.landmarks.get(truth.finding)
    return {
        "condition": truth.finding.condition,
        "laterality": truth.finding.laterality,
        "level": truth.finding.level,
        "severity": truth.severity.label,
        "z": truth.z,
        "probabilities": reading.probabilities,
        "reader": reading.label.label,
        "measures": truth.measures,
        "label": landmark
        and {
            "series_id": int(patient.study.series[landmark.series_index].folder),
            "instance_number": pictures.series[landmark.series_index].instance_numbers[landmark.instance_number],
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
    """The competition's three tables and the summary of their labels, of every study that has its truth, by study id."""
    truths = sorted(
        (_read_json(path) for path in (data_set.root / TRUTH_FOLDER).glob(f"*/{TRUTH_FILE}")), key=lambda truth: truth["study_id"]
    )
    labels = StudyLabels(tuple(truth["study_id"] for truth in truths), labels_of(truths))
    write_labels(data_set.labels_path, labels)
    summary = json.dumps(summarise(truths, labels.severities), indent=1) + "\n"
    (data_set.root / TRUTH_FOLDER / SUMMARY_FILE).write_text(summary, encoding="utf-8")
    write_coordinates(data_set.coordinates_path, (coordinate for truth in truths for coordinate in _coordinates(truth)))
    roles = {truth["study_id"]: {series["series_id"]: SeriesRole(series["role"]) for series in truth["series"]} for truth in truths}
    write_series_roles(data_set.series_path(Split.TRAIN), roles)


def _coordinates(truth: dict[str, Any]) -> Iterator[LabelCoordinate]:
    for finding, index in FINDING_INDEX.items():
        label = truth["findings"][index]["label"]
        if label is not None:
            place = label["series_id"], label["instance_number"]
            yield LabelCoordinate(truth["study_id"], *place, finding, label["column_px"], label["row_px"])
