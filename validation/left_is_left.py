"""Left is left: whether the 25 findings follow the patient, however a study reaches us.

``python validation/left_is_left.py STUDY_DIR --output out/left [--every 1]``

STUDY_DIR holds one study of single-frame files. It is written anew in every combination of container (folder, zip, Enhanced multi-frame),
storage of the pixels (quarter turns, flipped or not), PatientPosition, order of the instance numbers, and pose of the patient (straight,
mirrored, turned about each axis), with the geometry of the headers changed accordingly by arithmetic of its own. Each combination must be
read with the same pixels at the same places of the patient, and of each finding ``result.json``, ``findings.csv``, ``report.html`` and
``submission.csv`` must say what they say of the study as it is, with left and right exchanged where the patient is mirrored. A combination
that is read with the very values of one before it is not graded again. ``combinations.csv`` in the output has a line for each.
"""

import argparse
import csv
import hashlib
import io
import json
import pickle
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from html.parser import HTMLParser
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, generate_uid
from pydicom.valuerep import format_number_as_ds
from tqdm import tqdm

from lumbargrade.blend import Blend
from lumbargrade.competition import write_submission
from lumbargrade.dicom import find_study, read_study
from lumbargrade.dicom.tolerance import tolerant
from lumbargrade.errors import LumbarGradeError
from lumbargrade.pipeline import Pipeline
from lumbargrade.prediction import StudyRequest, predict_study, submission_scores
from lumbargrade.report import write_report
from lumbargrade.study import Instance, Series, Study, StudyGrades
from lumbargrade.terms import FINDINGS, SEVERITIES, Condition, Finding, Laterality, Level

MOST_DIFFERENCE, FARTHEST_MM = 1e-4, 0.1
"""Of a probability, and of the point that a finding was read at."""
TURN_DEG = 8.0
READ_WITHIN = 1e-3
"""Millimetres and pixels within which a pixel must be found where it was."""
STUDY_ID = 1
POSITIONS = ("HFS", "HFP", "FFS", "FFP", "HFDR", "HFDL", "FFDR", "FFDL")
COLUMNS = ("container", "storage", "position", "numbers", "pose", "probability", "evidence_mm", "complaints")
SHOWN_COMPLAINTS = 3

