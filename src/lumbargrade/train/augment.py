"""Random changes to sagittal slices that a real scanner, coil, protocol or patient makes: what let networks move to real pictures.

Each function takes (n, 1, rows, columns) images, 0 dark and about 1 bright, and returns new ones; every slice draws its own change from
``torch``'s default generator, so seeding that makes a run repeatable. The ranges are those of a trial that moved from synthetic to real
patients.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class CropShape:
    """The size of training crops in pixels, and the pixel in millimetres."""

    size_px: int = 160
    pixel_mm: float = 1.5


def uniform(count: int, low: float, high: float) -> Tensor:
    """(count, 1, 1, 1) uniform numbers, one a slice."""
    return torch.rand(count, 1, 1, 1) * (high - low) + low


def chosen(count: int, probability: float) -> Tensor:
    """(count, 1, 1, 1) True with the given probability, one a slice."""
    return torch.rand(count, 1, 1, 1) < probability


def sampling_positions(centers_px: Tensor, source_mm: float, crop: CropShape) -> Tensor:
    """(n, size, size, 2) source pixels (column, row) that each crop pixel shows.

    The (n, 2) ``centers_px`` lie mid-crop; about them the picture is zoomed, rotated, stretched and bent.
    """
    count = len(centers_px)
    rows, columns = _centred_grid(crop.size_px)
    zoom = crop.pixel_mm / source_mm * uniform(count, 0.82, 1.22)[:, 0]
    angle = (torch.randn(count, 1, 1) * math.radians(7)).clamp(-math.radians(20), math.radians(20))
    aspect = uniform(count, 0.93, 1.07)[:, 0]
    cosine, sine = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    source_columns = centers_px[:, 0, None, None] + cosine * columns * aspect + sine * rows
    source_rows = centers_px[:, 1, None, None] - sine * columns + cosine * rows / aspect
    return torch.stack([source_columns, source_rows], -1) + _elastic(count, crop.size_px)


def photometric(images: Tensor, crop: CropShape) -> Tensor:
    """Everything that changes brightness: contrast, inversion, random filters, coil, saturation band, resolution, noise."""
    images = gamma(images)
    images = inversion(images)
    images = random_convolution(images)
    images = sharpening(images)
    images = coil_shading(images, crop)
    images = saturation_band(images, crop)
    images = low_resolution(images)
    return noise(images)


def gamma(images: Tensor) -> Tensor:
    """A power of about 0.5 to 2."""
    return images.clamp_min(0) ** torch.exp(0.3 * torch.randn(len(images), 1, 1, 1))


def inversion(images: Tensor) -> Tensor:
    """One slice in ten with dark and bright exchanged, air left dark: contrasts that the training data lacks."""
    return torch.where(chosen(len(images), 0.1) & (images > 0.01), (1.02 - images).clamp_min(0), images)


def random_convolution(images: Tensor) -> Tensor:
    """One slice in seven through a random 3 x 3 filter."""
    count = len(images)
    kernels = 0.3 * torch.randn(count, 1, 3, 3)
    kernels[:, :, 1, 1] += 1
    filtered = functional.conv2d(images.transpose(0, 1), kernels, padding=1, groups=count).transpose(0, 1).abs()
    return torch.where(chosen(count, 0.15), filtered, images)


def sharpening(images: Tensor) -> Tensor:
    """One slice in five edge-enhanced or, as often, blurred: scanners filter."""
    count = len(images)
    smooth = functional.avg_pool2d(functional.avg_pool2d(images, 3, 1, 1), 3, 1, 1)
    changed = (images + uniform(count, -1.0, 1.5) * (images - smooth)).clamp_min(0)
    return torch.where(chosen(count, 0.2), changed, images)


def coil_shading(images: Tensor, crop: CropShape) -> Tensor:
    """A smooth random field, and in half of the slices the fall-off of a posterior surface coil over 50 to 250 mm."""
    count = len(images)
    field = 0.35 * torch.rand(count, 1, 1, 1) * torch.randn(count, 1, 4, 4)
    smooth = functional.interpolate(field, images.shape[2:], mode="bicubic", align_corners=True)
    _, columns = _centred_grid(crop.size_px)
    depth = (columns - uniform(count, -30, 40)) * crop.pixel_mm / uniform(count, 50, 250)
    coil = torch.where(chosen(count, 0.5), depth.clamp(-3.0, 1.4), torch.zeros(()))
    return images * torch.exp(smooth + coil)


def saturation_band(images: Tensor, crop: CropShape) -> Tensor:
    """In half of the slices, tissue in front of an oblique line darkened: the band against motion of the abdomen."""
    count = len(images)
    rows, columns = _centred_grid(crop.size_px)
    behind = torch.sigmoid((columns + uniform(count, 15, 60) + uniform(count, -0.25, 0.25) * rows) / uniform(count, 1, 10))
    rest = uniform(count, 0, 0.3)
    return torch.where(chosen(count, 0.45), images * (rest + (1 - rest) * behind), images)


def low_resolution(images: Tensor) -> Tensor:
    """A third of the batch sampled down by one factor of 1.2 to 3, two times in three along the columns only, and up again."""
    count, _, rows, columns = images.shape
    factor = float(uniform(1, 1.2, 3.0))
    coarse_rows = round(rows / factor) if torch.rand(()) < 0.35 else rows
    coarse = functional.interpolate(images, (coarse_rows, round(columns / factor)), mode="area")
    again = functional.interpolate(coarse, (rows, columns), mode="bilinear")
    return torch.where(chosen(count, 0.33), again, images)


def noise(images: Tensor) -> Tensor:
    """Magnitude noise of up to 9 % of white, correlated over 3 pixels in half of the slices."""
    count = len(images)
    white = torch.randn_like(images)
    grain = torch.where(chosen(count, 0.5), 2 * functional.avg_pool2d(white, 3, 1, 1), white)
    return (images + 0.09 * torch.rand(count, 1, 1, 1) ** 2 * grain).abs()


def visible_field(count: int, crop: CropShape) -> Tensor:
    """(count, 1, size, size) 1 inside a random field of view, 0 outside; two slices in five are not cut."""
    rows, columns = _centred_grid(crop.size_px)
    half = crop.size_px / 160
    tall = (rows - uniform(count, -8, 8) * half).abs() < uniform(count, 55, 90) * half
    wide = (columns - uniform(count, -12, 12) * half).abs() < uniform(count, 40, 85) * half
    return ((tall & wide) | chosen(count, 0.4)).float()


def _centred_grid(size: int) -> tuple[Tensor, Tensor]:
    """Row and column indices counted from the middle, each (size, size)."""
    axis = torch.arange(size) - (size - 1) / 2
    rows, columns = torch.meshgrid(axis, axis, indexing="ij")
    return rows, columns


def _elastic(count: int, size: int) -> Tensor:
    """(count, size, size, 2) smooth displacements in source pixels, coarse and fine."""
    shift = torch.zeros(count, 2, size, size)
    for knots, amplitude in ((5, 3.5), (10, 1.6)):
        field = amplitude * torch.rand(count, 1, 1, 1) * torch.randn(count, 2, knots, knots)
        shift = shift + functional.interpolate(field, (size, size), mode="bicubic", align_corners=True)
    return shift.permute(0, 2, 3, 1)
