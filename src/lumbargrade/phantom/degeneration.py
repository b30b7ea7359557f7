"""How far each level of a patient has degenerated: discs, flavum, facet joints, slips, and the room that is left to the dural sac.

Discs follow their Pfirrmann grade (``pfirrmann``): bulging, narrowing and slips have the frequencies found for each grade in 218 patients
of SPIDER (CC BY 4.0, Zenodo 10159290). What narrows canal, recess and foramen beyond that follows from ``burden``.
"""

from dataclasses import dataclass, field, replace
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.phantom.burden import sample_burdens
from lumbargrade.phantom.herniation import N_LESIONS, NO_LESION, FocalLesion, one_sided, sample_herniations
from lumbargrade.phantom.numbering import LUMBAR_DISCS, N_DISCS, S1
from lumbargrade.phantom.person import AnatomyConfig, Person, bounded_normal, table
from lumbargrade.phantom.pfirrmann import MOBILE_ROWS, DiscDegeneration, sample_disc_degeneration

# T9/10 T10/11 T11/12 T12/L1 L1/2 L2/3  L3/4  L4/5  L5/S1 S1/2  S2/3  S3/4  S4/5; millimetres, healthy
_DISC_HEIGHT = (4.4, 4.5, 4.6, 4.9, 6.2, 7.8, 9.7, 11.4, 11.3, 2.2, 1.4, 0.8, 0.6)
_FLAVUM = (1.7, 1.7, 1.8, 1.9, 1.85, 1.8, 2.0, 2.0, 2.4, 1.0, 0.8, 0.8, 0.8)
_SAC_HALF_WIDTH = (9.6, 9.8, 10.0, 10.3, 10.6, 10.5, 10.5, 10.7, 8.9, 6.3, 4.0, 2.5, 2.0)
_SAC_HALF_DEPTH = (7.1, 7.2, 7.3, 7.4, 7.4, 7.4, 7.7, 7.5, 6.8, 5.0, 3.2, 2.0, 1.6)
_SAC_LOSS_PER_DECADE = (0.02,) * 4 + (0.026, 0.014, 0.012, 0.006) + (0.0,) * 5
"""Share of the open sac's area lost in each decade of age, by disc; what presses on the sac takes the rest of the published loss."""

# Shares of discs by Pfirrmann grade I to V, and of slips by level L1/2 to L5/S1 relative to that.
BULGING_OF_GRADE = (0.13, 0.20, 0.61, 0.78, 0.88)
NARROWED_OF_GRADE = (0.07, 0.06, 0.33, 0.64, 0.99)
_SLIP_OF_GRADE, _SLIP_OF_LEVEL = (0.0043, 0.009, 0.014, 0.0486, 0.0997), (0.12, 0.51, 0.60, 1.26, 1.95)

NARROWED_SHARE, BULGING_MM = 0.18, 1.2
"""Share of height lost from which a disc is called narrowed, and the bulge from which it is called bulging."""

_LIPOMATOSIS = 0.03
"""Share of patients whose sac is small for fat and not for stenosis."""

_BUCKLING = 0.3
"""Millimetres by which the flavum thickens for each millimetre of disc height lost."""

_HYDRATION_OF_GRADE = (1.1, 0.93, 0.65, 0.35, 0.12, 0.02)
"""Water of the nucleus at the beginning of grades I to V, and at the end of V."""

_CANAL_BULGE, _CANAL_FLAVUM = 1.0, 0.5
_RECESS_FACET, _RECESS_BULGE, _RECESS_FLAVUM = 0.8, 1.2, 0.2
_FORAMEN_SPUR, _FORAMEN_BULGE = 0.9, 1.6
"""Millimetres for each unit of burden, where two mechanisms share it evenly."""

_RECESS_X = (9.0, 9.0, 9.2, 9.6, 10.8)
"""Millimetres from the midline to the lateral recess, L1/2 to L5/S1: canals widen downward."""

_MOST_BULGE, _MOST_FLAVUM, _MOST_FACET, _MOST_SPUR = 7.0, 9.0, 4.0, 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Wear:
    """Discs, ligaments and joints of one patient. Arrays run over the 13 discs; millimetres; side 0 right, 1 left.

    Attributes:
        pfirrmann: grade of each disc, 1 to 5.
        disc_height: in the disc's middle. height_loss: share lost, 0 to 1, already taken off ``disc_height``.
        bulge: of the disc's rim beyond the bodies'.
        hydration: water of the nucleus, 1 young, 0 dried out.
        osteophyte: of the body's rims beside the disc, 0 none, 1 common.
        flavum, facet_hypertrophy: (2, 13) thickness of each ligamentum flavum; growth of each joint.
        foraminal_spur: (2, 13) how far bone grows into each foramen.
        focal: ``herniation.N_LESIONS`` lesions of each disc.
        slip: of the vertebra above, forward.
        sac_half_width, sac_half_depth: of the dural sac where nothing presses on it.
        epidural_fat: between disc and sac.
        effusion, synovial_cyst: (2, 13) fluid in each facet joint beyond its cartilage's width; radius of a cyst on its medial side.
    """

    pfirrmann: NDArray[np.int64]
    disc_height: FloatArray
    height_loss: FloatArray
    bulge: FloatArray
    hydration: FloatArray
    osteophyte: FloatArray
    flavum: FloatArray
    facet_hypertrophy: FloatArray
    foraminal_spur: FloatArray
    focal: tuple[tuple[FocalLesion, ...], ...]
    slip: FloatArray
    sac_half_width: FloatArray
    sac_half_depth: FloatArray
    epidural_fat: FloatArray
    effusion: FloatArray = field(default_factory=lambda: np.zeros((2, N_DISCS)))
    synovial_cyst: FloatArray = field(default_factory=lambda: np.zeros((2, N_DISCS)))


