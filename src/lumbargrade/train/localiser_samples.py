"""What the localiser learns from: a study's prepared sagittal slices with the marks as each slice sees them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.geometry.orientation import AnatomicalPlane
from lumbargrade.localise.prepare import PreparedStack, prepare_stack
from lumbargrade.study import Study
from lumbargrade.terms import SeriesRole
from lumbargrade.train.spine_marks import FINDING_SITES, REGIONS, SpineMarks
from lumbargrade.train.stored_pictures import Pictures

SOURCE_MM = 1.3
"""Pixel of stored slices: finer than the network's, so that crops can be zoomed into."""
WHITE = 200.0
"""Stored value of a stack's 99th percentile."""


@dataclass(frozen=True, slots=True, eq=False)
class LocaliserSample:
    """The sagittal slices of one study.

    Attributes:
        slices: (n, rows, columns) uint8, on a 1.3 mm grid, padded below and to the right with 0; in memory or on disk.
        points_px: (n, 40, 2) float32 position (column, row) of each site of ``SITE_CHANNELS``, projected onto each slice.
        distances_mm: (n, 40) float32 distance of each site from each slice, positive where the site lies to the patient's left of it.
        labelled: (40,) bool; the other sites' points are 0 and mean nothing.
        corners_px: (n, 23, 4, 2) float32 corners of the areas of ``REGION_CHANNELS``, clockwise on a slice that looks from the left.
        region_distances_mm: (n, 23) float32.
        complete: (19,) bool, as in ``SpineMarks``.
    """

    slices: Pictures
    points_px: NDArray[np.float32]
    distances_mm: NDArray[np.float32]
    labelled: NDArray[np.bool_]
    corners_px: NDArray[np.float32]
    region_distances_mm: NDArray[np.float32]
    complete: NDArray[np.bool_]


def prepare_localiser_study(study: Study, marks: SpineMarks) -> LocaliserSample:
    """The slices of all sagittal series of a study, each with all marks.

    Raises:
        ValueError: no sagittal T1 or T2 stack, or no labelled canal or foramen.
        InputError: the positions of a stack cannot be right.
    """
    series = study.with_role(SeriesRole.SAGITTAL_T1, SeriesRole.SAGITTAL_T2)
    stacks = [
        (each.folder, prepare_stack(stack, SOURCE_MM))
        for each in series
        for stack in each.stacks
        if stack.plane is AnatomicalPlane.SAGITTAL
    ]
    labelled = ~np.isnan(marks.points_lps_mm[:, 0])
    known = int(labelled[: len(FINDING_SITES)].sum())
    if not stacks or not known:
        raise ValueError(f"study {study.folder}: {len(stacks)} sagittal stacks and {known} labelled sites; at least one each is needed")
    shape = np.max([stack.pixels.shape[1:] for _, stack in stacks], axis=0)
    parts = [_seen(stack, marks, labelled, marks.moved_mm.get(folder, np.zeros(3))) for folder, stack in stacks]
    points, distances, corners, region_distances = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    slices = np.concatenate([_as_bytes(stack.pixels, (int(shape[0]), int(shape[1]))) for _, stack in stacks])
    return LocaliserSample(slices, points, distances, labelled, corners, region_distances, marks.complete)


def _seen(stack: PreparedStack, marks: SpineMarks, labelled: NDArray[np.bool_], moved_mm: FloatArray) -> tuple[NDArray[np.float32], ...]:
    """Points, distances, corners and distances of areas as each slice of a stack sees them; 0 where unknown."""
    origins = np.stack([affine.origin_lps_mm for affine in stack.affines])
    points_lps = np.nan_to_num(marks.points_lps_mm) + moved_mm
    points = np.where(labelled[:, None], np.stack([affine.to_px(points_lps) for affine in stack.affines]), 0)
    distances = np.where(labelled, (points_lps - origins[:, None]) @ stack.left, 0)
    corners, region_distances = np.zeros((len(origins), REGIONS, 4, 2)), np.zeros((len(origins), REGIONS))
    if marks.regions_lps_mm is not None:
        regions_lps = marks.regions_lps_mm + moved_mm
        corners = np.stack([affine.to_px(regions_lps.reshape(-1, 3)) for affine in stack.affines]).reshape(corners.shape)
        region_distances = (regions_lps.mean(1) - origins[:, None]) @ stack.left
    return tuple(array.astype(np.float32) for array in (points, distances, corners, region_distances))


def _as_bytes(pixels: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.uint8]:
    bright = pixels[pixels > 0]
    scale = WHITE / float(np.percentile(bright, 99)) if bright.size else 0.0
    padded = np.zeros((len(pixels), *shape), np.uint8)
    padded[:, : pixels.shape[1], : pixels.shape[2]] = np.clip(np.rint(pixels * scale), 0, 255)
    return padded
