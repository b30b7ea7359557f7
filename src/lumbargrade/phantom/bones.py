"""The shape of a patient's bones and how they are stacked: sizes of vertebrae T9-S5, canal, pedicles, processes, facets, curvature.

Means and spreads of bodies, pedicles and canal follow Panjabi et al. 1992 (Spine 17:299) and, for L5, 196 CT studies (Int J Spine Surg,
ijssurgery.com/highwire/markup/11003); where sources disagree on a body's height the value lies between. Processes follow the mean mesh of
87 patients (Clouthier et al. 2023, J Biomech 146:111421, MIT licence).
"""

from dataclasses import dataclass, field
from math import radians

import numpy as np

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.phantom.numbering import N_DISCS, N_VERTEBRAE, S1
from lumbargrade.phantom.variants import Variants

# T9    T10    T11   T12   L1    L2    L3    L4    L5    S1    S2    S3    S4    S5        millimetres, degrees
_BODY_WIDTH = (37.0, 38.0, 39.0, 40.5, 42.3, 44.1, 46.1, 48.1, 48.9, 50.0, 40.0, 33.0, 27.0, 21.0)
_BODY_DEPTH = (29.5, 30.5, 31.5, 33.0, 34.1, 34.6, 35.2, 35.5, 34.7, 32.0, 21.0, 16.0, 12.0, 9.0)
_BODY_HEIGHT = (21.5, 22.0, 22.5, 23.4, 24.8, 25.8, 26.0, 26.4, 26.9, 28.0, 24.0, 20.0, 17.0, 14.0)
_BODY_WEDGE = (-3.0, -3.0, -3.0, -2.5, -1.0, 0.3, 1.3, 3.0, 10.0, 13.0, 3.0, -12.0, -18.0, -18.0)
_CONCAVITY = (1.3, 1.3, 1.4, 1.5, 1.6, 1.7, 1.7, 1.6, 1.5, 0.5, 0.2, 0.2, 0.2, 0.2)
_TAPER = (-0.04, -0.04, -0.05, -0.06, -0.05, -0.06, -0.07, -0.06, -0.05, 0.30, 0.25, 0.20, 0.20, 0.20)
_CANAL_WIDTH = (21.5, 21.7, 22.0, 22.3, 23.4, 23.8, 24.5, 25.9, 27.6, 31.0, 25.0, 20.0, 15.0, 11.0)
_CANAL_DEPTH = (16.5, 16.8, 17.0, 17.4, 17.5, 17.0, 16.9, 16.9, 16.6, 15.0, 12.0, 8.0, 5.5, 4.0)
_PEDICLE_WIDTH = (7.5, 7.8, 8.0, 8.0, 8.0, 8.4, 10.0, 12.8, 16.3, 18.0, 14.0, 11.0, 9.0, 7.0)
_PEDICLE_HEIGHT = (14.5, 15.0, 15.0, 15.5, 15.5, 15.0, 14.5, 14.4, 14.0, 16.0, 12.0, 10.0, 8.0, 7.0)
_LAMINA_HEIGHT = (20.0, 21.0, 22.0, 24.0, 26.0, 26.5, 25.0, 21.0, 18.0, 0.0, 0.0, 0.0, 0.0, 0.0)
_SPINOUS_REACH = (46.0, 46.0, 46.0, 46.5, 47.5, 50.0, 51.0, 48.8, 43.0, 0.0, 0.0, 0.0, 0.0, 0.0)
_SPINOUS_DROOP = (26.0, 24.0, 20.0, 15.0, 12.0, 10.5, 10.0, 10.8, 13.0, 0.0, 0.0, 0.0, 0.0, 0.0)
_TRANSVERSE_SPAN = (60.0, 57.0, 52.0, 48.0, 71.0, 83.1, 92.7, 89.8, 94.8, 0.0, 0.0, 0.0, 0.0, 0.0)
_TRANSVERSE_BACK = (22.0, 22.0, 21.0, 19.0, 17.0, 17.5, 16.5, 12.5, 6.5, 0.0, 0.0, 0.0, 0.0, 0.0)
_TRANSVERSE_RADIUS = (5.0, 5.0, 5.0, 4.5, 4.5, 4.8, 5.0, 5.2, 8.0, 0.0, 0.0, 0.0, 0.0, 0.0)
_RIB = (1.0, 1.0, 1.0, 0.8, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
# T9/10 T10/11 T11/12 T12/L1 L1/2 L2/3  L3/4  L4/5  L5/S1 S1/2  S2/3  S3/4  S4/5
_DISC_WEDGE = (-1.0, -1.0, -1.0, 1.0, 3.0, 5.5, 7.5, 10.0, 15.0, 4.0, 1.0, 0.0, 0.0)
_DISC_OVERHANG = (0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 1.7, 0.0, 0.0, 0.0, 0.0)
_FACET_ANGLE = (18.0, 19.0, 20.0, 20.0, 25.0, 28.0, 35.0, 43.0, 50.0, 50.0, 50.0, 50.0, 50.0)
_MOST_DISC_HEIGHT = (99.0,) * S1 + (4.5, 3.0, 2.0, 1.5)


@dataclass(frozen=True, slots=True, eq=False)
class Bones:
    """Bones of one patient, degeneration apart. Arrays run over the 14 vertebrae or the 13 discs; millimetres and radians.

    Attributes:
        body_taper: how much wider a body is on top than below, relative to its width (of a sacral body: its width and depth on top).
        lamina_height: in the midline.
        spinous_reach, spinous_droop: of the spinous process' tip behind and below the body's back and middle.
        transverse_reach, transverse_radius: (2, 14) a transverse process' reach from the midline, and its root's radius; right and left.
        transverse_back: of both processes' tips behind the body's back.
        rib: (2, 14) length of ribs, 1 full.
        facet_angle: (2, 13) joint surface to the sagittal plane, right and left.
        disc_overhang: how far a disc's front lies before the line of the bodies'.
        disc_height_range: (2, 13) what the bones allow a disc: rudimentary discs are low, the disc under a lumbarised S1 is not.
        sacral_slope: of the S1 endplate to the horizontal.
        cobb: angle of the lumbar curve, convex to the left where positive.
        cobb_span_mm: the curve's height over the S1 endplate; its apex is in the middle.
        rotation_per_cobb: axial rotation at the apex, bodies towards the convexity, relative to the Cobb angle.
        marrow_gain: (14,) signal of each vertebra's marrow against the patient's mean.
    """

    body_width: FloatArray
    body_depth: FloatArray
    body_height: FloatArray
    body_wedge: FloatArray
    body_taper: FloatArray
    endplate_concavity: FloatArray
    canal_width: FloatArray
    canal_depth: FloatArray
    pedicle_width: FloatArray
    pedicle_height: FloatArray
    lamina_height: FloatArray
    spinous_reach: FloatArray
    spinous_droop: FloatArray
    transverse_reach: FloatArray
    transverse_back: FloatArray
    transverse_radius: FloatArray
    rib: FloatArray
    disc_wedge: FloatArray
    disc_overhang: FloatArray
    disc_height_range: FloatArray
    facet_angle: FloatArray
    sacral_slope: float
    cobb: float = 0.0
    cobb_span_mm: float = 200.0
    rotation_per_cobb: float = 0.4
    marrow_gain: FloatArray = field(default_factory=lambda: np.ones(N_VERTEBRAE))
    variants: Variants = field(default_factory=Variants.none)


def mean_bones() -> Bones:
    """The bones of the tables: nothing drawn, no side unlike the other."""
    return Bones(
        body_width=np.array(_BODY_WIDTH),
        body_depth=np.array(_BODY_DEPTH),
        body_height=np.array(_BODY_HEIGHT),
        body_wedge=np.radians(_BODY_WEDGE),
        body_taper=np.array(_TAPER),
        endplate_concavity=np.array(_CONCAVITY),
        canal_width=np.array(_CANAL_WIDTH),
        canal_depth=np.array(_CANAL_DEPTH),
        pedicle_width=np.array(_PEDICLE_WIDTH),
        pedicle_height=np.array(_PEDICLE_HEIGHT),
        lamina_height=np.array(_LAMINA_HEIGHT),
        spinous_reach=np.array(_SPINOUS_REACH),
        spinous_droop=np.array(_SPINOUS_DROOP),
        transverse_reach=np.tile(np.array(_TRANSVERSE_SPAN) / 2, (2, 1)),
        transverse_back=np.array(_TRANSVERSE_BACK),
        transverse_radius=np.tile(np.array(_TRANSVERSE_RADIUS), (2, 1)),
        rib=np.tile(np.array(_RIB), (2, 1)),
        disc_wedge=np.radians(_DISC_WEDGE),
        disc_overhang=np.array(_DISC_OVERHANG),
        disc_height_range=np.stack([np.zeros(N_DISCS), _MOST_DISC_HEIGHT]),
        facet_angle=np.tile(np.radians(_FACET_ANGLE), (2, 1)),
        sacral_slope=radians(38.0),
    )
