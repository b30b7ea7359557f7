"""What a scanner was told to do: the settings that a header states and that pictures alone do not show."""

from dataclasses import dataclass
from enum import Enum


class PhaseEncoding(Enum):
    """In-plane phase encoding direction, in the words of DICOM (0018,1312)."""

    ROW = "ROW"
    COLUMN = "COL"


@dataclass(frozen=True, slots=True)
class ScannerSettings:
    """Scanner and settings of a series, named as DICOM PS3.6 names them.

    Attributes:
        manufacturer, model_name: (0008,0070) and (0008,1090), as this vendor writes them.
        field_tesla: (0018,0087), for instance 1.5, 3.0 or 2.89.
        scanning_sequence, sequence_variant, scan_options: (0018,0020) to (0018,0022); several values are several entries.
        echo_train_length: (0018,0091), echoes of one excitation.
        flip_angle_deg: (0018,1314); a Siemens turbo spin echo states its refocusing angle here, other vendors the excitation.
        bandwidth_hz_per_px: (0018,0095).
        averages: (0018,0083).
        percent_sampling: (0018,0093), share of the lines that were acquired.
        percent_phase_fov: (0018,0094), phase field of view in percent of the readout's.
        phase_encoding: (0018,1312).
        acquisition_matrix: (0018,1310): frequency rows, frequency columns, phase rows, phase columns; two of the four are 0.
        slice_thickness_mm: (0018,0050); the spacing between slices follows from their positions.
        imaging_frequency_mhz: (0018,0084), of water protons at this field.
        protocol_name: (0018,1030).
        sequence_name: (0018,0024), None where the vendor states none.

    Raises:
        ValueError: a negative or zero setting, or a matrix that is not of one frequency and one phase count.
    """

    manufacturer: str
    model_name: str
    field_tesla: float
    scanning_sequence: tuple[str, ...]
    sequence_variant: tuple[str, ...]
    scan_options: tuple[str, ...]
    echo_train_length: int
    flip_angle_deg: float
    bandwidth_hz_per_px: float
    averages: float
    percent_sampling: float
    percent_phase_fov: float
    phase_encoding: PhaseEncoding
    acquisition_matrix: tuple[int, int, int, int]
    slice_thickness_mm: float
    imaging_frequency_mhz: float
    protocol_name: str
    sequence_name: str | None = None

    def __post_init__(self) -> None:
        numbers = (
            self.field_tesla,
            self.echo_train_length,
            self.flip_angle_deg,
            self.bandwidth_hz_per_px,
            self.averages,
            self.percent_sampling,
            self.percent_phase_fov,
            self.slice_thickness_mm,
            self.imaging_frequency_mhz,
        )
        if min(numbers) <= 0:
            raise ValueError(f"scanner settings must be positive, not {numbers}")
        used = [index for index, count in enumerate(self.acquisition_matrix) if count > 0]
        if used not in ([0, 3], [1, 2]):
            raise ValueError(f"an acquisition matrix has a frequency and a phase count on different axes, not {self.acquisition_matrix}")
