"""What a file's header says of its series and its patient beyond geometry and pixels. No text of it is passed on but as a clue."""

import re
from typing import Any

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence

from lumbargrade.dicom.frames import read_frame_headers
from lumbargrade.dicom.roles import SeriesClues
from lumbargrade.study import SeriesTiming

ADULT_YEARS = 18

_NO_AGENT = frozenset({"", "no", "none", "n", "n/a", "na", "0", "-", "nein", "keine", "keines", "no contrast", "non contrast", "without"})
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_UNITS_A_YEAR = {"D": 365.25, "W": 52.18, "M": 12.0, "Y": 1.0}
_AGE = re.compile(r"\s*(\d{1,3})([DWMY])\s*", re.ASCII)
_DATE = re.compile(r"\s*(\d{4})\.?(\d{2})\.?(\d{2})\s*", re.ASCII)


def read_clues(dataset: Dataset) -> SeriesClues:
    """The clues of one file, which stand for its series."""
    header = next(read_frame_headers(dataset), None)
    sop_class = _text(dataset, "SOPClassUID")
    return SeriesClues(
        description=_text(dataset, "SeriesDescription"),
        protocol=_text(dataset, "ProtocolName"),
        scan_options=" ".join(_texts(dataset, "ScanOptions")),
        modality=_text(dataset, "Modality"),
        timing=header.timing if header is not None else SeriesTiming(),
        image_type=image_type(dataset),
        body_part=_body_part(dataset),
        has_contrast_agent=_has_contrast_agent(dataset),
        is_capture=sop_class == _SECONDARY_CAPTURE or sop_class.startswith(f"{_SECONDARY_CAPTURE}."),
    )


def image_type(dataset: Dataset) -> tuple[str, ...]:
    """ImageType (0008,0008) in capitals; empty where it is absent."""
    return tuple(text.strip().upper() for text in _texts(dataset, "ImageType"))


def is_child(dataset: Dataset) -> bool:
    """Whether the patient is under 18 by PatientAge, or without one by the dates of birth and study; unknown is not.

    An age of nothing stands for none: anonymising leaves ages of ``000Y`` and equal dates.
    """
    age = _AGE.fullmatch(_text(dataset, "PatientAge"))
    if age is not None:
        return 0 < int(age[1]) / _UNITS_A_YEAR[age[2]] < ADULT_YEARS
    born, studied = (_DATE.fullmatch(_text(dataset, keyword)) for keyword in ("PatientBirthDate", "StudyDate"))
    if born is None or studied is None:
        return False
    return 0 < int("".join(studied.groups())) - int("".join(born.groups())) < ADULT_YEARS * 10_000


def _body_part(dataset: Dataset) -> str:
    """BodyPartExamined, or without it the anatomic region, which Enhanced MR states of the frames (PS3.3 C.7.6.16.2.8)."""
    shared = [item for group in _items(dataset, "SharedFunctionalGroupsSequence") for item in _items(group, "FrameAnatomySequence")]
    regions = [region for place in (dataset, *shared) for region in _items(place, "AnatomicRegionSequence")]
    return _text(dataset, "BodyPartExamined") or " ".join(_text(region, "CodeMeaning") for region in regions)


def _has_contrast_agent(dataset: Dataset) -> bool:
    """Classic MR names the agent (PS3.3 C.7.6.4); Enhanced MR lists agents and says of the frames whether one was given (C.7.6.4b)."""
    groups = [*_items(dataset, "SharedFunctionalGroupsSequence"), *_items(dataset, "PerFrameFunctionalGroupsSequence")]
    usage = [item for group in groups for item in _items(group, "ContrastBolusUsageSequence")]
    given = [_text(item, "ContrastBolusAgentAdministered").upper() for item in usage]
    if any(given):
        return "YES" in given
    return _text(dataset, "ContrastBolusAgent").strip().lower() not in _NO_AGENT or bool(_items(dataset, "ContrastBolusAgentSequence"))


def _text(dataset: Dataset, keyword: str) -> str:
    value = _value(dataset, keyword)
    return "" if value is None else str(value)


def _texts(dataset: Dataset, keyword: str) -> list[str]:
    value = _value(dataset, keyword)
    return [str(each) for each in value] if isinstance(value, MultiValue) else [] if value is None else [str(value)]


def _items(dataset: Dataset, keyword: str) -> list[Dataset]:
    value = _value(dataset, keyword)
    return list(value) if isinstance(value, Sequence) else []


def _value(dataset: Dataset, keyword: str) -> Any:
    """None for an element that cannot be read: a damaged clue must not cost the picture."""
    try:
        return dataset.get(keyword)
    except Exception:  # damaged bytes make pydicom raise anything
        return None
