"""What the localiser learns from: a study's prepared sagittal slices with the labelled points as each slice sees them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lumbargrade.geometry.orientation import AnatomicalPlane
from lumbargrade.localise.prepare import PreparedStack, prepare_stack
from lumbargrade.study import Study
from lumbargrade.terms import FINDINGS, Condition, SeriesRole
from lumbargrade.train.landmarks import StudyLandmarks

SOURCE_MM = 1.3
"""Pixel of stored slices: finer than the network's, so that crops can be zoomed into."""
SITES = tuple(finding for finding in FINDINGS if finding.condition is not Condition.SUBARTICULAR_STENOSIS)
"""The 15 labelled sites that sagittal slices show: canal, left foramen, right foramen, each L1/L2 to L5/S1."""
WHITE = 200.0
"""Stored value of a stack's 99th percentile."""


@dataclass(frozen=True, slots=True, eq=False)
class LocaliserSample:
    """The sagittal slices of one study.

    Attributes:
        slices: (n, rows, columns) uint8, on a 1.3 mm grid, padded below and to the right with 0.
        points_px: (n, 15, 2) float32 position (column, row) of each site of ``SITES``, projected onto each slice.
        distances_mm: (n, 15) float32 distance of each site from each slice, positive where the site lies to the patient's left of it.
        labelled: (15,) bool; the other sites' points are 0 and mean nothing.
    """

    slices: NDArray[np.uint8]
    points_px: NDArray[np.float32]
    distances_mm: NDArray[np.float32]
    labelled: NDArray[np.bool_]


def prepare_localiser_study(study: Study, landmarks: StudyLandmarks) -> LocaliserSample:
    """The slices of all sagittal series of a study, each with all labelled points.

    Raises:
        ValueError: no sagittal T1 or T2 stack, or no labelled canal or foramen.
        InputError: the positions of a stack cannot be right.
    """
    series = study.with_role(SeriesRole.SAGITTAL_T1, SeriesRole.SAGITTAL_T2)
    stacks = [prepare_stack(stack, SOURCE_MM) for each in series for stack in each.stacks if stack.plane is AnatomicalPlane.SAGITTAL]
    labelled = np.array([site in landmarks for site in SITES])
    if not stacks or not labelled.any():
        raise ValueError(
            f"study {study.folder}: {len(stacks)} sagittal stacks and {labelled.sum()} labelled sites; at least one each is needed"
        )
    points_lps = np.array([landmarks[site].point_lps_mm if site in landmarks else np.zeros(3) for site in SITES])
    seen = [_seen(stack, points_lps, labelled) for stack in stacks]
    shape = np.max([stack.pixels.shape[1:] for stack in stacks], axis=0)
    slices = np.concatenate([_as_bytes(stack.pixels, (int(shape[0]), int(shape[1]))) for stack in stacks])
    return LocaliserSample(slices, np.concatenate([points for points, _ in seen]), np.concatenate([d for _, d in seen]), labelled)


def sample_to_arrays(sample: LocaliserSample) -> dict[str, NDArray[np.generic]]:
    """The sample as named arrays, for ``numpy.savez``."""
    return {"slices": sample.slices, "points_px": sample.points_px, "distances_mm": sample.distances_mm, "labelled": sample.labelled}


def sample_from_arrays(arrays: Mapping[str, NDArray[np.generic]]) -> LocaliserSample:
    """The way back from ``sample_to_arrays``; takes an opened ``.npz`` as well."""
    return LocaliserSample(
        np.asarray(arrays["slices"], np.uint8),
        np.asarray(arrays["points_px"], np.float32),
        np.asarray(arrays["distances_mm"], np.float32),
        np.asarray(arrays["labelled"], np.bool_),
    )


def _seen(
    stack: PreparedStack, points_lps: NDArray[np.float64], labelled: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    points = np.stack([affine.to_px(points_lps) for affine in stack.affines])
    distances = np.stack([(points_lps - affine.origin_lps_mm) @ stack.left for affine in stack.affines])
    return np.where(labelled[:, None], points, 0).astype(np.float32), np.where(labelled, distances, 0).astype(np.float32)


def _as_bytes(pixels: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.uint8]:
    bright = pixels[pixels > 0]
    scale = WHITE / float(np.percentile(bright, 99)) if bright.size else 0.0
    padded = np.zeros((len(pixels), *shape), np.uint8)
    padded[:, : pixels.shape[1], : pixels.shape[2]] = np.clip(np.rint(pixels * scale), 0, 255)
    return padded
