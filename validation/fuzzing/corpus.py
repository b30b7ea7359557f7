"""What fuzzing begins with: small good files of every kind that the readers know, the same at every run."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import gdcm
import numpy as np
import pydicom
from pydicom.data import DATA_ROOT
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from lumbargrade.competition import (
    LabelCoordinate,
    StudyLabels,
    SubmissionScores,
    write_coordinates,
    write_labels,
    write_out_of_fold,
    write_series_roles,
    write_submission,
)
from lumbargrade.competition.names import SCORE_COLUMNS, row_id
from lumbargrade.competition.table import write_table
from lumbargrade.dicom import HeaderProfile, TransferSyntax, write_secondary_capture, write_series
from lumbargrade.dicom.tolerance import tolerant
from lumbargrade.geometry.affine import SliceAffine
from lumbargrade.phantom.patient import PhantomConfig, make_patient
from lumbargrade.phantom.protocol import ProtocolConfig
from lumbargrade.study import Instance, Series, SeriesTiming, Stack
from lumbargrade.terms import FINDINGS, SeriesRole

LARGEST_LOOSE_BYTES = 48 * 1024
STUDY_UID = "1.2.826.0.1.77"
STUDY_IDS = (30, 4, 4294967295)
SHAPE = (36, 33)
"""JPEG 2000 halves a picture five times."""
_DIRECTIONS = {
    SeriesRole.SAGITTAL_T2: ((0.06, 0.9982, 0.0), (0.0, 0.0, -1.0), SeriesTiming(105.0, 3200.0)),
    SeriesRole.SAGITTAL_T1: ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0), SeriesTiming(10.0, 560.0)),
    SeriesRole.AXIAL_T2: ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), SeriesTiming(98.0, 4100.0)),
}

Files = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Corpus:
    """Contents of good files.

    Attributes:
        series: each the files of one series; all of them belong to one study, so that any may be put together.
        loose: files of any kind that pydicom installs for its own tests, damaged ones among them.
        spine: a whole study that can be graded; empty where none was wanted.
        tables: by file name.
    """

    series: tuple[Files, ...]
    loose: Files
    spine: Files
    tables: dict[str, bytes]

    @property
    def images(self) -> Files:
        """All files but those of the spine."""
        return (*(content for files in self.series for content in files), *self.loose)


def make_corpus(*, with_spine: bool) -> Corpus:
    """Written by the project's own writers, a transfer syntax and a vendor each; the spine takes seconds to make."""
    with TemporaryDirectory() as folder:
        series = tuple(_series_of_all_kinds(Path(folder)))
        spine = _spine(Path(folder) / "spine") if with_spine else ()
        tables = _tables(Path(folder) / "tables")
    return Corpus(series, _loose_files(), spine, tables)


def _series_of_all_kinds(folder: Path) -> Iterator[Files]:
    roles = list(_DIRECTIONS)
    for index, profile in enumerate(HeaderProfile):
        for number, syntax in enumerate(TransferSyntax):
            series = _small_series(roles[(index + number) % len(roles)], f"{index}{number}")
            paths = write_series(folder / series.folder, STUDY_UID, series, profile, syntax)
            yield tuple(path.read_bytes() for path in dict.fromkeys(paths))
    series = _small_series(SeriesRole.SAGITTAL_T1, "90")
    plain = write_series(folder / "plain", STUDY_UID, series, HeaderProfile.GE, TransferSyntax.EXPLICIT_LITTLE_ENDIAN)
    yield tuple(_without_preamble(path.read_bytes()) for path in plain)
    for syntax in (ImplicitVRLittleEndian, ExplicitVRBigEndian):
        yield tuple(_reencoded(path.read_bytes(), syntax) for path in plain)
    yield tuple(_as_floats(path.read_bytes()) for path in plain)
    yield tuple(_as_bytes_inverted(path.read_bytes()) for path in plain)
    for syntax in (gdcm.TransferSyntax.JPEGLosslessProcess14_1, gdcm.TransferSyntax.JPEG2000, gdcm.TransferSyntax.JPEGLSNearLossless):
        yield tuple(_compressed(path, syntax) for path in plain)
    page = (np.add.outer(np.arange(9), np.arange(13)) * 8).astype(np.uint8)
    yield (write_secondary_capture(folder / "page.dcm", STUDY_UID, page).read_bytes(),)


def _small_series(role: SeriesRole, name: str) -> Series:
    """Three slices of noise on a gradient, in the direction and with the times of a role."""
    *axes, timing = _DIRECTIONS[role]
    column, row = (np.array(axis) / np.linalg.norm(axis) for axis in axes)
    noise = np.random.default_rng(int(name))
    instances = []
    for number in range(1, 4):
        affine = SliceAffine(np.array([-31.25, -47.5, 12.0]) + 4.4 * number * np.cross(column, row), column, row, 0.55, 0.8)
        pixels = np.add.outer(np.arange(SHAPE[0]) * 60, np.arange(SHAPE[1]) * 40) + noise.integers(0, 200, SHAPE)
        instances.append(Instance(f"{STUDY_UID}.{name}.{number}", number, affine, pixels.astype(np.float32)))
    return Series(f"{STUDY_UID}.{name}", name, "", timing, role, "made", (Stack.ordered(instances),))


