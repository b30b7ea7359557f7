"""Preparing every labelled study once: DICOM in, a file of training samples out. Imports no torch, so its processes stay small."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from lumbargrade.competition.truth import read_finding_truths, read_spine_truth
from lumbargrade.errors import InputError
from lumbargrade.pipeline import StudyFailure, attempt
from lumbargrade.side_by_side import run_side_by_side
from lumbargrade.study import Study
from lumbargrade.train.data_set import LabelledStudy, read_labelled_study
from lumbargrade.train.grader_samples import grader_samples
from lumbargrade.train.localiser_samples import LocaliserSample, prepare_localiser_study
from lumbargrade.train.progress import progress_bar
from lumbargrade.train.spine_marks import SpineMarks, marks_of_labels, marks_of_truth
from lumbargrade.train.study_cache import StudyCache


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A study that cannot be learnt from, and why in one phrase."""

    study_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class _Task:
    study: LabelledStudy
    cache: StudyCache


def index_studies(studies: Sequence[LabelledStudy], cache: StudyCache, workers: int, quiet: bool) -> list[LeftOut]:
    """Prepare the studies that the cache lacks; those that cannot be used are returned, by ascending id, and are tried again next time."""
    tasks = [_Task(study, cache) for study in studies if not cache.path(study.study_id).is_file()]
    left_out = []
    with progress_bar(len(tasks), "reading studies", "study", quiet=quiet or not tasks) as bar:
        for problem in run_side_by_side(_prepare, tasks, workers):
            bar.update()
            if problem is not None:
                left_out.append(problem)
    return sorted(left_out, key=lambda each: each.study_id)


def _prepare(task: _Task) -> LeftOut | None:
    study_id = task.study.study_id
    outcome = attempt(str(study_id), partial(_prepare_study, task.study, task.cache))
    return LeftOut(study_id, outcome.reason.removeprefix(f"{task.study.folder}: ")) if isinstance(outcome, StudyFailure) else None


def _prepare_study(labelled: LabelledStudy, cache: StudyCache) -> None:
    study, landmarks = read_labelled_study(labelled)
    if not landmarks:
        raise InputError(f"none of its {len(labelled.coordinates)} coordinates lies in a usable picture")
    marks = marks_of_truth(read_spine_truth(labelled.truth)) if labelled.truth else marks_of_labels(landmarks)
    truth = read_finding_truths(labelled.truth) if labelled.truth else {}
    cache.write(labelled.study_id, _localiser_sample(study, marks), grader_samples(study, landmarks, labelled.severities, truth))


def _localiser_sample(study: Study, marks: SpineMarks) -> LocaliserSample | None:
    """None for a study without sagittal series, which can still teach the graders of axial pictures."""
    try:
        return prepare_localiser_study(study, marks)
    except (ValueError, InputError):
        return None
