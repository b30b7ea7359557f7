"""A whole study as a hospital's archive hands it over: folders and file names that say little, files in any order."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from lumbargrade.dicom.enhanced_header import frames_of
from lumbargrade.dicom.hospital_header import instance_uid
from lumbargrade.dicom.profiles import HABITS, HeaderProfile
from lumbargrade.dicom.values import oid, share_of
from lumbargrade.dicom.write import TransferSyntax, write_series
from lumbargrade.study import Instance, Series, Study

_REVERSED = 0.3
"""Share of series whose files are counted against their instance numbers."""

_SYNTAX_SHARES = (
    (TransferSyntax.EXPLICIT_LITTLE_ENDIAN, 0.5),
    (TransferSyntax.JPEG_LS, 0.2),
    (TransferSyntax.JPEG_2000, 0.15),
    (TransferSyntax.RLE, 0.1),
    (TransferSyntax.DEFLATED, 0.05),
)
"""In which share of studies an archive stores pixels how; no survey of archives is behind it."""


class FileLayout(Enum):
    """Where the files of a study lie."""

    SERIES_FOLDERS = "SE0003/IM0001"
    DESCRIBED = "t2_tse_sag_3/<SOPInstanceUID>.dcm"
    ONE_FOLDER = "DICOM/IM_0001"
    DEEP = "DICOM/PA000001/ST000001/SE000003/IM000001"


LAYOUTS: Mapping[HeaderProfile, FileLayout] = {
    HeaderProfile.SIEMENS: FileLayout.DESCRIBED,
    HeaderProfile.PHILIPS: FileLayout.ONE_FOLDER,
    HeaderProfile.GE: FileLayout.DEEP,
    HeaderProfile.CANON: FileLayout.SERIES_FOLDERS,
    HeaderProfile.ENHANCED: FileLayout.DESCRIBED,
}


@dataclass(frozen=True, slots=True)
class WrittenSeries:
    """Where a series was written.

    Attributes:
        series_instance_uid: as in the files.
        folder: below the study's, with ``/`` between names; other series may lie in it too.
        instance_numbers: by the instance number in memory the one that a reader finds, which in a multi-frame file is the frame's.
    """

    series_instance_uid: str
    folder: str
    instance_numbers: Mapping[int, int]


def syntax_of(study: Study) -> TransferSyntax:
    """The transfer syntax of a study's archive, which follows from its identifier."""
    chance, reached = share_of(f"transfer syntax of {study.study_instance_uid}"), 0.0
    for syntax, share in _SYNTAX_SHARES:
        reached += share
        if chance < reached:
            return syntax
    return _SYNTAX_SHARES[0][0]


def write_study(folder: Path, study: Study, profile: HeaderProfile, syntax: TransferSyntax) -> tuple[WrittenSeries, ...]:
    """Write all series below a folder in the vendor's layout, and say where each lies."""
    written, counted = [], 0
    for index, series in enumerate(study.series, 1):
        place = _folder(series, index, profile)
        names = _names(series, profile, counted if LAYOUTS[profile] is FileLayout.ONE_FOLDER else 0)
        write_series(folder / place, study.study_instance_uid, series, profile, syntax, names)
        counted += len(names)
        written.append(WrittenSeries(oid(series.series_instance_uid), place, dict(_numbers(series, profile))))
    return tuple(written)


def _folder(series: Series, index: int, profile: HeaderProfile) -> str:
    layout = LAYOUTS[profile]
    if layout is FileLayout.DESCRIBED:
        words = re.sub(r"[^A-Za-z0-9]+", "_", HABITS[profile].description_of(series)).strip("_")
        return f"{words}_{index}"
    return {
        FileLayout.SERIES_FOLDERS: f"SE{index:04}",
        FileLayout.ONE_FOLDER: "DICOM",
        FileLayout.DEEP: f"DICOM/PA000001/ST000001/SE{index:06}",
    }[layout]


def _names(series: Series, profile: HeaderProfile, counted: int) -> list[str]:
    """File names in the order of ``series.instances``, after ``counted`` files that lie there already."""
    instances = list(series.instances)
    layout = LAYOUTS[profile]
    if layout is FileLayout.DESCRIBED:
        return [f"{instance_uid(series, instance)}.dcm" for instance in instances]
    is_reversed = share_of(f"order of {series.series_instance_uid}") < _REVERSED
    order = sorted(range(len(instances)), key=lambda index: instances[index].instance_number, reverse=is_reversed)
    pattern = {FileLayout.SERIES_FOLDERS: "IM{:04}", FileLayout.ONE_FOLDER: "IM_{:04}", FileLayout.DEEP: "IM{:06}"}[layout]
    names = dict(zip(order, (pattern.format(counted + place) for place in range(1, len(order) + 1)), strict=True))
    return [names[index] for index in range(len(instances))]


def _numbers(series: Series, profile: HeaderProfile) -> Iterator[tuple[int, int]]:
    def found(frame: int, instance: Instance) -> int:
        return frame if profile is HeaderProfile.ENHANCED else instance.instance_number

    return ((instance.instance_number, found(frame, instance)) for frame, (_, instance) in enumerate(frames_of(series), 1))
