"""Reads one study: files to series, stacks and instances; what cannot be used is named and left out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from pydicom.dataset import Dataset

from lumbargrade.dicom import limits
from lumbargrade.dicom.clues import image_type, is_child, read_clues
from lumbargrade.dicom.decoder import LatePicture, is_decoded_apart
from lumbargrade.dicom.doubts import CHILD, series_doubts
from lumbargrade.dicom.files import FileReference, FileStore
from lumbargrade.dicom.frames import read_frame_headers
from lumbargrade.dicom.index import StudySource
from lumbargrade.dicom.parse import read_all
from lumbargrade.dicom.pixels import decode_frames, pixel_count, to_brightness
from lumbargrade.dicom.repeats import without_repeats
from lumbargrade.dicom.roles import SeriesClues, assign_role
from lumbargrade.dicom.slices import Slice, listed, repaired
from lumbargrade.dicom.tolerance import tolerant
from lumbargrade.errors import DicomError
from lumbargrade.geometry.orientation import group_by_orientation
from lumbargrade.study import Identifiers, Instance, Problem, Series, Stack, Study
from lumbargrade.terms import SeriesRole

Progress = Callable[[int, int], None]

_MOSAIC = "MOSAIC"
"""What Siemens puts into ImageType where the slices of a volume are tiled in one picture."""
_IDENTIFIERS = {
    "patient_name": "PatientName",
    "patient_id": "PatientID",
    "birth_date": "PatientBirthDate",
    "study_date": "StudyDate",
    "accession_number": "AccessionNumber",
}
_LEFT_OUT = {
    "no_geometry": "without position, orientation or pixel spacing",
    "mosaic": "pictures tiled from many slices (mosaics), which lie in no single plane",
}
"""Why pictures that can be read are left out, by the code of the problem."""
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
class _SeriesParts:
    """What has been read of one series so far."""

    uid: str
    clues: SeriesClues
    folders: set[str] = field(default_factory=set)
    slices: list[Slice] = field(default_factory=list)
    left_out: dict[str, list[int | None]] = field(default_factory=lambda: {code: [] for code in _LEFT_OUT})

    @property
    def problems(self) -> list[Problem]:
        """What was left out, by reason."""
        return [
            Problem(code, f"{len(numbers)} {_LEFT_OUT[code]}, left out{listed([number for number in numbers if number is not None])}")
            for code, numbers in self.left_out.items()
            if numbers
        ]


@dataclass(slots=True)
class _StudyParts:
    """What has been read of the study so far."""

    study_instance_uid: str = ""
    pixels: int = 0
    late_s: float = 0.0
    series: dict[str, _SeriesParts] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    is_child: bool = False
    identifiers: dict[str, set[str]] = field(default_factory=dict)


def read_study(
    source: StudySource,
    roles: Mapping[str, SeriesRole] | None = None,
    progress: Progress | None = None,
    *,
    with_identifiers: bool = False,
) -> Study:
    """Read a study that ``find_studies`` found.

    Args:
        source: where it lies.
        roles: the role of each series by the name of its folder (the competition's series table); others are told from the images.
        progress: called with (files read, files in all) after each file.
        with_identifiers: keep whose study it is. Without it no value of the study holds a name or a date of the patient.

    Raises:
        DicomError: the source was refused, or holds no usable image.
    """
    if source.refusal is not None:
        raise DicomError(source.refusal)
    parts = _StudyParts(problems=list(source.problems), identifiers={name: set() for name in _IDENTIFIERS} if with_identifiers else {})
    with FileStore() as store, tolerant():
        for index, reference in enumerate(source.files):
            _read_file(reference, index, len(source.files), store, parts)
            if progress is not None:
                progress(index + 1, len(source.files))
    series = without_repeats([_finish_series(each, roles or {}) for each in parts.series.values() if each.slices], roles or {})
    lost = [problem for each in parts.series.values() if not each.slices for problem in each.problems]
    problems = [*parts.problems, *lost]
    if not series:
        reason = problems[0].message if problems else "no image in them"
        raise DicomError(
            f"{source.folder}: none of {len(source.files)} DICOM images can be used ({reason}); MR images with their geometry are needed"
        )
    problems += [Problem(code, message) for role, code, message in _NEEDED if all(each.role is not role for each in series)]
    problems += [CHILD] if parts.is_child else []
    identifiers, doubts = _identified(parts.identifiers) if with_identifiers else (None, [])
    return Study(parts.study_instance_uid, source.folder, series, (*problems, *doubts), identifiers)


def _read_file(reference: FileReference, index: int, count: int, store: FileStore, parts: _StudyParts) -> None:
    """Adds one file to the parts, or a problem that names it by its number: file names and headers may identify a patient."""
    try:
        dataset = read_all(store.content(reference))
        pixels = pixel_count(dataset)
        if parts.pixels + pixels > limits.MAX_STUDY_PIXELS:
            raise DicomError(f"the study has more than {limits.MAX_STUDY_PIXELS} pixels")
        if parts.late_s >= limits.MAX_LATE_SECONDS and is_decoded_apart(dataset.file_meta.TransferSyntaxUID):
            raise DicomError("not decoded, since others took too long")
        series = _series_of(dataset, reference, parts)
        slices, left_out = _read_slices(dataset)
        child = is_child(dataset)
        study_instance_uid = str(dataset.get("StudyInstanceUID") or "")
        identifiers = {name: str(dataset.get(_IDENTIFIERS[name]) or "").strip() for name in parts.identifiers}
    except DicomError as error:
        parts.late_s += error.seconds if isinstance(error, LatePicture) else 0.0
        parts.problems.append(Problem("unusable_instance", f"file {index + 1} of {count}: {error}"))
    except Exception as error:  # damaged bytes make pydicom and the decoders raise anything
        parts.problems.append(Problem("unreadable_instance", f"file {index + 1} of {count}: not readable ({type(error).__name__})"))
    else:
        parts.pixels += pixels
        parts.study_instance_uid = parts.study_instance_uid or study_instance_uid
        series.folders.add(reference.folder)
        series.slices += slices
        for code, numbers in left_out.items():
            series.left_out[code] += numbers
        parts.is_child |= child
        for name, value in identifiers.items():
            parts.identifiers[name] |= {value} - {""}


def _identified(found: Mapping[str, set[str]]) -> tuple[Identifiers, list[Problem]]:
    """Whose study it is, and a problem where files disagree, since a wrong name is worse than none."""
    disagree = [_IDENTIFIERS[name] for name, values in found.items() if len(values) > 1]
    message = f"its files differ in {', '.join(disagree)}; what they differ in is not shown"
    known = Identifiers(**{name: next(iter(values)) for name, values in found.items() if len(values) == 1})
    return known, [Problem("identifiers_differ", message)] if disagree else []


def _series_of(dataset: Dataset, reference: FileReference, parts: _StudyParts) -> _SeriesParts:
    """The series of a file; files without a SeriesInstanceUID belong together where they share a folder."""
    uid = str(dataset.get("SeriesInstanceUID") or "")
    key = uid or f"folder {reference.folder}"
    if key not in parts.series:
        parts.series[key] = _SeriesParts(uid, read_clues(dataset))
    return parts.series[key]


def _read_slices(dataset: Dataset) -> tuple[list[Slice], dict[str, list[int | None]]]:
    """The slices of one file, and by reason the numbers of those that are left out."""
    headers = list(read_frame_headers(dataset))
    if _MOSAIC in image_type(dataset):
        return [], {"mosaic": [header.instance_number for header in headers]}
    left_out = {"no_geometry": [header.instance_number for header in headers if header.affine is None]}
    if len(left_out["no_geometry"]) == len(headers):
        return [], left_out
    frames = decode_frames(dataset)
    sop_instance_uid = str(dataset.get("SOPInstanceUID") or "")
    slices = []
    for header in headers:
        if header.affine is not None:
            picture = to_brightness(frames[header.index], dataset, header.slope, header.intercept)
            instance = Instance(sop_instance_uid, header.instance_number or 0, header.affine, picture)
            slices.append(Slice(instance, header.timing.echo_time_ms, header.instance_number is not None, is_frame=len(headers) > 1))
    return slices, left_out


def _finish_series(parts: _SeriesParts, roles: Mapping[str, SeriesRole]) -> Series:
    slices, problems = repaired(parts.slices)
    problems = [*parts.problems, *problems]
    instances = [each.instance for each in slices]
    groups = group_by_orientation([instance.affine for instance in instances])
    stacks = tuple(Stack.ordered([instances[index] for index in group]) for group in groups)
    folder = next(iter(parts.folders)) if len(parts.folders) == 1 else ""
    clues = replace(parts.clues, timing=replace(parts.clues.timing, echo_time_ms=slices[0].echo_time_ms))
    role, reason = (roles[folder], "given by the series table") if folder in roles else assign_role(clues, stacks)
    if clues.modality not in ("", "MR"):
        problems.append(Problem("not_mr", "modality is not MR"))
    problems += series_doubts(clues, role, stacks)
    return Series(parts.uid, folder, clues.description, clues.timing, role, reason, stacks, tuple(problems))
