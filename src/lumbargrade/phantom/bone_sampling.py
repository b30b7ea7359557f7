"""How the bones of patients are drawn: sizes about their means, curves of the spine, and variants."""

from dataclasses import replace
from math import radians

import numpy as np

from lumbargrade.phantom.bones import Bones, mean_bones
from lumbargrade.phantom.numbering import LUMBAR_DISCS, N_DISCS, N_VERTEBRAE, S1
from lumbargrade.phantom.person import AnatomyConfig, Person, bounded_normal, table
from lumbargrade.phantom.variants import L1, L5, T12, Lumbosacral, Thoracolumbar, Variants, sample_variants

SLOPE_DEG, SLOPE_SD_DEG, LORDOSIS_DEG, LORDOSIS_SD_DEG = 38.0, 8.0, 48.0, 11.0
_LORDOSIS_WITH_SLOPE = 0.75
"""Correlation of L1-S1 lordosis with the sacral slope."""

_WELL_FORMED_REMNANT = 0.07
"""Share of ordinary sacra with a disc of 4.5 to 8 mm between S1 and S2: 6 % of all patients."""

_LUMBAR = slice(LUMBAR_DISCS[0], S1)
"""Vertebrae L1 to L5, and the discs below them."""


def sample_bones(rng: np.random.Generator, config: AnatomyConfig, person: Person) -> Bones:
    """Draw the bones of a patient; each group of sizes has a stream of its own."""
    body_rng, canal_rng, process_rng, curve_rng, variant_rng = rng.spawn(5)
    bones = _with_sampled_bodies(body_rng, config, person, mean_bones())
    bones = _with_sampled_canal(canal_rng, config, person, bones)
    bones = _with_sampled_processes(process_rng, config, person, bones)
    bones = _with_sampled_curves(curve_rng, config, bones)
    return with_variants(bones, sample_variants(variant_rng, config), variant_rng, config.variants)


def _with_sampled_bodies(rng: np.random.Generator, config: AnatomyConfig, person: Person, bones: Bones) -> Bones:
    overhang = bones.disc_overhang.copy()
    overhang[:S1] = np.clip(overhang[:S1] + rng.normal(0, 0.4, S1), -0.8, 1.2)
    overhang[S1 - 1] += rng.uniform(0, 3)
    height = table(rng, config, tuple(bones.body_height), person.size, 0.03)
    wedge = bones.body_wedge.copy()
    wedge[S1 + 1 :] *= rng.uniform(0.5, 1.5)
    wedge += np.radians(rng.normal(0, 1.6 * config.spread, N_VERTEBRAE))
    concavity = np.clip(bones.endplate_concavity * rng.uniform(0.6, 1.4) + rng.normal(0, 0.25, N_VERTEBRAE), 0.1, 2.6)
    for vertebra in np.flatnonzero(rng.random(S1) < 0.02 * config.lesions):  # fractures, wedge-shaped or sunken
        height[vertebra] *= rng.uniform(0.6, 0.85)
        wedge[vertebra] -= radians(rng.uniform(0, 9))
        concavity[vertebra] = rng.uniform(1.0, 3.0)
    return replace(
        bones,
        body_width=table(rng, config, tuple(bones.body_width), person.size),
        body_depth=table(rng, config, tuple(bones.body_depth), person.size),
        body_height=height,
        body_wedge=wedge,
        body_taper=bones.body_taper + rng.normal(0, 0.02 * config.spread, N_VERTEBRAE),
        endplate_concavity=concavity,
        disc_overhang=overhang,
        marrow_gain=np.exp(rng.normal(0, rng.uniform(0, 0.15) * config.lesions, N_VERTEBRAE)),
    )


def _with_sampled_canal(rng: np.random.Generator, config: AnatomyConfig, person: Person, bones: Bones) -> Bones:
    """Canal, pedicles and joints. The canal's depth is the patient's own, whatever their size (1,080 CT studies, PMC5219964)."""
    return replace(
        bones,
        canal_width=table(rng, config, tuple(bones.canal_width), person.size * bounded_normal(rng, config, 1.0, 0.05), 0.015),
        canal_depth=table(rng, config, tuple(bones.canal_depth), person.canal_size, 0.015),
        pedicle_width=table(rng, config, tuple(bones.pedicle_width), person.size, 0.05),
        pedicle_height=table(rng, config, tuple(bones.pedicle_height), person.size, 0.04),
        facet_angle=bones.facet_angle + np.radians(rng.normal(0, 7) + rng.normal(0, 4, (2, N_DISCS))),
    )


def _with_sampled_processes(rng: np.random.Generator, config: AnatomyConfig, person: Person, bones: Bones) -> Bones:
    common = person.size * bounded_normal(rng, config, 1.0, 0.05)
    one_side = 1 + 0.03 * config.spread * rng.normal(size=(2, N_VERTEBRAE))
    return replace(
        bones,
        lamina_height=table(rng, config, tuple(bones.lamina_height), common, 0.04),
        spinous_reach=table(rng, config, tuple(bones.spinous_reach), common, 0.04),
        spinous_droop=bones.spinous_droop + rng.normal(0, 2.0 * config.spread, N_VERTEBRAE),
        transverse_reach=bones.transverse_reach * common * one_side,
        transverse_radius=bones.transverse_radius * rng.uniform(0.85, 1.15),
        rib=bones.rib * rng.uniform(0.7, 1.2, (2, N_VERTEBRAE)),
    )


