"""A patient's spine together with what lies around it: skin, muscle, vessels, organs, texture."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.phantom.anatomy import Anatomy
from lumbargrade.phantom.cauda import lay_rootlets
from lumbargrade.phantom.sdf import Geometry
from lumbargrade.phantom.skeleton import SAC_X, SAC_Y, Skeleton, stand_up
from lumbargrade.phantom.tissue import Tissue

COURSE_STEP_MM, COURSE_BOTTOM_MM, COURSE_LENGTH = 10.0, -300.0, 80
"""Grid of heights on which the trunk's course is tabulated."""

ORGAN_TISSUES = (Tissue.BOWEL, Tissue.ORGAN, Tissue.FAT, Tissue.VESSEL, Tissue.MUSCLE, Tissue.AIR)


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Everything a slice can cut.

    Attributes:
        course: (COURSE_LENGTH, 3) at each height the x and y of the sac's course and the y of the skin behind it.
        organs: (n, 7) ellipsoids before the spine: centre x, y, z, half axes, tissue. Later ones cover earlier ones.
        lesions: (n, 6) spheres in the bone marrow: centre, radius, water gain, fat gain.
        texture: (32, 32, 32) smooth periodic noise of unit third, for marrow, muscle and fat.
    """

    anatomy: Anatomy
    skeleton: Skeleton
    geometry: Geometry
    course: FloatArray
    organs: FloatArray
    lesions: FloatArray
    texture: NDArray[np.float32]
    trunk_half_width_mm: float


def build_scene(anatomy: Anatomy, rng: np.random.Generator, clutter: float = 1.0) -> Scene:
    """Stand the patient up and furnish the trunk. ``clutter`` scales the number of organs and lesions."""
    skeleton = lay_rootlets(stand_up(anatomy), rng)
    return Scene(
        anatomy,
        skeleton,
        Geometry.of(skeleton),
        _course(skeleton, rng),
        _organs(skeleton, rng, clutter),
        _lesions(skeleton, rng, clutter),
        _texture(np.random.default_rng(anatomy.texture_seed)),
        float(rng.uniform(140, 185)),
    )


def _course(skeleton: Skeleton, rng: np.random.Generator) -> FloatArray:
    """The sac's course, extended, and a skin surface behind it that follows the lordosis only in part and swells over the buttocks."""
    z = COURSE_BOTTOM_MM + COURSE_STEP_MM * np.arange(COURSE_LENGTH)
    heights = skeleton.sac_bottom + np.arange(len(skeleton.sac))
    x = np.interp(z, heights, skeleton.sac[:, SAC_X])
    y = np.interp(z, heights, skeleton.sac[:, SAC_Y])
    depth = skeleton.anatomy.skin_depth_mm
    buttocks = rng.uniform(10, 50) / (1 + np.exp((z - rng.uniform(-70, 0)) / 25))
    follow = rng.uniform(0.4, 1.0)
    skin = follow * y + (1 - follow) * float(np.interp(60.0, z, y)) + depth + buttocks + rng.normal(0, 0.06) * (z - 60)
    skin = np.maximum(skin + rng.uniform(0, 4) * np.sin(z / rng.uniform(40, 90) + rng.uniform(0, 6)), y + 36)
    return np.stack([x, y, skin], 1)


def _organs(skeleton: Skeleton, rng: np.random.Generator, clutter: float) -> FloatArray:
    """Bowel loops, two kidneys and blobs of other tissue in the retroperitoneum and abdomen."""
    organs = []
    top = skeleton.disc_origin[2, 2]
    for _ in range(rng.poisson(26 * clutter)):
        size = np.exp(rng.uniform(1.6, 3.3))
        tissue = rng.choice(len(ORGAN_TISSUES), p=(0.42, 0.2, 0.14, 0.08, 0.1, 0.06))
        centre = (rng.normal(0, 50), rng.uniform(-150, -62) - 0.6 * size, rng.uniform(-110, top + 60))
        organs.append((*centre, *(size * np.exp(rng.normal(0, 0.35, 3))), ORGAN_TISSUES[tissue]))
    for side in (-1, 1):
        kidney = (side * rng.uniform(52, 68), rng.uniform(-35, -15), skeleton.disc_origin[4, 2] + rng.normal(10, 14))
        organs.append((*kidney, rng.uniform(20, 27), rng.uniform(20, 27), rng.uniform(42, 56), Tissue.ORGAN))
    return np.array(organs, np.float64).reshape(-1, 7)


def _lesions(skeleton: Skeleton, rng: np.random.Generator, clutter: float) -> FloatArray:
    """Haemangiomas, fatty (Modic 2) and oedematous (Modic 1) endplates, sclerosis: spheres that change the marrow they lie in."""
    anatomy, lesions = skeleton.anatomy, []
    for disc in range(len(anatomy.disc_height) - 3):
        if rng.random() < 0.12 * clutter * (0.5 + anatomy.osteophyte[disc]):
            gains = ((0.4, 1.8), (1.8, 0.5), (0.4, 0.4))[rng.choice(3, p=(0.7, 0.2, 0.1))]
            for sign in (-1, 1):
                radius = rng.uniform(5, 13)
                local = (rng.normal(0, 8), rng.normal(0, 8), sign * (anatomy.disc_height[disc] / 2 + rng.uniform(0.0, 0.4) * radius))
                lesions.append((*skeleton.to_body(disc, local), radius, *gains))
    for vertebra in range(len(anatomy.body_height)):
        if rng.random() < 0.08 * clutter:
            centre = skeleton.vertebra_origin[vertebra] + rng.normal(0, 6, 3)
            lesions.append((*centre, rng.uniform(3, 9), rng.uniform(0.7, 1.6), rng.uniform(0.8, 1.8)))
    return np.array(lesions, np.float64).reshape(-1, 6)


def _texture(rng: np.random.Generator) -> NDArray[np.float32]:
    """Periodic Gaussian noise smoothed by 0.7 voxels (in frequency), standard deviation one third."""
    frequency = np.fft.fftfreq(32)
    squared = frequency[:, None, None] ** 2 + frequency[None, :, None] ** 2 + frequency[None, None, :] ** 2
    noise = np.fft.ifftn(np.fft.fftn(rng.normal(size=(32, 32, 32))) * np.exp(-2 * (np.pi * 0.7) ** 2 * squared)).real
    return np.asarray(noise / noise.std() * 0.33, np.float32)
