"""Writes a series as DICOM files, in the competition's stripped header or as a hospital's scanner would."""

import re
import uuid
from enum import Enum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders.base import get_encoder
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    MRImageStorage,
    RLELossless,
)

from lumbargrade.dicom.tolerance import tolerant
from lumbargrade.geometry.affine import FloatArray
from lumbargrade.geometry.orientation import AnatomicalPlane
from lumbargrade.study import Instance, Series, Stack
from lumbargrade.terms import SeriesRole

BITS_STORED = 12
_BRIGHTEST = 2**BITS_STORED - 1
_REQUIRED_BUT_EMPTY = (
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "ReferringPhysicianName",
    "StudyID",
    "PositionReferenceIndicator",
)
_OID = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+")


class HeaderProfile(Enum):
    """How much a header says: the competition's 27 elements, or a standard-conformant MR Image Storage object."""

    COMPETITION = "competition"
    HOSPITAL = "hospital"


class TransferSyntax(Enum):
    """How pixels are stored; every one is lossless."""

    EXPLICIT_LITTLE_ENDIAN = str(ExplicitVRLittleEndian)
    DEFLATED = str(DeflatedExplicitVRLittleEndian)
    RLE = str(RLELossless)
    JPEG_LS = str(JPEGLSLossless)
    JPEG_2000 = str(JPEG2000Lossless)

    @property
    def is_encapsulated(self) -> bool:
        return self not in (TransferSyntax.EXPLICIT_LITTLE_ENDIAN, TransferSyntax.DEFLATED)


def write_series(
    folder: Path, study_instance_uid: str, series: Series, profile: HeaderProfile, syntax: TransferSyntax = TransferSyntax.RLE
) -> list[Path]:
    """Write each instance as ``<folder>/<instance_number>.dcm`` and return the paths, in the order of ``series.instances``.

    Pixels are rounded and clipped to unsigned 12 bit. A file appears under its name only when it is complete.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    with tolerant():
        for stack in series.stacks:
            spacing = _spacing(stack)
            for instance in stack.instances:
                header = _header(study_instance_uid, series, stack, instance, profile)
                header.update(spacing)
                paths.append(_write(folder / f"{instance.instance_number}.dcm", header, instance, syntax, profile))
    return paths


def oid(identifier: str) -> UID:
    """The identifier itself where it is a valid UID, else a UID derived from it (PS3.5 B.2: 2.25 and a UUID)."""
    if len(identifier) <= 64 and _OID.fullmatch(identifier):
        return UID(identifier)
    return UID(f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, identifier).int}")


def _header(study: str, series: Series, stack: Stack, instance: Instance, profile: HeaderProfile) -> Dataset:
    header = _plane(instance)
    if profile is HeaderProfile.COMPETITION:
        header.update(_competition_identity(study, series, instance))
        header.update(_window(stack, instance))
    else:
        header.update(_hospital_identity(study, series, instance))
        header.update(_hospital_acquisition(series))
    return header


def _spacing(stack: Stack) -> Dataset:
    """A phantom's slices touch: thickness and distance are one."""
    spacing_mm = stack.spacing_mm
    header = Dataset()
    header.SliceThickness = _decimal(spacing_mm or 1.0)
    header.SpacingBetweenSlices = _decimal(spacing_mm)
    return header


def _plane(instance: Instance) -> Dataset:
    affine = instance.affine
    header = Dataset()
    header.PatientPosition = "HFS"
    header.InstanceNumber = instance.instance_number
    header.ImagePositionPatient = _decimals(affine.origin_lps_mm)
    header.ImageOrientationPatient = _decimals(np.concatenate([affine.column_direction, affine.row_direction]))
    header.SliceLocation = _decimal(affine.position_mm)
    header.PixelSpacing = [_decimal(affine.row_spacing_mm), _decimal(affine.column_spacing_mm)]
    header.SamplesPerPixel = 1
    header.PhotometricInterpretation = "MONOCHROME2"
    header.Rows, header.Columns = instance.shape
    header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 16, BITS_STORED, BITS_STORED - 1, 0
    return header


def _competition_identity(study: str, series: Series, instance: Instance) -> Dataset:
    """The identifiers as the competition has them: no OIDs, and SOPInstanceUIDs that repeat from series to series."""
    header = Dataset()
    header.StudyInstanceUID = study
    header.SeriesInstanceUID = f"{study}.{series.folder}"
    header.SOPInstanceUID = f"{study}.1.{instance.instance_number}"
    header.PatientID = study
    header.FrameOfReferenceUID = oid(f"frame of reference of {study}.{series.folder}")
    header.SeriesDescription = "T1" if series.role is SeriesRole.SAGITTAL_T1 else "T2"
    header.ContentDate = "20000101"
    header.ContentTime = "000000.000000"
    return header


