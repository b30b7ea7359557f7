"""Headers as hospitals have them: the modules of MR Image Storage (PS3.3 A.4), one object a slice, filled in as a vendor does."""

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import UID, MRImageStorage

from lumbargrade.dicom.image_elements import pixel_elements, plane_elements, spacing_elements, window_elements
from lumbargrade.dicom.profiles import HABITS, HeaderProfile, PixelStorage, SlicePosition, VendorHabits
from lumbargrade.dicom.values import decimal, number_of, oid, share_of
from lumbargrade.study import Instance, ScannerSettings, Series, Stack

_NO_BODY_PART = 0.27
"""Share of studies without BodyPartExamined (SPIDER's headers)."""

_MOVED = 0.03
"""Share of studies whose series each have a frame of reference of their own, because the patient was taken out in between."""

_REQUIRED_BUT_EMPTY = (
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "ReferringPhysicianName",
    "PositionReferenceIndicator",
)
NO_REAL_MOMENT = "20000101000000"
"""Where a date and a time are expected."""

_PHILIPS_PRIVATE = 0x2005, "Philips MR Imaging DD 001"


def hospital_headers(study: str, series: Series, profile: HeaderProfile, storage: PixelStorage) -> list[Dataset]:
    """A header for each instance of a series, in the order of ``series.instances``."""
    habits = HABITS[profile]
    settings = habits.settings_of(series)
    common = series_elements(study, series, profile)
    common.update(_sequence(series, settings))
    if not common.BodyPartExamined:
        common.Laterality = ""
    common.ImageType = image_type(series, habits.image_type)
    first = min(series.instances, key=lambda instance: instance.instance_number)
    headers = []
    for stack in series.stacks:
        for instance in stack.instances:
            header = Dataset()
            header.update(common)
            header.SOPClassUID = MRImageStorage
            header.SOPInstanceUID = instance_uid(series, instance)
            header.InstanceNumber = instance.instance_number
            header.update(plane_elements(instance))
            header.update(_spacing(stack, settings))
            header.update(_slice_location(instance, first, habits))
            header.update(pixel_elements(instance, storage))
            header.update(window_elements(instance.pixels))
            header.update(_rescaling(storage))
            headers.append(header)
    return headers


def series_elements(study: str, series: Series, profile: HeaderProfile) -> Dataset:
    """What all objects of a series share, classic or Enhanced: patient, study, series, frame of reference, equipment."""
    habits = HABITS[profile]
    settings = habits.settings_of(series)
    has_moved = share_of(f"moved {study}") < _MOVED
    header = Dataset()
    header.SpecificCharacterSet = "ISO_IR 100"
    header.StudyInstanceUID = oid(study)
    header.SeriesInstanceUID = oid(series.series_instance_uid)
    header.FrameOfReferenceUID = oid(f"frame of reference of {study}" + f" {series.series_instance_uid}" * has_moved)
    header.PatientName = "PHANTOM^SYNTHETIC"
    header.PatientID = "PHANTOM"
    header.Modality = "MR"
    header.Manufacturer = settings.manufacturer
    header.ManufacturerModelName = settings.model_name
    header.SoftwareVersions = "PHANTOM"
    header.SeriesNumber = series_number(series, habits)
    header.StudyID, header.StudyDate, header.StudyTime = "1", NO_REAL_MOMENT[:8], NO_REAL_MOMENT[8:]
    header.StudyDescription = "SYNTHETIC LUMBAR SPINE"
    header.SeriesDescription = habits.description_of(series)
    header.ProtocolName = settings.protocol_name[:64]
    header.BodyPartExamined = "" if share_of(f"body part {study}") < _NO_BODY_PART else "LSPINE"
    header.PatientPosition = "HFS"
    for keyword in _REQUIRED_BUT_EMPTY:
        setattr(header, keyword, "")
    return header


def series_number(series: Series, habits: VendorHabits) -> int:
    """A number from 2 to 31, or of that many hundreds and one."""
    number = number_of(f"number of {series.series_instance_uid}") % 30 + 2
    return 100 * number + 1 if habits.numbers_series_by_hundreds else number


