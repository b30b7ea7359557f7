"""What the localiser learns from: a study's prepared sagittal slices with the labelled points as each slice sees them."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.geometry.orientation import AnatomicalPlane
from lumbargrade.localise.channels import (
    CANAL_ABOVE,
    CANAL_BELOW,
    CANAL_CHANNELS,
    CHANNELS,
    DISC,
    DISC_BACK,
    DISC_FRONT,
    FIRST_SACRAL,
    FORAMEN_CHANNELS,
    SACRUM,
    TRANSITIONAL,
    VERTEBRA,
)
from lumbargrade.localise.prepare import PreparedStack, prepare_stack
from lumbargrade.study import Series, Study
from lumbargrade.terms import FINDINGS, LEVELS, Condition, SeriesRole
from lumbargrade.train.landmarks import StudyLandmarks
from lumbargrade.train.spine_truth import SpineTruth

SOURCE_MM = 1.3
"""Pixel of stored slices: finer than the network's, so that crops can be zoomed into."""
WHITE = 200.0
"""Stored value of a stack's 99th percentile."""

FINDING_SITES = tuple(finding for finding in FINDINGS if finding.condition is not Condition.SUBARTICULAR_STENOSIS)
"""The 15 sites that the competition labels on sagittal slices: canal, left foramen, right foramen, each L1/L2 to L5/S1."""
_ABOVE = ("T9/T10", "T10/T11", "T11/T12", "T12/L1")
_DISCS = (*_ABOVE, *(level.value for level in LEVELS))
_BODIES = ("T9", "T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5")
_SACRAL_BODIES = ("S1", "S2", "S3", "S4", "S5")

SITE_CHANNELS = np.array(
    [
        *range(CANAL_CHANNELS.start, CANAL_CHANNELS.stop),
        *2 * tuple(range(FORAMEN_CHANNELS.start, FORAMEN_CHANNELS.stop)),
        *[CANAL_ABOVE] * len(_ABOVE),
        CANAL_BELOW,
        *[DISC_FRONT] * len(_DISCS),
        *[DISC_BACK] * len(_DISCS),
        FIRST_SACRAL,
        TRANSITIONAL,
    ]
)
"""(40,) the network's channel that shows each site: those of ``FINDING_SITES``, then what only a synthetic patient's truth tells."""
SITES = len(SITE_CHANNELS)
REGION_CHANNELS = np.array([*[VERTEBRA] * len(_BODIES), *[SACRUM] * len(_SACRAL_BODIES), *[DISC] * len(_DISCS)])
"""(23,) the channel of each area."""
REGIONS = len(REGION_CHANNELS)


@dataclass(frozen=True, slots=True, eq=False)
class LocaliserSample:
    """The sagittal slices of one study.

    Attributes:
        slices: (n, rows, columns) uint8, on a 1.3 mm grid, padded below and to the right with 0.
        points_px: (n, 40, 2) float32 position (column, row) of each site of ``SITE_CHANNELS``, projected onto each slice.
        distances_mm: (n, 40) float32 distance of each site from each slice, positive where the site lies to the patient's left of it.
        labelled: (40,) bool; the other sites' points are 0 and mean nothing.
        corners_px: (n, 23, 4, 2) float32 corners of the areas of ``REGION_CHANNELS``, clockwise on a slice that looks from the left.
        region_distances_mm: (n, 23) float32.
        complete: (19,) bool, channels all of whose places in the slices are labelled: where there is none, there is nothing. Of the others
            a place without label is unknown; the channels of ``FINDING_SITES`` are never complete.
    """

    slices: NDArray[np.uint8]
    points_px: NDArray[np.float32]
    distances_mm: NDArray[np.float32]
    labelled: NDArray[np.bool_]
    corners_px: NDArray[np.float32]
    region_distances_mm: NDArray[np.float32]
    complete: NDArray[np.bool_]


