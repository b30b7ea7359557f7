"""The files of one study: what cannot be used, what is named otherwise than it says, and series that are not what the table says."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lumbargrade.check.faults import Fault
from lumbargrade.dicom import FileFacts, file_facts
from lumbargrade.geometry.affine import FloatArray, SliceAffine
from lumbargrade.geometry.orientation import AnatomicalPlane, anatomical_plane, angle_between_deg, group_by_orientation
from lumbargrade.terms import SeriesRole

SAME_PLACE_MM = 0.01
SAME_DIRECTION = 1e-3
APART_MM = 150.0
"""Middles of two sagittal series of one lumbar spine lie nearer than this; those of a lumbar and a cervical one, farther."""
FEW_SLICES = 5
MOST_TILTED_DEG = 70.0
PLANES = {
    SeriesRole.SAGITTAL_T1: AnatomicalPlane.SAGITTAL,
    SeriesRole.SAGITTAL_T2: AnatomicalPlane.SAGITTAL,
    SeriesRole.AXIAL_T2: AnatomicalPlane.AXIAL,
}
ROLE_NAMES = {SeriesRole.SAGITTAL_T1: "sagittal T1", SeriesRole.SAGITTAL_T2: "sagittal T2", SeriesRole.AXIAL_T2: "axial T2"}


@dataclass(frozen=True, slots=True)
class StudyFiles:
    """The usable files of a study: by series and by the number that a file is named after."""

    study_id: int
    facts: Mapping[int, Mapping[int, FileFacts]]

    def affine(self, series_id: int, instance_number: int) -> SliceAffine | None:
        facts = self.facts.get(series_id, {}).get(instance_number)
        return None if facts is None else facts.affine


@dataclass(frozen=True, slots=True)
class SeriesFacts:
    """How one series is stored.

    Attributes:
        role: by the table; None where it says nothing.
        shape: rows and columns of most of its pictures. pixel_mm: the distance between their columns. step_mm: between slices of one
            direction; None for a single one. tilt_deg: from the nearest anatomical plane, of the slice that is tilted most.
        directions: how many the slices have.
        grows: towards which side of the patient (L, R, A, P, H, F) the numbers of most instances grow; empty where they do not.
    """

    study_id: int
    series_id: int
    role: SeriesRole | None
    slices: int
    shape: tuple[int, int]
    plane: AnatomicalPlane
    pixel_mm: float
    step_mm: float | None
    tilt_deg: float
    directions: int
    grows: str


def series_facts(files: StudyFiles, roles: Mapping[int, SeriesRole | None] | None) -> Iterator[SeriesFacts]:
    """How each series is stored that says where it lies."""
    for series_id, facts in files.facts.items():
        placed = [(each.affine, each.shape) for _, each in sorted(facts.items()) if each.affine is not None and each.shape is not None]
        if not placed:
            continue
        affines = [affine for affine, _ in placed]
        plane = Counter(anatomical_plane(affine.normal) for affine in affines).most_common(1)[0][0]
        groups = group_by_orientation(affines)
        longest = [affines[index] for index in max(groups, key=len)]
        steps = np.abs(np.diff(sorted(affine.position_mm for affine in longest)))
        yield SeriesFacts(
            files.study_id,
            series_id,
            (roles or {}).get(series_id),
            len(facts),
            Counter(shape for _, shape in placed).most_common(1)[0][0],
            plane,
            affines[0].column_spacing_mm,
            float(np.median(steps)) if len(steps) else None,
            max(angle_between_deg(affine.normal, _axis(plane)) for affine in affines),
            len(groups),
            _grows(affines, plane),
        )


def _grows(affines: Sequence[SliceAffine], plane: AnatomicalPlane) -> str:
    axis = int(np.argmax(_axis(plane)))
    steps = np.diff([float(affine.origin_lps_mm[axis]) for affine in affines])
    more = int((steps > 0).sum()) - int((steps < 0).sum())
    return ("LR", "PA", "HF")[axis][0 if more > 0 else 1] if more else ""


def _axis(plane: AnatomicalPlane) -> FloatArray:
    return np.asarray(np.eye(3)[list(AnatomicalPlane).index(plane)])


def read_files(study_id: int, folder: Path, *, decode: bool) -> tuple[StudyFiles, list[Fault]]:
    """Look at every file of a study's folder."""
    faults: list[Fault] = []
    found: dict[int, dict[int, FileFacts]] = {}
    for entry in sorted(folder.iterdir()):
        series_id = number_of(entry.name) if entry.is_dir() else None
        if series_id is None:
            if not entry.name.startswith("."):
                faults.append(Fault("stray_file", "beside the folders of the series", study_id=study_id))
            continue
        found[series_id] = {}
        for path in sorted(entry.iterdir()):
            number = number_of(path.stem) if path.suffix == ".dcm" and path.is_file() else None
            if number is None:
                if not path.name.startswith("."):
                    faults.append(Fault("stray_file", "not named as an instance", study_id=study_id, series_id=series_id))
                continue
            facts = file_facts(path, decode=decode)
            if facts.error is not None:
                faults.append(Fault("file_unreadable", facts.error, None, None, study_id, series_id, number))
            else:
                found[series_id][number] = facts
    return StudyFiles(study_id, found), faults


