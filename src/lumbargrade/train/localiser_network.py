"""The localiser's network: a small 2-D U-Net from one sagittal slice to heat-maps at half its resolution."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from lumbargrade.localise.channels import CHANNELS, INPUT_NAME, OUTPUT_NAME, STRIDE
from lumbargrade.train.export import export_onnx

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
        self.stem = nn.Sequential(
            nn.Conv2d(2, widths[0], 5, stride=STRIDE, padding=2, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU(inplace=True)
        )
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


def _two_convolutions(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
        nn.Conv2d(after, after, 3, padding=1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    )
