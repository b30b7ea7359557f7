"""Elements that every picture's header needs, whosever it is: where it lies, how its pixels are stored, how it is shown."""

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from lumbargrade.dicom.profiles import PixelStorage
from lumbargrade.dicom.values import decimal, decimals
from lumbargrade.study import Instance, ScannerSettings, Stack


def plane_elements(instance: Instance) -> Dataset:
    """The image plane (PS3.3 C.7.6.2) without spacing between slices."""
    affine = instance.affine
    header = Dataset()
    header.PatientPosition = "HFS"
    header.ImagePositionPatient = decimals(affine.origin_lps_mm)
    header.ImageOrientationPatient = decimals(np.concatenate([affine.column_direction, affine.row_direction]))
    header.PixelSpacing = [decimal(affine.row_spacing_mm), decimal(affine.column_spacing_mm)]
    return header


def spacing_elements(stack: Stack, settings: ScannerSettings | None) -> Dataset:
    """Thickness and distance of a stack's slices, which touch where no settings say otherwise."""
    spacing_mm = stack.spacing_mm
    header = Dataset()
    header.SliceThickness = decimal(settings.slice_thickness_mm if settings is not None else spacing_mm or 1.0)
    header.SpacingBetweenSlices = decimal(spacing_mm)
    return header


def pixel_elements(instance: Instance, storage: PixelStorage) -> Dataset:
    """The image pixel module (PS3.3 C.7.6.3) without the pixels."""
    header = Dataset()
    header.SamplesPerPixel = 1
    header.PhotometricInterpretation = "MONOCHROME2"
    header.Rows, header.Columns = instance.shape
    header.BitsAllocated, header.BitsStored, header.HighBit = 16, storage.bits_stored, storage.bits_stored - 1
    header.PixelRepresentation = int(storage.is_signed)
    return header


def window_elements(pixels: NDArray[np.float32]) -> Dataset:
    """A window (PS3.3 C.11.2) that shows a picture from black to two standard deviations above its mean."""
    mean, deviation = float(pixels.mean()), float(pixels.std())
    header = Dataset()
    header.WindowCenter = round(mean)
    header.WindowWidth = max(1, round(mean + 2 * deviation))
    return header
