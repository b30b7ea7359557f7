"""Writes a series as DICOM files, in the competition's stripped header or as a hospital's scanner would."""

from collections.abc import Sequence
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
    RLELossless,
)

from lumbargrade.dicom.competition_header import competition_headers
from lumbargrade.dicom.enhanced_header import enhanced_header, frames_of
from lumbargrade.dicom.hospital_header import hospital_headers
from lumbargrade.dicom.profiles import HABITS, HeaderProfile, PixelStorage
from lumbargrade.dicom.rle import encode_rle
from lumbargrade.dicom.tolerance import tolerant
from lumbargrade.study import Series

Stored = NDArray[np.uint16] | NDArray[np.int16]


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
    folder: Path,
    study_instance_uid: str,
    series: Series,
    profile: HeaderProfile,
    syntax: TransferSyntax = TransferSyntax.RLE,
    names: Sequence[str] | None = None,
) -> list[Path]:
    """Write a series and return a path for each of ``series.instances``, in their order; all frames of an Enhanced object have its path.

    Grey values are rounded and clipped to unsigned 12 bit, and where a vendor rescales rounded to its steps. A file appears under its name
    only when it is complete.

    Args:
        names: of the files, in the order of ``series.instances``; ``<instance_number>.dcm`` without. An Enhanced object has the first.
    """
    instances = list(series.instances)
    paths = [folder / name for name in names or [f"{instance.instance_number}.dcm" for instance in instances]]
    folder.mkdir(parents=True, exist_ok=True)
    with tolerant():
        if profile is HeaderProfile.ENHANCED:
            storage = HABITS[profile].storage_of(series)
            frames = [storage.stored(instance.pixels) for _, instance in frames_of(series)]
            _write(paths[0], enhanced_header(study_instance_uid, series, storage), frames, syntax)
            return [paths[0]] * len(instances)
        headers, storage = _single_frame_headers(study_instance_uid, series, profile)
        for path, header, instance in zip(paths, headers, instances, strict=True):
            _write(path, header, [storage.stored(instance.pixels)], syntax)
    return paths


def _single_frame_headers(study: str, series: Series, profile: HeaderProfile) -> tuple[list[Dataset], PixelStorage]:
    if profile is HeaderProfile.COMPETITION:
        return [header for stack in series.stacks for header in competition_headers(study, series, stack)], PixelStorage()
    storage = HABITS[profile].storage_of(series)
    return hospital_headers(study, series, profile, storage), storage


def _write(path: Path, header: Dataset, frames: Sequence[Stored], syntax: TransferSyntax) -> None:
    meta = FileMetaDataset()
    # The competition's single-frame files call themselves Enhanced MR here; a reader must not fall for it.
    meta.MediaStorageSOPClassUID = header.get("SOPClassUID", EnhancedMRImageStorage)
    meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    meta.TransferSyntaxUID = UID(syntax.value)
    header.file_meta = meta
    pixels = (
        encapsulate([_compressed(frame, header, syntax) for frame in frames]) if syntax.is_encapsulated else b"".join(map(_octets, frames))
    )
    header.PixelData = pixels + b"\0" * (len(pixels) % 2)
    header["PixelData"].VR = "OB" if syntax.is_encapsulated else "OW"
    header["PixelData"].is_undefined_length = syntax.is_encapsulated
    partial = path.with_name(path.name + ".partial")
    dcmwrite(partial, header, enforce_file_format=True)
    partial.replace(path)


def _octets(frame: Stored) -> bytes:
    return frame.tobytes()


def _compressed(stored: Stored, header: Dataset, syntax: TransferSyntax) -> bytes:
    if syntax is TransferSyntax.RLE:
        return encode_rle(stored)
    rows, columns = stored.shape
    return get_encoder(UID(syntax.value)).encode(
        stored,
        rows=rows,
        columns=columns,
        number_of_frames=1,
        samples_per_pixel=1,
        photometric_interpretation="MONOCHROME2",
        bits_allocated=16,
        bits_stored=header.BitsStored,
        pixel_representation=header.PixelRepresentation,
    )
