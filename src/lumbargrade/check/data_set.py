"""The whole check: tables, then every study side by side, then what was found as one report."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from lumbargrade.check.faults import Fault, Weight
from lumbargrade.check.images import SeriesFacts, check_files, number_of, read_files, series_facts
from lumbargrade.check.marks import JudgedMarks, judge_marks
from lumbargrade.check.tables import MarkedRow, Tables, read_tables
from lumbargrade.competition import DataSet, Split, open_data_set
from lumbargrade.competition.names import row_id
from lumbargrade.competition.table import read_table
from lumbargrade.dicom import find_study, read_study
from lumbargrade.errors import InputError, TableError
from lumbargrade.pipeline import Pipeline
from lumbargrade.side_by_side import run_despite_deaths
from lumbargrade.terms import FINDINGS, SeriesRole

SCHEMA = "lumbargrade/check/1"
NO_LEVELS = "no_levels"
"""The code of the localiser's problem that says that sagittal pictures show no lumbar spine."""


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """How thoroughly. ``pictures`` decodes every picture and looks for a lumbar spine in each sagittal series."""

    pictures: bool = True
    workers: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class CheckReport:
    """What was looked at and what was found.

    Attributes:
        studies, series, files: how many were looked at.
        faults: in the order of tables, then studies.
        tables: of the training studies, as far as they could be read.
        judged: by study, what its coordinates came to.
        stored: how each series is stored.
    """

    studies: int
    series: int
    files: int
    faults: tuple[Fault, ...]
    tables: Tables
    judged: Mapping[int, JudgedMarks]
    stored: tuple[SeriesFacts, ...]

    @property
    def counts(self) -> Counter[str]:
        """How many of each kind."""
        return Counter(fault.code for fault in self.faults)

    @property
    def contradictions(self) -> int:
        """How many faults, without what is only good to know."""
        return sum(fault.kind.weight is Weight.FAULT for fault in self.faults)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "schema": SCHEMA,
            "looked_at": {"studies": self.studies, "series": self.series, "files": self.files},
            "counts": dict(sorted(self.counts.items())),
            "faults": [fault.as_json() for fault in self.faults],
        }


@dataclass(frozen=True, slots=True)
class _Task:
    study_id: int
    folder: Path
    roles: Mapping[int, SeriesRole | None] | None
    rows: tuple[MarkedRow, ...]
    table: str


@dataclass(frozen=True, slots=True, eq=False)
class _Checked:
    series: int
    files: int
    faults: tuple[Fault, ...]
    judged: JudgedMarks | None
    stored: tuple[SeriesFacts, ...] = ()


def check_data_set(root: Path, options: CheckOptions, progress: Callable[[int, int], None] | None = None) -> CheckReport:
    """Check a data set; ``progress`` is called with (studies done, studies in all).

    Raises:
        InputError: the folder is no data set in the competition's layout.
        ModelFileError: the model that looks for the spine cannot be used.
    """
    data_set = open_data_set(root)
    faults: list[Fault] = []
    tasks: list[_Task] = []
    tables = Tables()
    for split in Split:
        if not any(path.exists() for path in _places(data_set, split)):
            continue
        found = read_tables(data_set, split)
        tables = found if split is Split.TRAIN else tables
        faults += found.faults
        folders = _study_folders(data_set, split)
        faults += _between_tables_and_folders(found, folders, data_set, split)
        marks = found.marks_by_study()
        roles, table = found.roles, data_set.coordinates_path.name
        tasks += [
            _Task(study_id, folder, None if roles is None else roles.get(study_id), marks.get(study_id, ()), table)
            for study_id, folder in folders.items()
        ]
        if split is Split.TEST:
            faults += _sample_submission(data_set, set(found.roles or folders))
    checked = _check_studies(tasks, options, progress)
    by_study = dict(sorted(checked.items()))
    faults += [fault for each in by_study.values() for fault in each.faults]
    judged = {study_id: each.judged for study_id, each in by_study.items() if each.judged is not None}
    stored = tuple(facts for each in by_study.values() for facts in each.stored)
    series, files = (sum(getattr(each, name) for each in by_study.values()) for name in ("series", "files"))
    return CheckReport(len(by_study), series, files, tuple(faults), tables, judged, stored)


