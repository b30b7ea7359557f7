"""Which scanner a study is taken on, and the sequences its vendor's lumbar protocol has.

Ranges are the medians and 5-95 % intervals of SPIDER's headers (217 patients, 4 hospitals) for Siemens and Philips, published protocols for
GE (SIGNA Explorer) and usual settings for Canon.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np

from lumbargrade.phantom.contrast import Contrast
from lumbargrade.phantom.mr import Readout, Sequence, Weighting, null_inversion_ms
from lumbargrade.phantom.relaxation import fat_relaxation_ms


class Vendor(Enum):
    """The makers of the scanners that lumbar spines are taken on."""

    SIEMENS = "Siemens"
    PHILIPS = "Philips"
    GE = "GE"
    CANON = "Canon"


@dataclass(frozen=True, slots=True)
class Scanner:
    """One scanner. ``manufacturer`` and ``model_name`` are written as in its files' headers."""

    vendor: Vendor
    manufacturer: str
    model_name: str
    field_tesla: float


_SCANNERS: tuple[tuple[float, Scanner], ...] = (
    (0.12, Scanner(Vendor.SIEMENS, "SIEMENS", "Aera", 1.5)),
    (0.10, Scanner(Vendor.SIEMENS, "SIEMENS", "Avanto", 1.5)),
    (0.06, Scanner(Vendor.SIEMENS, "SIEMENS", "SymphonyTim", 1.5)),
    (0.05, Scanner(Vendor.SIEMENS, "Siemens Healthineers", "MAGNETOM Sola", 1.5)),
    (0.08, Scanner(Vendor.SIEMENS, "SIEMENS", "Skyra", 3.0)),
    (0.04, Scanner(Vendor.SIEMENS, "SIEMENS", "Verio", 2.89)),
    (0.10, Scanner(Vendor.PHILIPS, "Philips Medical Systems", "Achieva", 1.5)),
    (0.06, Scanner(Vendor.PHILIPS, "Philips Healthcare", "Ingenia", 1.5)),
    (0.11, Scanner(Vendor.PHILIPS, "Philips Medical Systems", "Ingenia", 3.0)),
    (0.08, Scanner(Vendor.GE, "GE MEDICAL SYSTEMS", "SIGNA Explorer", 1.5)),
    (0.07, Scanner(Vendor.GE, "GE MEDICAL SYSTEMS", "Optima MR450w", 1.5)),
    (0.06, Scanner(Vendor.GE, "GE MEDICAL SYSTEMS", "DISCOVERY MR750", 3.0)),
    (0.04, Scanner(Vendor.CANON, "TOSHIBA", "MRT200PP3", 1.5)),
    (0.03, Scanner(Vendor.CANON, "CANON_MEC", "Orian", 1.5)),
)
_LOW_FIELD = Scanner(Vendor.CANON, "CANON_MEC", "Low field", 0.35)

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class _Times:
    """Ranges of a vendor's turbo spin echo: milliseconds, echoes a train, degrees, hertz a pixel."""

    repetition: Range
    echo: Range
    train: tuple[int, int]
    spacing: Range
    refocusing: Range
    bandwidth: Range


_TIMES: Mapping[tuple[Vendor, bool, bool], _Times] = {
    # vendor, 3 T, T2-weighted
    (Vendor.SIEMENS, False, False): _Times((446, 678), (9.6, 11), (2, 4), (9.6, 11), (134, 150), (161, 235)),
    (Vendor.SIEMENS, False, True): _Times((3100, 4240), (93, 124), (17, 21), (9.5, 11.5), (140, 150), (161, 220)),
    (Vendor.SIEMENS, True, False): _Times((480, 680), (9.6, 11), (3, 5), (9.6, 11), (130, 150), (220, 280)),
    (Vendor.SIEMENS, True, True): _Times((3500, 4600), (94, 110), (17, 23), (9.4, 10.6), (130, 160), (220, 270)),
    (Vendor.PHILIPS, False, False): _Times((500, 650), (7.5, 9), (4, 6), (7.5, 9), (120, 150), (180, 220)),
    (Vendor.PHILIPS, False, True): _Times((2600, 3600), (80, 105), (22, 28), (6.5, 8), (120, 150), (180, 220)),
    (Vendor.PHILIPS, True, False): _Times((590, 730), (8.5, 14), (5, 7), (7, 8), (110, 140), (340, 470)),
    (Vendor.PHILIPS, True, True): _Times((3500, 4000), (100, 122), (22, 27), (7, 9), (110, 130), (330, 400)),
    (Vendor.GE, False, False): _Times((450, 660), (8, 13), (3, 4), (8, 12), (150, 170), (160, 250)),
    (Vendor.GE, False, True): _Times((2800, 4200), (92, 112), (16, 24), (9, 11), (150, 170), (160, 250)),
    (Vendor.GE, True, False): _Times((550, 800), (8, 12), (3, 4), (8, 11), (111, 142), (220, 330)),
    (Vendor.GE, True, True): _Times((3000, 4500), (98, 118), (18, 26), (8, 10), (111, 142), (220, 330)),
    (Vendor.CANON, False, False): _Times((450, 620), (10, 13), (3, 5), (10, 12), (120, 160), (195, 245)),
    (Vendor.CANON, False, True): _Times((3300, 4500), (96, 122), (17, 23), (9, 11), (120, 160), (195, 245)),
}
_FLIP_BACK = {Vendor.SIEMENS: 0.95, Vendor.PHILIPS: 0.6, Vendor.GE: 0.8, Vendor.CANON: 0.5}
"""Share of T2 series with RESTORE, DRIVE, FRFSE or T2 Plus."""

