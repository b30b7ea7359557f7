"""The competition's submission: every study of a split through the pipeline, side by side, and the metric's tilt at the end."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

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
        probabilities: (25, 3) calibrated, not tilted, in the order of ``FINDINGS``; those of ``COLUMN_PRIOR`` where not graded.
        is_graded: (25,) which are the model's own.
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


def predict_studies(requests: Sequence[StudyRequest], models: Path | None, workers: int) -> Iterator[StudyPrediction]:
    """Predict each study, in whatever order they are done, in ``workers`` processes: the DICOM room is not for threads.

    Raises:
        ModelFileError: the model cannot be used.
    """
    if workers == 1:
        pipeline = Pipeline.load(models)
        yield from (predict_study(pipeline, request) for request in requests)
        return
    for request, prediction in run_despite_deaths(partial(_predict_in_worker, models), requests, workers):
        yield prediction or _prior(request, StudyFailure(str(request.study_id), _DIED))


def predict_study(pipeline: Pipeline, request: StudyRequest) -> StudyPrediction:
    """Predict one study; what cannot be read or graded gets the prior.

    Raises:
        ModelFileError: the model cannot be used.
    """
    outcome = attempt(str(request.study_id), lambda: _predicted(pipeline, request))
    return _prior(request, outcome) if isinstance(outcome, StudyFailure) else outcome


def submission_scores(predictions: Iterable[StudyPrediction]) -> SubmissionScores:
    """The tilted values of all predictions."""
    ordered = sorted(predictions, key=lambda prediction: prediction.study_id)
    probabilities = np.array([prediction.probabilities for prediction in ordered])
    return SubmissionScores(tuple(prediction.study_id for prediction in ordered), tilt(probabilities))


def _predicted(pipeline: Pipeline, request: StudyRequest) -> StudyPrediction:
    study = read_study(find_study(request.folder), request.roles)
    if request.coordinates is None:
        grades = pipeline.grade(study).grades
    else:
        points = {marked.coordinate.finding: marked.point_lps_mm for marked in marked_points(study, request.coordinates)}
        grades = pipeline.grade_at(study, points).grades
    probabilities = COLUMN_PRIOR.copy()
    for index, grade in enumerate(grades):
        if grade.probabilities is not None:
            probabilities[index] = grade.probabilities.values
    return StudyPrediction(request.study_id, probabilities, np.array([grade.is_graded for grade in grades]))


def _prior(request: StudyRequest, failure: StudyFailure) -> StudyPrediction:
    return StudyPrediction(request.study_id, COLUMN_PRIOR, np.zeros(len(COLUMN_PRIOR), bool), failure)


@cache
def _loaded(models: Path | None) -> Pipeline:
    """One for each worker; the workers share the cores, so each network has one thread."""
    return Pipeline.load(models, threads=1)


def _predict_in_worker(models: Path | None, request: StudyRequest) -> StudyPrediction:
    return predict_study(_loaded(models), request)
