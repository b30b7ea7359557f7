"""Training the networks of each member, side by side: on few cores that is faster than one network on all of them."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import torch

from lumbargrade.grade.context import CONTEXT
from lumbargrade.grade.recipe import NETWORK_NAMES
from lumbargrade.localise import JUNCTION, LOCALISER
from lumbargrade.side_by_side import run_side_by_side
from lumbargrade.terms import Condition
from lumbargrade.train.backbone import Backbone
from lumbargrade.train.config import NETWORKS, Schedule, TrainConfig
from lumbargrade.train.context import export_context, hear_studies, train_context
from lumbargrade.train.data_set import LabelledStudy
from lumbargrade.train.grader import PREDICTED_AT_ONCE, plain_inputs, train_grader
from lumbargrade.train.grader_network import export_grader
from lumbargrade.train.junction import export_junction, read_junctions, train_junction
from lumbargrade.train.localiser import train_localiser
from lumbargrade.train.localiser_network import export_localiser
from lumbargrade.train.loop import Session
from lumbargrade.train.parallel import ALONE, World
from lumbargrade.train.study_cache import StudyCache

MOST_AT_ONCE = 4
"""Networks trained at once: each holds its samples in memory, up to 4 GB for a thousand studies."""
COMPARED = 1000
"""Samples on which an exported grader is compared with torch's."""
_CONDITIONS = {name: condition for condition, name in NETWORK_NAMES.items()}


@dataclass(frozen=True, slots=True)
class MemberPlan:
    """One member: its studies by id, and its seed. ``files`` are the names of its networks' files in the folder of weights."""

    fold: int
    seed: int
    training: tuple[int, ...]
    held_out: tuple[int, ...]
    files: dict[str, str]


@dataclass(frozen=True, slots=True)
class _NetworkTask:
    name: str
    schedule: Schedule
    seed: int
    cache: StudyCache
    study_ids: tuple[int, ...]
    held_out: tuple[int, ...]
    path: Path
    threads: int
    start: bytes | None
    backbone: Backbone
    session: Session


def cores(config: TrainConfig) -> int:
    """The cores to use."""
    return config.threads or os.cpu_count() or 1


def train_members(
    members: Sequence[MemberPlan],
    config: TrainConfig,
    studies: Mapping[int, LabelledStudy],
    cache: StudyCache,
    weights: Path,
    workers: int,
    quiet: bool,
    start: Mapping[str, bytes] = MappingProxyType({}),
    notes: Path | None = None,
    world: World = ALONE,
) -> None:
    """Train and write every network whose file is not there yet.

    Args:
        weights: the folder of the files.
        start: the files of networks to go on from, by name.
        notes: the folder where states and losses are kept, which must be there; that of the weights if None.
        world: the processes that train each network together; then the networks are trained one after the other.

    Raises:
        ModelFileError: an exported network does not give torch's outputs.
        InputError: the junction's network is asked for where nothing is known of junctions, or the context where nothing can be read.
    """
    absent = [(member, name) for member in members for name in config.networks if not (weights / member.files[name]).is_file()]
    missing = [(member, name) for member, name in absent if name not in (CONTEXT, JUNCTION)]
    notes = notes or weights
    at_once = max(1, min(workers, len(missing), MOST_AT_ONCE)) if world.size == 1 else 1
    tasks = [
        _NetworkTask(
            name,
            _schedule(config, name, start),
            member.seed,
            cache,
            member.training,
            member.held_out,
            weights / member.files[name],
            max(1, cores(config) // (at_once * world.on_this_machine)),
            start.get(name),
            config.reader,
            Session(
                _label(name, member, members),
                quiet,
                NETWORKS.index(name) if at_once > 1 else 0,
                notes / Path(member.files[name]).stem,
                world,
            ),
        )
        for member, name in missing
    ]
    for _ in run_side_by_side(_train_network, tasks, at_once):
        pass
    if not world.is_first:
        return
    torch.set_num_threads(cores(config))
    for member in (member for member, name in absent if name == CONTEXT):
        label = _label(CONTEXT, member, members)
        files = {name: weights / member.files[name] for name in NETWORK_NAMES.values()}
        heard = hear_studies(files, cache, member.training, member.seed, f"{label}: studies", cores(config), quiet)
        session = Session(label, quiet, notes=notes / Path(member.files[CONTEXT]).stem)
        context = train_context(heard, _schedule(config, CONTEXT, start), member.seed, session, start.get(CONTEXT))
        export_context(context, weights / member.files[CONTEXT], heard)
        session.remove_state()
    for member in (member for member, name in absent if name == JUNCTION):
        known = [studies[study_id] for study_id in member.training]
        label = _label(JUNCTION, member, members)
        junctions = read_junctions(known, weights / member.files[LOCALISER], f"{label}: studies", workers, quiet)
        network = train_junction(junctions, config.junction, member.seed, quiet, label)
        export_junction(network, weights / member.files[JUNCTION])


def _schedule(config: TrainConfig, name: str, start: Mapping[str, bytes]) -> Schedule:
    schedule: Schedule = getattr(config, name)
    return replace(schedule, learning_rate=schedule.learning_rate * config.started_rate) if name in start else schedule


def _label(name: str, member: MemberPlan, members: Sequence[MemberPlan]) -> str:
    return name if len(members) == 1 else f"fold {member.fold} {name}"


def _train_network(task: _NetworkTask) -> None:
    torch.set_num_threads(task.threads)
    if task.name == LOCALISER:
        slices, held_out_slices = (task.cache.localiser_samples(ids) for ids in (task.study_ids, task.held_out))
        network = train_localiser(slices, task.schedule, task.seed, task.session, start=task.start, held_out=held_out_slices)
        if task.session.world.is_first:
            export_localiser(network, task.path)
    else:
        condition: Condition = _CONDITIONS[task.name]
        crops, held_out_crops = (task.cache.grader_samples(condition, ids) for ids in (task.study_ids, task.held_out))
        trained = train_grader(condition, crops, task.schedule, task.seed, task.session, task.start, task.backbone, held_out_crops)
        if task.session.world.is_first:
            starts = range(0, min(COMPARED, len(crops)), PREDICTED_AT_ONCE)
            batches = (plain_inputs(crops, slice(start, start + PREDICTED_AT_ONCE)) for start in starts)
            export_grader(trained.network, condition, task.path, trained.scale, batches)
    task.session.world.wait()
    task.session.remove_state()
