"""What each vendor's headers say, and what they say it of."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import EnhancedMRImageStorage, MRImageStorage

from lumbargrade.dicom import HOSPITAL_PROFILES, HeaderProfile, TransferSyntax
from lumbargrade.study import PhaseEncoding, ScannerSettings, Series, SeriesTiming, Stack, Study
from lumbargrade.terms import SeriesRole

Write = Callable[..., Path]
Read = Callable[[Path], Study]

SETTINGS = ScannerSettings(
    manufacturer="GE MEDICAL SYSTEMS",
    model_name="Optima MR450w",
    field_tesla=1.5,
    scanning_sequence=("SE",),
    sequence_variant=("SK", "OSP"),
    scan_options=("FAST_GEMS",),
    echo_train_length=18,
    flip_angle_deg=160.0,
    bandwidth_hz_per_px=195.3,
    averages=2.0,
    percent_sampling=80.0,
    percent_phase_fov=100.0,
    phase_encoding=PhaseEncoding.COLUMN,
    acquisition_matrix=(0, 320, 256, 0),
    slice_thickness_mm=4.0,
    imaging_frequency_mhz=63.87,
    protocol_name="LSPINE T2",
)
MANUFACTURERS = {
    HeaderProfile.SIEMENS: "SIEMENS",
    HeaderProfile.PHILIPS: "Philips Medical Systems",
    HeaderProfile.GE: "GE MEDICAL SYSTEMS",
    HeaderProfile.CANON: "CANON_MEC",
    HeaderProfile.ENHANCED: "GE MEDICAL SYSTEMS",
}


@pytest.fixture
def by_ge(sagittal_t2: Series) -> Series:
    return replace(sagittal_t2, settings=SETTINGS, description="Sag T2 FRFSE")


@pytest.fixture
def header(by_ge: Series, write_study: Write) -> Callable[..., pydicom.Dataset]:
    """The header of a file of that series, or of a changed one, in a vendor's profile."""

    def first(profile: HeaderProfile, syntax: TransferSyntax = TransferSyntax.EXPLICIT_LITTLE_ENDIAN, **changes: object) -> pydicom.Dataset:
        folder = write_study(replace(by_ge, **changes), folder=profile.value, profile=profile, syntax=syntax)
        return pydicom.dcmread(min(folder.rglob("*.dcm")))

    return first


@pytest.mark.parametrize("profile", HOSPITAL_PROFILES)
def test_a_header_is_signed_by_its_vendor(profile: HeaderProfile, header: Callable[..., pydicom.Dataset]) -> None:
    file = header(profile)
    assert file.Manufacturer == MANUFACTURERS[profile]
    assert file.SOPClassUID == (EnhancedMRImageStorage if profile is HeaderProfile.ENHANCED else MRImageStorage)
    assert (file.ManufacturerModelName == "Optima MR450w") == (profile in (HeaderProfile.GE, HeaderProfile.ENHANCED))
    assert list(file.ImageType)[:2] == ["ORIGINAL", "PRIMARY"]


@pytest.mark.parametrize("profile", [each for each in HOSPITAL_PROFILES if each is not HeaderProfile.ENHANCED])
def test_a_header_states_what_the_scanner_was_told(profile: HeaderProfile, header: Callable[..., pydicom.Dataset]) -> None:
    file = header(profile)
    numbers = (file.MagneticFieldStrength, file.EchoTrainLength, file.FlipAngle, file.PixelBandwidth, file.NumberOfAverages)
    assert [float(number) for number in numbers] == [1.5, 18, 160, 195.3, 2]
    assert (float(file.PercentSampling), list(file.AcquisitionMatrix)) == (80, [0, 320, 256, 0])
    assert (file.InPlanePhaseEncodingDirection, float(file.SliceThickness)) == ("COL", 4)
    assert (float(file.EchoTime), float(file.RepetitionTime)) == (105, 3200)


