"""The competition's stripped header: 27 elements of a single-frame picture."""

from pydicom.dataset import Dataset

from lumbargrade.dicom.image_elements import pixel_elements, plane_elements, spacing_elements, window_elements
from lumbargrade.dicom.profiles import PixelStorage
from lumbargrade.dicom.values import decimal, oid
from lumbargrade.geometry.orientation import AnatomicalPlane
from lumbargrade.study import Instance, Series, Stack
from lumbargrade.terms import SeriesRole


def competition_headers(study: str, series: Series, stack: Stack) -> list[Dataset]:
    """A header for each instance of a stack, in order."""
    spacing = spacing_elements(stack, series.settings)
    has_own_windows = stack.plane is AnatomicalPlane.AXIAL
    middle = window_elements(stack.instances[len(stack.instances) // 2].pixels)
    headers = []
    for instance in stack.instances:
        header = _identity(study, series, instance)
        header.update(plane_elements(instance))
        header.SliceLocation = decimal(instance.affine.position_mm)
        header.update(pixel_elements(instance, PixelStorage()))
        # A window of its own on every axial slice and one for a sagittal series, as the competition's files have.
        header.update(window_elements(instance.pixels) if has_own_windows else middle)
        header.update(spacing)
        headers.append(header)
    return headers


def _identity(study: str, series: Series, instance: Instance) -> Dataset:
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
    header.InstanceNumber = instance.instance_number
    return header
