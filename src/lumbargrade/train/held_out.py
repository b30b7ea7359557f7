"""What a member says about studies it was not trained on, by the very path that the product takes: locate, crop, ONNX Runtime."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lumbargrade.competition import MaskedFloats
from lumbargrade.errors import InputError
from lumbargrade.grade import USUAL, read_sites, sites_from_locations, sites_from_points
from lumbargrade.localise import LOCALISER, locate_levels
from lumbargrade.models import Network
from lumbargrade.pipeline import StudyFailure, attempt
from lumbargrade.side_by_side import run_side_by_side
from lumbargrade.terms import FINDINGS, SeriesRole
from lumbargrade.train.data_set import LabelledStudy, read_labelled_study
from lumbargrade.train.progress import progress_bar

STUDIES_A_TASK = 8
"""Few enough for an even load, enough that loading the networks costs nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class HeldOutStudies:
    """Studies in ascending order of their ids.

    Attributes:
        study_ids: (study,) int64.
        logits: (study, 25, 3) raw; masked where a finding could not be graded.
        openness: (study, 25) as in ``grade.openness``; 1 where a finding could not be graded.
        errors_mm: (study, 25) distance of the located site from the label's coordinate; masked where either is missing.
        has_coordinate: (study, 25) bool, where a reader marked the site; nowhere for a study without sagittal series, which is graded at
            its marks.
    """

    study_ids: NDArray[np.int64]
    logits: MaskedFloats
    openness: NDArray[np.float64]
    errors_mm: MaskedFloats
    has_coordinate: NDArray[np.bool_]

    @classmethod
    def joined(cls, parts: Sequence["HeldOutStudies"]) -> "HeldOutStudies":
        """The studies of several parts."""
        order = np.argsort(np.concatenate([part.study_ids for part in parts]))
        return cls(
            np.concatenate([part.study_ids for part in parts])[order],
            np.ma.concatenate([part.logits for part in parts])[order],  # type: ignore[no-untyped-call]
            np.concatenate([part.openness for part in parts])[order],
            np.ma.concatenate([part.errors_mm for part in parts])[order],  # type: ignore[no-untyped-call]
            np.concatenate([part.has_coordinate for part in parts])[order],
        )

    @classmethod
    def read(cls, path: Path) -> "HeldOutStudies":
        """What ``write`` wrote."""
        with np.load(path, allow_pickle=False) as stored:
            return cls(
                stored["study_ids"],
                np.ma.MaskedArray(stored["logits"], stored["no_logits"]),
                stored["openness"],
                np.ma.MaskedArray(stored["errors_mm"], stored["no_errors"]),
                stored["has_coordinate"],
            )

    def write(self, path: Path) -> None:
        """Store in one file, whole or not at all."""
        partial = path.with_name(path.name + ".partial")
        with partial.open("wb") as file:
            np.savez_compressed(
                file,
                study_ids=self.study_ids,
                logits=self.logits.filled(0.0),
                no_logits=np.ma.getmaskarray(self.logits),
                openness=self.openness,
                errors_mm=self.errors_mm.filled(0.0),
                no_errors=np.ma.getmaskarray(self.errors_mm),
                has_coordinate=self.has_coordinate,
            )
        partial.replace(path)


@dataclass(frozen=True, slots=True)
class _Task:
    studies: tuple[LabelledStudy, ...]
    network_files: Mapping[str, Path]
    threads: int


def predict_held_out(
    studies: Sequence[LabelledStudy], network_files: Mapping[str, Path], label: str, workers: int, threads: int, quiet: bool
) -> HeldOutStudies:
    """Locate and grade studies that have coordinates; those that cannot be read are left out.

    Args:
        network_files: network name to ONNX file.
        label: what the progress bar is called.
        threads: of each worker.

    Raises:
        InputError: none of the studies can be read.
        ModelFileError: a network's file cannot be used.
    """
    chunks = [tuple(studies[start : start + STUDIES_A_TASK]) for start in range(0, len(studies), STUDIES_A_TASK)]
    parts = []
    with progress_bar(len(studies), label, "study", quiet=quiet) as bar:
        for part in run_side_by_side(_predict, [_Task(chunk, network_files, threads) for chunk in chunks], workers):
            parts += part
            bar.update(len(part))
    if not parts:
        raise InputError(f"{label}: none of {len(studies)} studies can be read")
    return HeldOutStudies.joined(parts)


def _predict(task: _Task) -> list[HeldOutStudies]:
    networks = {name: Network(name, path.read_bytes(), task.threads) for name, path in task.network_files.items()}
    found = []
    for study in task.studies:
        outcome = attempt(str(study.study_id), partial(_predict_study, study, networks))
        found += [] if isinstance(outcome, StudyFailure) else [outcome]
    return found


def _predict_study(labelled: LabelledStudy, networks: Mapping[str, Network]) -> HeldOutStudies:
    study, landmarks = read_labelled_study(labelled)
    if study.with_role(SeriesRole.SAGITTAL_T1, SeriesRole.SAGITTAL_T2):
        found = locate_levels(study, [networks[LOCALISER]])
        sites = sites_from_locations(found.locations, found.moved_mm)
    else:  # nothing to find levels in: it is graded where readers marked, and says nothing of localising
        sites = sites_from_points({finding: landmark.point_lps_mm for finding, landmark in landmarks.items()})
        landmarks = {}
    readings = read_sites(study, sites, networks)
    values, errors, opened = np.zeros((1, len(FINDINGS), 3)), np.zeros((1, len(FINDINGS))), np.full((1, len(FINDINGS)), USUAL)
    has_error = np.zeros(errors.shape, bool)
    for index, finding in enumerate(FINDINGS):
        if finding in readings:
            values[0, index], opened[0, index] = readings[finding].logits.values, readings[finding].openness
        if finding in sites and finding in landmarks:
            errors[0, index] = np.linalg.norm(sites[finding].point_lps_mm - landmarks[finding].point_lps_mm)
            has_error[0, index] = True
    graded = np.array([[finding in readings for finding in FINDINGS]])
    return HeldOutStudies(
        np.array([labelled.study_id], np.int64),
        np.ma.MaskedArray(values, np.repeat(~graded[..., None], 3, axis=2)),
        opened,
        np.ma.MaskedArray(errors, ~has_error),
        np.array([[finding in landmarks for finding in FINDINGS]]),
    )