_SPACE = 0.10
"""Share of Siemens sagittal T2 that are reformatted from SPACE, whose long train of low flips stores much along the field."""


def sample_scanner(contrast: Contrast, rng: np.random.Generator) -> Scanner:
    """The scanner of a study; the held-out family B has one of low field."""
    if contrast is Contrast.HELDOUT_B:
        return _LOW_FIELD
    shares = np.array([share for share, _ in _SCANNERS])
    return _SCANNERS[int(rng.choice(len(_SCANNERS), p=shares / shares.sum()))][1]


def sample_sequence(scanner: Scanner, weighting: Weighting, is_axial: bool, contrast: Contrast, rng: np.random.Generator) -> Sequence:
    """A sequence with times as the vendor's clinical protocols have them."""
    if contrast is Contrast.HELDOUT_A:
        return _gradient_echo(scanner, weighting, rng)
    if weighting is Weighting.T2 and not is_axial and scanner.vendor is Vendor.SIEMENS and rng.random() < _SPACE:
        return sample_space(scanner, rng)
    times = _TIMES[scanner.vendor, scanner.field_tesla > 2, weighting is not Weighting.T1]
    longer = rng.uniform(0.95, 1.3) if is_axial else 1.0
    train, spacing = int(rng.integers(times.train[0], times.train[1] + 1)), float(rng.uniform(*times.spacing))
    repetition, echo, inversion = float(rng.uniform(*times.repetition)) * longer, float(rng.uniform(*times.echo)), None
    if weighting is Weighting.STIR:
        repetition, echo, train = float(rng.uniform(3500, 5200)), float(rng.uniform(30, 70)), int(rng.integers(10, 19))
        null_ms = null_inversion_ms(fat_relaxation_ms(scanner.field_tesla)[0], repetition, train * spacing)
        inversion = float(round(null_ms * rng.uniform(0.9, 1.06)))
    return Sequence(
        weighting,
        scanner.field_tesla,
        float(round(repetition, -1)),
        round(echo, 1),
        inversion,
        echo_train_length=train,
        echo_spacing_ms=round(spacing, 2),
        flip_deg=float(round(rng.uniform(*times.refocusing))),
        flips_back=weighting is Weighting.T2 and bool(rng.random() < _FLIP_BACK[scanner.vendor]),
        bandwidth_hz_per_px=float(round(rng.uniform(*times.bandwidth))),
        averages=int(rng.integers(1, 4)),
    )


def sample_space(scanner: Scanner, rng: np.random.Generator) -> Sequence:
    """SPIDER's 40 SPACE series: TR 1000, TE 124, 60 echoes a train."""
    return Sequence(
        Weighting.T2,
        scanner.field_tesla,
        float(round(rng.uniform(950, 1150), -1)),
        float(round(rng.uniform(115, 135))),
        echo_train_length=60,
        echo_spacing_ms=round(float(rng.uniform(3.6, 4.4)), 2),
        flip_deg=float(round(rng.uniform(85, 115))),
        flips_back=True,
        bandwidth_hz_per_px=530.0,
    )


def _gradient_echo(scanner: Scanner, weighting: Weighting, rng: np.random.Generator) -> Sequence:
    """Balanced steady state for T2, spoiled gradient echo for T1 and, with its fat saturated, for STIR."""
    if weighting is Weighting.T2:
        readout, repetition, flip = Readout.BALANCED_STEADY_STATE, float(rng.uniform(5, 9)), float(rng.uniform(45, 70))
        echo = repetition / 2
    elif weighting is Weighting.T1:
        readout, repetition, flip = Readout.SPOILED_GRADIENT_ECHO, float(rng.uniform(110, 220)), float(rng.uniform(65, 85))
        echo = float(rng.uniform(4.3, 5.2))
    else:
        readout, repetition, flip = Readout.SPOILED_GRADIENT_ECHO, float(rng.uniform(450, 700)), float(rng.uniform(20, 30))
        echo = float(rng.uniform(14, 24))
    return Sequence(
        weighting,
        scanner.field_tesla,
        round(repetition, 1),
        round(echo, 1),
        readout=readout,
        flip_deg=float(round(flip)),
        bandwidth_hz_per_px=float(round(rng.uniform(180, 400))),
    )
