"""The competition's submission: every study of a split through the pipeline, side by side, and the metric's tilt at the end."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lumbargrade.blend import Blend
from lumbargrade.competition import (
    COLUMN_PRIOR,
    DataSet,
    LabelCoordinate,
    Split,
    SubmissionRows,
    SubmissionScores,
    marked_points,
    read_series_roles,
    read_submission_rows,
    tilt,
)
from lumbargrade.dicom import find_study, read_study
from lumbargrade.geometry.affine import FloatArray
from lumbargrade.pipeline import Pipeline, StudyFailure, attempt
from lumbargrade.side_by_side import run_despite_deaths
from lumbargrade.terms import SeriesRole

_DIED = "its process ended unexpectedly, perhaps for want of memory"


@dataclass(frozen=True, slots=True)
class StudyRequest:
    """One study to predict.

    Attributes:
        roles: of its series, by the name of their folders; others are told from the images.
        coordinates: where to look, instead of where the localiser finds the levels.
    """

    study_id: int
    folder: Path
    roles: Mapping[str, SeriesRole]
    coordinates: tuple[LabelCoordinate, ...] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class StudyPrediction:
    """What is known of one study.

    Attributes:
        probabilities: (model, 25, 3) calibrated, not tilted, in the order of ``FINDINGS``. Where a model could not grade, it says what the
            others say on average; where none could, all say ``COLUMN_PRIOR``.
        is_graded: (25,) which are a model's own.
        failure: why the study could not be read, if so.
    """

    study_id: int
    probabilities: FloatArray
    is_graded: NDArray[np.bool_]
    failure: StudyFailure | None = None

    @property
    def graded(self) -> int:
        """How many are the model's own."""
        return int(self.is_graded.sum())


def expected_rows(data_set: DataSet, split: Split) -> SubmissionRows | None:
    """The rows of the sample submission, which is about the test studies; None where there is none.

    Raises:
        TableError: the file cannot be read.
    """
    is_there = split is Split.TEST and data_set.sample_submission_path.is_file()
    return read_submission_rows(data_set.sample_submission_path) if is_there else None


def study_requests(
    data_set: DataSet, split: Split, expected: SubmissionRows | None, coordinates: Iterable[LabelCoordinate] | None
) -> list[StudyRequest]:
    """A request for every expected study, or else for every study of the split.

    Raises:
        InputError: the split has no study, or a table cannot be read.
    """
    available = data_set.study_ids(split)
    study_ids = available if expected is None else expected.study_ids
    table = data_set.series_path(split)
    roles = read_series_roles(table) if table.is_file() else {}
    given: dict[int, list[LabelCoordinate]] = defaultdict(list)
    for coordinate in coordinates or ():
        given[coordinate.study_id].append(coordinate)
    return [
        StudyRequest(
            study_id,
            data_set.study_folder(split, study_id),
            {str(series_id): role for series_id, role in roles.get(study_id, {}).items()},
            None if coordinates is None else tuple(given[study_id]),
        )
        for study_id in study_ids
    ]


def predict_studies(requests: Sequence[StudyRequest], models: Sequence[Path | None], workers: int) -> Iterator[StudyPrediction]:
    """Predict each study with each of some models (None for the one that ships), in whatever order they are done, in ``workers``
    processes: the DICOM room is not for threads.

    Raises:
        ModelFileError: the model cannot be used.
    """
    if workers == 1:
        pipelines = [Pipeline.load(each) for each in models]
        yield from (predict_study(pipelines, request) for request in requests)
        return
    for request, prediction in run_despite_deaths(partial(_predict_in_worker, tuple(models)), requests, workers):
        yield prediction or _prior(request, len(models), StudyFailure(str(request.study_id), _DIED))


def predict_study(pipelines: Sequence[Pipeline], request: StudyRequest) -> StudyPrediction:
    """Predict one study with each model; what cannot be read or graded gets the prior.

    Raises:
        ModelFileError: the model cannot be used.
    """
    outcome = attempt(str(request.study_id), lambda: _predicted(pipelines, request))
    return _prior(request, len(pipelines), outcome) if isinstance(outcome, StudyFailure) else outcome


def submission_scores(predictions: Iterable[StudyPrediction], blend: Blend) -> SubmissionScores:
    """What to submit: the models blended; findings that none could grade get the prior with the metric's own tilt."""
    ordered = sorted(predictions, key=lambda prediction: prediction.study_id)
    scores = blend.scores(np.stack([prediction.probabilities for prediction in ordered], 1))
    is_graded = np.array([prediction.is_graded for prediction in ordered])
    scores = np.where(is_graded[..., None], scores, tilt(COLUMN_PRIOR))
    return SubmissionScores(tuple(prediction.study_id for prediction in ordered), scores)


def _predicted(pipelines: Sequence[Pipeline], request: StudyRequest) -> StudyPrediction:
    study = read_study(find_study(request.folder), request.roles)
    points = None
    if request.coordinates is not None:
        points = {marked.coordinate.finding: marked.point_lps_mm for marked in marked_points(study, request.coordinates)}
    said = np.full((len(pipelines), *COLUMN_PRIOR.shape), np.nan)
    for row, pipeline in enumerate(pipelines):
        answer = pipeline.grade(study) if points is None else pipeline.grade_at(study, points)
        for index, grade in enumerate(answer.grades):
            if grade.probabilities is not None:
                said[row, index] = grade.probabilities.values
    known: NDArray[np.bool_] = ~np.isnan(said[..., 0])
    means = np.where(known[..., None], said, 0).sum(0) / np.maximum(known.sum(0), 1)[:, None]
    means[~known.any(0)] = COLUMN_PRIOR[~known.any(0)]
    return StudyPrediction(request.study_id, np.where(known[..., None], said, means), np.asarray(known.any(0)))


def _prior(request: StudyRequest, models: int, failure: StudyFailure) -> StudyPrediction:
    return StudyPrediction(request.study_id, np.stack([COLUMN_PRIOR] * models), np.zeros(len(COLUMN_PRIOR), bool), failure)


@cache
def _loaded(models: tuple[Path | None, ...]) -> list[Pipeline]:
    """Those of each worker; the workers share the cores, so each network has one thread."""
    return [Pipeline.load(each, threads=1) for each in models]


def _predict_in_worker(models: tuple[Path | None, ...], request: StudyRequest) -> StudyPrediction:
    return predict_study(_loaded(models), request)
