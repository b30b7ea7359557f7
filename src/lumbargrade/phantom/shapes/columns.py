"""What the columns of the compiled functions' arrays hold. Widths and depths of bodies and discs are half axes."""

(
    V_WIDTH,
    V_DEPTH,
    V_HEIGHT,
    V_WEDGE,
    V_CANAL_WIDTH,
    V_CANAL_DEPTH,
    V_PEDICLE_WIDTH,
    V_PEDICLE_HEIGHT,
    V_CONCAVITY,
    V_LIP_TOP,
    V_LIP_BOTTOM,
    V_TAPER,
    V_SPINOUS_REACH,
    V_SPINOUS_DROOP,
    V_TRANSVERSE_BACK,
    V_LAMINA_HEIGHT,
    V_LAMINECTOMY,
    V_SCREWS,
) = range(18)
V_TRANSVERSE_REACH, V_TRANSVERSE_RADIUS, V_RIB, V_FRAME = 18, 20, 22, 24
"""Pairs: right and left. From V_FRAME on: origin and axes of the vertebra's frame."""

(D_WIDTH, D_DEPTH, D_HEIGHT, D_WEDGE, D_BULGE, D_CANAL_WIDTH, D_CANAL_DEPTH) = range(7)
D_FLAVUM, D_FACET, D_FACET_COS, D_FACET_SIN, D_SPUR, D_EFFUSION, D_CYST = 7, 9, 11, 13, 15, 17, 19
"""Pairs: right and left."""

D_CAGE, D_REACH, D_FRAME, D_FOCAL, N_FOCAL = 21, 22, 23, 35, 6
"""D_CAGE: 1 where a cage replaces the disc. D_REACH: how far from its plane the disc's lesions reach. From D_FRAME on,
origin and axes of the disc's frame. From D_FOCAL on, lesions
(``herniation.FocalLesion``) of N_FOCAL columns."""

(BODY, ARCH, DISC, FLAVUM, JOINT, SAC, ROOT, ROOTLET, CORD, HARDWARE, VEIN, DISC_RADIUS, DISC_INDEX, CROWDING, OUTERMOST) = range(15)
N_FIELDS = 15
"""Columns of ``sdf.distances``. Up to VEIN: millimetres. DISC_RADIUS: 0 at the disc's axis, 1 at its rim. DISC_INDEX: the nearest disc, or
-1. CROWDING: 0 where rootlets float in the sac, 1 where they fill it. OUTERMOST: the smallest of the distances."""
