"""What the header of a phantom's series says of scanner and settings."""

from lumbargrade.geometry.orientation import AnatomicalPlane
from lumbargrade.phantom.acquisition import Acquisition
from lumbargrade.phantom.mr import Readout, Sequence, Weighting
from lumbargrade.phantom.render import Plane
from lumbargrade.phantom.scanner import Scanner, Vendor
from lumbargrade.study import PhaseEncoding, ScannerSettings

_PROTON_MHZ_PER_TESLA = 42.577
_EXCITATION_DEG = 90.0


def scanner_settings(scanner: Scanner, sequence: Sequence, taken: Acquisition, facing: AnatomicalPlane, plane: Plane) -> ScannerSettings:
    """The settings of a series whose slices are like ``plane``."""
    is_column = taken.phase_axis == 0
    extents = (plane.rows, plane.columns) if is_column else (plane.columns, plane.rows)
    phase, readout = round(extents[0] * taken.sampling.phase), round(extents[1] * taken.sampling.readout)
    return ScannerSettings(
        manufacturer=scanner.manufacturer,
        model_name=scanner.model_name,
        field_tesla=scanner.field_tesla,
        scanning_sequence=_scanning_sequence(sequence),
        sequence_variant=("SK", "SP", "OSP") if scanner.vendor is Vendor.SIEMENS else ("SK",),
        scan_options=_scan_options(scanner, taken),
        echo_train_length=sequence.echo_train_length,
        flip_angle_deg=sequence.flip_deg if _states_refocusing(scanner, sequence) else _EXCITATION_DEG,
        bandwidth_hz_per_px=sequence.bandwidth_hz_per_px,
        averages=float(sequence.averages),
        percent_sampling=round(100 * taken.sampling.phase, 1),
        percent_phase_fov=round(100 * extents[0] / extents[1], 2),
        phase_encoding=PhaseEncoding.COLUMN if is_column else PhaseEncoding.ROW,
        acquisition_matrix=(0, readout, phase, 0) if is_column else (readout, 0, 0, phase),
        slice_thickness_mm=round(plane.thickness_mm, 2),
        imaging_frequency_mhz=round(_PROTON_MHZ_PER_TESLA * scanner.field_tesla, 4),
        protocol_name=_protocol_name(scanner, sequence, facing),
        sequence_name=_sequence_name(sequence) if scanner.vendor is Vendor.SIEMENS else None,
    )


def _states_refocusing(scanner: Scanner, sequence: Sequence) -> bool:
    return scanner.vendor is not Vendor.PHILIPS or sequence.readout is not Readout.TURBO_SPIN_ECHO


def _scanning_sequence(sequence: Sequence) -> tuple[str, ...]:
    if sequence.readout is not Readout.TURBO_SPIN_ECHO:
        return ("GR",)
    return ("SE",) if sequence.inversion_ms is None else ("SE", "IR")


def _scan_options(scanner: Scanner, taken: Acquisition) -> tuple[str, ...]:
    if scanner.vendor is Vendor.GE:
        return ("FAST_GEMS", "TRF_GEMS")
    partial = ("PFP",) if taken.sampling.partial_fourier < 1 else ()
    return partial + (("SAT1",) if taken.coils.saturation_px is not None else ())


def _sequence_name(sequence: Sequence) -> str:
    """As SPIDER's Siemens series name theirs: ``*tse2d1_3``, ``*tseR2d1rr17``, ``*tir2d1_18``, ``*spcR_60``."""
    echoes = sequence.echo_train_length
    if sequence.readout is Readout.SPOILED_GRADIENT_ECHO:
        return "*fl2d1"
    if sequence.readout is Readout.BALANCED_STEADY_STATE:
        return "*tfi2d1"
    if echoes >= 50:
        return f"*spcR_{echoes}"
    if sequence.inversion_ms is not None:
        return f"*tir2d1_{echoes}"
    return f"*tseR2d1rr{echoes}" if sequence.flips_back else f"*tse2d1_{echoes}"


def _protocol_name(scanner: Scanner, sequence: Sequence, facing: AnatomicalPlane) -> str:
    """In the manner of each vendor's users."""
    is_axial, weighting = facing is AnatomicalPlane.AXIAL, sequence.weighting
    name = weighting.value
    if scanner.vendor is Vendor.SIEMENS:
        kind = "stir" if weighting is Weighting.STIR else f"{name.lower()}_{'space' if sequence.echo_train_length >= 50 else 'tse'}"
        return f"{kind}_{'tra' if is_axial else 'sag'}"
    if scanner.vendor is Vendor.PHILIPS:
        return f"{'STIR' if weighting is Weighting.STIR else name + 'W'}_TSE_{'TRA' if is_axial else 'SAG'}"
    facing_name = "Ax" if is_axial else "Sag"
    if weighting is Weighting.STIR:
        return f"{facing_name} STIR"
    return f"{facing_name} {name} {'FRFSE' if sequence.flips_back and scanner.vendor is Vendor.GE else 'FSE'}"
