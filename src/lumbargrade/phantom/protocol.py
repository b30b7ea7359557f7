"""What is scanned: where the slices of a lumbar protocol lie in a patient, how large their pictures are, and how they are numbered.

Shares and ranges follow the competition's studies and the headers of SPIDER: sagittal stacks of 13 to 19 slices stored from either side;
axial slices angled to each disc, in two or three blocks, or in one stack, which every twelfth time leaves the upper discs out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil

import numpy as np

from lumbargrade.geometry.affine import FloatArray, SliceAffine
from lumbargrade.geometry.orientation import AnatomicalPlane
from lumbargrade.phantom.mr import Weighting
from lumbargrade.phantom.numbering import LUMBAR_DISCS, VERTEBRAE
from lumbargrade.phantom.pose import rotation
from lumbargrade.phantom.render import Plane
from lumbargrade.phantom.scanner import Scanner, Vendor
from lumbargrade.phantom.skeleton import Skeleton
from lumbargrade.terms import SeriesRole

_SAGITTAL_AXES = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]])
"""Rows: direction of growing column, of growing row, and of the slices, in the body frame."""

_L3 = VERTEBRAE.index("L3")
_LEFT_IS_LATER, _HEAD_IS_FIRST = 0.64, 0.88
"""Share of studies whose instance numbers grow to the patient's left, and of those whose axials are numbered from the head."""


_THINNED = 3


@dataclass(frozen=True, slots=True)
class ProtocolConfig:
    """Shares of studies in which something is the case, and how exactly slices are placed.

    Attributes:
        stir: the sagittal T2 is a STIR.
        own_t1_planes: the sagittal T1 has slices of its own instead of those of the T2.
        short_axials: the axials begin at L2/L3 or L3/L4.
        split_axials: the axials are two series.
        few_sagittal: there are no axials, and of the sagittal slices every third alone.
        missing_series: the sagittal T1 or the axials are absent.
        tilt_error_deg: standard deviation of an axial block's angle against its disc.
    """

    stir: float = 0.25
    own_t1_planes: float = 0.15
    short_axials: float = 0.08
    split_axials: float = 0.15
    missing_series: float = 0.0
    tilt_error_deg: float = 4.0
    few_sagittal: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """Slices, and the series that are taken of them: one or, where T1 and T2 share their slices, two.

    Attributes:
        planes: in the body frame, in the order of ``instance_numbers``, which ascend.
        spacing_mm: between neighbouring slices of a block.
    """

    plane: AnatomicalPlane
    weightings: tuple[Weighting, ...]
    planes: tuple[Plane, ...]
    instance_numbers: tuple[int, ...]
    spacing_mm: float

    def role(self, weighting: Weighting) -> SeriesRole:
        if self.plane is AnatomicalPlane.AXIAL:
            return SeriesRole.AXIAL_T2
        return SeriesRole.SAGITTAL_T1 if weighting is Weighting.T1 else SeriesRole.SAGITTAL_T2

    def around(self, site_mm: FloatArray, slices: int, size_mm: float) -> "Scan":
        """The slices nearest to (3,) a site of the body frame, cut to a square around it: a crop without the rest of the study."""
        distances_mm = [abs(float(plane.affine.distances_mm(site_mm)[0])) for plane in self.planes]
        nearest = sorted(np.argsort(distances_mm, kind="stable")[:slices].tolist())
        planes = tuple(self.planes[index].window(site_mm, size_mm) for index in nearest)
        return replace(self, planes=planes, instance_numbers=tuple(self.instance_numbers[index] for index in nearest))


@dataclass(frozen=True, slots=True)
class _Habits:
    """What a vendor's users choose among: slice thicknesses and ranges of the field of view, in millimetres."""

    sagittal_mm: tuple[float, ...]
    sagittal_field_mm: tuple[float, float]
    axial_mm: tuple[float, ...]
    axial_field_mm: tuple[float, float]


_HABITS: Mapping[Vendor, _Habits] = {
    Vendor.SIEMENS: _Habits((3.3, 4.0, 4.0, 4.0, 4.5), (260, 320), (3.5, 4.0, 4.0, 4.5), (160, 200)),
    Vendor.PHILIPS: _Habits((3.0, 3.5, 4.0, 4.0), (250, 310), (3.5, 4.0, 4.0), (150, 190)),
    Vendor.GE: _Habits((3.5, 4.0, 4.0, 4.5), (240, 320), (4.0, 4.0, 4.5), (150, 190)),
    Vendor.CANON: _Habits((3.5, 4.0, 4.5), (250, 320), (4.0, 4.5), (160, 200)),
}
"""Medians of SPIDER's headers (sagittal 4 mm each 4.4 mm; Philips 3 T 3 mm each 3.3 mm) and of published axial protocols."""