def shows(normal: FloatArray, plane: AnatomicalPlane) -> bool:
    """Whether a slice with this (3,) normal may pass for one of a plane: axial slices along a steep L5/S1 tilt by 45 degrees and more."""
    return angle_between_deg(normal, _axis(plane)) <= MOST_TILTED_DEG


def number_of(name: str) -> int | None:
    """A study, series or instance number as folders and files are named; None for any other name."""
    return int(name) if name.isascii() and name.isdecimal() and len(name) <= 18 and str(int(name)) == name else None


def check_files(files: StudyFiles, roles: Mapping[int, SeriesRole | None] | None) -> Iterator[Fault]:
    """What is wrong with a study's files; ``roles`` are those of the table, None where there is no table."""
    study_id = files.study_id
    uids = {facts.study_instance_uid for each in files.facts.values() for facts in each.values()}
    if len(uids) > 1:
        yield Fault("several_patients", f"{len(uids)} different StudyInstanceUIDs", study_id=study_id)
    for series_id, facts in files.facts.items():
        yield from _check_series(study_id, series_id, facts)
    if roles is not None:
        yield from _check_roles(files, roles)
    yield from _copied_series(files)
    if roles is not None:
        yield from _apart(files, [series_id for series_id, role in roles.items() if role is not None and role.is_sagittal])


def _check_series(study_id: int, series_id: int, facts: Mapping[int, FileFacts]) -> Iterator[Fault]:
    def fault(code: str, detail: str, number: int | None = None) -> Fault:
        return Fault(code, detail, None, None, study_id, series_id, number)

    numbers = sorted(facts)
    for number in numbers:
        each = facts[number]
        if each.instance_number is not None and each.instance_number != number:
            yield fault("file_misnumbered", f"its InstanceNumber is {each.instance_number}", number)
        if each.affine is None:
            yield fault("no_geometry", "no position, orientation or pixel spacing", number)
    if numbers and numbers != list(range(1, len(numbers) + 1)):
        yield fault("numbering", f"{len(numbers)} files, numbered {numbers[0]} to {numbers[-1]}")
    if 0 < len(numbers) < FEW_SLICES:
        yield fault("few_slices", f"{len(numbers)}")
    shapes = Counter(each.shape for each in facts.values())
    if len(shapes) > 1:
        yield fault("mixed_shapes", ", ".join(f"{count} of {shape[1]} x {shape[0]}" for shape, count in shapes.most_common() if shape))
    normals = [each.affine.normal for each in facts.values() if each.affine]
    planes = Counter(anatomical_plane(normal) for normal in normals)
    if planes and not all(shows(normal, planes.most_common(1)[0][0]) for normal in normals):
        yield fault("mixed_planes", ", ".join(f"{count} {plane.value}" for plane, count in planes.most_common()))
    same_place = _same_position(facts)
    for code, told in (("instance_repeated", _same_instance(facts)), ("position_repeated", same_place)):
        yield from (fault(code, f"as in instance {first}", number) for first, number in told)
    yield from (fault("picture_repeated", f"as in instance {a}", b) for a, b in _same_picture(facts) if (a, b) not in same_place)


def _same_instance(facts: Mapping[int, FileFacts]) -> list[tuple[int, int]]:
    return _repeated({number: each.sop_instance_uid for number, each in facts.items()})