def test_an_enhanced_header_states_it_in_functional_groups(header: Callable[..., pydicom.Dataset]) -> None:
    file = header(HeaderProfile.ENHANCED)
    shared = file.SharedFunctionalGroupsSequence[0]
    timing = shared.MRTimingAndRelatedParametersSequence[0]
    assert (timing.RepetitionTime, timing.FlipAngle, timing.EchoTrainLength) == (3200, 160, 18)
    assert shared.MREchoSequence[0].EffectiveEchoTime == 105
    assert shared.MRFOVGeometrySequence[0].MRAcquisitionPhaseEncodingStepsInPlane == 256
    frames = file.PerFrameFunctionalGroupsSequence
    assert file.NumberOfFrames == len(frames) == 5
    assert sorted(frame.FrameContentSequence[0].InStackPositionNumber for frame in frames) == [1, 2, 3, 4, 5]


def test_only_philips_rescales_and_says_so_twice(header: Callable[..., pydicom.Dataset], by_ge: Series) -> None:
    files = {profile: header(profile) for profile in HOSPITAL_PROFILES}
    assert [profile for profile, file in files.items() if "RescaleSlope" in file] == [HeaderProfile.PHILIPS]
    file = files[HeaderProfile.PHILIPS]
    assert float(file.RescaleSlope) not in (0, 1)
    brightest = max(float(instance.pixels.max()) for instance in by_ge.instances)
    assert float(file.RescaleSlope) * 4000 == pytest.approx(brightest, rel=1e-6)
    assert file.private_block(0x2005, "Philips MR Imaging DD 001")[0x0E].value == pytest.approx(1 / float(file.RescaleSlope))


@pytest.mark.parametrize("syntax", TransferSyntax)
def test_ge_stores_16_signed_bits(syntax: TransferSyntax, header: Callable[..., pydicom.Dataset]) -> None:
    file = header(HeaderProfile.GE, syntax)
    assert (file.BitsStored, file.HighBit, file.PixelRepresentation) == (16, 15, 1)
    assert file.pixel_array.dtype == np.int16


def test_a_derived_series_says_so(header: Callable[..., pydicom.Dataset]) -> None:
    assert list(header(HeaderProfile.SIEMENS, is_derived=True).ImageType) == ["DERIVED", "SECONDARY", "M", "NORM", "DIS2D"]
    assert header(HeaderProfile.ENHANCED, is_derived=True).ImageType[0] == "DERIVED"


def test_a_sequence_name_is_stated_where_the_vendor_has_one(header: Callable[..., pydicom.Dataset]) -> None:
    siemens = replace(SETTINGS, manufacturer="SIEMENS", sequence_name="*tse2d1_18")
    assert header(HeaderProfile.SIEMENS, settings=siemens).SequenceName == "*tse2d1_18"
    assert "SequenceName" not in header(HeaderProfile.PHILIPS, settings=siemens)


def test_a_stir_has_an_inversion_time_and_is_read_as_fat_suppressed(sagittal_t2: Series, write_study: Write, read_only_study: Read) -> None:
    stir = replace(sagittal_t2, timing=SeriesTiming(60.0, 4000.0, 160.0))
    for profile in HOSPITAL_PROFILES:
        (series,) = read_only_study(write_study(stir, folder=profile.value, profile=profile)).series
        assert series.timing.inversion_time_ms == 160
        assert series.role is SeriesRole.SAGITTAL_T2


def test_slice_locations_differ_from_vendor_to_vendor(header: Callable[..., pydicom.Dataset]) -> None:
    locations = [header(profile).get("SliceLocation") for profile in HOSPITAL_PROFILES]
    stated = [float(location) for location in locations if location is not None]
    assert len(set(stated)) == len(stated) == 3


def test_pictures_of_several_sizes_are_no_multi_frame_object(
    sagittal_t2: Series, make_stack: Callable[..., Stack], write_study: Write
) -> None:
    small = make_stack(sagittal_t2.stacks[0].plane, 3, first=20, shape=(30, 40))
    with pytest.raises(ValueError, match="one size"):
        write_study(replace(sagittal_t2, stacks=(*sagittal_t2.stacks, small)), profile=HeaderProfile.ENHANCED)