def _with_sampled_curves(rng: np.random.Generator, config: AnatomyConfig, bones: Bones) -> Bones:
    """Sacral slope, L1-S1 lordosis and scoliosis. Of the lordosis, bodies have what was drawn for them and discs the rest.

    Supine lordosis 48 (SD 11), sacral slope 38 (SD 8) degrees. Cobb angle: 90 % about 0 (SD 3), 10 % 10 to 30 degrees with axial rotation
    of 0.3 to 0.5 times the angle (Kebaish 2010, Perennou 1994).
    """
    common, own = np.clip(rng.normal(size=2), -2.2, 2.2)
    lordosis = LORDOSIS_DEG + LORDOSIS_SD_DEG * config.spread * (_LORDOSIS_WITH_SLOPE * common + (1 - _LORDOSIS_WITH_SLOPE**2) ** 0.5 * own)
    wedge = bones.disc_wedge.copy()
    residual = np.radians(rng.normal(0, 1.8 * config.spread, N_DISCS))
    residual[_LUMBAR] -= residual[_LUMBAR].mean()
    share = (radians(max(lordosis, 10.0)) - bones.body_wedge[_LUMBAR].sum()) / wedge[_LUMBAR].sum()
    wedge[_LUMBAR] *= share
    wedge[:S1] += residual[:S1]
    is_scoliotic = rng.random() < 0.10
    cobb = float(rng.choice([-1, 1]) * (10 + 20 * rng.beta(1.0, 2.2)) if is_scoliotic else rng.normal(0, 3 * config.spread))
    return replace(
        bones,
        disc_wedge=wedge,
        sacral_slope=radians(float(np.clip(SLOPE_DEG + SLOPE_SD_DEG * config.spread * common, 12, 64))),
        cobb=radians(cobb),
        cobb_span_mm=float(rng.uniform(160, 240)),
        rotation_per_cobb=float(rng.uniform(0.3, 0.5)),
    )


def with_variants(bones: Bones, variants: Variants, rng: np.random.Generator, remnants: float = 1.0) -> Bones:
    """The same bones with transitional or fused vertebrae, other ribs, or after an operation.

    ``remnants`` multiplies how often an ordinary sacrum has a well-formed disc.
    """
    bones = replace(bones, variants=variants)
    if variants.lumbosacral is Lumbosacral.SACRALISED_L5:
        bones = _sacralise_l5(bones, rng)
    elif variants.lumbosacral is Lumbosacral.LUMBARISED_S1:
        bones = _lumbarise_s1(bones, rng)
    elif rng.random() < _WELL_FORMED_REMNANT * remnants:
        bones = _with_first_sacral_disc(bones, rng)
    rib = bones.rib.copy()
    if variants.thoracolumbar is Thoracolumbar.T12_WITHOUT_RIBS:
        rib[:, T12] = 0.0
    elif variants.thoracolumbar is Thoracolumbar.L1_WITH_RIBS:
        rib[:, L1] = rng.uniform(0.25, 0.5, 2)
    allowed, wedge = bones.disc_height_range.copy(), bones.disc_wedge.copy()
    is_fused = variants.fused > 0
    allowed[:, is_fused] = ((0.3,), (0.8,))
    wedge[is_fused] *= 0.15
    return replace(bones, rib=rib, disc_height_range=allowed, disc_wedge=wedge)


def _sacralise_l5(bones: Bones, rng: np.random.Generator) -> Bones:
    """L5 squat and rhomboid with broad transverse processes that meet the ala; a low, nearly parallel disc below it."""
    height, taper, wedge = bones.body_height.copy(), bones.body_taper.copy(), bones.disc_wedge.copy()
    reach, radius, allowed = bones.transverse_reach.copy(), bones.transverse_radius.copy(), bones.disc_height_range.copy()
    height[L5] *= rng.uniform(0.84, 0.95)
    taper[L5] = rng.uniform(0.08, 0.22)
    moved = wedge[L5] * rng.uniform(0.5, 0.8)
    wedge[L5] -= moved
    wedge[L5 - 1] += 0.5 * moved
    share = bones.variants.process_share
    reach[:, L5] += share * 6.0
    radius[:, L5] += share * rng.uniform(6.0, 8.0)
    allowed[:, L5] = (2.0, rng.uniform(3.5, 6.0))
    return replace(
        bones,
        body_height=height,
        body_taper=taper,
        disc_wedge=wedge,
        transverse_reach=reach,
        transverse_radius=radius,
        disc_height_range=allowed,
    )


def _with_first_sacral_disc(bones: Bones, rng: np.random.Generator) -> Bones:
    """A well-formed S1/2 disc under a sacral S1 that is somewhat squarer for it."""
    taper, allowed, depth = bones.body_taper.copy(), bones.disc_height_range.copy(), bones.body_depth.copy()
    height = rng.uniform(4.5, 8.0)
    allowed[:, S1] = height
    taper[S1] = rng.uniform(0.16, 0.26)
    depth[S1 + 1] *= 1.15
    return replace(bones, body_taper=taper, body_depth=depth, disc_height_range=allowed)


def _lumbarise_s1(bones: Bones, rng: np.random.Generator) -> Bones:
    """S1 as square as a lumbar vertebra, on a well-formed S1/2 disc."""
    taper, allowed, width, depth = (each.copy() for each in (bones.body_taper, bones.disc_height_range, bones.body_width, bones.body_depth))
    taper[S1] = rng.uniform(0.05, 0.15)
    width[S1 + 1] *= 1.12
    depth[S1 + 1] *= 1.3
    wedge = bones.disc_wedge.copy()
    wedge[S1] += radians(rng.uniform(2, 7))
    allowed[:, S1] = (rng.uniform(5.0, 8.0), 9.5)
    return replace(bones, body_taper=taper, body_width=width, body_depth=depth, disc_height_range=allowed, disc_wedge=wedge)