def sample_wear(rng: np.random.Generator, config: AnatomyConfig, person: Person) -> Wear:
    """Draw the discs, then what narrows each site, then what is left to the sac; every part has a stream of its own."""
    disc_rng, burden_rng, mix_rng, focal_rng, sac_rng = rng.spawn(5)
    discs = sample_disc_degeneration(disc_rng, person)
    burdens = sample_burdens(burden_rng, discs, config.burden)
    healthy, loss = table(disc_rng, config, _DISC_HEIGHT, person.size, 0.06), _sample_height_loss(disc_rng, discs)
    bulging, recess_bulging, foramen_bulging = (_share(mix_rng, shape) for shape in ((S1,), (2, S1), (2, S1)))
    bulge = _sample_bulge(disc_rng, discs)
    bulging = np.where(bulge[:S1] >= BULGING_MM, bulging, 0.0)  # a disc that does not bulge leaves its part to the flavum
    bulge[:S1] = np.minimum(bulge[:S1] + _CANAL_BULGE * bulging * burdens.canal, _MOST_BULGE)
    flavum = np.array(_FLAVUM) * (bounded_normal(mix_rng, config, 1.0, 0.1) + 0.08 * mix_rng.normal(size=(2, N_DISCS)))
    flavum[:, :S1] += _BUCKLING * (healthy * loss)[:S1] + _CANAL_FLAVUM * (2 - bulging) * burdens.canal + _RECESS_FLAVUM * burdens.recess
    facet, spur = np.zeros((2, N_DISCS)), np.zeros((2, N_DISCS))
    facet[:, :S1] = np.minimum(_RECESS_FACET * (2 - recess_bulging) * burdens.recess, _MOST_FACET)
    spur[:, :S1] = np.minimum(_FORAMEN_SPUR * (2 - foramen_bulging) * burdens.foramen, _MOST_SPUR)
    sac_width, sac_depth = _sample_sac(sac_rng, config, person)
    return Wear(
        pfirrmann=np.concatenate([discs.grade, np.full(N_DISCS - S1, 4)]),
        disc_height=healthy * (1 - loss),
        height_loss=loss,
        bulge=bulge,
        hydration=_hydration(disc_rng, discs),
        osteophyte=_sample_osteophytes(disc_rng, discs, loss),
        flavum=np.clip(flavum, 1.2, _MOST_FLAVUM),
        facet_hypertrophy=facet,
        foraminal_spur=spur,
        focal=_lay_lesions(
            focal_rng,
            discs,
            _RECESS_BULGE * recess_bulging * burdens.recess,
            _FORAMEN_BULGE * foramen_bulging * burdens.foramen,
            config.lesions,
        ),
        slip=_sample_slips(disc_rng, discs),
        sac_half_width=sac_width,
        sac_half_depth=sac_depth,
        epidural_fat=_sample_epidural_fat(sac_rng, config),
    )


def unworn(wear: Wear) -> Wear:
    """The same person's healthy discs, ligaments and joints."""
    none = np.zeros_like(wear.facet_hypertrophy)
    return replace(
        wear,
        bulge=np.full_like(wear.bulge, 0.4),
        disc_height=wear.disc_height / np.where(wear.height_loss > 0, 1 - wear.height_loss, 1.0),
        height_loss=np.zeros_like(wear.height_loss),
        osteophyte=np.zeros_like(wear.osteophyte),
        flavum=np.minimum(wear.flavum, 2.6),
        facet_hypertrophy=none,
        foraminal_spur=none,
        focal=tuple((NO_LESION,) * N_LESIONS for _ in wear.focal),
        slip=np.zeros_like(wear.slip),
        effusion=none,
        synovial_cyst=none,
    )