_LABELS = tuple(severity.label for severity in SEVERITIES)
_TILT = np.array([1.0, 2.0, 4.0])
_SITES = {
    "spinal canal": Condition.SPINAL_CANAL_STENOSIS,
    "neural foramen": Condition.NEURAL_FORAMINAL_NARROWING,
    "subarticular zone": Condition.SUBARTICULAR_STENOSIS,
}
_OF_A_SLICE = (
    *("SOPInstanceUID", "InstanceNumber", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"),
    *("SliceLocation", "RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth", "EchoTime", "RepetitionTime", "InversionTime"),
)
"""Elements that an Enhanced instance has not at its top."""

Place = tuple[str, str, int]
"""Series and SOP instance UID, and instance number: what evidence names its slice by."""


class Container(Enum):
    """What the files of a study are."""

    FOLDER = "folder"
    ZIP = "zip"
    ENHANCED = "enhanced"


class Numbers(Enum):
    """Which way the instance numbers of a series run."""

    AS_THEY_ARE = "as they are"
    REVERSED = "reversed"


@dataclass(frozen=True, slots=True)
class Storage:
    """How the pixels of every slice are stored: turned counter-clockwise, then perhaps with columns reversed; 8 ways in all."""

    quarter_turns: int
    is_flipped: bool

    def of(self, picture: np.ndarray) -> np.ndarray:
        turned = np.rot90(picture, self.quarter_turns)
        return turned[:, ::-1] if self.is_flipped else turned

    def __str__(self) -> str:
        return f"{90 * self.quarter_turns} degrees{', flipped' if self.is_flipped else ''}"


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """How the patient lies: a (3, 3) matrix takes every point of the patient, and every direction, to where it is now."""

    name: str
    matrix: np.ndarray

    def site_of(self, finding: Finding) -> Finding:
        """Where a finding of the straight patient is now."""
        return finding.mirrored if np.linalg.det(self.matrix) < 0 else finding

    def __str__(self) -> str:
        return self.name


def turned(axis: int, angle_deg: float) -> np.ndarray:
    """(3, 3) a turn about one of the patient's axes."""
    cosine, sine = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    first, second = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.eye(3)
    matrix[first, first] = matrix[second, second] = cosine
    matrix[second, first], matrix[first, second] = sine, -sine
    return matrix


STRAIGHT = Pose("straight", np.eye(3))
MIRRORED = Pose("mirrored", np.diag([-1.0, 1.0, 1.0]))
POSES = (STRAIGHT, MIRRORED, *(Pose(f"turned about {name}", turned(axis, TURN_DEG)) for axis, name in enumerate("xyz")))
STORAGES = tuple(Storage(turns, is_flipped) for is_flipped in (False, True) for turns in range(4))


@dataclass(frozen=True, slots=True)
class Combination:
    """One way for a study to reach us."""

    container: Container = Container.FOLDER
    storage: Storage = STORAGES[0]
    position: str = "HFS"
    numbers: Numbers = Numbers.AS_THEY_ARE
    pose: Pose = STRAIGHT

    def __str__(self) -> str:
        return f"{self.container.value}, stored at {self.storage}, {self.position}, numbers {self.numbers.value}, {self.pose}"


COMBINATIONS = tuple(Combination(*values) for values in product(Container, STORAGES, POSITIONS, Numbers, POSES))


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """Where the pixels of a picture lie in the patient (PS3.3 C.7.6.2.1.1): the middle of the first one, and (3,) millimetres from one
    column to the next and from one row to the next."""

    origin: np.ndarray
    across: np.ndarray
    down: np.ndarray

    @classmethod
    def of(cls, header: Dataset) -> "Plane":
        directions = np.array(header.ImageOrientationPatient, float).reshape(2, 3)
        between_rows, between_columns = map(float, header.PixelSpacing)
        return cls(np.array(header.ImagePositionPatient, float), directions[0] * between_columns, directions[1] * between_rows)

    def at(self, column: float, row: float) -> np.ndarray:
        return self.origin + column * self.across + row * self.down

    def stored(self, storage: Storage, shape: tuple[int, int]) -> "Plane":
        """The plane of a picture that is stored otherwise, told from where three of its pixels come from."""
        columns, rows = (storage.of(np.broadcast_to(index, shape)) for index in (np.arange(shape[1]), np.arange(shape[0])[:, None]))
        first, right, below = (self.at(columns[pixel], rows[pixel]) for pixel in ((0, 0), (0, 1), (1, 0)))
        return Plane(first, right - first, below - first)

    def moved(self, pose: Pose) -> "Plane":
        return Plane(*(pose.matrix @ vector for vector in (self.origin, self.across, self.down)))

    @property
    def normal(self) -> np.ndarray:
        normal = np.cross(self.across, self.down)
        return normal / np.linalg.norm(normal)

    @property
    def elements(self) -> Dataset:
        between_columns, between_rows = np.linalg.norm(self.across), np.linalg.norm(self.down)
        header = Dataset()
        header.ImagePositionPatient = _decimals(self.origin)
        header.ImageOrientationPatient = _decimals([*(self.across / between_columns), *(self.down / between_rows)])
        header.PixelSpacing = _decimals([between_rows, between_columns])
        return header


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One single-frame file: its header without the pixels, the stored pixels, and where they lie."""

    header: Dataset
    pixels: np.ndarray
    plane: Plane

    @property
    def series(self) -> str:
        return str(self.header.SeriesInstanceUID)

    @property
    def number(self) -> int:
        return int(self.header.InstanceNumber)


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """A study on disk, and where each slice of it lies by what evidence would name it by."""

    path: Path
    planes: Mapping[Place, Plane]


def read_pictures(folder: Path) -> list[Picture]:
    """Every picture below a folder.

    Raises:
        SystemExit: none there, or one of several frames.
    """
    pictures = []
    with tolerant():
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            try:
                dataset = pydicom.dcmread(path)
            except InvalidDicomError:
                continue
            if "PixelData" not in dataset or "ImagePositionPatient" not in dataset:
                continue
            if int(dataset.get("NumberOfFrames") or 1) > 1:
                raise SystemExit(f"{path}: several frames; a study of single-frame files is needed")
            header = _without(dataset, "PixelData")
            pictures.append(Picture(header, dataset.pixel_array, Plane.of(dataset)))
    if not pictures:
        raise SystemExit(f"{folder}: no DICOM pictures with their geometry")
    return pictures


def changed(pictures: Sequence[Picture], combination: Combination) -> list[Picture]:
    """The pictures as a combination has them, apart from its container."""
    numbers = defaultdict(list)
    for picture in pictures:
        numbers[picture.series].append(picture.number)
    anew = []
    for picture in pictures:
        pixels = combination.storage.of(picture.pixels)
        plane = picture.plane.stored(combination.storage, picture.pixels.shape).moved(combination.pose)
        header = _copied(picture.header, plane.elements)
        elements = Dataset()
        elements.Rows, elements.Columns = pixels.shape
        elements.PatientPosition = combination.position
        if combination.numbers is Numbers.REVERSED:
            elements.InstanceNumber = min(numbers[picture.series]) + max(numbers[picture.series]) - picture.number
        anew.append(Picture(_copied(header, elements), pixels, plane))
    return anew


def write(pictures: Sequence[Picture], combination: Combination, folder: Path) -> Written:
    """Write a study in a combination below a folder, under names that no combination changes: a folder a series, or an archive of them."""
    by_series = defaultdict(list)
    for picture in sorted(changed(pictures, combination), key=lambda picture: (picture.series, picture.number)):
        by_series[picture.series].append(picture)
    files: dict[str, bytes] = {}
    planes: dict[Place, Plane] = {}
    with tolerant():
        for index, series in enumerate(by_series.values(), 1):
            parts = _of_one_kind(series) if combination.container is Container.ENHANCED else [[picture] for picture in series]
            for part in parts:
                header = _enhanced(part) if combination.container is Container.ENHANCED else part[0].header
                files[f"{index}/{len(files) + 1}.dcm"] = _octets(header, [picture.pixels for picture in part])
                for frame, picture in enumerate(part, 1):
                    number = frame if len(part) > 1 else int(header.InstanceNumber)
                    planes[picture.series, str(header.SOPInstanceUID), number] = picture.plane
    return Written(_save(files, folder / "study", combination.container), planes)


def _save(files: Mapping[str, bytes], path: Path, container: Container) -> Path:
    if container is Container.ZIP:
        path.parent.mkdir(parents=True, exist_ok=True)
        path = path.with_suffix(".zip")
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return path
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def _of_one_kind(series: Iterable[Picture]) -> list[list[Picture]]:
    """The pictures of a series by what all frames of one object must share."""
    kinds = defaultdict(list)
    for picture in series:
        kinds[picture.pixels.shape, picture.pixels.dtype.str, picture.header.get("BitsStored")].append(picture)
    return list(kinds.values())


def _enhanced(pictures: Sequence[Picture]) -> Dataset:
    """An Enhanced MR header of several pictures, in the order of the frames (PS3.3 A.36.2), with what bears on where and how they show."""
    first = pictures[0].header
    elements, shared = Dataset(), Dataset()
    elements.SOPClassUID = EnhancedMRImageStorage
    elements.SOPInstanceUID = generate_uid(entropy_srcs=[pictures[0].series, str(pictures[0].pixels.shape)])
    elements.InstanceNumber = 1
    elements.NumberOfFrames = len(pictures)
    for macro, names in (
        ("MREchoSequence", {"EffectiveEchoTime": "EchoTime"}),
        ("MRTimingAndRelatedParametersSequence", {"RepetitionTime": "RepetitionTime"}),
        ("MRModifierSequence", {"InversionTimes": "InversionTime"}),
    ):
        known = {name: float(first[of].value) for name, of in names.items() if first.get(of) not in (None, "")}
        setattr(shared, macro, [_item(**known)])
    elements.SharedFunctionalGroupsSequence = [shared]
    elements.PerFrameFunctionalGroupsSequence = [_frame(picture) for picture in pictures]
    return _copied(_without(first, *_OF_A_SLICE), elements)


def _frame(picture: Picture) -> Dataset:
    plane = picture.plane.elements
    rescaling = {name: picture.header[name].value for name in ("RescaleSlope", "RescaleIntercept") if name in picture.header}
    group = Dataset()
    group.PlanePositionSequence = [_item(ImagePositionPatient=plane.ImagePositionPatient)]
    group.PlaneOrientationSequence = [_item(ImageOrientationPatient=plane.ImageOrientationPatient)]
    group.PixelMeasuresSequence = [_item(PixelSpacing=plane.PixelSpacing)]
    group.PixelValueTransformationSequence = [_item(**({"RescaleSlope": "1", "RescaleIntercept": "0"} | rescaling))]
    return group


def _item(**values: Any) -> Dataset:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


def _copied(header: Dataset, elements: Dataset) -> Dataset:
    """A header with some elements replaced; the one given stays as it is, which ``Dataset(header)`` would not grant."""
    copy = Dataset(dict(header.items()))
    copy.file_meta = header.file_meta
    copy.update(elements)
    return copy


def _without(header: Dataset, *keywords: str) -> Dataset:
    """A copy of a header that lacks some elements."""
    copy = _copied(header, Dataset())
    for keyword in keywords:
        if keyword in copy:
            del copy[keyword]
    return copy


def _octets(header: Dataset, frames: Sequence[np.ndarray]) -> bytes:
    """A whole file, not compressed."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = header.get("SOPClassUID") or header.file_meta.MediaStorageSOPClassUID
    meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    pixels = b"".join(frame.tobytes() for frame in frames)
    file = _copied(header, Dataset())
    file.file_meta = meta
    file.PixelData = pixels + b"\0" * (len(pixels) % 2)
    file["PixelData"].VR = "OW"
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, file, enforce_file_format=True)
    return stream.getvalue()


