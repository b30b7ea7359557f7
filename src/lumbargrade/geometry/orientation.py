"""Which way slices face: anatomical plane, and slices grouped into stacks of one direction."""

from collections.abc import Sequence
from enum import Enum

import numpy as np

from lumbargrade.geometry.affine import FloatArray, SliceAffine


class AnatomicalPlane(Enum):
    """The anatomical plane nearest to a slice."""

    SAGITTAL = "sagittal"
    CORONAL = "coronal"
    AXIAL = "axial"


_PLANE_OF_AXIS = (AnatomicalPlane.SAGITTAL, AnatomicalPlane.CORONAL, AnatomicalPlane.AXIAL)


def anatomical_plane(normal: FloatArray) -> AnatomicalPlane:
    """The anatomical plane whose normal is nearest to a (3,) LPS unit normal."""
    return _PLANE_OF_AXIS[int(np.argmax(np.abs(normal)))]


def angle_between_deg(first: FloatArray, second: FloatArray) -> float:
    """The angle between two (3,) unit vectors taken as axes (sign ignored), 0 to 90 degrees."""
    return float(np.degrees(np.arccos(np.clip(abs(float(first @ second)), 0.0, 1.0))))


def group_by_orientation(affines: Sequence[SliceAffine], tolerance_deg: float = 1.0) -> list[list[int]]:
    """Indices of slices grouped by direction (columns and rows both), groups and members in input order.

    Axial series of angled blocks hold several directions in one series; each group is a stack of its own. 1 degree is far above the
    rounding of headers and far below the tilt between neighbouring discs.
    """
    groups: list[list[int]] = []
    firsts = np.empty((len(affines), 2, 3))
    for index, affine in enumerate(affines):
        directions = np.stack([affine.column_direction, affine.row_direction])
        cosines = (firsts[: len(groups)] * directions).sum(2).min(1)
        same = np.flatnonzero(cosines >= np.cos(np.radians(tolerance_deg)))
        if len(same):
            groups[int(same[0])].append(index)
        else:
            firsts[len(groups)] = directions
            groups.append([index])
    return groups


def order_along_normal(affines: Sequence[SliceAffine]) -> list[int]:
    """Indices of slices of one direction, sorted by position along their common normal."""
    normal = affines[0].normal
    return sorted(range(len(affines)), key=lambda index: float(normal @ affines[index].origin_lps_mm))