def _share(rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
    """How much of a burden falls on the first of two mechanisms: 0 to 2, 1 where they share it evenly."""
    return rng.random(shape) + rng.random(shape)


def _sample_height_loss(rng: np.random.Generator, discs: DiscDegeneration) -> FloatArray:
    """(13,) share of each disc's height that is lost; remnants in the sacrum vary between patients instead."""
    narrowed = rng.random(S1) < np.array(NARROWED_OF_GRADE)[discs.grade - 1]
    worst = np.interp(discs.continuous, (1, 4, 6), (0.35, 0.5, 0.72))
    loss = np.where(narrowed, NARROWED_SHARE + (worst - NARROWED_SHARE) * rng.random(S1), NARROWED_SHARE * rng.random(S1) * 0.6)
    remnants = 1 - rng.uniform(0.3, 2.2) * np.ones(N_DISCS - S1)
    return np.concatenate([loss, remnants])


def _sample_bulge(rng: np.random.Generator, discs: DiscDegeneration) -> FloatArray:
    """(13,) millimetres of the whole rim, before any burden."""
    is_bulging = rng.random(S1) < np.array(BULGING_OF_GRADE)[discs.grade - 1]
    bulge = np.where(is_bulging, BULGING_MM + 0.8 * rng.random(S1), 0.2 + 0.5 * rng.random(S1))
    return np.concatenate([bulge, np.full(N_DISCS - S1, 0.4)])


def _hydration(rng: np.random.Generator, discs: DiscDegeneration) -> FloatArray:
    water = np.interp(discs.continuous, np.arange(1.0, 7.0), _HYDRATION_OF_GRADE)
    return np.concatenate([water, np.full(N_DISCS - S1, rng.uniform(0.02, 0.7))])


def _sample_osteophytes(rng: np.random.Generator, discs: DiscDegeneration, loss: FloatArray) -> FloatArray:
    grown = np.clip(0.28 * (discs.continuous - 2.5) + 0.7 * loss[:S1] + 0.25 * rng.normal(size=S1), 0, 2.0)
    return np.concatenate([grown, np.zeros(N_DISCS - S1)])


def _sample_slips(rng: np.random.Generator, discs: DiscDegeneration) -> FloatArray:
    """(13,) millimetres; one in eight goes beyond 7 mm."""
    chance, size = rng.random(S1), rng.random(S1)
    slipped = chance < np.array(_SLIP_OF_GRADE)[discs.grade - 1] * np.array(_SLIP_OF_LEVEL)[MOBILE_ROWS]
    slipped &= np.arange(S1) >= LUMBAR_DISCS[0]
    slip = np.where(slipped, 2.5 + 5.0 * size + np.maximum(size - 0.87, 0) * 30, 0.0)
    return np.concatenate([slip, np.zeros(N_DISCS - S1)])


def _lay_lesions(
    rng: np.random.Generator, discs: DiscDegeneration, recess: FloatArray, foramen: FloatArray, frequency: float
) -> tuple[tuple[FocalLesion, ...], ...]:
    """One-sided bulges into recess and foramen (2, 9) mm deep, and herniations; none in the sacrum's remnants."""
    herniations = sample_herniations(rng, discs, frequency)
    place = rng.normal(size=(2, 2, S1))
    lesions = []
    for disc, recess_x in enumerate(np.array(_RECESS_X)[MOBILE_ROWS].tolist()):
        one_sided_bulges = [
            one_sided(sign, x + 0.8 * place[kind, side, disc], y, min(float(depth[side, disc]), 7.0), half_width)
            for kind, (depth, x, y, half_width) in enumerate(((recess, recess_x, -2.0, 4.5), (foramen, 18.0, -5.0, 6.0)))
            for side, sign in enumerate((-1.0, 1.0))
        ]
        lesions.append((*one_sided_bulges, *herniations[disc]))
    return (*lesions, *((NO_LESION,) * N_LESIONS for _ in range(N_DISCS - S1)))


def _sample_sac(rng: np.random.Generator, config: AnatomyConfig, person: Person) -> tuple[FloatArray, FloatArray]:
    """(13,) half axes of the open sac: congenital size, a little lost with age, and lipomatosis, which leaves it small but open."""
    aged = np.sqrt(1 - np.array(_SAC_LOSS_PER_DECADE) * (person.age_years - 57) / 10)
    scale = bounded_normal(rng, config, 1.0, 0.07)
    width = aged * table(rng, config, _SAC_HALF_WIDTH, scale * bounded_normal(rng, config, 1.0, 0.05), 0.03)
    depth = aged * table(rng, config, _SAC_HALF_DEPTH, scale * bounded_normal(rng, config, 1.0, 0.05), 0.03)
    lipomatosis, share, top = rng.random() < _LIPOMATOSIS * config.lesions, rng.uniform(0.55, 0.8), int(rng.integers(1, 4))
    if lipomatosis:
        width[LUMBAR_DISCS[top] :] *= share
        depth[LUMBAR_DISCS[top] :] *= sqrt(share)
    return width, depth


def _sample_epidural_fat(rng: np.random.Generator, config: AnatomyConfig) -> FloatArray:
    """(13,) millimetres; at L5/S1 the sac leaves the disc."""
    fat = np.full(N_DISCS, 1.3)
    fat[S1 - 1 :] = bounded_normal(rng, config, 2.2, 0.6)
    return np.asarray(np.maximum(fat, 0.5))