def _decimals(values: Iterable[float]) -> list[str]:
    return [format_number_as_ds(float(value)) for value in values]


def misread(study: Study, base: Study, pose: Pose) -> list[str]:
    """What a study has not as the same one in the straight patient: series, roles, slices, or pixels at their places."""
    found = {series.series_instance_uid: series for series in study.series}
    if set(found) != {series.series_instance_uid for series in base.series}:
        return [f"{len(found)} series read, {len(base.series)} are there"]
    pairs = [(series, found[series.series_instance_uid]) for series in base.series]
    return [f"series {one.series_instance_uid}: {wrong}" for one, other in pairs for wrong in _differing(other, one, pose)]


def _differing(series: Series, base: Series, pose: Pose) -> Iterator[str]:
    if series.role is not base.role:
        yield f"taken for {series.role.value}, not {base.role.value}"
    slices, wanted = list(series.instances), list(base.instances)
    if len(slices) != len(wanted):
        yield f"{len(slices)} slices read, {len(wanted)} are there"
        return
    middles = np.array([_middle(each) for each in slices])
    for each in wanted:
        distances = np.linalg.norm(middles - pose.matrix @ _middle(each), axis=1)
        nearest = int(distances.argmin())
        if distances[nearest] > READ_WITHIN or not _shows_the_same(slices[nearest], each, pose):
            yield f"instance {each.instance_number} does not show its pixels where they are"


