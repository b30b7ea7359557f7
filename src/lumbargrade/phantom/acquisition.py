"""How a series is taken: coils, chemical shift, what of k-space is sampled, noise, motion, ghosts, grey scale; vendors differ in it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lumbargrade.phantom.contrast import Contrast
from lumbargrade.phantom.mr import Readout, Sequence, Weighting
from lumbargrade.phantom.scanner import Scanner, Vendor

Images = NDArray[np.float32]
BRIGHTEST = 4095
_CHEMICAL_SHIFT_HZ_PER_TESLA = 3.5 * 42.577
"""Fat resonates 3.5 ppm below water: 224 Hz at 1.5 T."""

_SNR = {Weighting.T1: (22.0, 160.0), Weighting.T2: (22.0, 150.0), Weighting.STIR: (12.0, 50.0)}
"""Of the brightest twentieth; SPIDER's T1 and T2 pictures have 52 to 470 and 54 to 258 of it (5-95 %, by second differences)."""

_DISC_T2_MS = 80.0


@dataclass(frozen=True, slots=True)
class Frame:
    """What of a series' geometry its acquisition depends on: ``front_px`` is the column of the foremost vertebral edge."""

    is_sagittal: bool
    pixel_mm: float
    front_px: float


@dataclass(frozen=True, slots=True)
class Sampling:
    """What of k-space is acquired, and how it is weighted.

    Attributes:
        readout, phase: share of the picture's matrix; the rest is filled with zeros.
        is_elliptical: without the corners.
        partial_fourier: share of the phase encoding lines, 1 for all.
        apodisation: 0 none to 1 a Hamming window.
        decay: logarithm of the signal's fall over the echo train, first line to last; the effective echo is in the middle.
        blades: beyond the centre only so many rotated blades are sampled, which makes streaks; 0 for all.
    """

    readout: float = 1.0
    phase: float = 1.0
    is_elliptical: bool = False
    partial_fourier: float = 1.0
    apodisation: float = 0.5
    decay: float = 0.0
    blades: int = 0


@dataclass(frozen=True, slots=True)
class Coils:
    """How strongly each place is received, and what is undone of it.

    Attributes:
        posterior_axis: of a picture, along which the index grows towards the patient's back, where the coils are.
        depth_px, share: radius of the spine coils' loops, which hear (1 + (depth / radius)^2)^-3/2 of what is over their middle; the rest
            of the sensitivity is even.
        normalised: share (of the logarithm) that the scanner's prescan undoes; noise grows where the coils hear little.
        shading: (6,) log gain that remains: towards posterior, its square, across, its square, through, alternating and random by slice.
        dark_centre: loss in the trunk's middle from the standing wave at 3 T.
        saturation_px: columns before this one are saturated (an anterior band); None without a band.
    """

    posterior_axis: int = 1
    depth_px: float = 80.0
    share: float = 0.0
    normalised: float = 1.0
    shading: tuple[float, ...] = (0.0,) * 6
    dark_centre: float = 0.0
    saturation_px: float | None = None


@dataclass(frozen=True, slots=True)
class Artefacts:
    """What goes wrong.

    Attributes:
        ghost: relative amplitude of the ghosts of what pulsates; ``ghost_shift_px`` how far from their source they lie.
        motion_px: standard deviation of the patient's displacement between segments of k-space.
        wrapped: share of the phase field of view that folds in from the other side. With ``zipper``, amplitude of a line of interference
            along phase encoding, only in held-out family A.
        stripes: amplitude of a spike in k-space, only in held-out family B.
    """

    ghost: float = 0.0
    ghost_shift_px: float = 20.0
    motion_px: float = 0.0
    wrapped: float = 0.0
    zipper: float = 0.0
    stripes: float = 0.0


@dataclass(frozen=True, slots=True)
class Acquisition:
    """How a series is taken. Axis 0 of a picture is its rows' index, axis 1 its columns'.

    Attributes:
        phase_axis: along which phase is encoded; fat is displaced along the other, the readout.
        fat_shift_px: displacement of fat against water.
        snr: of the brightest tissues, in the finished picture.
        enhancement: how far fine detail is denoised and sharpened, as reconstruction by a network does; 0 not at all.
        white: grey value of the brightest pixels; ``tone`` bends the scale below it, 0 not at all.
    """

    phase_axis: int
    fat_shift_px: float
    snr: float
    white: float
    sampling: Sampling = Sampling()
    coils: Coils = Coils()
    artefacts: Artefacts = Artefacts()
    enhancement: float = 0.0
    tone: float = 0.0


@dataclass(frozen=True, slots=True)
class _Habits:
    """Ranges of a vendor: shares of the matrix that are acquired, apodisation, and the brightest grey value."""

    readout: tuple[float, float]
    phase: tuple[float, float]
    apodisation: tuple[float, float]
    white: tuple[float, float]