def instance_uid(series: Series, instance: Instance) -> UID:
    """The instance's own UID; one of the competition's kind repeats from series to series, so the series is part of what it becomes."""
    if oid(instance.sop_instance_uid) == instance.sop_instance_uid:
        return oid(instance.sop_instance_uid)
    return oid(f"{series.series_instance_uid}/{instance.sop_instance_uid}")


def image_type(series: Series, original: tuple[str, ...]) -> list[str]:
    """ImageType (0008,0008), whose first two values say whether a picture was computed from others."""
    return ["DERIVED", "SECONDARY", *original[2:]] if series.is_derived else list(original)


def _sequence(series: Series, settings: ScannerSettings) -> Dataset:
    """The MR image module (PS3.3 C.8.3.1)."""
    timing = series.timing
    header = Dataset()
    header.ScanningSequence = list(settings.scanning_sequence)
    header.SequenceVariant = list(settings.sequence_variant)
    header.ScanOptions = list(settings.scan_options)
    header.MRAcquisitionType = "2D"
    if settings.sequence_name is not None:
        header.SequenceName = settings.sequence_name[:16]
    header.EchoTime = None if timing.echo_time_ms is None else decimal(timing.echo_time_ms)
    header.RepetitionTime = None if timing.repetition_time_ms is None else decimal(timing.repetition_time_ms)
    if timing.inversion_time_ms is not None:
        header.InversionTime = decimal(timing.inversion_time_ms)
    header.EchoTrainLength = settings.echo_train_length
    header.EchoNumbers = 1
    header.FlipAngle = decimal(settings.flip_angle_deg)
    header.PixelBandwidth = decimal(settings.bandwidth_hz_per_px)
    header.NumberOfAverages = decimal(settings.averages)
    header.PercentSampling = decimal(settings.percent_sampling)
    header.PercentPhaseFieldOfView = decimal(settings.percent_phase_fov)
    header.InPlanePhaseEncodingDirection = settings.phase_encoding.value
    header.AcquisitionMatrix = list(settings.acquisition_matrix)
    header.MagneticFieldStrength = decimal(settings.field_tesla)
    header.ImagingFrequency = decimal(settings.imaging_frequency_mhz)
    header.ImagedNucleus = "1H"
    header.AngioFlag = "N"
    return header


def _spacing(stack: Stack, settings: ScannerSettings) -> Dataset:
    header = spacing_elements(stack, settings)
    if len(stack.instances) == 1:
        del header.SpacingBetweenSlices
    return header


def _slice_location(instance: Instance, first: Instance, habits: VendorHabits) -> Dataset:
    header = Dataset()
    affine = instance.affine
    if habits.slice_position is SlicePosition.ALONG_NORMAL:
        header.SliceLocation = decimal(affine.position_mm)
    elif habits.slice_position is SlicePosition.FROM_FIRST:
        header.SliceLocation = decimal(round(float(first.affine.normal @ (affine.origin_lps_mm - first.affine.origin_lps_mm)), 6))
    elif habits.slice_position is SlicePosition.ALONG_AXIS:
        rows, columns = instance.shape
        middle = affine.to_lps(np.array([[(columns - 1) / 2, (rows - 1) / 2]]))[0]
        axis = int(np.argmax(np.abs(affine.normal)))
        header.SliceLocation = decimal(round(float(middle[axis]) * (1 if axis == 2 else -1), 6))
    return header


def _rescaling(storage: PixelStorage) -> Dataset:
    """Philips: grey value = slope x stored value, and a private scale that leads back to the signal, here the grey value itself."""
    header = Dataset()
    if storage.slope is None:
        return header
    header.RescaleSlope, header.RescaleIntercept, header.RescaleType = decimal(storage.slope), "0", "normalized"
    group, creator = _PHILIPS_PRIVATE
    private = header.private_block(group, creator, create=True)
    private.add_new(0x0D, "FL", 0.0)
    private.add_new(0x0E, "FL", 1 / storage.slope)
    return header