def _middle(instance: Instance) -> np.ndarray:
    rows, columns = instance.shape
    return instance.affine.to_lps(np.array([[(columns - 1) / 2, (rows - 1) / 2]]))[0]


def _shows_the_same(instance: Instance, base: Instance, pose: Pose) -> bool:
    """Whether about 400 pixels over the whole picture have the same values at the same places of the patient."""
    rows, columns = (np.unique(np.linspace(0, count - 1, 20).round().astype(int)) for count in base.shape)
    places = np.stack(np.meshgrid(columns, rows), -1).reshape(-1, 2)
    points = base.affine.to_lps(places.astype(float)) @ pose.matrix.T
    exact = instance.affine.to_px(points)
    whole = exact.round().astype(int)
    is_there = (whole >= 0).all() and (whole < instance.shape[::-1]).all() and np.abs(exact - whole).max() < READ_WITHIN
    if not is_there or np.abs(instance.affine.distances_mm(points)).max() > READ_WITHIN:
        return False
    return np.array_equal(instance.pixels[whole[:, 1], whole[:, 0]], base.pixels[places[:, 1], places[:, 0]])


def fingerprint(study: Study) -> str:
    """The same for studies of the same values, on which grading and reporting depend alone, and for no others."""
    stream = io.BytesIO()
    pickler = pickle.Pickler(stream)
    pickler.fast = True  # else two equal texts would differ from one text twice
    pickler.dump(study)
    return hashlib.sha256(stream.getbuffer()).hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What a document says of a finding.

    Attributes:
        probabilities: (3,), None where it is not graded.
        place, pixel, point_lps_mm: the slice of the evidence, the (column, row) on it, and the (3,) point.
    """

    severity: str | None
    probabilities: np.ndarray | None
    place: Place | None = None
    pixel: tuple[float, float] | None = None
    point_lps_mm: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """What the page's table says of a finding: severity and whole percents, None where it is not graded; and its links' titles."""

    severity: str | None
    percents: tuple[int, ...] | None
    titles: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Documents:
    """What is said of each finding."""

    result: Mapping[Finding, Answer]
    table: Mapping[Finding, Answer]
    page: Mapping[Finding, Cell]
    submission: Mapping[Finding, np.ndarray]


def read_documents(folder: Path, study_id: int = STUDY_ID) -> Documents:
    """What ``result.json``, ``findings.csv``, ``report.html`` and ``submission.csv`` in a folder say; without the last, nothing for it."""
    submission = folder / "submission.csv"
    return Documents(
        said_in_result((folder / "result.json").read_text()),
        said_in_table((folder / "findings.csv").read_text()),
        said_on_page((folder / "report.html").read_text()),
        said_in_submission(submission.read_text(), study_id) if submission.is_file() else {},
    )


def said_in_result(text: str) -> dict[Finding, Answer]:
    said = {}
    for entry in json.loads(text)["findings"]:
        evidence, numbers = entry["evidence"], entry["probabilities"]
        where = () if evidence is None else (_place(evidence), _pixel(evidence), np.array(evidence["point_lps_mm"]))
        probabilities = None if numbers is None else np.array([numbers[label] for label in _LABELS])
        said[_finding(entry)] = Answer(entry["severity"], probabilities, *where)
    return said


def said_in_table(text: str) -> dict[Finding, Answer]:
    said = {}
    for row in csv.DictReader(io.StringIO(text)):
        if row["status"] != "graded":
            said[_finding(row)] = Answer(None, None)
            continue
        point = np.array([float(row[f"{axis}_lps_mm"]) for axis in "xyz"])
        said[_finding(row)] = Answer(row["severity"], np.array([float(row[label]) for label in _LABELS]), _place(row), _pixel(row), point)
    return said


def said_in_submission(text: str, study_id: int) -> dict[Finding, np.ndarray]:
    """(3,) probabilities, the metric's weights taken off again."""
    names = {}
    for finding in FINDINGS:
        words = [str(study_id), finding.laterality and finding.laterality.value, finding.condition.value, finding.level.value.lower()]
        names["_".join(filter(None, words)).replace("/", "_")] = finding
    weighted = {row["row_id"]: np.array([float(row[label]) for label in _LABELS]) / _TILT for row in csv.DictReader(io.StringIO(text))}
    return {finding: weighted[name] / weighted[name].sum() for name, finding in names.items()}