@dataclass(frozen=True, slots=True)
class _Picture:
    rows: int
    columns: int
    pixel_mm: float
    thickness_mm: float


def plan_study(skeleton: Skeleton, scanner: Scanner, config: ProtocolConfig, rng: np.random.Generator) -> tuple[Scan, ...]:
    """The scans of one study: sagittal T2 or STIR, sagittal T1, axial T2, as the scanner's users place them."""
    t2 = Weighting.STIR if rng.random() < config.stir else Weighting.T2
    is_incomplete, lacks_t1 = rng.random() < config.missing_series, rng.random() < 0.5
    has_t1, has_axials = not (is_incomplete and lacks_t1), not (is_incomplete and not lacks_t1)
    shares_planes = rng.random() >= config.own_t1_planes
    scans = [_plan_sagittal(skeleton, scanner, (t2, Weighting.T1) if has_t1 and shares_planes else (t2,), rng)]
    if has_t1 and not shares_planes:
        scans.append(_plan_sagittal(skeleton, scanner, (Weighting.T1,), rng))
    if config.few_sagittal:
        return tuple(_thinned(scan, int(rng.integers(3))) for scan in scans)
    if has_axials:
        scans += _plan_axials(skeleton, scanner, config, rng)
    return tuple(scans)


def _thinned(scan: Scan, first: int) -> Scan:
    """Every third slice."""
    kept = slice(first, None, _THINNED)
    return replace(scan, planes=scan.planes[kept], instance_numbers=scan.instance_numbers[kept], spacing_mm=_THINNED * scan.spacing_mm)


def _plan_sagittal(skeleton: Skeleton, scanner: Scanner, weightings: tuple[Weighting, ...], rng: np.random.Generator) -> Scan:
    """A stack wide enough for both rows of foramina, centred near L3 so that T11/T12 to S2 are usually in the picture."""
    habits = _HABITS[scanner.vendor]
    thickness_mm, spacing_mm = _sample_slices(habits.sagittal_mm, rng)
    count = int(np.clip(round(rng.uniform(58, 74) / spacing_mm), 13, 19))
    field_mm = float(rng.uniform(*habits.sagittal_field_mm))
    rows = int(rng.choice((256, 320, 384), p=(0.2, 0.45, 0.35)))
    columns = 8 * round(rows * float(rng.choice((0.7, 0.85, 1.0))) / 8)
    picture = _Picture(rows, columns, field_mm / rows, thickness_mm)
    axes = _SAGITTAL_AXES @ rotation(rng.normal(0, (3.0, 1.3, 1.3))).T
    lateral, backward, _ = np.mean([skeleton.to_body(disc, (0.0, skeleton.disc_depth[disc], 0.0)) for disc in LUMBAR_DISCS], 0)
    height = skeleton.vertebra_origin[_L3, 2] + rng.normal(0, 13)
    centre = np.array([lateral + rng.normal(0, 2), backward + rng.uniform(-25, 15), height])
    planes = _stack(centre, axes, spacing_mm * _centred(count), picture)
    if rng.random() < _LEFT_IS_LATER:
        planes.reverse()
    return Scan(AnatomicalPlane.SAGITTAL, weightings, tuple(planes), _sample_numbers(count, rng), spacing_mm)


def _plan_axials(skeleton: Skeleton, scanner: Scanner, config: ProtocolConfig, rng: np.random.Generator) -> list[Scan]:
    first = int(rng.integers(1, 3)) if rng.random() < config.short_axials else 0
    habits = _HABITS[scanner.vendor]
    thickness_mm, spacing_mm = _sample_slices(habits.axial_mm, rng)
    field_mm, pixel_mm = float(rng.uniform(*habits.axial_field_mm)), float(rng.uniform(0.5, 0.75))
    side = 8 * round(field_mm / pixel_mm / 8)
    picture = _Picture(side, side, pixel_mm, thickness_mm)
    error = rng.normal(0, (0, 0, 2.0))
    behind_mm = float(rng.uniform(-12, 18))
    blocks = []
    for discs in _sample_blocks(list(LUMBAR_DISCS[first:]), rng):
        turn = rotation(error + rng.normal(0, (config.tilt_error_deg, 1.5, 1.0)))
        blocks.append(_block(skeleton, discs, turn, behind_mm, spacing_mm, picture, rng))
    if rng.random() >= _HEAD_IS_FIRST:
        blocks = [block[::-1] for block in reversed(blocks)]
    cut = int(rng.integers(1, len(blocks))) if len(blocks) > 1 and rng.random() < config.split_axials else len(blocks)
    scans = []
    for part in (blocks[:cut], blocks[cut:]):
        planes = [plane for block in part for plane in block]
        if planes:
            numbers = _sample_numbers(len(planes), rng)
            scans.append(Scan(AnatomicalPlane.AXIAL, (Weighting.T2,), tuple(planes), numbers, spacing_mm))
    return scans


