"""What stands out from a disc's rim in one place: one-sided bulges, protrusions, extrusions that migrate, sequesters that have come off."""

from dataclasses import dataclass

import numpy as np

from lumbargrade.phantom.numbering import LUMBAR_DISCS
from lumbargrade.phantom.pfirrmann import MOBILE_ROWS, DiscDegeneration

N_LESIONS = 6
"""Lesions that a disc can have: recess right and left, foramen right and left, a herniation and what has migrated from it."""

HERNIATION_OF_GRADE = (0.0101, 0.0044, 0.0487, 0.0766, 0.14)
HERNIATION_OF_LEVEL = (0.11, 0.39, 0.88, 2.23, 1.30)
"""Share of discs with a herniation by Pfirrmann grade, and how much more often at each level. Together they come near both of
SPIDER's margins: 0.7, 0.3, 4.5, 7.6, 15 % by grade, 0.5, 2, 5, 16, 10 % by level."""

_SITES_MM, _SITE_SHARES = (0.0, 5.5, 9.0, 17.0), (0.22, 0.45, 0.23, 0.10)
"""Central, paracentral, in the recess, in the foramen: distance from the midline, and how often."""

_EXTRUDED, _MIGRATED, _SEQUESTERED = 0.35, 0.55, 0.2
"""Share of herniations that are extrusions; of these, share that migrates, and that loses its stalk."""


@dataclass(frozen=True, slots=True)
class FocalLesion:
    """An ellipsoid of disc in the disc's frame, millimetres; no lesion where ``half_width`` is 0.

    Attributes:
        x, z: centre: to the left, and towards the head.
        y: centre behind the disc's back margin.
        half_width, depth, half_height: half axes along x, y, z.
    """

    x: float = 0.0
    y: float = -1.0
    z: float = 0.0
    half_width: float = 0.0
    depth: float = 1.0
    half_height: float = 1.0


NO_LESION = FocalLesion()


def sample_herniations(rng: np.random.Generator, discs: DiscDegeneration, frequency: float) -> list[tuple[FocalLesion, FocalLesion]]:
    """For each disc above the sacrum, its herniation and what has migrated. Seven draws a disc, whatever comes of them."""
    found = []
    for disc, row in enumerate(MOBILE_ROWS):
        chance, site, side, size, extruded, migrated, where = rng.random(7)
        probability = HERNIATION_OF_GRADE[discs.grade[disc] - 1] * HERNIATION_OF_LEVEL[row] * frequency
        if disc < LUMBAR_DISCS[0] or chance >= probability:
            found.append((NO_LESION, NO_LESION))
            continue
        x = _SITES_MM[int(np.searchsorted(np.cumsum(_SITE_SHARES), site))] * (1 if side < 0.5 else -1)
        found.append(_herniation(x, size, extruded, migrated, where))
    return found


def _herniation(x: float, size: float, extruded: float, migrated: float, where: float) -> tuple[FocalLesion, FocalLesion]:
    """A protrusion is wider than deep; an extrusion is as deep as wide, up to the whole canal, and may leave the disc's height."""
    if extruded > _EXTRUDED:
        return FocalLesion(x=x, half_width=6.0 + 3.0 * where, depth=3.0 + 2.5 * size, half_height=5.0), NO_LESION
    depth = 4.0 + 4.5 * size + (3.0 if size > 0.85 else 0.0)
    stalk = FocalLesion(x=x, half_width=4.5 + 2.5 * size, depth=depth, half_height=4.5 + 1.5 * size)
    if migrated > _MIGRATED:
        return stalk, NO_LESION
    z = (7.0 + 4.0 * size) * (-1.0 if where < 0.6 else 1.0)  # downward more often
    part = FocalLesion(x=x, y=0.45 * depth, z=z, half_width=4.0 + 2.0 * size, depth=0.5 * depth, half_height=4.0 + 1.5 * size)
    if migrated > _SEQUESTERED * _MIGRATED:
        return stalk, part
    off = FocalLesion(x=x, y=0.5 * depth, z=1.35 * z, half_width=part.half_width, depth=part.depth, half_height=part.half_height)
    return FocalLesion(x=x, half_width=5.0, depth=2.5, half_height=4.5), off


def one_sided(sign: float, x: float, y: float, depth: float, half_width: float) -> FocalLesion:
    """A bulge of the rim on one side: ``sign`` +1 left, -1 right. Nothing where it would not stand out."""
    return FocalLesion(x=sign * x, y=y, half_width=half_width, depth=depth, half_height=5.5) if depth > 0 else NO_LESION