def said_on_page(text: str) -> dict[Finding, Cell]:
    page = _Page()
    page.feed(text)
    return {
        _site(f"{heading} {level}"): Cell(
            severity,
            tuple(int(part) for part in percents.rstrip(" %").split(" · ")) if percents else None,
            (title, page.captions.get(anchor, "")) if title else (),
        )
        for heading, level, severity, percents, title, anchor in page.cells()
    }


class _Page(HTMLParser):
    """The table of grades, and by anchor the titles of the key images."""

    def __init__(self) -> None:
        super().__init__()
        self.captions: dict[str, str] = {}
        self._is_grades = False
        self._headings: list[str] = []
        self._rows: list[tuple[str, list[dict[str, str]]]] = []
        self._figure = ""
        self._text: list[str] | None = None

    def cells(self) -> Iterator[tuple[str, str, str | None, str, str, str]]:
        """Heading of the column, level, severity, percents, title of the link and where it leads, for each cell."""
        for level, cells in self._rows:
            for heading, cell in zip(self._headings[1:], cells, strict=True):
                severity = None if cell["class"] == "not_graded" else cell["class"]
                yield heading, level, severity, cell.get("percents", ""), cell.get("title", ""), cell.get("href", "")

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attributes}
        if tag == "table":
            self._is_grades = values.get("class") == "grades"
        if tag == "figure":
            self._figure = values.get("id", "")
        if self._is_grades and tag == "td":
            self._rows[-1][1].append({"class": values["class"]})
        if self._is_grades and tag == "a":
            self._rows[-1][1][-1] |= {"title": values["title"], "href": values["href"].removeprefix("#")}
        if tag == "small" and self._text is not None:
            self._end_heading()
        is_percents = self._is_grades and tag == "div" and values.get("class") == "percents" and "title" in values
        if (self._is_grades and tag == "th") or is_percents or (tag == "strong" and self._figure):
            self._text = []
            self._is_row = values.get("scope") == "row"

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "table":
            self._is_grades = False
        if self._text is None:
            return
        if tag == "th":
            self._end_heading()
        elif tag == "div":
            self._rows[-1][1][-1]["percents"] = self._taken()
        elif tag == "strong":
            self.captions[self._figure], self._figure = self._taken(), ""

    def _end_heading(self) -> None:
        text = self._taken()
        if self._is_row:
            self._rows.append((text, []))
        else:
            self._headings.append(text)

    def _taken(self) -> str:
        text, self._text = "".join(self._text or []).strip(), None
        return text


