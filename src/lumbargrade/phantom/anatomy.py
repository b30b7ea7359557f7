"""A synthetic patient's measurements: the person, their bones T9-S5, and how far each level has degenerated."""

from dataclasses import dataclass, replace

import numpy as np

from lumbargrade.phantom.bone_sampling import sample_bones
from lumbargrade.phantom.bones import Bones
from lumbargrade.phantom.deformation import Deformation, sample_deformation
from lumbargrade.phantom.degeneration import Wear, sample_wear
from lumbargrade.phantom.joint_fluid import with_joint_fluid
from lumbargrade.phantom.person import AnatomyConfig, Person, sample_person


@dataclass(frozen=True, slots=True, eq=False)
class Anatomy:
    """One patient."""

    person: Person
    bones: Bones
    wear: Wear
    deformation: Deformation


def sample_anatomy(rng: np.random.Generator, config: AnatomyConfig) -> Anatomy:
    """Draw one patient."""
    person_rng, bones_rng, wear_rng, deformation_rng, joint_rng = rng.spawn(5)
    person = sample_person(person_rng, config)
    bones = sample_bones(bones_rng, config, person)
    wear = with_joint_fluid(joint_rng, config, sample_wear(wear_rng, config, person))
    return Anatomy(
        person,
        bones,
        replace(wear, disc_height=np.clip(wear.disc_height, *bones.disc_height_range)),
        sample_deformation(deformation_rng, config.deformation_mm, config.deformation_wavelength_mm),
    )
