"""Series that lie in a hospital's study beside the three that matter: localiser, reformats, subtractions, copies, repeats cut short.

They are computed from the pictures of the study itself, so that they show the same patient at no cost of rendering.
"""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from lumbargrade.geometry.affine import FloatArray, SliceAffine
from lumbargrade.geometry.orientation import AnatomicalPlane
from lumbargrade.geometry.resample import grid_lps, smooth_for_spacing
from lumbargrade.study import Instance, Series, SeriesTiming, Stack, Study
from lumbargrade.terms import SeriesRole

Image = NDArray[np.float32]

_DIRECTIONS: dict[AnatomicalPlane, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    AnatomicalPlane.SAGITTAL: ((0, 1, 0), (0, 0, -1)),
    AnatomicalPlane.CORONAL: ((1, 0, 0), (0, 0, -1)),
    AnatomicalPlane.AXIAL: ((1, 0, 0), (0, 1, 0)),
}
"""Directions of growing column and of growing row, straight in the scanner as localisers and reformats lie."""

_LOCALISER_SHAPE, _REFORMAT_SHAPE = (128, 128), (160, 96)
_SHORT = 4
_GRADIENT_ECHO = SeriesTiming(echo_time_ms=4.2, repetition_time_ms=8.6)
_LOCALISER_NAMES = ("localizer", "3-PLANE LOC", "Survey", "LOC")


class DistractorKind(Enum):
    """What a series is that nobody grades."""

    LOCALISER = "localiser"
    REFORMAT = "reformat"
    SUBTRACTION = "subtraction"
    COPY = "copy"
    SHORT_REPEAT = "short_repeat"


_SHARES = {
    DistractorKind.LOCALISER: 0.9,
    DistractorKind.REFORMAT: 0.25,
    DistractorKind.SUBTRACTION: 0.15,
    DistractorKind.COPY: 0.15,
    DistractorKind.SHORT_REPEAT: 0.2,
}


@dataclass(frozen=True, slots=True, eq=False)
class Distractor:
    """One such series; its role is what its pictures are, so a copy has that of its original."""

    kind: DistractorKind
    series: Series


def make_distractors(study: Study, rng: np.random.Generator) -> tuple[Distractor, ...]:
    """The distractors of a study, each kind in a share of studies; none of a kind that the study's series do not allow."""
    wanted = [kind for kind in DistractorKind if rng.random() < _SHARES[kind]]
    made = [(kind, _MAKERS[kind](study, rng)) for kind in wanted]
    return tuple(Distractor(kind, _named(series, study, kind)) for kind, series in made if series is not None)


def report_page(rng: np.random.Generator, shape: tuple[int, int] = (352, 256)) -> NDArray[np.uint8]:
    """(rows, columns) a white page with words as dark bars, as a scanned request or report looks from afar."""
    page = np.full(shape, 245, np.uint8)
    for top in range(30, shape[0] - 40, 9):
        column, end = 24, 24 + int(rng.uniform(0.2, 1.0) * (shape[1] - 48))
        while rng.random() < 0.93 and column < end:
            width = int(rng.integers(5, 26))
            page[top : top + 4, column : min(column + width, end)] = rng.integers(20, 90)
            column += width + 4
    return page