def _finding(row: Mapping[str, Any]) -> Finding:
    return Finding(Condition(row["condition"]), Laterality(row["laterality"]) if row["laterality"] else None, Level(row["level"]))


def _site(words: str) -> Finding:
    """The finding of ``Left neural foramen L4/L5``."""
    *words, level = words.lower().split()
    side = Laterality(words.pop(0)) if words[0] in ("left", "right") else None
    return Finding(_SITES[" ".join(words)], side, Level(level.upper()))


def _place(row: Mapping[str, Any]) -> Place:
    return row["series_instance_uid"], row["sop_instance_uid"], int(row["instance_number"])


def _pixel(row: Mapping[str, Any]) -> tuple[float, float]:
    return float(row["column_px"]), float(row["row_px"])


@dataclass(slots=True)
class Outcome:
    """Of one combination: the largest differences of a probability and of an evidence point, and what is wrong."""

    probability: float = 0.0
    evidence_mm: float = 0.0
    complaints: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """What is said of each finding of the study as it is, and where its slices lie."""

    answers: Mapping[Finding, Answer]
    planes: Mapping[Place, Plane]


def on_the_wrong_side(answers: Mapping[Finding, Answer]) -> list[str]:
    """Findings read to the right of their right counterparts: of the study as it is, that its left is the patient's at all."""
    points = {finding: answer.point_lps_mm for finding, answer in answers.items() if answer.point_lps_mm is not None}
    lefts = [finding for finding in points if finding.laterality is Laterality.LEFT and finding.mirrored in points]
    return [f"{left} lies on the right of its counterpart" for left in lefts if points[left][0] <= points[left.mirrored][0]]


