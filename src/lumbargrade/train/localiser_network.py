"""The localiser's network: a small 2-D U-Net from one sagittal slice to heat-maps at half its resolution."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import onnx
import torch
from google.protobuf.message import DecodeError
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from lumbargrade.errors import ModelFileError
from lumbargrade.localise.channels import CHANNELS, INPUT_NAME, OUTPUT_NAME, STRIDE
from lumbargrade.train.export import export_onnx

WIDTHS = (16, 32, 64, 96, 128)
_PARTS = ("weight", "bias")
RARE_LOGIT = -4.0
"""Starting bias of the heat-maps: landmarks fill about one pixel in fifty."""


class LocaliserNetwork(nn.Module):
    """(n, 2, rows, columns) slices to (n, 19, rows / 2, columns / 2) heat-map logits; rows and columns are multiples of 32.

    0.9 million weights at the default widths. The coarsest cells are 48 mm wide, so each sees the whole lumbar spine: naming a level takes
    counting from the sacrum. ``normalised`` is whether it has batch normalisation, as one trained from the beginning should.
    """

    def __init__(self, widths: Sequence[int] = WIDTHS, normalised: bool = True) -> None:
        super().__init__()
        self.stem = nn.Sequential(*_convolution(2, widths[0], 5, STRIDE, normalised))
        inputs = (widths[0], *widths[:-1])
        self.down = nn.ModuleList(_two_convolutions(before, after, normalised) for before, after in zip(inputs, widths, strict=True))
        self.up = nn.ModuleList(_two_convolutions(fine + coarse, fine, normalised) for fine, coarse in pairwise(widths))
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

    Export folds batch normalisation into the convolutions, and so the network that is read has none: it learns on with the statistics of
    what it was first trained on, which suits small steps on few studies.

    Raises:
        ModelFileError: another network's file.
    """
    try:
        graph = onnx.load_from_string(content).graph
        arrays = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
        stored = {node.name.split("/")[-2]: [arrays[name] for name in node.input[1:]] for node in graph.node if node.op_type == "Conv"}
        widths = [len(stored["stem.0"][1]), *(len(stored[f"down.{depth}.0"][1]) for depth in range(1, len(WIDTHS)))]
        network = LocaliserNetwork(widths, normalised=False)
        state = {f"{name}.{part}": torch.tensor(array) for name, parts in stored.items() for part, array in zip(_PARTS, parts, strict=True)}
        network.load_state_dict(state)
    except (DecodeError, LookupError, ValueError, RuntimeError) as error:
        raise ModelFileError(f"the localiser to start from is not one that this version can train on ({type(error).__name__})") from error
    return network


def _two_convolutions(before: int, after: int, normalised: bool) -> nn.Sequential:
    return nn.Sequential(*_convolution(before, after, 3, 1, normalised), *_convolution(after, after, 3, 1, normalised))


def _convolution(before: int, after: int, size: int, stride: int, normalised: bool) -> tuple[nn.Module, ...]:
    normalisation: nn.Module = nn.BatchNorm2d(after) if normalised else nn.Identity()
    return nn.Conv2d(before, after, size, stride, size // 2, bias=not normalised), normalisation, nn.ReLU(inplace=True)
