"""The localiser's network: a small 2-D U-Net from one sagittal slice to heat-maps at half its resolution."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from lumbargrade.localise.channels import CHANNELS, INPUT_NAME, OUTPUT_NAME, STRIDE
from lumbargrade.train.export import export_onnx
from lumbargrade.train.start import load_weights

WIDTHS = (16, 32, 64, 96, 128)
RARE_LOGIT = -4.0
"""Starting bias of the heat-maps: landmarks fill about one pixel in fifty."""


class LocaliserNetwork(nn.Module):
    """(n, 2, rows, columns) slices to (n, 19, rows / 2, columns / 2) heat-map logits; rows and columns are multiples of 32.

    0.9 million weights at the default widths. The coarsest cells are 48 mm wide, so each sees the whole lumbar spine: naming a level takes
    counting from the sacrum.
    """

    def __init__(self, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        self.stem = nn.Sequential(*_convolution(2, widths[0], 5, STRIDE))
        inputs = (widths[0], *widths[:-1])
        self.down = nn.ModuleList(_two_convolutions(before, after) for before, after in zip(inputs, widths, strict=True))
        self.up = nn.ModuleList(_two_convolutions(fine + coarse, fine) for fine, coarse in pairwise(widths))
        self.head = nn.Conv2d(widths[0], CHANNELS, 1)
        nn.init.constant_(self.head.bias, RARE_LOGIT)  # type: ignore[arg-type]

    def forward(self, slices: Tensor) -> Tensor:
        features = self.down[0](self.stem(slices))
        skipped = []
        for block in self.down[1:]:
            skipped.append(features)
            features = block(functional.max_pool2d(features, 2))
        for block, fine in zip(reversed(self.up), reversed(skipped), strict=True):
            features = block(torch.cat([functional.interpolate(features, scale_factor=2.0, mode="nearest"), fine], 1))
        logits: Tensor = self.head(features)
        return logits


def export_localiser(network: nn.Module, path: Path) -> None:
    """Write the trained network as the ONNX file that ``localise`` runs: any number of slices of any size, heat between 0 and 1.

    Raises:
        ModelFileError: ONNX Runtime and torch disagree on an example.
    """
    example = torch.randn(2, 2, 96, 64, generator=torch.Generator().manual_seed(0))
    free = {0: "slices", 2: "rows", 3: "columns"}
    export_onnx(
        nn.Sequential(network, nn.Sigmoid()),
        path,
        {INPUT_NAME: example},
        [OUTPUT_NAME],
        {INPUT_NAME: free, OUTPUT_NAME: {0: "slices", 2: "heat_rows", 3: "heat_columns"}},
    )


def read_localiser(content: bytes) -> LocaliserNetwork:
    """The network of a file that ``export_localiser`` wrote, to be trained on.

    Raises:
        ModelFileError: another network's file.
    """
    network = LocaliserNetwork()
    load_weights(network, content, inside="0.")
    return network


def _two_convolutions(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(*_convolution(before, after, 3, 1), *_convolution(after, after, 3, 1))


def _convolution(before: int, after: int, size: int, stride: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(before, after, size, stride, size // 2, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True)
