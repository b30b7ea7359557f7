"""Reads one study: files to series, stacks and instances; what cannot be used is named and left out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from pydicom.dataset import Dataset

from lumbargrade.dicom import limits
from lumbargrade.dicom.files import FileReference, FileStore
from lumbargrade.dicom.frames import read_frame_headers
from lumbargrade.dicom.index import StudySource
from lumbargrade.dicom.parse import read_all
from lumbargrade.dicom.pixels import decode_frames, pixel_count, to_brightness
from lumbargrade.dicom.roles import SeriesClues, assign_role
from lumbargrade.dicom.tolerance import tolerant
from lumbargrade.errors import DicomError
from lumbargrade.geometry.orientation import group_by_orientation
from lumbargrade.study import Instance, Problem, Series, SeriesTiming, Stack, Study
from lumbargrade.terms import SeriesRole

Progress = Callable[[int, int], None]

_SAME_PLACE = np.array([0.01] * 3 + [1e-3] * 6)  # millimetres of position, then direction cosines
_SAME_ECHO_MS = 5.0
_NEEDED = (
    (SeriesRole.SAGITTAL_T1, "no_sagittal_t1", "no sagittal T1 series: the foramina cannot be graded"),
    (
        SeriesRole.SAGITTAL_T2,
        "no_sagittal_t2",
        "no sagittal T2 or STIR series: the canal cannot be graded as well as with one",
    ),
    (
        SeriesRole.AXIAL_T2,
        "no_axial_t2",
        "no axial T2 series: the subarticular zones cannot be graded",
    ),
)


@dataclass(slots=True)
class _Slice:
    """An instance on its way, with the echo time that tells the echoes of one series apart."""

    instance: Instance
    echo_time_ms: float | None
    has_number: bool


@dataclass(slots=True)
class _SeriesParts:
    """What has been read of one series so far."""

    uid: str
    clues: SeriesClues
    folders: set[str] = field(default_factory=set)
    slices: list[_Slice] = field(default_factory=list)
    unplaced: list[int | None] = field(default_factory=list)

    @property
    def problems(self) -> list[Problem]:
        if not self.unplaced:
            return []
        numbers = [number for number in self.unplaced if number is not None]
        message = f"{len(self.unplaced)} without position, orientation or pixel spacing, left out{_listed(numbers)}"
        return [Problem("no_geometry", message)]


@dataclass(slots=True)
class _StudyParts:
    """What has been read of the study so far."""

    study_instance_uid: str = ""
    pixels: int = 0
    series: dict[str, _SeriesParts] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def read_study(source: StudySource, roles: Mapping[str, SeriesRole] | None = None, progress: Progress | None = None) -> Study:
    """Read a study that ``find_studies`` found.

    Args:
        source: where it lies.
        roles: the role of each series by the name of its folder (the competition's series table); others are told from the images.
        progress: called with (files read, files in all) after each file.

    Raises:
        DicomError: the source was refused, or holds no usable image.
    """
    if source.refusal is not None:
        raise DicomError(source.refusal)
    parts = _StudyParts(problems=list(source.problems))
    with FileStore() as store, tolerant():
        for index, reference in enumerate(source.files):
            _read_file(reference, index, len(source.files), store, parts)
            if progress is not None:
                progress(index + 1, len(source.files))
    series = tuple(_finish_series(each, roles or {}) for each in parts.series.values() if each.slices)
    lost = [problem for each in parts.series.values() if not each.slices for problem in each.problems]
    problems = [*parts.problems, *lost]
    if not series:
        reason = problems[0].message if problems else "no image in them"
        raise DicomError(
            f"{source.folder}: none of {len(source.files)} DICOM images can be used ({reason}); MR images with their geometry are needed"
        )
    problems += [Problem(code, message) for role, code, message in _NEEDED if all(each.role is not role for each in series)]
    return Study(parts.study_instance_uid, source.folder, series, tuple(problems))


def _read_file(reference: FileReference, index: int, count: int, store: FileStore, parts: _StudyParts) -> None:
    """Adds one file to the parts, or a problem that names it by its number: file names and headers may identify a patient."""
    try:
        dataset = read_all(store.content(reference))
        pixels = pixel_count(dataset)
        if parts.pixels + pixels > limits.MAX_STUDY_PIXELS:
            raise DicomError(f"the study has more than {limits.MAX_STUDY_PIXELS} pixels")
        series = _series_of(dataset, reference, parts)
        slices, unplaced = _read_slices(dataset)
        study_instance_uid = str(dataset.get("StudyInstanceUID") or "")
    except DicomError as error:
        parts.problems.append(Problem("unusable_instance", f"file {index + 1} of {count}: {error}"))
    except Exception as error:  # damaged bytes make pydicom and the decoders raise anything
        parts.problems.append(Problem("unreadable_instance", f"file {index + 1} of {count}: not readable ({type(error).__name__})"))
    else:
        parts.pixels += pixels
        parts.study_instance_uid = parts.study_instance_uid or study_instance_uid
        series.folders.add(reference.folder)
        series.slices += slices
        series.unplaced += unplaced


def _series_of(dataset: Dataset, reference: FileReference, parts: _StudyParts) -> _SeriesParts:
    """The series of a file; files without a SeriesInstanceUID belong together where they share a folder."""
    uid = str(dataset.get("SeriesInstanceUID") or "")
    key = uid or f"folder {reference.folder}"
    if key not in parts.series:
        parts.series[key] = _SeriesParts(uid, _clues(dataset))
    return parts.series[key]


def _clues(dataset: Dataset) -> SeriesClues:
    options = dataset.get("ScanOptions") or ""
    header = next(read_frame_headers(dataset), None)
    return SeriesClues(
        description=str(dataset.get("SeriesDescription") or ""),
        protocol=str(dataset.get("ProtocolName") or ""),
        scan_options=options if isinstance(options, str) else " ".join(options),
        modality=str(dataset.get("Modality") or ""),
        timing=header.timing if header is not None else SeriesTiming(),
    )


def _read_slices(dataset: Dataset) -> tuple[list[_Slice], list[int | None]]:
    """The slices of one file, and the numbers of those that lie nowhere."""
    headers = list(read_frame_headers(dataset))
    unplaced = [header.instance_number for header in headers if header.affine is None]
    if len(unplaced) == len(headers):
        return [], unplaced
    frames = decode_frames(dataset)
    sop_instance_uid = str(dataset.get("SOPInstanceUID") or "")
    slices = []
    for header in headers:
        if header.affine is not None:
            picture = to_brightness(frames[header.index], dataset, header.slope, header.intercept)
            instance = Instance(sop_instance_uid, header.instance_number or 0, header.affine, picture)
            slices.append(_Slice(instance, header.timing.echo_time_ms, header.instance_number is not None))
    return slices, unplaced


def _finish_series(parts: _SeriesParts, roles: Mapping[str, SeriesRole]) -> Series:
    slices, problems = parts.slices, parts.problems
    for repair in (_number_the_unnumbered, _longest_echo, _first_at_each_place):
        slices, problem = repair(slices)
        problems += [problem] if problem else []
    slices.sort(key=lambda each: each.instance.instance_number)
    instances = [each.instance for each in slices]
    groups = group_by_orientation([instance.affine for instance in instances])
    stacks = tuple(Stack.ordered([instances[index] for index in group]) for group in groups)
    folder = next(iter(parts.folders)) if len(parts.folders) == 1 else ""
    clues = replace(parts.clues, timing=replace(parts.clues.timing, echo_time_ms=slices[0].echo_time_ms))
    role, reason = (roles[folder], "given by the series table") if folder in roles else assign_role(clues, stacks)
    if clues.modality not in ("", "MR"):
        problems.append(Problem("not_mr", "modality is not MR"))
    return Series(parts.uid, folder, clues.description, clues.timing, role, reason, stacks, tuple(problems))


def _number_the_unnumbered(slices: list[_Slice]) -> tuple[list[_Slice], Problem | None]:
    """Instances without a number get those after the largest, in the order of their files."""
    missing = sum(not each.has_number for each in slices)
    if not missing:
        return slices, None
    following = max((each.instance.instance_number for each in slices if each.has_number), default=0)
    numbered = []
    for each in slices:
        if not each.has_number:
            following += 1
            each = replace(each, instance=replace(each.instance, instance_number=following))
        numbered.append(each)
    return numbered, Problem("no_instance_number", f"{missing} without an instance number; numbered in the order of their files")


def _longest_echo(slices: list[_Slice]) -> tuple[list[_Slice], Problem | None]:
    """Of a dual-echo series the later echo, which shows fluid bright."""
    echoes = [each.echo_time_ms for each in slices if each.echo_time_ms is not None]
    if len(echoes) < len(slices) or max(echoes) - min(echoes) < _SAME_ECHO_MS:
        return slices, None
    kept = [each for each in slices if each.echo_time_ms is not None and max(echoes) - each.echo_time_ms < _SAME_ECHO_MS]
    return kept, Problem("several_echoes", f"echo times {min(echoes):g} to {max(echoes):g} ms in one series; the longest is used")


def _first_at_each_place(slices: list[_Slice]) -> tuple[list[_Slice], Problem | None]:
    """Of instances in the same place the one with the lowest number."""
    kept: list[_Slice] = []
    dropped: list[int] = []
    places = np.empty((len(slices), 9))
    for each in sorted(slices, key=lambda each: each.instance.instance_number):
        affine = each.instance.affine
        place = np.concatenate([affine.origin_lps_mm, affine.column_direction, affine.row_direction])
        if (np.abs(places[: len(kept)] - place) < _SAME_PLACE).all(axis=1).any():
            dropped.append(each.instance.instance_number)
        else:
            places[len(kept)] = place
            kept.append(each)
    if not dropped:
        return kept, None
    return kept, Problem("duplicate_position", f"{len(dropped)} in the place of an earlier instance, left out{_listed(dropped)}")


def _listed(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:10]))
    return f" (instance numbers {shown}{', ...' if len(numbers) > 10 else ''})" if numbers else ""