def compare(said: Documents, expected: Expected, pose: Pose, planes: Mapping[Place, Plane]) -> Outcome:
    """Hold what the documents say of each finding, and the slices that they name, against what is said of the study as it is."""
    outcome = Outcome()
    for finding in FINDINGS:
        site, answer = pose.site_of(finding), expected.answers[finding]
        if answer.probabilities is None:
            outcome.complaints += [f"{name}: {site} is graded" for name, is_graded in _graded(said, site) if is_graded]
            continue
        for name, document in (("result.json", said.result), ("findings.csv", said.table)):
            _compare_answers(name, site, document[site], answer, pose, outcome)
        if said.submission:
            _compare_probabilities("submission.csv", site, said.submission[site], answer.probabilities, outcome)
        outcome.complaints += _wrong_on_page(site, said.page[site], said.result[site])
        moved = expected.planes[answer.place].moved(pose)
        outcome.complaints += _wrong_slice(site, said.result[site], planes, moved)
    return outcome


def _graded(said: Documents, site: Finding) -> list[tuple[str, bool]]:
    return [
        ("result.json", said.result[site].probabilities is not None),
        ("findings.csv", said.table[site].probabilities is not None),
        ("report.html", said.page[site].severity is not None),
    ]


def _compare_answers(name: str, site: Finding, found: Answer, wanted: Answer, pose: Pose, outcome: Outcome) -> None:
    if found.probabilities is None or found.point_lps_mm is None:
        outcome.complaints.append(f"{name}: {site} is not graded")
        return
    _compare_probabilities(name, site, found.probabilities, wanted.probabilities, outcome)
    distance = float(np.linalg.norm(found.point_lps_mm - pose.matrix @ wanted.point_lps_mm))
    outcome.evidence_mm = max(outcome.evidence_mm, distance)
    if distance > FARTHEST_MM:
        outcome.complaints.append(f"{name}: the evidence of {site} lies {distance:.2f} mm off")


def _compare_probabilities(name: str, site: Finding, found: np.ndarray, wanted: np.ndarray, outcome: Outcome) -> None:
    difference = float(np.abs(found - wanted).max())
    outcome.probability = max(outcome.probability, difference)
    if difference > MOST_DIFFERENCE:
        outcome.complaints.append(f"{name}: {site} differs by {difference:.2g}")


def _wrong_on_page(site: Finding, cell: Cell, result: Answer) -> Iterator[str]:
    """The page must say of a site what ``result.json`` says of it, and lead to a picture of that site."""
    if result.probabilities is None:
        return
    if cell.severity != result.severity or cell.percents is None or np.abs(np.array(cell.percents) - 100 * result.probabilities).max() > 1:
        yield f"report.html: {site} is {cell.severity} {cell.percents}, in result.json {result.severity}"
    if [_site(title) for title in cell.titles] != [site, site]:
        yield f"report.html: {site} leads to {cell.titles}"


def _wrong_slice(site: Finding, found: Answer, planes: Mapping[Place, Plane], wanted: Plane) -> Iterator[str]:
    """The slice that the evidence names must be the same one of the patient, and the pixel lie, in the file, at the evidence's point."""
    if found.place is None:
        return
    plane = planes.get(found.place)
    if plane is None:
        yield f"result.json: {site} was read from a slice that is not there"
        return
    pixel = plane.at(*found.pixel)
    apart = abs(float(wanted.normal @ (pixel - wanted.origin)))
    if apart > FARTHEST_MM:
        yield f"result.json: {site} was read from a slice {apart:.2f} mm away"
    offset = pixel - found.point_lps_mm
    beside = float(np.linalg.norm(offset - offset @ plane.normal * plane.normal))
    if beside > FARTHEST_MM:
        yield f"result.json: the pixel of {site} lies {beside:.2f} mm beside its point"


class _Graded:
    """Stands for a pipeline that has graded a study already, so that ``predict_study`` need not do it again."""

    def __init__(self, grades: StudyGrades) -> None:
        self._grades = grades

    def grade(self, study: Study) -> StudyGrades:
        return self._grades


