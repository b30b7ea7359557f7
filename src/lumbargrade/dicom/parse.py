"""Bytes to a pydicom data set: with or without the 128-byte preamble, deflated or not, never more than the bounds allow."""

import struct
import zlib
from io import BytesIO
from typing import BinaryIO

from pydicom import dcmread
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pydicom.valuerep import VR

from lumbargrade.dicom import limits
from lumbargrade.dicom.bounded import bounded
from lumbargrade.errors import DicomError

SNIFF_BYTES = 140
_PREAMBLE_BYTES = 128
_MARK = b"DICM"
_VALUE_REPRESENTATIONS = frozenset(vr.value.encode() for vr in VR)
_FIRST_GROUPS = (0x0002, 0x0008)
_PIXELS = (0x7FE00008, 0x7FE00009, 0x7FE00010)


def may_be_dicom(start: bytes) -> bool:
    """Whether the first ``SNIFF_BYTES`` of a file could begin a DICOM data set (PS3.10 7.1); cheap, and sure only where the mark is."""
    return has_mark(start) or _starts_with_element(start)


def has_mark(start: bytes) -> bool:
    """Whether the preamble is followed by DICM."""
    return start[_PREAMBLE_BYTES : _PREAMBLE_BYTES + len(_MARK)] == _MARK


def read_header(stream: BinaryIO, tags: list[BaseTag | int]) -> Dataset:
    """The data set's elements of the given tags that come before the pixels. Call inside ``tolerant``.

    Raises:
        DicomError: not DICOM, or inflated beyond the bound.
        Exception: whatever pydicom raises on damaged bytes.
    """
    if _is_deflated(stream):
        return _read_deflated(stream, stop_before_pixels=True)
    return dcmread(bounded(stream), stop_before_pixels=True, force=True, specific_tags=tags)


def read_all(content: bytes) -> Dataset:
    """The whole data set, with a transfer syntax in its ``file_meta`` even where the file has none. Call inside ``tolerant``.

    Raises:
        DicomError: not DICOM, or inflated beyond the bound.
        Exception: whatever pydicom raises on damaged bytes.
    """
    stream = BytesIO(content)
    if not may_be_dicom(content[:SNIFF_BYTES]):
        raise DicomError("not DICOM")
    if DeflatedExplicitVRLittleEndian.encode() in content and _is_deflated(stream):  # a search costs less than reading the meta information
        return _read_deflated(stream, stop_before_pixels=False)
    dataset = dcmread(bounded(stream), force=True)
    if not len(dataset):  # pydicom answers so where the file ends inside encapsulated pixels
        raise DicomError("the file is cut short; copy it again")
    if "TransferSyntaxUID" not in dataset.file_meta:
        is_implicit, is_little_endian = dataset.original_encoding
        native = ExplicitVRLittleEndian if is_little_endian else ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if is_implicit else native
    return dataset


def _starts_with_element(start: bytes) -> bool:
    if len(start) < 8:
        return False
    for order in "<>":
        group, _, letters, length = struct.unpack(f"{order}HH2sH", start[:8])
        if group not in _FIRST_GROUPS:
            continue
        if letters in _VALUE_REPRESENTATIONS:
            return bool(length <= limits.MAX_UNMARKED_VALUE_BYTES)
        return bool(order == "<" and struct.unpack("<L", start[4:8])[0] <= limits.MAX_UNMARKED_VALUE_BYTES)
    return False


def _read_meta(stream: BinaryIO) -> FileMetaDataset:
    """The file meta information, also of a file without preamble, the stream left behind it."""
    if not has_mark(stream.read(_PREAMBLE_BYTES + len(_MARK))):
        stream.seek(0)
    source = bounded(stream)
    elements = read_dataset(source, is_implicit_VR=False, is_little_endian=True, stop_when=lambda tag, vr, length: tag >> 16 != 2)
    return FileMetaDataset(elements)


def _is_deflated(stream: BinaryIO) -> bool:
    meta = _read_meta(stream)
    stream.seek(0)
    return bool(meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian)


def _read_deflated(stream: BinaryIO, stop_before_pixels: bool) -> Dataset:
    """Inflates within the bound, which pydicom would not (PS3.5 A.5)."""
    meta = _read_meta(stream)
    inflated = zlib.decompressobj(-zlib.MAX_WBITS).decompress(stream.read(limits.MAX_FILE_BYTES), limits.MAX_INFLATED_BYTES + 1)
    if len(inflated) > limits.MAX_INFLATED_BYTES:
        raise DicomError(f"inflates to more than {limits.MAX_INFLATED_BYTES // limits.MEBIBYTE} MiB")
    plain = BytesIO(inflated)
    stop = (lambda tag, vr, length: tag in _PIXELS) if stop_before_pixels else None
    elements = read_dataset(bounded(plain), is_implicit_VR=False, is_little_endian=True, stop_when=stop)
    dataset = FileDataset(plain, elements, file_meta=meta, is_implicit_VR=False, is_little_endian=True)
    dataset.set_original_encoding(False, True)
    return dataset