def _without_preamble(content: bytes) -> bytes:
    return content[132 + 12 + int.from_bytes(content[140:144], "little") :]


def _reencoded(content: bytes, syntax: str) -> bytes:
    dataset = pydicom.dcmread(BytesIO(content))
    is_implicit = syntax == ImplicitVRLittleEndian
    if not is_implicit:
        dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
    dataset.file_meta.TransferSyntaxUID = syntax
    stream = BytesIO()
    pydicom.dcmwrite(stream, dataset, implicit_vr=is_implicit, little_endian=is_implicit, force_encoding=True)
    return stream.getvalue()


def _as_floats(content: bytes) -> bytes:
    dataset = pydicom.dcmread(BytesIO(content))
    pixels = dataset.pixel_array.astype("<f4")
    del dataset.PixelData, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation
    dataset.BitsAllocated, dataset.FloatPixelData = 32, pixels.tobytes()
    return _saved(dataset)


def _as_bytes_inverted(content: bytes) -> bytes:
    dataset = pydicom.dcmread(BytesIO(content))
    dataset.PixelData = (dataset.pixel_array // 16).astype(np.uint8).tobytes()
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    dataset.PhotometricInterpretation = "MONOCHROME1"
    return _saved(dataset)


def _saved(dataset: pydicom.Dataset) -> bytes:
    stream = BytesIO()
    dataset.save_as(stream)
    return stream.getvalue()


def _compressed(path: Path, syntax: int) -> bytes:
    """By GDCM, which writes what the project's own writers do not."""
    reader, writer, change = gdcm.ImageReader(), gdcm.ImageWriter(), gdcm.ImageChangeTransferSyntax()
    target = path.with_name(f"{path.stem}-{syntax}")
    reader.SetFileName(str(path))
    assert reader.Read()
    change.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    writer.SetFileName(str(target))
    assert writer.Write()
    return target.read_bytes()


def _loose_files() -> Files:
    """Those that are installed; none is fetched."""
    paths = sorted(path for path in Path(DATA_ROOT).rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc"))
    return tuple(path.read_bytes() for path in paths if 0 < path.stat().st_size <= LARGEST_LOOSE_BYTES)


def _spine(folder: Path) -> Files:
    """A synthetic patient with half the pixels of each row and column, and half of the slices or fewer."""
    patient = make_patient(5, PhantomConfig(protocol=ProtocolConfig(stir=0, short_axials=0, tilt_error_deg=1)), workers=1)
    contents = []
    with tolerant():
        for series in patient.study.series:
            step = 2 if series.role.is_sagittal else 5
            stacks = tuple(Stack(tuple(map(_halved, stack.instances[::step]))) for stack in series.stacks)
            paths = write_series(folder / series.folder, STUDY_UID, replace(series, stacks=stacks), HeaderProfile.SIEMENS)
            contents += [path.read_bytes() for path in paths]
    return tuple(contents)


def _halved(instance: Instance) -> Instance:
    affine = instance.affine
    coarse = replace(affine, column_spacing_mm=2 * affine.column_spacing_mm, row_spacing_mm=2 * affine.row_spacing_mm)
    return replace(instance, affine=coarse, pixels=instance.pixels[::2, ::2].copy())


def _tables(folder: Path) -> dict[str, bytes]:
    """Three studies in every table of the competition's layout."""
    folder.mkdir()
    rng = np.random.default_rng(3)
    severities = rng.integers(0, 3, (len(STUDY_IDS), len(FINDINGS))).astype(np.int8)
    shares = rng.dirichlet((3.0, 2.0, 1.0), severities.shape)
    scores = SubmissionScores(STUDY_IDS, shares)
    roles = {study: dict(zip((study * 10 + 1, study * 10 + 2, study * 10 + 3), _DIRECTIONS, strict=True)) for study in STUDY_IDS}
    write_labels(folder / "train.csv", StudyLabels(STUDY_IDS, np.ma.MaskedArray(severities, rng.random(severities.shape) < 0.1)))
    write_coordinates(folder / "train_label_coordinates.csv", _coordinates(rng))
    write_series_roles(folder / "train_series_descriptions.csv", roles)
    write_series_roles(folder / "test_series_descriptions.csv", roles)
    for name in ("sample_submission.csv", "submission.csv"):
        write_submission(folder / name, scores)
    write_out_of_fold(folder / "oof.csv", scores, np.array([0, 1, 0]))
    solution = [
        (row_id(study, finding), *np.eye(3, dtype=int)[severity].tolist(), 2**severity)
        for study, of_study in zip(STUDY_IDS, severities.tolist(), strict=True)
        for finding, severity in zip(FINDINGS, of_study, strict=True)
    ]
    write_table(folder / "solution.csv", ("row_id", *SCORE_COLUMNS, "sample_weight"), solution)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def _coordinates(rng: np.random.Generator) -> Iterator[LabelCoordinate]:
    for study in STUDY_IDS:
        for finding in random.Random(study).sample(FINDINGS, 12):
            column, row = rng.uniform(0, 300, 2)
            yield LabelCoordinate(study, study * 10 + 1, int(rng.integers(1, 9)), finding, float(column), float(row))
