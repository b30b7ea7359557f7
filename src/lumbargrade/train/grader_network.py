"""The grading networks: one small 2.5-D convolutional network per condition, and their export.

Input pictures are (n, 3, size, size): the slices are the channels. Each picture is standardised inside the network, so training and use
cannot differ in it and the brightness scale of the input does not matter.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from lumbargrade.grade.crop import NETWORK_SLICES
from lumbargrade.grade.recipe import LOGITS_OUTPUT, PRESENT_INPUT, RECIPES
from lumbargrade.terms import SEVERITIES, Condition
from lumbargrade.train.export import export_onnx

STRIDE = 16
DROPOUT = 0.3
SINGLE_WIDTHS = (16, 32, 64, 72)
DOUBLE_WIDTHS = (12, 24, 48, 64)
"""Narrower, since the canal's network has one encoder per view; widths keep the three files below 1.6 + 1.2 + 1.2 MB."""


def _convolution(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions around a shortcut (He et al., CVPR 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _convolution(channels, channels, 3, 1)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, features: Tensor) -> Tensor:
        return torch.relu(features + self.second(self.first(features)))


class CropEncoder(nn.Module):
    """(n, 3, size, size) pictures to (n, hidden) features.

    Pooling over the picture says what is there; a few channels kept in place say where, which matters for one-sided disease.
    """

    def __init__(self, size_px: int, widths: tuple[int, int, int, int], place_channels: int, hidden: int) -> None:
        super().__init__()
        first, second, third, last = widths
        self.trunk = nn.Sequential(
            _convolution(NETWORK_SLICES, first, 5, 2),
            _convolution(first, second, 3, 2),
            ResidualBlock(second),
            _convolution(second, third, 3, 2),
            ResidualBlock(third),
            _convolution(third, last, 3, 2),
            ResidualBlock(last),
        )
        self.place = nn.Conv2d(last, place_channels, 1)
        cells = -(-size_px // STRIDE)
        self.dropout = nn.Dropout(DROPOUT)
        self.features = nn.Linear(2 * last + place_channels * cells * cells, hidden)

    def forward(self, pictures: Tensor) -> Tensor:
        maps = self.trunk(_standardised(pictures))
        placed = torch.relu(self.place(maps)).flatten(1)
        pooled = torch.cat([maps.mean((2, 3)), maps.amax((2, 3)), placed], 1)
        return torch.as_tensor(self.features(self.dropout(pooled)))


class SingleViewGrader(nn.Module):
    """One picture to (n, 3) logits: the foramen and the subarticular zone."""

    def __init__(self, size_px: int) -> None:
        super().__init__()
        self.encoder = CropEncoder(size_px, SINGLE_WIDTHS, place_channels=12, hidden=48)
        self.head = nn.Sequential(nn.ReLU(), nn.Dropout(DROPOUT), nn.Linear(48, len(SEVERITIES)))

    def forward(self, pictures: Tensor) -> Tensor:
        return torch.as_tensor(self.head(self.encoder(pictures)))


class DoubleViewGrader(nn.Module):
    """Two pictures, either of which may be absent, to (n, 3) logits: the canal.

    The features of an absent view are multiplied by 0, so its pixels cannot matter; the head is told which views it has.
    """

    def __init__(self, first_size_px: int, second_size_px: int) -> None:
        super().__init__()
        self.first = CropEncoder(first_size_px, DOUBLE_WIDTHS, place_channels=10, hidden=48)
        self.second = CropEncoder(second_size_px, DOUBLE_WIDTHS, place_channels=10, hidden=48)
        self.views = nn.Linear(2, 48)
        self.head = nn.Sequential(nn.ReLU(), nn.Dropout(DROPOUT), nn.Linear(48, len(SEVERITIES)))

    def forward(self, first: Tensor, second: Tensor, present: Tensor) -> Tensor:
        fused = self.first(first) * present[:, :1] + self.second(second) * present[:, 1:] + self.views(present)
        return torch.as_tensor(self.head(fused))


def build_grader(condition: Condition) -> nn.Module:
    """An untrained network for a condition; its inputs are those of the condition's recipes, in order."""
    sizes = [recipe.size_px for recipe in RECIPES[condition]]
    return SingleViewGrader(*sizes) if len(sizes) == 1 else DoubleViewGrader(*sizes)


def export_grader(network: nn.Module, condition: Condition, path: Path) -> None:
    """Write a condition's network as ONNX with the input and output names that ``grade`` uses.

    Raises:
        ModelFileError: the file does not give torch's outputs.
    """
    generator = torch.Generator().manual_seed(0)
    inputs = {
        recipe.input_name: torch.rand(2, NETWORK_SLICES, recipe.size_px, recipe.size_px, generator=generator)
        for recipe in RECIPES[condition]
    }
    if len(inputs) > 1:
        inputs[PRESENT_INPUT] = torch.ones(2, len(RECIPES[condition]))
    export_onnx(network, path, inputs, [LOGITS_OUTPUT], {name: {0: "findings"} for name in (*inputs, LOGITS_OUTPUT)})


def _standardised(pictures: Tensor) -> Tensor:
    """Each picture to mean 0 and standard deviation 1 over its three slices together; in float32 even under autocast."""
    pictures = pictures.float()
    centred = pictures - pictures.mean((1, 2, 3), keepdim=True)
    return centred / (centred.square().mean((1, 2, 3), keepdim=True) + 1e-6).sqrt()