def _sample_blocks(discs: list[int], rng: np.random.Generator) -> list[list[int]]:
    """Which discs share a block of parallel slices, from the head down: each its own, the lowest one or two apart, or all together."""
    style = rng.choice(3, p=(0.40, 0.35, 0.25))
    if style == 0:
        return [[disc] for disc in discs]
    if style == 1:
        cuts = [0, len(discs) - 1, len(discs)] if rng.random() < 0.6 else [0, len(discs) - 2, len(discs) - 1, len(discs)]
        return [discs[start:end] for start, end in pairwise(cuts)]
    return [discs]


def _block(
    skeleton: Skeleton,
    discs: list[int],
    turn: FloatArray,
    behind_mm: float,
    spacing_mm: float,
    picture: _Picture,
    rng: np.random.Generator,
) -> list[Plane]:
    """Parallel slices, from the head down, through one disc or from above the first to below the last of several."""
    middle = discs[len(discs) // 2]
    axes = skeleton.disc_axes[middle] @ turn.T
    centre = skeleton.to_body(middle, (float(rng.normal(0, 2)), skeleton.disc_depth[middle] + behind_mm, 0.0))
    if len(discs) == 1:
        offsets = np.asarray(spacing_mm * _centred(int(rng.integers(3, 6))) + rng.normal(0, 1.2))
    else:
        canals = np.array([skeleton.to_body(disc, (0.0, skeleton.disc_depth[disc] + 5.0, 0.0)) for disc in discs])
        heights = (canals - centre) @ axes[2]
        low, high = float(heights.min() - rng.uniform(3, 9)), float(heights.max() + rng.uniform(3, 9))
        offsets = np.asarray(low + spacing_mm * np.arange(ceil((high - low) / spacing_mm) + 1))
    return _stack(centre, axes, offsets[::-1], picture)


def _stack(centre: FloatArray, axes: FloatArray, offsets_mm: FloatArray, picture: _Picture) -> list[Plane]:
    """Slices at distances from a centre along ``axes[2]``; ``axes[0]`` and ``axes[1]`` are the directions of columns and rows."""
    half = picture.pixel_mm * ((picture.columns - 1) / 2 * axes[0] + (picture.rows - 1) / 2 * axes[1])
    return [
        Plane(
            SliceAffine(centre + offset * axes[2] - half, axes[0], axes[1], picture.pixel_mm, picture.pixel_mm),
            picture.rows,
            picture.columns,
            picture.thickness_mm,
        )
        for offset in offsets_mm
    ]


def _sample_slices(thicknesses_mm: tuple[float, ...], rng: np.random.Generator) -> tuple[float, float]:
    """Thickness, and the spacing that a gap of a tenth, or now and then none or a quarter, makes of it."""
    thickness_mm = float(rng.choice(thicknesses_mm))
    return thickness_mm, float(np.clip(thickness_mm * rng.choice((1.0, 1.1, 1.2, 1.25), p=(0.1, 0.6, 0.2, 0.1)), 3.3, 5.2))


def _centred(count: int) -> FloatArray:
    return np.asarray(np.arange(count) - (count - 1) / 2)


def _sample_numbers(count: int, rng: np.random.Generator) -> tuple[int, ...]:
    """Ascending instance numbers: mostly 1 to n, at times from a later start, at times with gaps."""
    chance = rng.random()
    start = int(rng.integers(2, 41)) if chance < 0.05 else 1
    steps = np.ones(count, np.int64)
    if chance > 0.95:
        steps[rng.integers(1, count)] += int(rng.integers(1, 9))
    return tuple((start - 1 + np.cumsum(steps)).tolist())
