"""From ideal water and fat pictures through k-space to what a scanner stores."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.phantom.acquisition import BRIGHTEST, Acquisition, Coils, Images, Sampling

_Complex = NDArray[np.complex64]
_SEGMENTS = 4


def acquire(water: Images, fat: Images, pulsating: Images, settings: Acquisition, rng: np.random.Generator, workers: int = 1) -> Images:
    """(slices, rows, columns) water and fat to pictures of whole grey values from 0 to 4095; ``workers`` threads change nothing but time.

    ``pulsating`` is the part of the water that flows and throws ghosts. Phase is encoded along axis 0 of what is computed here.
    """
    received, undone = _sensitivity(water.shape, settings.coils, rng)
    middle = len(water) // 2
    reference = float(np.percentile((water[middle] + fat[middle]) * received[middle] / undone[0], 95))
    turned = [np.swapaxes(each, 1, 2) if settings.phase_axis == 1 else each for each in (water, fat, pulsating, received, undone)]
    grid = _Grid(turned[0].shape[1:], settings, reference)
    slices = zip(*turned[:4], rng.spawn(len(water)), strict=True)
    with ThreadPoolExecutor(workers) as pool:
        pictures = np.stack(list(pool.map(lambda each: grid.taken(each[:3], each[3], turned[4][0], each[4]), slices)))
    if settings.enhancement:
        pictures = _enhanced(pictures, settings.enhancement, reference / settings.snr)
    scale = np.float32(1 / max(float(np.percentile(pictures[:, ::3, ::3], 99.5)), 1e-6))
    pictures = _toned(pictures * scale, settings.tone) * np.float32(settings.white)
    stored = np.clip(np.rint(pictures), 0, BRIGHTEST)
    return np.ascontiguousarray(np.swapaxes(stored, 1, 2) if settings.phase_axis == 1 else stored, np.float32)


class _Grid:
    """The samples of k-space that one series acquires, what weights each, and what is added to each."""

    def __init__(self, shape: tuple[int, ...], settings: Acquisition, reference: float) -> None:
        self._shape = rows, columns = shape[0], shape[1]
        self._settings = settings
        self._reference = reference
        self._lines = _kept(rows, settings.sampling.phase)
        self._points = _kept(columns, settings.sampling.readout)
        ky, kx = (np.asarray(np.fft.fftfreq(count)[kept], np.float64) for count, kept in ((rows, self._lines), (columns, self._points)))
        self._ky, self._kx = ky.astype(np.float32), kx.astype(np.float32)
        self._window = _window(ky, kx, settings.sampling)
        self._weight = np.exp(-settings.sampling.decay * ky / (2 * np.abs(ky).max())).astype(np.float32)[:, None]
        self._fat_ramp = np.exp(-2j * np.pi * settings.fat_shift_px * kx[kx >= 0]).astype(np.complex64)
        self._noise = reference / settings.snr * rows * columns / float(np.sqrt(np.sum(self._window**2)))

    def taken(self, parts: tuple[Images, Images, Images], gain: Images, undone: Images, rng: np.random.Generator) -> Images:
        """One picture of water, fat and what pulsates."""
        water, fat, pulsating = parts
        artefacts = self._settings.artefacts
        lines = self._along_readout(water * gain, fat * gain)
        if artefacts.ghost:
            lines += self._ghosts(self._along_readout(pulsating * gain, None), rng)
        if artefacts.wrapped:
            lines = _folded(lines, round(len(lines) * (1 - artefacts.wrapped)))
        samples = np.fft.fft(lines, axis=0)[self._lines] * self._weight
        if artefacts.motion_px:
            samples *= self._motion(rng)
        noise = rng.standard_normal((*samples.shape, 2), np.float32) * np.float32(self._noise)
        samples += noise.view(np.complex64)[..., 0]
        if artefacts.stripes:
            spike = rng.integers(2, (len(self._ky) // 3, len(self._kx) // 3))
            samples[spike[0], spike[1]] += artefacts.stripes * self._reference * self._shape[0] * self._shape[1]
        return self._reconstructed(samples * self._window, rng) / undone

    def _along_readout(self, water: Images, fat: Images | None) -> _Complex:
        """(rows, kept points) transform along the readout, where fat precesses by its shift. Pictures are real: half of it is computed."""
        half = np.fft.rfft(water, axis=1)[:, : len(self._fat_ramp)]
        if fat is not None:
            half = half + np.fft.rfft(fat, axis=1)[:, : len(self._fat_ramp)] * self._fat_ramp
        mirrored = half[:, 1:][:, ::-1].conj()
        return np.concatenate([half, mirrored[:, len(self._fat_ramp) * 2 - 1 - len(self._points) :]], 1)

    def _ghosts(self, lines: _Complex, rng: np.random.Generator) -> _Complex:
        """Modulating k-space by 1 + g sin(2 pi f k + phase) adds two copies, displaced by f, of opposite phase."""
        artefacts = self._settings.artefacts
        shift, phase = round(artefacts.ghost_shift_px), np.exp(2j * np.pi * rng.random())
        ahead, behind = np.roll(lines, shift, 0), np.roll(lines, -shift, 0)
        return np.asarray((0.5j * artefacts.ghost * (ahead * phase - behind * np.conj(phase))), np.complex64)

    def _motion(self, rng: np.random.Generator) -> _Complex:
        """The patient lies elsewhere in each quarter of the interleaved lines."""
        along_phase, along_readout = rng.normal(0, self._settings.artefacts.motion_px, (2, _SEGMENTS))
        segment = np.arange(len(self._ky)) % _SEGMENTS
        ramp = np.exp(-2j * np.pi * along_readout[:, None] * self._kx).astype(np.complex64)
        return np.asarray(ramp[segment] * np.exp(-2j * np.pi * along_phase[segment] * self._ky).astype(np.complex64)[:, None])

    def _reconstructed(self, samples: _Complex, rng: np.random.Generator) -> Images:
        rows, columns = self._shape
        lines = np.zeros((rows, samples.shape[1]), np.complex64)
        lines[self._lines] = samples
        filled = np.zeros((rows, columns), np.complex64)
        filled[:, self._points] = np.fft.ifft(lines, axis=0)
        picture = np.fft.ifft(filled, axis=1)
        zipper = self._settings.artefacts.zipper
        if zipper:
            column = int(rng.integers(columns // 8, columns - columns // 8))
            picture[:, column] += zipper * self._reference * rng.normal(size=rows)
        return np.asarray(np.abs(picture), np.float32)


def _kept(count: int, share: float) -> NDArray[np.intp]:
    """Indices of the frequencies up to a share of the highest, in the order of ``fftfreq``, symmetric about 0."""
    reach = min(int(count * share / 2), (count - 1) // 2)
    return np.concatenate([np.arange(reach + 1), np.arange(count - reach, count)])


def _window(ky: FloatArray, kx: FloatArray, sampling: Sampling) -> Images:
    """(lines, points) how much each sample counts."""
    y, x = (ky / np.abs(ky).max())[:, None], (kx / np.abs(kx).max())[None, :]
    window = _hamming(y, sampling.apodisation) * _hamming(x, sampling.apodisation)
    if sampling.is_elliptical:
        window = window * (y**2 + x**2 <= 1)
    if sampling.partial_fourier < 1:
        window = window * (y >= 1 - 2 * sampling.partial_fourier)
    if sampling.blades:
        radius = np.hypot(y, x)
        window = window * ((np.abs(np.sin(sampling.blades * np.arctan2(y, x))) < 0.75) | (radius < 0.25)) * (radius <= 1)
    return window.astype(np.float32)


def _hamming(position: FloatArray, strength: float) -> FloatArray:
    return 1 - 0.46 * strength * (1 - np.cos(np.pi * position))


def _folded(lines: _Complex, period: int) -> _Complex:
    """What lies beyond a field of view of ``period`` rows, centred, appears on its other side."""
    folded = lines.copy()
    folded[period:] += lines[: len(lines) - period]
    folded[: len(lines) - period] += lines[period:]
    return folded


def _sensitivity(shape: tuple[int, ...], coils: Coils, rng: np.random.Generator) -> tuple[Images, Images]:
    """(slices, rows, columns) gain before noise comes in, and (1, rows, columns) what the picture is divided by after it."""
    slices, rows, columns = shape
    through = np.linspace(-1, 1, slices, dtype=np.float32)[:, None, None]
    down = np.linspace(-1, 1, rows, dtype=np.float32)[None, :, None]
    along = np.linspace(-1, 1, columns, dtype=np.float32)[None, None, :]
    back, across = (down, along) if coils.posterior_axis == 0 else (along, down)
    depth = (1 - back) / 2 * (shape[coils.posterior_axis + 1] - 1)
    surface = 1 - coils.share + coils.share * (1 + (depth / np.float32(coils.depth_px)) ** 2) ** np.float32(-1.5)
    surface = surface / np.median(surface)
    undone = np.broadcast_to(surface ** np.float32(coils.normalised), (1, rows, columns))
    slope, bend, across_slope, across_bend, through_slope, uneven = coils.shading
    log_gain = slope * back + bend * back**2 + across_slope * across - across_bend * across**2 + through_slope * through
    parity = (1 - 2 * (np.arange(slices) % 2)).astype(np.float32)[:, None, None] * np.float32(rng.random())
    log_gain = log_gain + uneven * (parity + np.float32(0.5) * rng.standard_normal((slices, 1, 1), np.float32))
    dark = 1 - np.float32(coils.dark_centre) * np.exp(-(down**2 + along**2) / np.float32(0.3))
    gain: Images = surface * np.exp(log_gain) * dark
    if coils.saturation_px is not None:
        edge = (np.arange(columns, dtype=np.float32) - np.float32(coils.saturation_px)) / np.float32(5.0)
        gain = gain * (np.float32(0.08) + np.float32(0.92) / (1 + np.exp(np.clip(-edge, -30, 30))))[None, None, :]
    return np.broadcast_to(gain, shape), undone.astype(np.float32)


def _enhanced(pictures: Images, strength: float, noise: float) -> Images:
    """Detail above the noise is sharpened, detail below it removed."""
    smooth = pictures
    for axis in (1, 2):
        smooth = np.asarray((2 * smooth + np.roll(smooth, 1, axis) + np.roll(smooth, -1, axis)) / 4, np.float32)
    detail = pictures - smooth
    power = detail**2
    gain = (1 + 0.6 * strength) * power / (power + np.float32((2 * noise * strength) ** 2 + 1e-12))
    return np.asarray(np.maximum(smooth + detail * (gain * strength + 1 - strength), 0), np.float32)


def _toned(pictures: Images, tone: float) -> Images:
    """A monotone curve through 0 and 1 that lifts the dark."""
    return np.asarray(pictures * np.float32(1 + tone) / (1 + np.float32(tone) * pictures), np.float32) if tone else pictures
