"""Random changes to wide crops that a grade must not depend on: framing, slice, brightness and noise; and the crop without any."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from lumbargrade.grade.crop import NETWORK_SLICES
from lumbargrade.grade.recipe import CropRecipe


@dataclass(frozen=True, slots=True)
class FramingJitter:
    """How badly a crop may be framed; shaped like a localiser's errors.

    Attributes:
        shift_mm: standard deviation along each axis of the picture (3 mm in the plane), cut off at ``largest_shift_mm``.
        zoom, stretch: largest change of the logarithm of the scale, alike along both axes, and against each other.
        slice_miss: probability that the slice chosen is the one before, and as much for the one after.
        cut: probability that the picture ends somewhere in the crop, on any side; its edge goes on from there, as in use.
        lost: probability that the site lies anywhere up to ``lost_mm`` off along each axis: what a network is to notice.
    """

    shift_mm: float = 2.1
    largest_shift_mm: float = 6.0
    zoom: float = 0.18
    stretch: float = 0.08
    rotation_deg: float = 10.0
    slice_miss: float = 0.12
    cut: float = 0.15
    lost: float = 0.08
    lost_mm: float = 11.0


NO_JITTER = FramingJitter(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


class Framed(NamedTuple):
    """(n, 5, size, size) float32 pictures in 0..1, and (n, 2) where their sites lie from the middle, mm along columns and rows."""

    pictures: Tensor
    offsets_mm: Tensor


def frame(wide: Tensor, recipe: CropRecipe, jitter: FramingJitter, generator: torch.Generator) -> Framed:
    """(n, 7, wide, wide) uint8 crops, each cut a little off; exactly the middle for ``NO_JITTER``."""
    count = len(wide)
    slices = _slice_window(wide, jitter, generator).float() / 255
    half_mm = recipe.wide_px * recipe.spacing_mm / 2
    shift = torch.randn(count, 2, generator=generator) * jitter.shift_mm
    shift = shift.clamp(-jitter.largest_shift_mm, jitter.largest_shift_mm)
    lost = torch.rand(count, 1, generator=generator) < jitter.lost
    shift = torch.where(lost, _uniform((count, 2), jitter.lost_mm, generator), shift)
    stretch = _uniform((count, 1), jitter.stretch, generator) * torch.tensor([1.0, -1.0])
    scale = torch.exp(_uniform((count, 1), jitter.zoom, generator) + stretch)
    angle = torch.deg2rad(_uniform(count, jitter.rotation_deg, generator))
    turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], 1).reshape(count, 2, 2)
    affine = torch.cat([turn * scale[:, None] * recipe.size_px / recipe.wide_px, shift[:, :, None] / half_mm], 2)
    grid = functional.affine_grid(affine, [count, NETWORK_SLICES, recipe.size_px, recipe.size_px], align_corners=False)
    rims = _rims(count, jitter, generator)
    grid = torch.maximum(torch.minimum(grid, rims[:, 0]), -rims[:, 1])
    pictures = functional.grid_sample(slices, grid, padding_mode="border", align_corners=False)
    return Framed(pictures, (turn.transpose(1, 2) @ -shift[:, :, None])[:, :, 0] / scale)


def vary_appearance(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """(n, 5, size, size) in 0..1 with another gamma and contrast, coil shading, sharpness, noise, and now and then only one slice."""
    count = len(pictures)
    gamma = torch.exp(0.22 * torch.randn(count, 1, 1, 1, generator=generator))
    pictures = pictures.clamp(1e-3, 1.0) ** gamma
    bend = 0.7 * (2 * torch.rand(count, 1, 1, 1, generator=generator) - 1) * _sometimes(count, 0.5, generator)
    pictures = pictures + bend * torch.sin(2 * torch.pi * pictures) / (2 * torch.pi)
    pictures = pictures * torch.exp(_smooth_field(pictures, 0.15, generator))
    blur = 0.25 * torch.rand(count, 1, 1, 1, generator=generator) * _sometimes(count, 0.4, generator)
    for axis in (2, 3):
        pictures = pictures * (1 - 2 * blur) + blur * (pictures.roll(1, axis) + pictures.roll(-1, axis))
    noise = 0.06 * torch.rand(count, 1, 1, 1, generator=generator) ** 2
    pictures = pictures + noise * torch.randn(pictures.shape, generator=generator)
    alone = _sometimes(count, 0.07, generator)
    return pictures * (1 - alone) + pictures[:, NETWORK_SLICES // 2, None] * alone


def _slice_window(wide: Tensor, jitter: FramingJitter, generator: torch.Generator) -> Tensor:
    draw = torch.rand(len(wide), generator=generator)
    miss = (draw > 1 - jitter.slice_miss).long() - (draw < jitter.slice_miss).long()
    wanted = wide.shape[1] // 2 + miss[:, None] + torch.arange(NETWORK_SLICES) - NETWORK_SLICES // 2
    return wide[torch.arange(len(wide))[:, None], wanted]


def _rims(count: int, jitter: FramingJitter, generator: torch.Generator) -> Tensor:
    """(n, 2, 1, 1, 2) how far the picture reaches each way along columns and rows, in halves of the wide crop."""
    is_cut = torch.rand(count, 2, 1, 1, 2, generator=generator) < jitter.cut / 2
    return torch.where(is_cut, 0.35 + 0.5 * torch.rand(is_cut.shape, generator=generator), 2.0)


def _smooth_field(pictures: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    coarse = strength * torch.randn(len(pictures), 1, 3, 3, generator=generator)
    return functional.interpolate(coarse, pictures.shape[2:], mode="bilinear", align_corners=True)


def _uniform(shape: int | tuple[int, ...], largest: float, generator: torch.Generator) -> Tensor:
    return largest * (2 * torch.rand(shape, generator=generator) - 1)


def _sometimes(count: int, probability: float, generator: torch.Generator) -> Tensor:
    return (torch.rand(count, 1, 1, 1, generator=generator) < probability).float()
