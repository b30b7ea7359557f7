"""Whose habits a file shows: the competition's stripped header, four vendors' single-frame headers, an Enhanced multi-frame one.

The habits are those of section 3.5 of the facts that the phantom is built on: ImageType, names, bits and rescaling as SPIDER's headers have
them (Zenodo 10159290, CC BY 4.0), the rest as the vendors' DICOM conformance statements describe it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from lumbargrade.dicom.values import number_of
from lumbargrade.study import PhaseEncoding, ScannerSettings, Series
from lumbargrade.terms import SeriesRole

BRIGHTEST = 4095
_MHZ_A_TESLA = 42.577


class HeaderProfile(Enum):
    """Whose headers are written; the competition's have 27 elements, all others are conformant objects of PS3.3."""

    COMPETITION = "competition"
    SIEMENS = "siemens"
    PHILIPS = "philips"
    GE = "ge"
    CANON = "canon"
    ENHANCED = "enhanced"

    @property
    def is_hospital(self) -> bool:
        return self is not HeaderProfile.COMPETITION


HOSPITAL_PROFILES = tuple(profile for profile in HeaderProfile if profile.is_hospital)


class SlicePosition(Enum):
    """What a vendor means by SliceLocation (0020,1041), which no reader should trust."""

    ALONG_NORMAL = "along the slice's normal"
    ALONG_AXIS = "along the patient's axis nearest to the normal, positive to the right, to the front and to the head"
    FROM_FIRST = "from the first slice"
    ABSENT = "not stated"


@dataclass(frozen=True, slots=True)
class PixelStorage:
    """How grey values become stored values; ``slope`` is None where nothing is rescaled."""

    bits_stored: int = 12
    is_signed: bool = False
    slope: float | None = None

    def stored(self, pixels: NDArray[np.float32]) -> NDArray[np.uint16] | NDArray[np.int16]:
        """(rows, columns) whole stored values of grey values, which are clipped to unsigned 12 bit."""
        scaled = np.clip(pixels, 0, BRIGHTEST) / np.float32(self.slope or 1.0)
        return np.asarray(np.rint(scaled), "<i2" if self.is_signed else "<u2")


@dataclass(frozen=True, slots=True)
class VendorHabits:
    """One vendor's headers.

    Attributes:
        marks: what a manufacturer's name contains, in capitals, whose scanners are this vendor's.
        manufacturer: (0008,0070), and ``models`` (0008,1090) at 1.5 and at 3 T, for series that another vendor's scanner took.
        image_type: (0008,0008) of original images; derived ones are DERIVED, SECONDARY and the same from there.
        flip_angle_deg: stated of a turbo spin echo where no settings are known.
        descriptions: (0008,103E) by role; those of the last are for STIR.
        stored_white: the stored value of a series' brightest pixel where the vendor rescales, None where it does not.
        numbers_series_by_hundreds: series numbers are 301, 401 instead of 3, 4.
    """

    marks: tuple[str, ...]
    manufacturer: str
    models: tuple[str, str]
    image_type: tuple[str, ...]
    flip_angle_deg: float
    descriptions: Mapping[SeriesRole, tuple[str, ...]]
    stir_descriptions: tuple[str, ...]
    storage: PixelStorage = PixelStorage()
    stored_white: int | None = None
    slice_position: SlicePosition = SlicePosition.ALONG_NORMAL
    numbers_series_by_hundreds: bool = False

    def made(self, settings: ScannerSettings) -> bool:
        """Whether the settings are those of one of this vendor's scanners."""
        return any(mark in settings.manufacturer.upper() for mark in self.marks)

    def storage_of(self, series: Series) -> PixelStorage:
        """How the pixels of a series are stored: where the vendor rescales, its brightest pixel decides by how much."""
        if self.stored_white is None:
            return self.storage
        brightest = max(float(instance.pixels.max()) for instance in series.instances)
        return replace(self.storage, slope=float(np.float32(np.clip(brightest, 1, BRIGHTEST) / self.stored_white)))

    def description_of(self, series: Series) -> str:
        """The description of the series itself where this vendor's scanner took it or nobody's, else one that this vendor would use."""
        pool = self.stir_descriptions if series.timing.inversion_time_ms is not None else self.descriptions.get(series.role, ())
        if not pool or series.settings is None or self.made(series.settings):
            return series.description[:64]
        return pool[number_of(f"description of {series.series_instance_uid}") % len(pool)]

    def settings_of(self, series: Series) -> ScannerSettings:
        """The settings as this vendor's scanner would state them; where none are known, usual ones."""
        settings = series.settings or _usual_settings(series, self.flip_angle_deg)
        if series.settings is not None and self.made(series.settings):
            return settings
        return replace(
            settings,
            manufacturer=self.manufacturer,
            model_name=self.models[settings.field_tesla > 2],
            scan_options=(),
            protocol_name=self.description_of(series)[:64] or "LSPINE",
            sequence_name=None,
        )


