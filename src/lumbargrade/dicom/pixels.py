"""Stored pixels to float32 pictures in which larger is brighter."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.decoders.base import RLELosslessDecoder
from pydicom.pixels.utils import pixel_array
from pydicom.uid import RLELossless

from lumbargrade.dicom import limits
from lumbargrade.dicom.decoder import decode_apart, is_decoded_apart
from lumbargrade.errors import DicomError

_GRAYSCALE = ("MONOCHROME1", "MONOCHROME2")
_OWN_RLE = "lumbargrade"
RLELosslessDecoder.add_plugin(_OWN_RLE, ("lumbargrade.dicom.rle", "decode_rle_frame"))


def pixel_count(dataset: Dataset) -> int:
    """Rows x columns x frames as the header claims them.

    Raises:
        DicomError: sizes missing or not positive, more than one sample a pixel, colour, or more frames or pixels than the bounds.
    """
    rows, columns = int(dataset.get("Rows") or 0), int(dataset.get("Columns") or 0)
    frames = frame_count(dataset)
    if min(rows, columns, frames) < 1:
        raise DicomError(f"{rows} rows, {columns} columns and {frames} frames; all must be positive")
    if dataset.get("SamplesPerPixel", 1) != 1 or dataset.get("PhotometricInterpretation", "MONOCHROME2") not in _GRAYSCALE:
        raise DicomError("a colour picture; only grayscale is read")
    if frames > limits.MAX_INSTANCE_FRAMES:
        raise DicomError(f"{frames} frames; at most {limits.MAX_INSTANCE_FRAMES} are read")
    if rows * columns * frames > limits.MAX_INSTANCE_PIXELS:
        raise DicomError(f"{rows} x {columns} x {frames} pixels; at most {limits.MAX_INSTANCE_PIXELS} are read")
    return rows * columns * frames


def frame_count(dataset: Dataset) -> int:
    """NumberOfFrames, 1 where it is absent."""
    value = dataset.get("NumberOfFrames")
    return 1 if value in (None, "") else int(value)


def decode_frames(dataset: Dataset) -> NDArray[Any]:
    """(frames, rows, columns) stored values, as integers or floats. Call ``pixel_count`` first.

    Raises:
        DicomError: the process of the C and C++ decoders refuses the bytes.
        Exception: whatever another decoder raises on damaged bytes.
    """
    syntax = dataset.file_meta.TransferSyntaxUID
    if is_decoded_apart(syntax):
        stored = decode_apart(dataset)
    else:
        stored = pixel_array(dataset, raw=True, decoding_plugin=_OWN_RLE if syntax == RLELossless else "")
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    frames = stored.reshape(frame_count(dataset), rows, columns)
    return frames if frames.dtype.kind == "f" else _without_spare_bits(frames, dataset)


def to_brightness(frame: NDArray[Any], dataset: Dataset, slope: float, intercept: float) -> NDArray[np.float32]:
    """One (rows, columns) frame rescaled (PS3.3 C.11.1) and, for MONOCHROME1, inverted within the range of its stored bits.

    Raises:
        DicomError: values that no scanner measures.
    """
    picture = frame.astype(np.float32)
    if frame.dtype.kind == "f":
        picture = np.nan_to_num(picture, copy=False, posinf=0.0, neginf=0.0)
    if dataset.get("PhotometricInterpretation") == "MONOCHROME1":
        picture = np.float32(_sum_of_extremes(frame, dataset)) - picture
    if (slope, intercept) != (1.0, 0.0):
        picture = picture * np.float32(slope) + np.float32(intercept)
    if not float(np.abs(picture).max()) <= limits.LARGEST_PIXEL:
        raise DicomError(f"pixels beyond {limits.LARGEST_PIXEL:g} (RescaleSlope {slope:g}, RescaleIntercept {intercept:g})")
    return picture


def _sum_of_extremes(frame: NDArray[Any], dataset: Dataset) -> int:
    """Smallest plus largest stored value: what inverting subtracts from, one number for all slices of a series."""
    if frame.dtype.kind == "f":
        return 0
    return -1 if int(dataset.get("PixelRepresentation", 0)) else 2 ** int(dataset.BitsStored) - 1


def _without_spare_bits(frames: NDArray[Any], dataset: Dataset) -> NDArray[Any]:
    """Values with the bits above BitsStored replaced by the sign; old scanners keep overlays there."""
    spare = frames.dtype.itemsize * 8 - int(dataset.BitsStored)
    if spare <= 0:
        return frames
    return np.asarray((frames << spare) >> spare)