def _window(stack: Stack, instance: Instance) -> Dataset:
    """A window of its own on every axial slice and one for a sagittal series, as the competition's files have."""
    pixels = instance.pixels if stack.plane is AnatomicalPlane.AXIAL else stack.instances[len(stack.instances) // 2].pixels
    header = Dataset()
    header.WindowCenter = round(float(pixels.mean()))
    header.WindowWidth = max(1, round(float(pixels.mean() + 2 * pixels.std())))
    return header


def _hospital_identity(study: str, series: Series, instance: Instance) -> Dataset:
    header = Dataset()
    header.SOPClassUID = MRImageStorage
    is_oid = oid(instance.sop_instance_uid) == instance.sop_instance_uid
    # Identifiers of the competition's kind repeat from series to series, so the series is part of what a UID is derived from.
    header.SOPInstanceUID = oid(instance.sop_instance_uid if is_oid else f"{series.series_instance_uid}/{instance.sop_instance_uid}")
    header.StudyInstanceUID = oid(study)
    header.SeriesInstanceUID = oid(series.series_instance_uid)
    header.FrameOfReferenceUID = oid(f"frame of reference of {study}")
    header.PatientName = "PHANTOM^SYNTHETIC"
    header.PatientID = "PHANTOM"
    header.Modality = "MR"
    header.Manufacturer = "LumbarGrade phantom"
    header.SeriesNumber = uuid.uuid5(uuid.NAMESPACE_OID, series.series_instance_uid).int % 9999 + 1
    header.SeriesDescription = series.description[:64]
    header.BodyPartExamined = "LSPINE"
    for keyword in _REQUIRED_BUT_EMPTY:
        setattr(header, keyword, "")
    return header


def _hospital_acquisition(series: Series) -> Dataset:
    timing = series.timing
    header = Dataset()
    header.ImageType = ["DERIVED", "PRIMARY", "OTHER"]
    header.ScanningSequence = "SE" if timing.inversion_time_ms is None else "IR"
    header.SequenceVariant = "SK"
    header.ScanOptions = ""
    header.MRAcquisitionType = "2D"
    header.EchoTrainLength = None
    header.EchoTime = None if timing.echo_time_ms is None else _decimal(timing.echo_time_ms)
    header.RepetitionTime = None if timing.repetition_time_ms is None else _decimal(timing.repetition_time_ms)
    if timing.inversion_time_ms is not None:
        header.InversionTime = _decimal(timing.inversion_time_ms)
    return header


def _decimal(value: float) -> str:
    """At most 16 characters, as a DS value has (PS3.5 6.2), with all the digits that fit."""
    for digits in range(15, 0, -1):
        text = f"{float(value):.{digits}g}"
        if len(text) <= 16:
            return text
    raise ValueError(f"{value!r} has no decimal string of 16 characters")


def _decimals(values: FloatArray) -> list[str]:
    return [_decimal(value) for value in values]


def _write(path: Path, header: Dataset, instance: Instance, syntax: TransferSyntax, profile: HeaderProfile) -> Path:
    meta = FileMetaDataset()
    # The competition's single-frame files call themselves Enhanced MR here; a reader must not fall for it.
    meta.MediaStorageSOPClassUID = EnhancedMRImageStorage if profile is HeaderProfile.COMPETITION else MRImageStorage
    meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    meta.TransferSyntaxUID = UID(syntax.value)
    header.file_meta = meta
    stored = np.clip(np.rint(instance.pixels), 0, _BRIGHTEST).astype("<u2")
    header.PixelData = encapsulate([_compressed(stored, syntax)]) if syntax.is_encapsulated else stored.tobytes()
    header["PixelData"].VR = "OB" if syntax.is_encapsulated else "OW"
    header["PixelData"].is_undefined_length = syntax.is_encapsulated
    partial = path.with_name(path.name + ".partial")
    dcmwrite(partial, header, enforce_file_format=True)
    partial.replace(path)
    return path


def _compressed(stored: NDArray[np.uint16], syntax: TransferSyntax) -> bytes:
    rows, columns = stored.shape
    encoder = get_encoder(UID(syntax.value))
    return encoder.encode(
        stored,
        rows=rows,
        columns=columns,
        number_of_frames=1,
        samples_per_pixel=1,
        photometric_interpretation="MONOCHROME2",
        bits_allocated=16,
        bits_stored=BITS_STORED,
        pixel_representation=0,
    )
