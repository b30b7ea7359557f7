"""What the graders learn from: wide crops of bytes around a reader's own coordinates."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lumbargrade.competition.truth import FindingTruth
from lumbargrade.grade.crop import NETWORK_SLICES, Crop, cut_crop
from lumbargrade.grade.recipe import MEASURES, RECIPES, CropRecipe
from lumbargrade.grade.site import Site, sites_from_points
from lumbargrade.grade.slices import NoSlice, SliceChoice, choose_slice
from lumbargrade.study import Study
from lumbargrade.terms import FINDING_INDEX, FINDINGS, SEVERITIES, Condition, Finding, Severity
from lumbargrade.train.landmarks import Landmark, StudyLandmarks
from lumbargrade.train.stored_pictures import Pictures, join_pictures

TRAINING_SLICES = NETWORK_SLICES + 2
"""One more on each side than the network sees, so that training can miss the slice by one."""


@dataclass(frozen=True, slots=True, eq=False)
class GraderSamples:
    """Labelled crops of one condition.

    Attributes:
        crops: per recipe of the condition (n, 7, wide, wide) uint8, 0 where that picture is absent; in memory or on disk.
        present: (n, recipes) bool.
        severities: (n,) int64, the value of ``Severity``.
        targets: (n, 3) float32, how likely a reader gives each severity: known of synthetic patients, else 1 for the label.
        measures: (n, measures) float32, as in ``MEASURES``; NaN where they are not known.
        finding_indices: (n,) int64, into ``FINDINGS``.

    Raises:
        ValueError: arrays of unequal length.
    """

    condition: Condition
    crops: tuple[Pictures, ...]
    present: NDArray[np.bool_]
    severities: NDArray[np.int64]
    targets: NDArray[np.float32]
    measures: NDArray[np.float32]
    finding_indices: NDArray[np.int64]

    def __post_init__(self) -> None:
        columns = (*self.crops, self.present, self.severities, self.targets, self.measures, self.finding_indices)
        lengths = {len(column) for column in columns}
        if len(lengths) != 1 or len(self.crops) != len(RECIPES[self.condition]):
            raise ValueError(f"{self.condition.value}: samples need equally long arrays, one of crops per recipe")

    def __len__(self) -> int:
        return len(self.severities)

    @classmethod
    def joined(cls, parts: Sequence["GraderSamples"]) -> "GraderSamples":
        """The samples of several studies, in order."""
        crops = tuple(join_pictures(each) for each in zip(*(part.crops for part in parts), strict=True))
        return cls(
            parts[0].condition,
            crops,
            np.concatenate([part.present for part in parts]),
            np.concatenate([part.severities for part in parts]),
            np.concatenate([part.targets for part in parts]),
            np.concatenate([part.measures for part in parts]),
            np.concatenate([part.finding_indices for part in parts]),
        )


def grader_samples(
    study: Study,
    landmarks: StudyLandmarks,
    severities: Mapping[Finding, Severity] | None = None,
    truth: Mapping[Finding, FindingTruth] | None = None,
) -> dict[Condition, GraderSamples]:
    """Every labelled finding of a study that has a place and a slice, by condition.

    A canal without coordinates lies midway between its level's two subarticular points. Unlabelled findings are left out.

    Args:
        severities: the study's labels, needed only for findings without a landmark (such a canal); landmarks bring their own.
        truth: what is known of a synthetic patient's findings.
    """
    sites = sites_from_points({finding: landmark.point_lps_mm for finding, landmark in landmarks.items()})
    known = dict(severities or {})
    known |= {finding: landmark.severity for finding, landmark in landmarks.items() if landmark.severity is not None}
    return {condition: _condition_samples(condition, study, sites, landmarks, known, truth or {}) for condition in Condition}


def _condition_samples(
    condition: Condition,
    study: Study,
    sites: Mapping[Finding, Site],
    landmarks: StudyLandmarks,
    known: Mapping[Finding, Severity],
    truth: Mapping[Finding, FindingTruth],
) -> GraderSamples:
    findings = [finding for finding in FINDINGS if finding.condition is condition and finding in sites and finding in known]
    rows = [tuple(_labelled_crop(study, sites[f], landmarks.get(f), recipe) for recipe in RECIPES[condition]) for f in findings]
    kept = [(finding, row) for finding, row in zip(findings, rows, strict=True) if any(isinstance(crop, Crop) for crop in row)]
    crops = tuple(_as_bytes((row[column] for _, row in kept), recipe, len(kept)) for column, recipe in enumerate(RECIPES[condition]))
    present = np.array([[isinstance(crop, Crop) for crop in row] for _, row in kept], bool).reshape(len(kept), len(crops))
    return GraderSamples(
        condition,
        crops,
        present,
        np.array([known[finding] for finding, _ in kept], np.int64),
        np.array([_target(known[finding], truth.get(finding)) for finding, _ in kept], np.float32).reshape(len(kept), len(SEVERITIES)),
        np.array([_measures(condition, truth.get(finding)) for finding, _ in kept], np.float32).reshape(
            len(kept), len(MEASURES[condition])
        ),
        np.array([FINDING_INDEX[finding] for finding, _ in kept], np.int64),
    )


def _target(severity: Severity, truth: FindingTruth | None) -> tuple[float, ...]:
    return truth.probabilities if truth else tuple(float(each is severity) for each in SEVERITIES)


def _measures(condition: Condition, truth: FindingTruth | None) -> tuple[float, ...]:
    return tuple(truth.measures[name] if truth else np.nan for name in MEASURES[condition])


def _labelled_crop(study: Study, site: Site, landmark: Landmark | None, recipe: CropRecipe) -> Crop | NoSlice:
    """From the very slice the reader marked where its series has the recipe's role, else from the slice nearest to the marked point."""
    marked = landmark and _marked_slice(study, landmark, recipe)
    choice = marked or choose_slice(study, site, recipe)
    return choice if isinstance(choice, NoSlice) else cut_crop(choice, site, recipe, TRAINING_SLICES)


def _marked_slice(study: Study, landmark: Landmark, recipe: CropRecipe) -> SliceChoice | None:
    for series in study.with_role(recipe.role):
        for stack in series.stacks:
            for index, instance in enumerate(stack.instances):
                if instance is landmark.instance:
                    return SliceChoice(series, stack, index)
    return None


def _as_bytes(crops: Iterable[Crop | NoSlice], recipe: CropRecipe, count: int) -> NDArray[np.uint8]:
    stored = np.zeros((count, TRAINING_SLICES, recipe.wide_px, recipe.wide_px), np.uint8)
    for row, crop in enumerate(crops):
        if isinstance(crop, Crop):
            stored[row] = np.rint(crop.pixels * 255)
    return stored