def prepare_localiser_study(study: Study, landmarks: StudyLandmarks, truth: SpineTruth | None = None) -> LocaliserSample:
    """The slices of all sagittal series of a study, each with all labelled points; a synthetic patient's truth is believed before labels.

    Raises:
        ValueError: no sagittal T1 or T2 stack, or no labelled canal or foramen.
        InputError: the positions of a stack cannot be right.
    """
    series = study.with_role(SeriesRole.SAGITTAL_T1, SeriesRole.SAGITTAL_T2)
    stacks = [
        (each, prepare_stack(stack, SOURCE_MM)) for each in series for stack in each.stacks if stack.plane is AnatomicalPlane.SAGITTAL
    ]
    points = _labelled_points(landmarks) if truth is None else _true_points(truth)
    labelled = ~np.isnan(points[:, 0])
    known = int(labelled[: len(FINDING_SITES)].sum())
    if not stacks or not known:
        raise ValueError(f"study {study.folder}: {len(stacks)} sagittal stacks and {known} labelled sites; at least one each is needed")
    shape = np.max([stack.pixels.shape[1:] for _, stack in stacks], axis=0)
    regions = np.zeros((REGIONS, 4, 3)) if truth is None else _true_regions(truth)
    parts = [
        _seen(stack, np.nan_to_num(points) + _moved(each, truth), labelled, regions + _moved(each, truth), truth) for each, stack in stacks
    ]
    seen = [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]
    slices = np.concatenate([_as_bytes(stack.pixels, (int(shape[0]), int(shape[1]))) for _, stack in stacks])
    complete = np.arange(CHANNELS) > FORAMEN_CHANNELS.stop - 1
    return LocaliserSample(slices, seen[0], seen[1], labelled, seen[2], seen[3], complete & (truth is not None))


def sample_to_arrays(sample: LocaliserSample) -> dict[str, NDArray[np.generic]]:
    """The sample as named arrays, for ``numpy.savez``."""
    return {field.name: getattr(sample, field.name) for field in fields(sample)}


def sample_from_arrays(arrays: Mapping[str, NDArray[np.generic]]) -> LocaliserSample:
    """The way back from ``sample_to_arrays``; takes an opened ``.npz`` as well."""
    return LocaliserSample(**{field.name: np.asarray(arrays[field.name]) for field in fields(LocaliserSample)})


def _labelled_points(landmarks: StudyLandmarks) -> FloatArray:
    """(40, 3) LPS; NaN where unknown."""
    points = np.full((SITES, 3), np.nan)
    for index, site in enumerate(FINDING_SITES):
        if site in landmarks:
            points[index] = landmarks[site].point_lps_mm
    return points


def _true_points(truth: SpineTruth) -> FloatArray:
    points = np.full((SITES, 3), np.nan)
    for index, site in enumerate(FINDING_SITES):
        if site.condition is Condition.SPINAL_CANAL_STENOSIS:
            points[index] = truth.discs[site.level.value][2]
        elif site in truth.findings:
            points[index] = truth.findings[site]
    discs = np.stack([truth.discs[name] for name in _DISCS])
    transitional = truth.discs[truth.transitional][:2].mean(0) if truth.transitional else np.full(3, np.nan)
    points[len(FINDING_SITES) :] = [
        *discs[: len(_ABOVE), 2],
        truth.discs["S1/S2"][2],
        *discs[:, 0],
        *discs[:, 1],
        truth.bodies["S1"].mean(0),
        transitional,
    ]
    return points


def _true_regions(truth: SpineTruth) -> FloatArray:
    """(23, 4, 3) LPS corners: front top, back top, back bottom, front bottom. A disc fills what its neighbours leave."""
    bodies = [truth.bodies[name] for name in (*_BODIES, *_SACRAL_BODIES)]
    discs = [np.stack([above[3], above[2], below[1], below[0]]) for above, below in pairwise(bodies[: len(_DISCS) + 1])]
    return np.stack([*bodies, *discs])


def _moved(series: Series, truth: SpineTruth | None) -> FloatArray:
    return np.zeros(3) if truth is None else truth.moved_mm[series.folder]


def _seen(
    stack: PreparedStack, points_lps: FloatArray, labelled: NDArray[np.bool_], regions_lps: FloatArray, truth: SpineTruth | None
) -> tuple[NDArray[np.float32], ...]:
    """Points, distances, corners and distances of areas as each slice of a stack sees them."""
    origins = np.stack([affine.origin_lps_mm for affine in stack.affines])
    points = np.where(labelled[:, None], np.stack([affine.to_px(points_lps) for affine in stack.affines]), 0)
    distances = np.where(labelled, (points_lps - origins[:, None]) @ stack.left, 0)
    corners = np.stack([affine.to_px(regions_lps.reshape(-1, 3)) for affine in stack.affines]).reshape(-1, REGIONS, 4, 2)
    region_distances = (regions_lps.mean(1) - origins[:, None]) @ stack.left
    known = float(truth is not None)
    return tuple(array.astype(np.float32) for array in (points, distances, corners * known, region_distances * known))


def _as_bytes(pixels: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.uint8]:
    bright = pixels[pixels > 0]
    scale = WHITE / float(np.percentile(bright, 99)) if bright.size else 0.0
    padded = np.zeros((len(pixels), *shape), np.uint8)
    padded[:, : pixels.shape[1], : pixels.shape[2]] = np.clip(np.rint(pixels * scale), 0, 255)
    return padded