def _same_picture(facts: Mapping[int, FileFacts]) -> list[tuple[int, int]]:
    return _repeated({number: each.picture for number, each in facts.items()})


def _repeated(values: Mapping[int, str]) -> list[tuple[int, int]]:
    """(first, later) numbers with the same value, empty values apart."""
    first: dict[str, int] = {}
    return [(first[value], number) for number, value in sorted(values.items()) if value and first.setdefault(value, number) != number]


def _same_position(facts: Mapping[int, FileFacts]) -> list[tuple[int, int]]:
    placed = [(number, each.affine) for number, each in sorted(facts.items()) if each.affine is not None]
    if not placed:
        return []
    origins = np.array([affine.origin_lps_mm for _, affine in placed])
    directions = np.array([np.concatenate([affine.column_direction, affine.row_direction]) for _, affine in placed])
    found = []
    for later in range(1, len(placed)):
        near = (np.abs(origins[:later] - origins[later]) < SAME_PLACE_MM).all(1)
        near &= (np.abs(directions[:later] - directions[later]) < SAME_DIRECTION).all(1)
        if near.any():
            found.append((placed[int(np.argmax(near))][0], placed[later][0]))
    return found


def _check_roles(files: StudyFiles, roles: Mapping[int, SeriesRole | None]) -> Iterator[Fault]:
    study_id = files.study_id
    for series_id in sorted(set(roles) - set(files.facts)):
        yield Fault("series_without_images", "no folder", study_id=study_id, series_id=series_id)
    for series_id in sorted(set(files.facts) - set(roles)):
        yield Fault("images_without_series", f"{len(files.facts[series_id])} images", study_id=study_id, series_id=series_id)
    for role, name in ROLE_NAMES.items():
        listed = [series_id for series_id, each in roles.items() if each is role]
        if not any(files.facts.get(series_id) for series_id in listed):
            yield Fault("missing_plane", f"no {name}", study_id=study_id)
        elif len(listed) > 1:
            yield Fault("several_series", f"{len(listed)} of {name}", study_id=study_id)
    for series_id, each in roles.items():
        facts = files.facts.get(series_id, {})
        if series_id in files.facts and not facts:
            yield Fault("series_without_images", "no usable image", study_id=study_id, series_id=series_id)
        normals = [one.affine.normal for one in facts.values() if one.affine]
        if each in PLANES and normals and not any(shows(normal, PLANES[each]) for normal in normals):
            found, told = anatomical_plane(normals[0]).value, ROLE_NAMES[each]
            yield Fault("plane_contradicts_table", f"{found} pictures, {told} by the table", study_id=study_id, series_id=series_id)


def _copied_series(files: StudyFiles) -> Iterator[Fault]:
    """Two series that hold the same pictures."""
    first: dict[tuple[str, ...], int] = {}
    for series_id, facts in sorted(files.facts.items()):
        held = tuple(sorted(each.picture for each in facts.values()))
        if held and all(held) and first.setdefault(held, series_id) != series_id:
            yield Fault("series_copied", f"as series {first[held]}", study_id=files.study_id, series_id=series_id)


def _apart(files: StudyFiles, sagittal: Sequence[int]) -> Iterator[Fault]:
    """A sagittal series that lies far from those that hold most pictures of the study."""
    middles = {series_id: _middle(files.facts[series_id]) for series_id in sagittal if files.facts.get(series_id)}
    placed = {series_id: middle for series_id, middle in middles.items() if middle is not None}
    others = [middle for series_id, facts in files.facts.items() if (middle := _middle(facts)) is not None]
    if len(others) < 2:
        return
    for series_id, middle in placed.items():
        distances = sorted(float(np.linalg.norm((middle - other)[2:])) for other in others)
        if distances[1] > APART_MM:
            yield Fault("series_apart", f"{distances[1]:.0f} mm above or below the nearest", study_id=files.study_id, series_id=series_id)


def _middle(facts: Mapping[int, FileFacts]) -> FloatArray | None:
    """(3,) the mean middle of a series' pictures; None where none says where it lies."""
    placed = [(each.affine, each.shape) for each in facts.values() if each.affine is not None and each.shape is not None]
    points = [affine.to_lps(np.array([[(columns - 1) / 2, (rows - 1) / 2]]))[0] for affine, (rows, columns) in placed]
    return np.asarray(np.mean(points, axis=0)) if points else None
