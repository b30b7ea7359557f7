"""A page that was scanned or photographed into a study: Secondary Capture Image Storage (PS3.3 A.8.1), which no grader can use."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from lumbargrade.dicom.hospital_header import NO_REAL_MOMENT
from lumbargrade.dicom.tolerance import tolerant
from lumbargrade.dicom.values import oid

_EMPTY = ("PatientBirthDate", "PatientSex", "AccessionNumber", "ReferringPhysicianName", "Manufacturer", "Laterality", "PatientOrientation")


def write_secondary_capture(path: Path, study_instance_uid: str, page: NDArray[np.uint8]) -> Path:
    """Write a (rows, columns) grey page as a series of its own."""
    header = Dataset()
    header.SpecificCharacterSet = "ISO_IR 100"
    header.SOPClassUID = SecondaryCaptureImageStorage
    header.SOPInstanceUID = oid(f"page of {study_instance_uid}")
    header.StudyInstanceUID = oid(study_instance_uid)
    header.SeriesInstanceUID = oid(f"series of the page of {study_instance_uid}")
    header.PatientName, header.PatientID = "PHANTOM^SYNTHETIC", "PHANTOM"
    header.StudyID, header.StudyDate, header.StudyTime = "1", NO_REAL_MOMENT[:8], NO_REAL_MOMENT[8:]
    header.Modality, header.ConversionType = "OT", "SD"
    header.SeriesNumber, header.InstanceNumber = 99, 1
    header.SeriesDescription = "Scanned request"
    for keyword in _EMPTY:
        setattr(header, keyword, "")
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.Rows, header.Columns = page.shape
    header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 8, 8, 7, 0
    header.PixelData = page.tobytes() + b"\0" * (page.size % 2)
    header["PixelData"].VR = "OB"
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = header.SOPClassUID, header.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.file_meta = meta
    path.parent.mkdir(parents=True, exist_ok=True)
    with tolerant():
        dcmwrite(path, header, enforce_file_format=True)
    return path