def write_documents(path: Path, study: Study, pipeline: Pipeline, folder: Path) -> Documents:
    """Grade a study that was read from a path, write all four documents, and read them again."""
    grades = pipeline.grade(study)
    write_report(folder, study, grades, 0.0)
    prediction = predict_study([_Graded(grades)], StudyRequest(STUDY_ID, path, {}))
    write_submission(folder / "submission.csv", submission_scores([prediction], Blend.even(1)))
    return read_documents(folder)


class Examination:
    """A study, what is said of it as it is, and every combination held against that.

    Only the pictures of the study itself and what has been said are kept in memory.
    """

    def __init__(self, pictures: Sequence[Picture], pipeline: Pipeline, folder: Path) -> None:
        self._pictures, self._pipeline, self._folder = pictures, pipeline, folder
        self._known: dict[str, Documents] = {}
        with TemporaryDirectory(dir=folder) as place:
            written = write(pictures, Combination(), Path(place))
            self.base = read_study(find_study(written.path))
            self.said = self._documents(written.path, self.base)
            self.expected = Expected(self.said.result, written.planes)

    @property
    def different_studies(self) -> int:
        """So many were graded."""
        return len(self._known)

    def examine(self, combination: Combination) -> Outcome:
        """Write, read, grade and compare one combination."""
        with TemporaryDirectory(dir=self._folder) as place:
            written = write(self._pictures, combination, Path(place))
            try:
                study = read_study(find_study(written.path))
                said = self._documents(written.path, study)
            except LumbarGradeError as error:
                return Outcome(complaints=[str(error)])
        outcome = compare(said, self.expected, combination.pose, written.planes)
        outcome.complaints[:0] = misread(study, self.base, combination.pose)
        return outcome

    def _documents(self, path: Path, study: Study) -> Documents:
        key = fingerprint(study)
        if key not in self._known:
            with TemporaryDirectory(dir=self._folder) as place:
                self._known[key] = write_documents(path, study, self._pipeline, Path(place))
        return self._known[key]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study_dir", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--every", type=int, default=1, help=f"only every so manieth of the {len(COMBINATIONS)} combinations")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    examination = Examination(read_pictures(options.study_dir), Pipeline.load(), options.output)
    combinations = COMBINATIONS[:: options.every]
    wrong = on_the_wrong_side(examination.expected.answers)
    for complaint in wrong:
        print(f"as it is: {complaint}")  # noqa: T201
    outcomes = []
    with (options.output / "combinations.csv").open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        for combination in tqdm(combinations, "examining", unit="combination"):
            outcome = examination.examine(combination)
            outcomes.append(outcome)
            table.writerow(_row(combination, outcome))
            if outcome.complaints:
                tqdm.write(f"{combination}: {_shortened(outcome.complaints)}")
    failing = sum(bool(outcome.complaints) for outcome in outcomes)
    graded = sum(answer.probabilities is not None for answer in examination.expected.answers.values())
    largest = max(outcome.probability for outcome in outcomes), max(outcome.evidence_mm for outcome in outcomes)
    print(  # noqa: T201
        f"{len(combinations)} combinations, read as {examination.different_studies} different studies, {graded} findings graded; "
        f"{failing} fail; largest differences {largest[0]:.1e} of a probability, {largest[1]:.3f} mm of an evidence point"
    )
    return 1 if failing or wrong else 0


def _row(combination: Combination, outcome: Outcome) -> list[object]:
    ways = combination.container.value, combination.storage, combination.position, combination.numbers.value, combination.pose
    return [*ways, f"{outcome.probability:.3g}", f"{outcome.evidence_mm:.3f}", "; ".join(outcome.complaints)]


def _shortened(complaints: Sequence[str]) -> str:
    more = len(complaints) - SHOWN_COMPLAINTS
    return "; ".join(complaints[:SHOWN_COMPLAINTS]) + (f"; and {more} more" if more > 0 else "")


if __name__ == "__main__":
    raise SystemExit(main())