def _localiser(study: Study, rng: np.random.Generator) -> Series | None:
    """Three slices in each of the three planes, with large pixels and another contrast."""
    source = _sagittal(study)
    if source is None:
        return None
    sagittal = _largest_stack(source)
    axials = [_largest_stack(series) for series in study.with_role(SeriesRole.AXIAL_T2)]
    sources = dict.fromkeys(AnatomicalPlane, sagittal) | ({AnatomicalPlane.AXIAL: axials[0]} if axials else {})
    pixel_mm, gap_mm = float(rng.uniform(1.8, 2.6)), float(rng.uniform(10, 22))
    stacks, first = [], 1
    for plane, stack in sources.items():
        middle = stack.instances[len(stack.instances) // 2]
        offsets = np.asarray(gap_mm * (np.arange(3) - 1.0), np.float64)
        stacks.append(_resampled(stack, plane, _middle_of(middle), offsets, _LOCALISER_SHAPE, pixel_mm, first, gamma=0.7))
        first += len(offsets)
    name = _LOCALISER_NAMES[int(rng.integers(len(_LOCALISER_NAMES)))]
    settings = source.settings and replace(
        source.settings,
        scanning_sequence=("GR",),
        sequence_variant=("SP",),
        echo_train_length=1,
        flip_angle_deg=20.0,
        slice_thickness_mm=8.0,
        protocol_name=name,
        sequence_name=None,
    )
    return replace(
        source, description=name, timing=_GRADIENT_ECHO, role=SeriesRole.OTHER, stacks=tuple(stacks), settings=settings, is_derived=False
    )


def _reformat(study: Study, rng: np.random.Generator) -> Series | None:
    """A coronal reformat of the sagittal series."""
    source = _sagittal(study)
    if source is None:
        return None
    stack = _largest_stack(source)
    centre = _middle_of(stack.instances[len(stack.instances) // 2])
    offsets = np.asarray(5.0 * (np.arange(int(rng.integers(8, 15))) - 5.0), np.float64)
    stacks = (_resampled(stack, AnatomicalPlane.CORONAL, centre, offsets, _REFORMAT_SHAPE, 1.6),)
    return replace(source, description=f"{source.description} MPR cor", role=SeriesRole.OTHER, stacks=stacks, is_derived=True)


def _subtraction(study: Study, _: np.random.Generator) -> Series | None:
    """T2 minus T1, where both were taken of the same slices."""
    pairs = zip(study.with_role(SeriesRole.SAGITTAL_T2), study.with_role(SeriesRole.SAGITTAL_T1), strict=False)
    for bright, dark in pairs:
        first, second = list(bright.instances), list(dark.instances)
        if [each.instance_number for each in first] != [each.instance_number for each in second] or first[0].shape != second[0].shape:
            continue
        if np.linalg.norm(first[0].affine.origin_lps_mm - second[0].affine.origin_lps_mm) > first[0].affine.column_spacing_mm * 4:
            continue
        differences = [replace(a, pixels=np.clip(a.pixels - b.pixels, 0, None)) for a, b in zip(first, second, strict=True)]
        stacks = (Stack(tuple(differences)),)
        return replace(bright, description="SUB T2-T1 sag", role=SeriesRole.OTHER, stacks=stacks, is_derived=True)
    return None


def _copy(study: Study, rng: np.random.Generator) -> Series | None:
    """A series once more, filtered: brighter, and slightly smoothed along its columns."""
    source = study.series[int(rng.integers(len(study.series)))]
    gain = np.float32(rng.uniform(0.8, 1.2))

    def filtered(pixels: Image) -> Image:
        return np.asarray(np.rint(gain * (0.5 * pixels + 0.25 * (np.roll(pixels, 1, 0) + np.roll(pixels, -1, 0)))), np.float32)

    stacks = tuple(Stack(tuple(replace(each, pixels=filtered(each.pixels)) for each in stack.instances)) for stack in source.stacks)
    return replace(source, description=f"{source.description} filtered", stacks=stacks, is_derived=True)


def _short_repeat(study: Study, rng: np.random.Generator) -> Series | None:
    """The first slices of a series, taken again and stopped."""
    source = study.series[int(rng.integers(len(study.series)))]
    first = set(sorted(instance.instance_number for instance in source.instances)[:_SHORT])
    kept = [tuple(each for each in stack.instances if each.instance_number in first) for stack in source.stacks]
    return replace(source, stacks=tuple(Stack(instances) for instances in kept if instances))


_MAKERS: dict[DistractorKind, Callable[[Study, np.random.Generator], Series | None]] = {
    DistractorKind.LOCALISER: _localiser,
    DistractorKind.REFORMAT: _reformat,
    DistractorKind.SUBTRACTION: _subtraction,
    DistractorKind.COPY: _copy,
    DistractorKind.SHORT_REPEAT: _short_repeat,
}


def _sagittal(study: Study) -> Series | None:
    return next(iter((*study.with_role(SeriesRole.SAGITTAL_T2), *study.with_role(SeriesRole.SAGITTAL_T1))), None)


def _largest_stack(series: Series) -> Stack:
    return max(series.stacks, key=lambda stack: len(stack.instances))


def _middle_of(instance: Instance) -> FloatArray:
    rows, columns = instance.shape
    return np.asarray(instance.affine.to_lps(np.array([[(columns - 1) / 2, (rows - 1) / 2]]))[0])


def _resampled(
    stack: Stack,
    plane: AnatomicalPlane,
    centre: FloatArray,
    offsets_mm: FloatArray,
    shape: tuple[int, int],
    pixel_mm: float,
    first_number: int = 1,
    gamma: float = 1.0,
) -> Stack:
    """Slices of a plane around a centre, cut out of a stack: linear from slice to slice, the nearest pixel within one, 0 outside."""
    right, down = (np.array(direction, np.float64) for direction in _DIRECTIONS[plane])
    normal = np.cross(right, down)
    origin = stack.instances[0].affine
    volume = np.stack([smooth_for_spacing(instance.pixels, instance.affine, pixel_mm) for instance in stack.instances])
    instances = []
    for number, offset in enumerate(offsets_mm, first_number):
        points = grid_lps(centre + offset * normal, right, down, shape, pixel_mm)
        pixels = _volume_values(volume, origin, stack.spacing_mm or 1.0, points.reshape(-1, 3)).reshape(shape)
        brightest = max(float(pixels.max()), 1.0)
        pixels = np.asarray(np.rint(brightest * (pixels / brightest) ** gamma), np.float32)
        instances.append(Instance("", number, SliceAffine(points[0, 0], right, down, pixel_mm, pixel_mm), pixels))
    return Stack.ordered(instances)


def _volume_values(volume: Image, first: SliceAffine, spacing_mm: float, points: FloatArray) -> Image:
    pixels = np.rint(first.to_px(points)).astype(np.intp)
    depth = np.asarray(first.distances_mm(points)) / spacing_mm
    slices, rows, columns = volume.shape
    inside = (depth >= -0.5) & (depth <= slices - 0.5) & (pixels >= 0).all(1) & (pixels[:, 0] < columns) & (pixels[:, 1] < rows)
    depth = np.clip(depth, 0, slices - 1)
    below = np.minimum(depth.astype(np.intp), max(slices - 2, 0))
    column, row = np.clip(pixels[:, 0], 0, columns - 1), np.clip(pixels[:, 1], 0, rows - 1)
    weight = (depth - below).astype(np.float32)
    above = np.minimum(below + 1, slices - 1)
    values = volume[below, row, column] * (1 - weight) + volume[above, row, column] * weight
    return np.where(inside, values, np.float32(0))


def _named(series: Series, study: Study, kind: DistractorKind) -> Series:
    """Identifiers of its own that follow from the study's."""

    def number(of: str) -> int:
        return uuid.uuid5(uuid.NAMESPACE_OID, f"{study.study_instance_uid} {kind.value} {of}").int

    def renamed(stack: Stack) -> Iterator[Instance]:
        for instance in stack.instances:
            yield replace(instance, sop_instance_uid=f"2.25.{number(f'instance {instance.instance_number}')}")

    stacks = tuple(Stack(tuple(renamed(stack))) for stack in series.stacks)
    return replace(series, series_instance_uid=f"2.25.{number('series')}", folder=str(number("folder") % 10**9), stacks=stacks)
