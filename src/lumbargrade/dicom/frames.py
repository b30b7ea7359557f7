"""The headers of single slices: one of a classic instance, one for each frame of an Enhanced multi-frame instance."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from lumbargrade.dicom.pixels import frame_count
from lumbargrade.geometry.affine import SliceAffine
from lumbargrade.study import SeriesTiming


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """What one slice's header says.

    Attributes:
        index: 0-based frame within the instance.
        instance_number: InstanceNumber, or the 1-based frame number of a multi-frame instance; None where the header has none.
        affine: None where position, orientation or pixel spacing is missing or senseless.
    """

    index: int
    instance_number: int | None
    affine: SliceAffine | None
    slope: float
    intercept: float
    timing: SeriesTiming


def read_frame_headers(dataset: Dataset) -> Iterator[FrameHeader]:
    """A header for each frame, in order.

    Whether an instance is multi-frame is told by its number of frames (PS3.3 C.7.6.16) and never by its SOP class: the competition's single
    slices call themselves Enhanced MR.
    """
    frames = frame_count(dataset)
    per_frame = dataset.get("PerFrameFunctionalGroupsSequence") or []
    shared = dataset.get("SharedFunctionalGroupsSequence") or []
    for index in range(frames):
        groups = [*per_frame[index : index + 1], *shared[:1]]
        number = index + 1 if frames > 1 else _whole_number(dataset.get("InstanceNumber"))
        # A frame without a position of its own has none: the instance's would put all frames in one place.
        yield _frame_header(index, number, groups if frames > 1 else [*groups, dataset], [*groups, dataset])


def _frame_header(index: int, number: int | None, own: Sequence[Dataset], places: Sequence[Dataset]) -> FrameHeader:
    slope = _number(_find(places, "PixelValueTransformationSequence", "RescaleSlope"))
    intercept = _number(_find(places, "PixelValueTransformationSequence", "RescaleIntercept"))
    timing = SeriesTiming(
        _number(_find(places, "MREchoSequence", "EffectiveEchoTime") or _find(places, "", "EchoTime")),
        _number(_find(places, "MRTimingAndRelatedParametersSequence", "RepetitionTime")),
        _number(_find(places, "MRModifierSequence", "InversionTimes") or _find(places, "", "InversionTime")),
    )
    position = _find(own, "PlanePositionSequence", "ImagePositionPatient")
    return FrameHeader(index, number, _affine(position, places), slope or 1.0, intercept or 0.0, timing)


def _affine(position: Any, places: Sequence[Dataset]) -> SliceAffine | None:
    orientation = _find(places, "PlaneOrientationSequence", "ImageOrientationPatient")
    spacing = _find(places, "PixelMeasuresSequence", "PixelSpacing")
    try:
        directions = np.array([float(value) for value in orientation], np.float64)
        row_spacing, column_spacing = (float(value) for value in spacing)
        origin = np.array([float(value) for value in position], np.float64)
        return SliceAffine(origin, directions[:3], directions[3:], column_spacing, row_spacing)
    except (TypeError, ValueError):
        return None


def _find(places: Sequence[Dataset], macro: str, keyword: str) -> Any:
    """The first value of an element, in a functional group's macro or at the top of a place."""
    for place in places:
        for item in [*(place.get(macro) or [] if macro else [])[:1], place]:
            value = item.get(keyword)
            if value not in (None, "", []):
                return value
    return None


def _number(value: Any) -> float | None:
    if isinstance(value, Sequence) and not isinstance(value, str):
        value = value[0] if value else None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None


def _whole_number(value: Any) -> int | None:
    number = _number(value)
    return None if number is None else int(number)