def _places(data_set: DataSet, split: Split) -> tuple[Path, ...]:
    """What a split consists of: without any of it, it is not there."""
    own = (data_set.labels_path, data_set.coordinates_path) if split is Split.TRAIN else ()
    return (data_set.images(split), data_set.series_path(split), *own)


def _study_folders(data_set: DataSet, split: Split) -> dict[int, Path]:
    folder = data_set.images(split)
    entries = sorted(folder.iterdir()) if folder.is_dir() else []
    return {number: entry for entry in entries if entry.is_dir() and (number := number_of(entry.name)) is not None}


def _between_tables_and_folders(tables: Tables, folders: Mapping[int, Path], data_set: DataSet, split: Split) -> list[Fault]:
    named, place = tables.study_ids(), data_set.images(split).name
    without = [Fault("study_without_images", f"no folder in {place}", study_id=study_id) for study_id in sorted(named - set(folders))]
    unnamed = [Fault("images_without_study", f"a folder in {place}", study_id=study_id) for study_id in sorted(set(folders) - named)]
    entries = list(data_set.images(split).iterdir()) if data_set.images(split).is_dir() else []
    odd = [entry for entry in entries if not entry.name.startswith(".") and (not entry.is_dir() or number_of(entry.name) is None)]
    return [*without, *(unnamed if named else []), *([Fault("stray_file", f"{len(odd)} in {place} that are no studies")] if odd else [])]


def _sample_submission(data_set: DataSet, study_ids: set[int]) -> list[Fault]:
    path = data_set.sample_submission_path
    if not path.is_file():
        return []
    try:
        table = read_table(path)
        table.require("row_id")
    except TableError as error:
        return [Fault("table_unreadable", str(error).removeprefix(f"{path}: "), path.name)]
    expected = {row_id(study_id, finding) for study_id in study_ids for finding in FINDINGS}
    found = Counter(row[table.columns.index("row_id")] for row in table.rows)
    missing, unknown = len(expected - set(found)), len(set(found) - expected)
    twice = sum(count > 1 for count in found.values())
    told = [f"{count} {word}" for count, word in ((missing, "missing"), (unknown, "of no test study"), (twice, "repeated")) if count]
    return [Fault("submission_rows", ", ".join(told), path.name)] if told else []


def _check_studies(tasks: Sequence[_Task], options: CheckOptions, progress: Callable[[int, int], None] | None) -> dict[int, _Checked]:
    if options.pictures:
        Pipeline.load()  # a model that is broken is told at once, and not by every process
    step = partial(_check_study, options.pictures)
    done: dict[int, _Checked] = {}
    for task, outcome in run_despite_deaths(step, tasks, options.workers):
        died = Fault("file_unreadable", "the process that read this study ended, perhaps for want of memory", study_id=task.study_id)
        done[task.study_id] = outcome or _Checked(0, 0, (died,), None)
        if progress is not None:
            progress(len(done), len(tasks))
    return done


def _check_study(pictures: bool, task: _Task) -> _Checked:
    files, faults = read_files(task.study_id, task.folder, decode=pictures)
    faults += check_files(files, task.roles)
    judged = judge_marks(task.rows, files, task.roles, task.table) if task.rows else None
    if judged is not None:
        faults += judged.faults
    if pictures:
        faults += _without_spine(task)
    return _Checked(
        len(files.facts), sum(len(each) for each in files.facts.values()), tuple(faults), judged, tuple(series_facts(files, task.roles))
    )


def _without_spine(task: _Task) -> list[Fault]:
    """The sagittal series in which the localiser finds no lumbar spine."""
    faults = []
    for series_id, role in (task.roles or {}).items():
        folder = task.folder / str(series_id)
        if role is None or not role.is_sagittal or not folder.is_dir():
            continue
        try:
            study = read_study(find_study(folder), {folder.name: role})
        except InputError:
            continue
        problems = [problem for problem in _pipeline().locate(study).problems if problem.code == NO_LEVELS]
        faults += [Fault("not_lumbar", problem.message, study_id=task.study_id, series_id=series_id) for problem in problems]
    return faults


@cache
def _pipeline() -> Pipeline:
    return Pipeline.load(threads=1)
