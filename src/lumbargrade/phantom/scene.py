"""A patient's spine together with what lies around and inside it: trunk, organs, marrow, insides of discs, texture."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.phantom.anatomy import Anatomy
from lumbargrade.phantom.cauda import lay_rootlets
from lumbargrade.phantom.inside import lesions_by_height, sample_discs_inside, sample_lesions, sample_marrow
from lumbargrade.phantom.numbering import S1
from lumbargrade.phantom.organs import organs_by_cell, sample_organs
from lumbargrade.phantom.sdf import Geometry
from lumbargrade.phantom.skeleton import Skeleton, stand_up
from lumbargrade.phantom.texture import sample_texture
from lumbargrade.phantom.trunk import height_of, tabulate_trunk


class Surroundings(NamedTuple):
    """What lies around the spine, inside bones and inside discs, as the compiled functions read it.

    Attributes:
        trunk, muscles, vessels: by millimetre of height, see ``trunk.tabulate_trunk``.
        organs, organs_by_cell: see ``organs``.
        lesions, lesions_by_height: (n, 11) in the marrow. discs: (13, 17). marrow: (14, 6). See ``inside``.
        texture: see ``texture.sample_texture``.
        septa: (2,) where the septum between multifidus and longissimus meets the fascia, from the midline, right and left.
        mottling: of the marrow, relative.
        filaments: how much the fine filaments and membranes around every rootlet take of the CSF's place.
        slow_flow: share of signal that blood in veins keeps.
        flow_void, flow_from: share of the CSF's signal that flow takes away at most, and the height above which it does.
    """

    trunk: NDArray[np.float32]
    muscles: NDArray[np.float32]
    vessels: NDArray[np.float32]
    organs: FloatArray
    organs_by_cell: NDArray[np.int32]
    lesions: FloatArray
    lesions_by_height: NDArray[np.int32]
    discs: FloatArray
    marrow: FloatArray
    texture: NDArray[np.float32]
    septa: FloatArray
    mottling: float
    filaments: float
    slow_flow: float
    flow_void: float
    flow_from: float


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Everything a slice can cut."""

    anatomy: Anatomy
    skeleton: Skeleton
    geometry: Geometry
    surroundings: Surroundings


def build_scene(anatomy: Anatomy, rng: np.random.Generator, clutter: float = 1.0) -> Scene:
    """Stand the patient up and furnish the trunk. ``clutter`` scales the number of organs and lesions."""
    skeleton = lay_rootlets(stand_up(anatomy), rng)
    return Scene(anatomy, skeleton, Geometry.of(skeleton), furnish(skeleton, rng, clutter))


def furnish(skeleton: Skeleton, rng: np.random.Generator, clutter: float = 1.0) -> Surroundings:
    """What lies around a spine, inside its bones and inside its discs."""
    trunk, muscles, vessels = tabulate_trunk(skeleton, rng)
    organs = sample_organs(skeleton, trunk, rng, clutter)
    lesions = sample_lesions(skeleton, rng, clutter)
    return Surroundings(
        trunk=trunk,
        muscles=muscles,
        vessels=vessels,
        organs=organs,
        organs_by_cell=organs_by_cell(organs),
        lesions=lesions,
        lesions_by_height=lesions_by_height(lesions),
        discs=sample_discs_inside(skeleton, rng),
        marrow=sample_marrow(skeleton, rng),
        texture=sample_texture(np.random.default_rng(skeleton.anatomy.person.texture_seed)),
        septa=rng.normal(13, 2, 2),
        mottling=float(rng.uniform(0.1, 1.1)),
        filaments=float(rng.uniform(0.05, 1.15)),
        slow_flow=float(rng.uniform(0.3, 1.0)) if rng.random() < 0.25 else 0.0,
        flow_void=float(rng.uniform(0.0, 0.9)),
        flow_from=height_of(skeleton, S1 - 2),
    )
