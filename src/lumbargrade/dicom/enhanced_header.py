"""Enhanced MR Image Storage (PS3.3 A.36.2): a series in one object, what is said of each slice in functional groups."""

from collections.abc import Sequence

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedMRImageStorage

from lumbargrade.dicom.hospital_header import NO_REAL_MOMENT, series_elements
from lumbargrade.dicom.image_elements import pixel_elements, plane_elements, spacing_elements, window_elements
from lumbargrade.dicom.profiles import HABITS, HeaderProfile, PixelStorage
from lumbargrade.dicom.values import oid
from lumbargrade.study import Instance, PhaseEncoding, ScannerSettings, Series, Stack

_GRADIENT = "GR"
_CONTRASTS = {True: "T1", False: "T2"}
_SHORT_ECHO_MS = 35.0


def frames_of(series: Series) -> list[tuple[Stack, Instance]]:
    """The slices with their stacks in the order of the frames, which is that of the instance numbers."""
    slices = [(stack, instance) for stack in series.stacks for instance in stack.instances]
    return sorted(slices, key=lambda each: each[1].instance_number)


def enhanced_header(study: str, series: Series, storage: PixelStorage) -> Dataset:
    """The header of a whole series.

    Raises:
        ValueError: pictures of several sizes, which no multi-frame object can hold.
    """
    frames = frames_of(series)
    shapes = sorted({instance.shape for _, instance in frames})
    if len(shapes) > 1:
        raise ValueError(f"series {series.series_instance_uid}: pictures of {shapes}; a multi-frame object holds one size")
    settings = HABITS[HeaderProfile.ENHANCED].settings_of(series)
    header = series_elements(study, series, HeaderProfile.ENHANCED)
    header.SOPClassUID = EnhancedMRImageStorage
    header.SOPInstanceUID = oid(f"enhanced {series.series_instance_uid}")
    header.InstanceNumber = 1
    header.DeviceSerialNumber = "0"
    header.update(_image(series, settings))
    if not series.is_derived:
        header.update(_pulse_sequence(settings))
    header.update(_dimensions(series))
    header.update(pixel_elements(frames[0][1], storage))
    header.NumberOfFrames = len(frames)
    header.SharedFunctionalGroupsSequence = [_shared_groups(series, settings)]
    header.PerFrameFunctionalGroupsSequence = _frame_groups(series, frames, settings)
    return header


def _items(**values: object) -> list[Dataset]:
    """A sequence of one item."""
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return [item]