_HABITS: Mapping[Vendor, _Habits] = {
    Vendor.SIEMENS: _Habits((0.85, 1.0), (0.65, 0.9), (0.0, 0.5), (350, 1600)),
    Vendor.PHILIPS: _Habits((0.65, 0.9), (0.55, 0.8), (0.0, 0.5), (700, 3600)),
    Vendor.GE: _Habits((0.65, 1.0), (0.6, 0.85), (0.3, 0.9), (900, 3600)),
    Vendor.CANON: _Habits((0.65, 0.95), (0.6, 0.85), (0.3, 0.9), (1500, 3900)),
}


def sample_acquisition(scanner: Scanner, sequence: Sequence, frame: Frame, contrast: Contrast, rng: np.random.Generator) -> Acquisition:
    """Settings of one series."""
    wide = contrast is not Contrast.PHYSICS
    habits = _HABITS[scanner.vendor]
    low, high = _SNR[sequence.weighting]
    low *= (0.8 if wide else 1.0) * (1.0 if frame.is_sagittal else 1.6)
    settings = Acquisition(
        phase_axis=0 if frame.is_sagittal else int(rng.integers(2)),
        fat_shift_px=float(rng.choice((-1, 1))) * _CHEMICAL_SHIFT_HZ_PER_TESLA * sequence.field_tesla / sequence.bandwidth_hz_per_px,
        snr=_log_uniform(rng, low, high),
        white=_log_uniform(rng, *habits.white),
        sampling=_sample_sampling(habits, sequence, wide, rng),
        coils=_sample_coils(sequence, frame, wide, rng),
        artefacts=_sample_artefacts(wide, rng),
        enhancement=float(rng.uniform(0.3, 1.0)) if rng.random() < 0.10 else 0.0,
    )
    if contrast is Contrast.HELDOUT_A:
        artefacts = Artefacts(wrapped=float(rng.uniform(0.08, 0.22)), zipper=float(rng.uniform(0.1, 0.6)))
        return replace(settings, artefacts=artefacts)
    if contrast is Contrast.HELDOUT_B:
        readout, phase = rng.uniform(0.5, 0.62, 2)
        sampling = Sampling(float(readout), float(phase), apodisation=0.5, blades=int(rng.integers(9, 16)))
        coils = replace(settings.coils, share=0.5)
        stripes, tone = float(rng.uniform(0.005, 0.02)), float(rng.uniform(0.3, 1.0))
        artefacts = Artefacts(stripes=stripes)
        return replace(settings, snr=max(settings.snr, 25.0), sampling=sampling, coils=coils, artefacts=artefacts, tone=tone)
    return settings


def _sample_sampling(habits: _Habits, sequence: Sequence, wide: bool, rng: np.random.Generator) -> Sampling:
    less = rng.uniform(0.7, 1.0) if wide else 1.0
    is_train = sequence.readout is Readout.TURBO_SPIN_ECHO and sequence.weighting is not Weighting.T1
    return Sampling(
        readout=float(rng.uniform(*habits.readout)) * less,
        phase=float(rng.uniform(*habits.phase)) * less,
        is_elliptical=bool(rng.random() < 0.15),
        partial_fourier=float(rng.uniform(0.65, 0.9)) if rng.random() < 0.2 else 1.0,
        apodisation=float(rng.uniform(*habits.apodisation)),
        decay=min(sequence.train_ms / _DISC_T2_MS, 2.5) if is_train else 0.0,
    )


def _sample_coils(sequence: Sequence, frame: Frame, wide: bool, rng: np.random.Generator) -> Coils:
    has_band = frame.is_sagittal and sequence.weighting is not Weighting.STIR and rng.random() < 0.6
    is_normalised = rng.random() < (0.3 if frame.is_sagittal else 0.6)
    return Coils(
        posterior_axis=1 if frame.is_sagittal else 0,
        depth_px=float(rng.uniform(35, 80)) / frame.pixel_mm,
        share=float(rng.uniform(0.8, 1.0)) if frame.is_sagittal else float(rng.uniform(0.5, 0.85)),
        normalised=float(rng.uniform(0.5, 1.0)) if is_normalised else float(rng.uniform(0.0, 0.3)),
        shading=(
            float(rng.uniform(-0.3, 0.3)) if wide else float(rng.normal(0, 0.15)),
            float(rng.normal(0, 0.12)),
            float(rng.normal(0, 0.2)),
            abs(float(rng.normal(0, 0.7))) if frame.is_sagittal else float(rng.normal(0, 0.15)),
            float(rng.normal(0, 0.04)),
            float(rng.uniform(0, 0.05)),
        ),
        dark_centre=float(rng.uniform(0.05, 0.2)) if sequence.field_tesla > 2 else 0.0,
        saturation_px=float(frame.front_px - rng.uniform(3, 22)) if has_band else None,
    )


def _sample_artefacts(wide: bool, rng: np.random.Generator) -> Artefacts:
    return Artefacts(
        ghost=_log_uniform(rng, 0.02, 0.3) if rng.random() < 0.4 else 0.0,
        ghost_shift_px=float(rng.uniform(15, 70)),
        motion_px=float(rng.uniform(0.2, 2.0 if wide else 1.2)) if rng.random() < 0.15 else 0.0,
    )


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
