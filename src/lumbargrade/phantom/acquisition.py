"""From ideal water and fat pictures to what a scanner stores: coil, chemical shift, limited resolution, noise, ghosts, grey scale."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lumbargrade.geometry.orientation import AnatomicalPlane
from lumbargrade.phantom.mr import Contrast, Weighting

Images = NDArray[np.float32]
BRIGHTEST = 4095
_SNR = {Weighting.T1: (18.0, 60.0), Weighting.T2: (14.0, 45.0), Weighting.STIR: (9.0, 22.0)}


@dataclass(frozen=True, slots=True, eq=False)
class Acquisition:
    """How a series is taken. Axis 0 of a picture is its rows' index, axis 1 its columns'.

    Attributes:
        readout_axis: along which fat is displaced; ghosts run along the other.
        fat_shift_px: displacement of fat against water.
        kept: (2,) share of k-space that is acquired along each axis; the rest is zero.
        blur_px: standard deviation of the apodisation's point spread, in pixels.
        snr: of the brightest tissues, in the finished picture.
        shading: (6,) log gain of the receiver coils as a polynomial: towards posterior, its square, across, its square, through, of slices.
        posterior_axis: along which the index grows towards the patient's back, where the coils are.
        saturation_px: columns before this one are saturated (an anterior band); None without a band.
        ghost: amplitude of the ghosts, and ``ghost_shift_px`` how far from their source they lie.
        white: grey value of the brightest pixels.
    """

    readout_axis: int
    fat_shift_px: float
    kept: tuple[float, float]
    blur_px: float
    snr: float
    shading: tuple[float, ...]
    posterior_axis: int
    saturation_px: float | None
    ghost: float
    ghost_shift_px: float
    white: float


def sample_acquisition(
    weighting: Weighting, plane: AnatomicalPlane, contrast: Contrast, front_px: float, rng: np.random.Generator
) -> Acquisition:
    """Settings of one series. ``front_px`` is the column of the foremost vertebral edge, before which a band may saturate."""
    is_sagittal = plane is AnatomicalPlane.SAGITTAL
    wide = contrast is Contrast.RANDOMISED
    low, high = _SNR[weighting]
    snr = float(np.exp(rng.uniform(np.log(low * (0.7 if wide else 1.0 if is_sagittal else 0.8)), np.log(high))))
    kept = rng.uniform(0.5 if wide else 0.62, 0.95, 2)
    posterior = rng.uniform(-0.2 if wide else 0.0, 0.7)
    shading = (posterior, rng.normal(0, 0.08), rng.normal(0, 0.1), rng.normal(0, 0.15), rng.normal(0, 0.04), 0.03 * rng.random())
    has_band = is_sagittal and weighting is not Weighting.STIR and rng.random() < 0.6
    return Acquisition(
        readout_axis=1 if is_sagittal else int(rng.integers(2)),
        fat_shift_px=float(rng.choice((-1, 1)) * rng.uniform(0.3, 2.0)),
        kept=(float(kept[0]), float(kept[1])),
        blur_px=float(rng.uniform(0.15, 0.65 if wide else 0.5)),
        snr=snr,
        shading=shading,
        posterior_axis=1 if is_sagittal else 0,
        saturation_px=float(front_px - rng.uniform(3, 22)) if has_band else None,
        ghost=float(rng.uniform(0.01, 0.05)) if rng.random() < 0.35 else 0.0,
        ghost_shift_px=float(rng.uniform(15, 70)),
        white=float(np.exp(rng.uniform(np.log(500), np.log(3600)))),
    )


def acquire(water: Images, fat: Images, settings: Acquisition, rng: np.random.Generator) -> Images:
    """(slices, rows, columns) water and fat to pictures of whole grey values from 0 to 4095."""
    gain = _gain(water.shape, settings, rng)
    window = _window(water.shape[1:], settings)
    reference = float(np.percentile((water + fat)[len(water) // 2], 95))
    noise = reference / settings.snr / float(np.sqrt(np.mean(window**2)))
    shifted_fat = _shifted(fat, settings)
    pictures = np.empty(water.shape, np.float32)
    for index in range(len(water)):
        white_noise = rng.standard_normal((2, *water.shape[1:]), np.float32) * np.float32(noise)
        signal = (water[index] + shifted_fat[index]) * gain[index] + white_noise[0] + 1j * white_noise[1]
        pictures[index] = np.abs(np.fft.ifft2(np.fft.fft2(signal) * _with_ghosts(window, settings, rng)))
    scale = settings.white / max(float(np.percentile(pictures[:, ::3, ::3], 99.5)), 1e-6)
    return np.asarray(np.clip(np.rint(pictures * np.float32(scale)), 0, BRIGHTEST), np.float32)


def _frequencies(shape: tuple[int, ...], axis: int) -> Images:
    """Cycles per pixel along an axis, shaped to broadcast over a picture."""
    frequencies = np.fft.fftfreq(shape[axis]).astype(np.float32)
    return frequencies[:, None] if axis == 0 else frequencies[None, :]


def _window(shape: tuple[int, ...], settings: Acquisition) -> Images:
    """What is kept of k-space: a rectangle, fading by a Gaussian."""
    window = np.ones(shape, np.float32)
    for axis in (0, 1):
        frequency = _frequencies(shape, axis)
        window *= (np.abs(frequency) <= settings.kept[axis] / 2) * np.exp(-2 * (np.pi * settings.blur_px * frequency) ** 2)
    return window


def _shifted(fat: Images, settings: Acquisition) -> Images:
    """Fat displaced along the readout by a fraction of a pixel; nothing wraps around, since the readout is sampled beyond the picture."""
    axis = settings.readout_axis + 1
    count = fat.shape[axis]
    source = np.clip(np.arange(count) - settings.fat_shift_px, 0, count - 1)
    before = np.minimum(source.astype(np.intp), count - 2)
    weight = (source - before).astype(np.float32).reshape([-1 if each == axis else 1 for each in range(3)])
    return np.asarray(np.take(fat, before, axis) * (1 - weight) + np.take(fat, before + 1, axis) * weight)


def _with_ghosts(window: Images, settings: Acquisition, rng: np.random.Generator) -> Images:
    """Periodic change of the signal from line to line makes two ghosts, displaced along the phase encoding axis."""
    if not settings.ghost:
        return window
    lines = _frequencies(window.shape, 1 - settings.readout_axis)
    wave = 1 + settings.ghost * np.sin(2 * np.pi * (settings.ghost_shift_px * lines + rng.random()))
    return np.asarray(window * wave, np.float32)


def _gain(shape: tuple[int, ...], settings: Acquisition, rng: np.random.Generator) -> Images:
    """(slices, rows, columns) sensitivity of the coils and the anterior saturation band."""
    slices, rows, columns = shape
    through = np.linspace(-1, 1, slices, dtype=np.float32)[:, None, None]
    down = np.linspace(-1, 1, rows, dtype=np.float32)[None, :, None]
    along = np.linspace(-1, 1, columns, dtype=np.float32)[None, None, :]
    back, across = (down, along) if settings.posterior_axis == 0 else (along, down)
    slope, bend, across_slope, across_bend, through_slope, uneven = settings.shading
    log_gain = slope * back + bend * back**2 + across_slope * across - across_bend * across**2 + through_slope * through
    log_gain = log_gain + uneven * rng.standard_normal((slices, 1, 1), np.float32)
    gain = np.exp(log_gain)
    if settings.saturation_px is not None:
        edge = (np.arange(columns, dtype=np.float32) - np.float32(settings.saturation_px)) / np.float32(3.0)
        gain = gain * (0.08 + 0.92 / (1 + np.exp(np.clip(-edge, -30, 30))))[None, None, :]
    return np.broadcast_to(gain, shape).astype(np.float32)