def _code(value: str, scheme: str, meaning: str) -> list[Dataset]:
    return _items(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def _image_type(series: Series) -> list[str]:
    """ImageType (0008,0008) and FrameType (0008,9007), whose second value is always PRIMARY (PS3.3 C.8.16.1)."""
    return ["DERIVED" if series.is_derived else "ORIGINAL", "PRIMARY", *HABITS[HeaderProfile.ENHANCED].image_type[2:]]


def _contrast(series: Series) -> str:
    """AcquisitionContrast (0008,9209): STIR is one of the field's own terms, the others follow from the echo time."""
    if series.timing.inversion_time_ms is not None:
        return "STIR"
    return _CONTRASTS[(series.timing.echo_time_ms or np.inf) < _SHORT_ECHO_MS]


def _image(series: Series, settings: ScannerSettings) -> Dataset:
    """Enhanced MR image module (PS3.3 C.8.13.1) and what it includes."""
    header = Dataset()
    header.ImageType = _image_type(series)
    header.ContentDate, header.ContentTime, header.AcquisitionDateTime = NO_REAL_MOMENT[:8], NO_REAL_MOMENT[8:], NO_REAL_MOMENT
    header.AcquisitionNumber = 1
    header.AcquisitionDuration = 180.0
    header.AcquisitionContextSequence = []
    header.ContentQualification = "RESEARCH"
    header.ResonantNucleus = "1H"
    header.KSpaceFiltering = "NONE"
    header.MagneticFieldStrength = settings.field_tesla
    header.ApplicableSafetyStandardAgency = "IEC"
    header.PixelPresentation, header.VolumetricProperties = "MONOCHROME", "VOLUME"
    header.VolumeBasedCalculationTechnique = "NONE"
    header.ComplexImageComponent, header.AcquisitionContrast = "MAGNITUDE", _contrast(series)
    header.BurnedInAnnotation, header.LossyImageCompression, header.PresentationLUTShape = "NO", "00", "IDENTITY"
    return header


def _pulse_sequence(settings: ScannerSettings) -> Dataset:
    """MR pulse sequence module (PS3.3 C.8.13.4), of original pictures only."""
    header = Dataset()
    header.PulseSequenceName = settings.sequence_name or "tse2d"
    header.MRAcquisitionType = "2D"
    header.EchoPulseSequence = "GRADIENT" if _GRADIENT in settings.scanning_sequence else "SPIN"
    if header.EchoPulseSequence == "SPIN":
        header.MultipleSpinEcho = "NO"
    header.MultiPlanarExcitation = "NO"
    header.PhaseContrast, header.TimeOfFlightContrast = "NO", "NO"
    header.SteadyStatePulseSequence, header.EchoPlanarPulseSequence = "NONE", "NO"
    header.SaturationRecovery, header.SpectrallySelectedSuppression = "NO", "NONE"
    header.OversamplingPhase, header.GeometryOfKSpaceTraversal = "2D", "RECTILINEAR"
    header.RectilinearPhaseEncodeReordering, header.SegmentedKSpaceTraversal = "LINEAR", "PARTIAL"
    header.NumberOfKSpaceTrajectories = settings.echo_train_length
    return header


def _dimensions(series: Series) -> Dataset:
    """Frames are told apart by stack and by position in the stack (PS3.3 C.7.6.17)."""
    organization = oid(f"dimensions of {series.series_instance_uid}")
    header = Dataset()
    header.DimensionOrganizationSequence = _items(DimensionOrganizationUID=organization)
    header.DimensionIndexSequence = [
        _items(DimensionOrganizationUID=organization, DimensionIndexPointer=pointer, FunctionalGroupPointer=0x00209111)[0]
        for pointer in (0x00209056, 0x00209057)
    ]
    return header


def _shared_groups(series: Series, settings: ScannerSettings) -> Dataset:
    """What is the same for all frames."""
    inverts = series.timing.inversion_time_ms is not None
    groups = Dataset()
    groups.FrameAnatomySequence = _items(FrameLaterality="U", AnatomicRegionSequence=_code("122496007", "SCT", "Lumbar spine"))
    groups.PixelValueTransformationSequence = _items(RescaleIntercept="0", RescaleSlope="1", RescaleType="US")
    groups.MRImageFrameTypeSequence = _items(
        FrameType=_image_type(series),
        PixelPresentation="MONOCHROME",
        VolumetricProperties="VOLUME",
        VolumeBasedCalculationTechnique="NONE",
        ComplexImageComponent="MAGNITUDE",
        AcquisitionContrast=_contrast(series),
    )
    groups.MRTimingAndRelatedParametersSequence = _timing(series, settings)
    groups.MRFOVGeometrySequence = _field_of_view(settings)
    groups.MREchoSequence = _items(EffectiveEchoTime=series.timing.echo_time_ms or 0.0)
    groups.MRModifierSequence = _items(
        InversionRecovery="YES" if inverts else "NO",
        FlowCompensation="NONE",
        Spoiling="NONE",
        T2Preparation="NO",
        SpectrallySelectedExcitation="NONE",
        SpatialPresaturation="NONE",
        PartialFourier="NO",
        ParallelAcquisition="NO",
    )
    if inverts:
        groups.MRModifierSequence[0].InversionTimes = [series.timing.inversion_time_ms]
    groups.MRImagingModifierSequence = _items(
        MagnetizationTransfer="NONE",
        BloodSignalNulling="NO",
        Tagging="NONE",
        TransmitterFrequency=settings.imaging_frequency_mhz,
        PixelBandwidth=settings.bandwidth_hz_per_px,
    )
    groups.MRReceiveCoilSequence = _items(
        ReceiveCoilName="Spine", ReceiveCoilManufacturerName=settings.manufacturer, ReceiveCoilType="MULTICOIL", QuadratureReceiveCoil="YES"
    )
    groups.MRReceiveCoilSequence[0].MultiCoilDefinitionSequence = _items(MultiCoilElementName="SP1", MultiCoilElementUsed="YES")
    groups.MRTransmitCoilSequence = _items(
        TransmitCoilName="Body", TransmitCoilManufacturerName=settings.manufacturer, TransmitCoilType="BODY"
    )
    groups.MRAveragesSequence = _items(NumberOfAverages=settings.averages)
    return groups


def _timing(series: Series, settings: ScannerSettings) -> list[Dataset]:
    return _items(
        RepetitionTime=series.timing.repetition_time_ms or 0.0,
        FlipAngle=settings.flip_angle_deg,
        EchoTrainLength=settings.echo_train_length,
        RFEchoTrainLength=settings.echo_train_length,
        GradientEchoTrainLength=0,
        SpecificAbsorptionRateSequence=_items(SpecificAbsorptionRateDefinition="IEC_WHOLE_BODY", SpecificAbsorptionRateValue=1.0),
        GradientOutputType="DB_DT",
        GradientOutput=30.0,
        OperatingModeSequence=_items(OperatingModeType="GRADIENT", OperatingMode="IEC_NORMAL"),
    )


def _field_of_view(settings: ScannerSettings) -> list[Dataset]:
    frequency_rows, frequency_columns, phase_rows, phase_columns = settings.acquisition_matrix
    return _items(
        InPlanePhaseEncodingDirection="ROW" if settings.phase_encoding is PhaseEncoding.ROW else "COLUMN",
        MRAcquisitionFrequencyEncodingSteps=frequency_rows + frequency_columns,
        MRAcquisitionPhaseEncodingStepsInPlane=phase_rows + phase_columns,
        MRAcquisitionPhaseEncodingStepsOutOfPlane=1,
        PercentSampling=settings.percent_sampling,
        PercentPhaseFieldOfView=settings.percent_phase_fov,
    )


def _frame_groups(series: Series, frames: Sequence[tuple[Stack, Instance]], settings: ScannerSettings) -> list[Dataset]:
    """What each frame has of its own: content, place, spacing and window."""
    places = {
        id(instance): (number, position)
        for number, stack in enumerate(series.stacks, 1)
        for position, instance in enumerate(stack.instances, 1)
    }
    measures = {id(stack): spacing_elements(stack, settings) for stack in series.stacks}
    groups = []
    for stack, instance in frames:
        number, position = places[id(instance)]
        plane, window = plane_elements(instance), window_elements(instance.pixels)
        spacing = measures[id(stack)]
        group = Dataset()
        group.FrameContentSequence = _items(
            FrameReferenceDateTime=NO_REAL_MOMENT,
            FrameAcquisitionDateTime=NO_REAL_MOMENT,
            FrameAcquisitionDuration=180.0,
            FrameAcquisitionNumber=1,
            StackID=str(number),
            InStackPositionNumber=position,
            DimensionIndexValues=[number, position],
        )
        group.PlanePositionSequence = _items(ImagePositionPatient=plane.ImagePositionPatient)
        group.PlaneOrientationSequence = _items(ImageOrientationPatient=plane.ImageOrientationPatient)
        group.PixelMeasuresSequence = _items(PixelSpacing=plane.PixelSpacing, SliceThickness=spacing.SliceThickness)
        if len(stack.instances) > 1:
            group.PixelMeasuresSequence[0].SpacingBetweenSlices = spacing.SpacingBetweenSlices
        group.FrameVOILUTSequence = _items(WindowCenter=window.WindowCenter, WindowWidth=window.WindowWidth)
        groups.append(group)
    return groups