def _usual_settings(series: Series, flip_angle_deg: float) -> ScannerSettings:
    timing = series.timing
    stack = series.stacks[0]
    rows, columns = stack.instances[0].shape
    has_inversion = timing.inversion_time_ms is not None
    return ScannerSettings(
        manufacturer="",
        model_name="",
        field_tesla=1.5,
        scanning_sequence=("SE", "IR") if has_inversion else ("SE",),
        sequence_variant=("SK", "SP"),
        scan_options=(),
        echo_train_length=3 if (timing.echo_time_ms or 100.0) < 35 else 17,
        flip_angle_deg=flip_angle_deg,
        bandwidth_hz_per_px=195.0,
        averages=2.0,
        percent_sampling=100.0,
        percent_phase_fov=100.0,
        phase_encoding=PhaseEncoding.COLUMN,
        acquisition_matrix=(0, columns, rows, 0),
        slice_thickness_mm=stack.spacing_mm or 1.0,
        imaging_frequency_mhz=round(1.5 * _MHZ_A_TESLA, 3),
        protocol_name="LSPINE",
    )


_SIEMENS = VendorHabits(
    marks=("SIEMENS",),
    manufacturer="SIEMENS",
    models=("Avanto", "Skyra"),
    image_type=("ORIGINAL", "PRIMARY", "M", "NORM", "DIS2D"),
    flip_angle_deg=150.0,
    descriptions={
        SeriesRole.SAGITTAL_T1: ("t1_tse_sag", "t1_tse_sag_320", "SAG T1 TSE"),
        SeriesRole.SAGITTAL_T2: ("t2_tse_sag_384", "SAG T2 TSE", "t2_tse_rst_sag_3.5 mm"),
        SeriesRole.AXIAL_T2: ("t2_tse_tra", "t2_tse_tra_msma", "AX T2 TSE"),
    },
    stir_descriptions=("SAG T2 TSE STIR", "t2_tirm_sag"),
)
_PHILIPS = VendorHabits(
    marks=("PHILIPS",),
    manufacturer="Philips Medical Systems",
    models=("Achieva", "Ingenia"),
    image_type=("ORIGINAL", "PRIMARY", "M_SE", "M", "SE"),
    flip_angle_deg=90.0,
    descriptions={
        SeriesRole.SAGITTAL_T1: ("T1W_TSE_SAG", "CS T1 TSE SAG", "sT1W_TSE"),
        SeriesRole.SAGITTAL_T2: ("T2W_TSE_SAG", "T2_CS_TSE SAG", "sT2W_TSE"),
        SeriesRole.AXIAL_T2: ("T2W_TSE_TRA", "T2W_TSE_ax"),
    },
    stir_descriptions=("STIR_longTE", "STIR_TSE SAG"),
    stored_white=4000,
    slice_position=SlicePosition.FROM_FIRST,
    numbers_series_by_hundreds=True,
)
_GE = VendorHabits(
    marks=("GE ",),
    manufacturer="GE MEDICAL SYSTEMS",
    models=("SIGNA Explorer", "DISCOVERY MR750w"),
    image_type=("ORIGINAL", "PRIMARY", "OTHER"),
    flip_angle_deg=111.0,
    descriptions={
        SeriesRole.SAGITTAL_T1: ("Sag T1 FSE", "SAG T1"),
        SeriesRole.SAGITTAL_T2: ("Sag T2 FRFSE", "SAG T2 FSE"),
        SeriesRole.AXIAL_T2: ("Ax T2 FRFSE", "AX T2 FSE"),
    },
    stir_descriptions=("Sag STIR", "SAG STIR FSE"),
    storage=PixelStorage(bits_stored=16, is_signed=True),
    slice_position=SlicePosition.ALONG_AXIS,
)
_CANON = VendorHabits(
    marks=("CANON", "TOSHIBA"),
    manufacturer="CANON_MEC",
    models=("Vantage Elan", "Vantage Galan 3T"),
    image_type=("ORIGINAL", "PRIMARY", "OTHER"),
    flip_angle_deg=90.0,
    descriptions={
        SeriesRole.SAGITTAL_T1: ("T1 SAG FSE", "Sag T1"),
        SeriesRole.SAGITTAL_T2: ("T2 SAG FSE", "Sag T2"),
        SeriesRole.AXIAL_T2: ("T2 AX FSE", "Ax T2"),
    },
    stir_descriptions=("STIR SAG", "Sag STIR"),
    storage=PixelStorage(bits_stored=16),
    slice_position=SlicePosition.ABSENT,
)
_ENHANCED = replace(
    _SIEMENS,
    marks=("",),
    manufacturer="SIEMENS",
    models=("MAGNETOM Sola", "MAGNETOM Vida"),
    image_type=("ORIGINAL", "PRIMARY", "VOLUME", "NONE"),
)
HABITS: Mapping[HeaderProfile, VendorHabits] = {
    HeaderProfile.SIEMENS: _SIEMENS,
    HeaderProfile.PHILIPS: _PHILIPS,
    HeaderProfile.GE: _GE,
    HeaderProfile.CANON: _CANON,
    HeaderProfile.ENHANCED: _ENHANCED,
}
"""By profile; an Enhanced file is any vendor's, and a Siemens XA's where nobody's."""
