"""Where a synthetic patient's discs and vertebrae lie, in the coordinates of the scanner: what a localiser can be taught and tried on."""

from dataclasses import dataclass

import numpy as np

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.phantom.numbering import LUMBAR_DISCS, N_DISCS, N_VERTEBRAE, S1, VERTEBRAE
from lumbargrade.phantom.pose import Pose
from lumbargrade.phantom.skeleton import SAC_X, SAC_Y, Skeleton


@dataclass(frozen=True, slots=True, eq=False)
class DiscPlace:
    """One disc: (3,) LPS millimetres, in the sagittal plane through its middle.

    Attributes:
        front_lps_mm, back_lps_mm: the middle of its margins, before anything bulges.
        canal_lps_mm: the point of the canal's middle line nearest to the back margin; of a lumbar disc, that of the canal finding.
        normal: unit vector to the head.
    """

    name: str
    center_lps_mm: FloatArray
    front_lps_mm: FloatArray
    back_lps_mm: FloatArray
    canal_lps_mm: FloatArray
    normal: FloatArray
    height_mm: float


@dataclass(frozen=True, slots=True, eq=False)
class VertebraPlace:
    """One vertebra: (4, 3) LPS corners of its body in the sagittal plane through its middle, front top, back top, back bottom, front
    bottom."""

    name: str
    corners_lps_mm: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class SpinePlace:
    """All discs and vertebrae, T9 to S5, named as counting down from the skull names them, before the patient moves between series."""

    discs: tuple[DiscPlace, ...]
    vertebrae: tuple[VertebraPlace, ...]


def place_spine(skeleton: Skeleton, canals_mm: FloatArray, pose: Pose) -> SpinePlace:
    """The spine as it lies in the scanner; ``canals_mm`` are the (5, 3) lumbar canal points in the undeformed body frame."""
    to_space = skeleton.anatomy.deformation.to_space
    canals = _sac_at_discs(skeleton)
    canals[LUMBAR_DISCS] = canals_mm
    discs = []
    for index in range(N_DISCS):
        depth = float(skeleton.disc_depth[index])
        local = ((0.0, 0.0, 0.0), (0.0, -depth, 0.0), (0.0, depth, 0.0), (0.0, 0.0, 1.0))
        points = to_space(np.stack([*(skeleton.to_body(index, place) for place in local), canals[index]]))
        normal = pose.turn @ (points[3] - points[0])
        center, front, back, _, canal = pose.to_scanner(points)
        height = float(skeleton.anatomy.wear.disc_height[index])
        name = f"{VERTEBRAE[index]}/{VERTEBRAE[index + 1]}"
        discs.append(DiscPlace(name, center, front, back, canal, normal / np.linalg.norm(normal), height))
    vertebrae = [VertebraPlace(VERTEBRAE[index], pose.to_scanner(to_space(_body_corners(skeleton, index)))) for index in range(N_VERTEBRAE)]
    return SpinePlace(tuple(discs), tuple(vertebrae))


def _sac_at_discs(skeleton: Skeleton) -> FloatArray:
    """(13, 3) body-frame points of the middle of the undisturbed sac across from each disc; sacral discs below its end get the end's."""
    heights = skeleton.sac_bottom + np.arange(len(skeleton.sac))
    line = np.stack([skeleton.sac[:, SAC_X], skeleton.sac[:, SAC_Y], heights], 1)
    off_plane = np.abs(np.einsum("kj,nkj->nk", skeleton.disc_axes[:, 2], line[:, None] - skeleton.disc_origin))
    return np.stack([skeleton.across_from_disc(disc, line[nearest]) for disc, nearest in enumerate(off_plane.argmin(0))])


def _body_corners(skeleton: Skeleton, vertebra: int) -> FloatArray:
    """(4, 3) body-frame corners: heights differ by the body's wedge, depths, in the sacrum, by its taper."""
    bones = skeleton.anatomy.bones
    half_height, slope = bones.body_height[vertebra] / 2, np.tan(bones.body_wedge[vertebra] / 2)
    half_depth = bones.body_depth[vertebra] / 2
    top, bottom = half_depth, half_depth * (1 - bones.body_taper[vertebra] if vertebra >= S1 else 1.0)
    local = [
        (0.0, -top, half_height + top * slope),
        (0.0, top, half_height - top * slope),
        (0.0, bottom, -half_height + bottom * slope),
        (0.0, -bottom, -half_height - bottom * slope),
    ]
    return np.asarray(skeleton.vertebra_origin[vertebra] + np.array(local) @ skeleton.vertebra_axes[vertebra])
