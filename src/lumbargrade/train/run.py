"""A training run from a data set to a calibrated model, on one page: index, train, predict what was held out, calibrate, write.

A stage whose product is there is not repeated, so an interrupted run goes on where it stopped. The folder of a run::

    plan.json  stages.json      what the run was asked for; seconds a stage
    members.json                which studies each member learns from and which are held out
    cache/<study_id>.npz        prepared studies (elsewhere if so asked)
    weights/                    the networks and their manifest: a model
    training/                   the losses of each network; while it is trained, its state
    held_out/fold-<k>.npz       logits and localisation errors of each fold's held-out studies; of those to calibrate on, where given
    oof.csv  run.json           the held-out predictions; everything about the run
    doubtful_labels.csv         labels that the held-out predictions find unlikely
    report.html                 the same for people, with the losses
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lumbargrade import __version__
from lumbargrade.competition import StudyLabels, hold_out_sets, write_out_of_fold
from lumbargrade.competition.table import write_table
from lumbargrade.errors import InputError, UsageError
from lumbargrade.grade.context import CONTEXT
from lumbargrade.grade.recipe import NETWORK_NAMES
from lumbargrade.localise import JUNCTION
from lumbargrade.models import write_manifest
from lumbargrade.models.bundle import RUN_WEIGHTS
from lumbargrade.train.config import NETWORKS, TrainConfig
from lumbargrade.train.data_set import LabelledData, LabelledStudy, Purpose, open_labelled_data
from lumbargrade.train.doubtful import DoubtfulLabel, doubtful_labels
from lumbargrade.train.held_out import HeldOutStudies, predict_held_out
from lumbargrade.train.index import LeftOut, index_studies
from lumbargrade.train.loop import training_device
from lumbargrade.train.member import MOST_AT_ONCE, MemberPlan, cores, train_members
from lumbargrade.train.outcome import describe, fit_on, tilted_scores
from lumbargrade.train.parallel import World, close_world, open_world
from lumbargrade.train.record import StageClock, settle_plan, software, write_json
from lumbargrade.train.run_page import write_run_page
from lumbargrade.train.study_cache import StudyCache, open_cache
from lumbargrade.train.taken import TakenNetworks

SCHEMA = "lumbargrade/run/1"
MEMBERS = "members.json"
NOTES = "training"
STUDIES_A_FOLD = 2
"""Fewer, and a fold says nothing about the others."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a run is carried out; only ``folds`` and ``calibrate_on`` change what comes out, though ``workers`` moves weights by rounding
    (threads add up in another order).

    Attributes:
        folds: members to train, each without its fold; 1 trains one member on five sixths.
        workers: processes side by side.
        cache: where prepared studies lie, None for the run's own folder.
        models: where networks that are not trained are taken from; None for the model that ships.
        start_from: a model whose networks are trained on; None for the model that ships. A configuration may have them begin anew.
        calibrate_on: data sets whose studies the calibration is fitted on, instead of those that were held out.
        coordinates: a file of coordinates to take instead of the data set's own.
    """

    folds: int = 5
    workers: int = 1
    cache: Path | None = None
    models: Path | None = None
    start_from: Path | None = None
    calibrate_on: tuple[Path, ...] = ()
    coordinates: Path | None = None
    quiet: bool = False


def train_run(
    data_dir: Path, run_dir: Path, config: TrainConfig, options: RunOptions, warn: Callable[[str], None]
) -> dict[str, Any] | None:
    """Carry a run out or on; ``warn`` is told of each study that is left out. Returns what ``run.json`` holds.

    Among processes that ``torchrun`` started, all train, and the first does the rest; the others get None.

    Raises:
        UsageError: the folder holds another run, or there are too few studies for the folds.
        InputError: the data set cannot be learnt from.
        ModelFileError: the model that networks are taken from lacks one.
    """
    world = open_world()
    try:
        data = open_labelled_data(data_dir, coordinates=options.coordinates)
        taken = TakenNetworks.read(options.models, config, options.start_from)
        if not world.is_first:
            _follow(data, run_dir, config, options, taken, world)
            return None
        return _lead(data, run_dir, config, options, taken, world, warn)
    finally:
        close_world(world)


def _lead(
    data: LabelledData,
    run_dir: Path,
    config: TrainConfig,
    options: RunOptions,
    taken: TakenNetworks,
    world: World,
    warn: Callable[[str], None],
) -> dict[str, Any]:
    others = [open_labelled_data(path, Purpose.CALIBRATION) for path in options.calibrate_on]
    run_dir.mkdir(parents=True, exist_ok=True)
    plan = {"config": config.as_dict(), "folds": options.folds, "data_fingerprint": data.fingerprint, "version": __version__}
    settle_plan(run_dir, {**plan, "taken": taken.as_record(), "calibrated_on": [other.fingerprint for other in others]})
    clock, cache = StageClock(run_dir), open_cache(_cache_folder(run_dir, options), data.fingerprint)
    try:
        with clock.stage("index"):
            left_out = index_studies(list(data.studies.values()), cache, options.workers, options.quiet)
        for each in left_out:
            warn(f"study {each.study_id} is left out: {each.reason}")
        members = _plan_members(data, left_out, config, options.folds)
        _settle_members(run_dir, members, left_out)
        config, taken = _with_enough(members, cache, config, options, taken, warn)
        weights, notes = run_dir / RUN_WEIGHTS, run_dir / NOTES
        weights.mkdir(exist_ok=True)
        notes.mkdir(exist_ok=True)
        taken.write([member.files for member in members], weights)
        world.from_first(left_out)
        with clock.stage("train"):
            train_members(members, config, data.studies, cache, weights, options.workers, options.quiet, taken.start, notes, world)
        with clock.stage("held_out"):
            parts = [_held_out(member, data, run_dir, config, options) for member in members]
        _warn_of_unread([study_id for member in members for study_id in member.held_out], parts, "the held-out studies", warn)
        with clock.stage("calibration"):
            seen = [_to_calibrate_on(other, member, run_dir, config, options) for other in others for member in members]
        _warn_of_unread([study_id for other in others for study_id in other.studies], [found for found, _ in seen], "the calibration", warn)
    finally:
        _remove_partial_files(run_dir)
    for path in notes.glob("*.state"):  # left by a run that was killed between writing a network and removing its state
        path.unlink()
    return _conclude(run_dir, data, left_out, members, parts, seen, taken, config, options, clock)


def _follow(data: LabelledData, run_dir: Path, config: TrainConfig, options: RunOptions, taken: TakenNetworks, world: World) -> None:
    """Train with the process that leads, once it has prepared the studies and settled who learns from which."""
    left_out = world.from_first(None)
    members = _plan_members(data, left_out, config, options.folds)
    cache = open_cache(_cache_folder(run_dir, options), data.fingerprint)
    config, taken = _with_enough(members, cache, config, options, taken, lambda _: None)
    weights, notes = run_dir / RUN_WEIGHTS, run_dir / NOTES
    train_members(members, config, data.studies, cache, weights, options.workers, True, taken.start, notes, world)


def _with_enough(
    members: list[MemberPlan],
    cache: StudyCache,
    config: TrainConfig,
    options: RunOptions,
    taken: TakenNetworks,
    warn: Callable[[str], None],
) -> tuple[TrainConfig, TakenNetworks]:
    """The configuration without the networks that some member has nothing to learn from: they are taken as they are.

    Raises:
        InputError: no network has anything to learn from.
    """
    lacking = {name: what for member in members for name, what in cache.lacking(member.training, config.networks).items()}
    if not lacking:
        return config, taken
    graders = [name for name in NETWORK_NAMES.values() if name in config.networks and name not in lacking]
    left = tuple(name for name in config.networks if name not in lacking and (name != CONTEXT or graders))
    if not left:
        raise InputError(f"nothing to train: {'; '.join(f'{name} needs {what}' for name, what in lacking.items())}")
    for name, what in lacking.items():
        warn(f"{name} is not trained, for want of {what}; that of another model is taken")
    config = replace(config, networks=left)
    return config, TakenNetworks.read(options.models, config, options.start_from)


def _cache_folder(run_dir: Path, options: RunOptions) -> Path:
    return options.cache or run_dir / "cache"


def _plan_members(data: LabelledData, left_out: list[LeftOut], config: TrainConfig, folds: int) -> list[MemberPlan]:
    absent = {each.study_id for each in left_out}
    usable = tuple(sorted(study_id for study_id in data.studies if study_id not in absent))
    if len(usable) < STUDIES_A_FOLD * folds or len(usable) < STUDIES_A_FOLD:
        raise UsageError(f"{len(usable)} usable studies for {folds} folds: at least {STUDIES_A_FOLD} a fold are needed; try fewer --folds")
    members = []
    for fold, (training, held_out) in enumerate(hold_out_sets(data.labels_of(usable), folds, config.seed)):
        files = {name: f"{name}.onnx" if folds == 1 else f"{name}-{fold}.onnx" for name in NETWORKS}
        ids = [tuple(usable[index] for index in indices) for indices in (training, held_out)]
        members.append(MemberPlan(fold, config.seed + fold, ids[0], ids[1], files))
    return members


def _settle_members(run_dir: Path, members: list[MemberPlan], left_out: list[LeftOut]) -> None:
    """Fix which studies each member learns from and is tried on: folds dealt anew would try networks on what they were trained on.

    Raises:
        UsageError: the run was begun with other studies, because one could not be read then or cannot be read now.
    """
    dealt = {str(member.fold): {"training": list(member.training), "held_out": list(member.held_out)} for member in members}
    path = run_dir / MEMBERS
    if not path.is_file():
        write_json(path, dealt)
    elif json.loads(path.read_text()) != dealt:
        now = f"{len(left_out)} left out now"
        raise UsageError(f"{run_dir}: begun with other usable studies ({now}); make the same ones readable, or choose another --output")


def _held_out(member: MemberPlan, data: LabelledData, run_dir: Path, config: TrainConfig, options: RunOptions) -> HeldOutStudies:
    studies = [data.studies[study_id] for study_id in member.held_out]
    label = f"grading held-out fold {member.fold}"
    return _predicted(studies, run_dir / "held_out" / f"fold-{member.fold}.npz", label, member, run_dir, config, options)


def _to_calibrate_on(
    data: LabelledData, member: MemberPlan, run_dir: Path, config: TrainConfig, options: RunOptions
) -> tuple[HeldOutStudies, StudyLabels]:
    path = run_dir / "held_out" / f"calibration-{data.fingerprint[:8]}-{member.fold}.npz"
    label = f"grading to calibrate fold {member.fold}"
    found = _predicted(list(data.studies.values()), path, label, member, run_dir, config, options)
    return found, data.labels_of(tuple(found.study_ids.tolist()))


def _predicted(
    studies: list[LabelledStudy], path: Path, label: str, member: MemberPlan, run_dir: Path, config: TrainConfig, options: RunOptions
) -> HeldOutStudies:
    """What a member says of studies, kept at ``path``."""
    if not path.is_file():
        path.parent.mkdir(exist_ok=True)
        files = {name: run_dir / RUN_WEIGHTS / file for name, file in member.files.items() if name != JUNCTION}
        networks = {name: file for name, file in files.items() if name != CONTEXT or file.is_file()}
        threads = max(1, cores(config) // options.workers)
        predict_held_out(studies, networks, label, options.workers, threads, options.quiet).write(path)
    return HeldOutStudies.read(path)


def _warn_of_unread(asked: Iterable[int], found: Iterable[HeldOutStudies], purpose: str, warn: Callable[[str], None]) -> None:
    for study_id in sorted(set(asked) - {study_id for each in found for study_id in each.study_ids.tolist()}):
        warn(f"study {study_id} is left out of {purpose}: it cannot be read or graded")


def _conclude(
    run_dir: Path,
    data: LabelledData,
    left_out: list[LeftOut],
    members: list[MemberPlan],
    parts: list[HeldOutStudies],
    seen: list[tuple[HeldOutStudies, StudyLabels]],
    taken: TakenNetworks,
    config: TrainConfig,
    options: RunOptions,
    clock: StageClock,
) -> dict[str, Any]:
    """Calibrate, on all held-out studies together unless others were given; write manifest, held-out predictions and record."""
    held_out = HeldOutStudies.joined(parts)
    labels = data.labels_of(tuple(held_out.study_ids.tolist()))
    calibrations = taken.among(fit_on(seen or [(held_out, labels)]))
    weights = run_dir / RUN_WEIGHTS
    contents = [
        {"networks": {name: file for name, file in member.files.items() if (weights / file).is_file()}, "calibration": calibrations}
        for member in members
    ]
    write_manifest(weights, f"lumbargrade-{config.name}", f"{__version__}+{data.fingerprint[:8]}", contents)
    fold_of = {study_id: member.fold for member in members for study_id in member.held_out}
    folds = np.array([fold_of[study_id] for study_id in labels.study_ids])
    predicted = tilted_scores(held_out, calibrations)
    write_out_of_fold(run_dir / "oof.csv", predicted, folds)
    doubtful = doubtful_labels(labels, predicted, ~np.ma.getmaskarray(held_out.logits)[..., 0], folds)
    write_table(run_dir / "doubtful_labels.csv", DoubtfulLabel._fields, doubtful)
    at_once = max(1, min(options.workers, len(members) * len(config.networks), MOST_AT_ONCE))
    record = {
        "schema": SCHEMA,
        "config": config.as_dict(),
        "seed": config.seed,
        "folds": options.folds,
        "data": {
            "fingerprint": data.fingerprint,
            "labelled_studies": len(data.labels.study_ids),
            "used_studies": len(data.studies) - len(left_out),
            "left_out": [asdict(each) for each in left_out],
            "calibration_studies": sum(len(found.study_ids) for found, _ in seen) // len(members) if seen else len(held_out.study_ids),
        },
        "software": software(),
        "machine": {
            "cores": cores(TrainConfig()),
            "workers": options.workers,
            "threads_a_network": max(1, cores(config) // at_once),
            "device": training_device().type,
        },
        "seconds": clock.seconds,
        "held_out": describe(held_out, labels, calibrations),
        "calibration": calibrations,
        "taken": taken.as_record(),
    }
    write_json(run_dir / "run.json", record)
    write_run_page(run_dir, run_dir / NOTES, record, doubtful)
    return record


def _remove_partial_files(run_dir: Path) -> None:
    """Only in folders of this run alone: a shared cache may hold what another run is writing."""
    for folder in (run_dir, run_dir / "cache", run_dir / RUN_WEIGHTS, run_dir / NOTES, run_dir / "held_out"):
        for path in folder.glob("*.partial"):
            path.unlink(missing_ok=True)
