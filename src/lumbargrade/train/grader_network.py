"""The grading networks: per condition a reader of windows of slices, attention over them, and a head; and their export.

Input pictures are (n, 5, size, size): the chosen slice and two on each side. Each picture is standardised inside the network, so training
and use cannot differ in it and the brightness scale of the input does not matter. A network says how likely each severity is, and estimates
what the phantom measures of a finding, as a normal distribution, and where in the picture its site lies.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from lumbargrade.grade.crop import NETWORK_SLICES
from lumbargrade.grade.recipe import LOGITS_OUTPUT, MEASURES, MEASURES_OUTPUT, OFFSET_OUTPUT, PRESENT_INPUT, RECIPES, SPREAD_OUTPUT
from lumbargrade.terms import SEVERITIES, Condition
from lumbargrade.train.backbone import BUILT_IN, Backbone, timm_trunk
from lumbargrade.train.export import export_onnx
from lumbargrade.train.parallel import SharedDropout
from lumbargrade.train.start import load_weights

WINDOW_SLICES = 3
WINDOWS = NETWORK_SLICES - WINDOW_SLICES + 1
STRIDE = 16
OFFSET_UNIT_MM = 10.0
DROPOUT = 0.3
ATTENTION_HIDDEN = 16
HIDDEN = 48
LOG_VARIANCES = (-6.0, 4.0)
"""Of estimates, in units of the variance between findings: beyond, one finding would outweigh the others, or none count."""
FEWEST_MEASURED = 20
"""Below this many samples with known measures none are estimated."""
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


class WindowReader(nn.Module, ABC):
    """(n, 5, size, size) pictures to (n, hidden) features, and (n, 2) offsets of the site in ``OFFSET_UNIT_MM``.

    Each window of three neighbouring slices, as channels, is described alike by ``describe``, a subclass's. Attention then weighs the
    windows (Ilse, Tomczak and Welling, ICML 2018), since the slice that shows a finding best may be the one beside.
    """

    def __init__(self, described: int, hidden: int) -> None:
        super().__init__()
        self.dropout = SharedDropout(DROPOUT)
        self.attention = nn.Sequential(nn.Linear(described, ATTENTION_HIDDEN), nn.Tanh(), nn.Linear(ATTENTION_HIDDEN, 1))
        self.middle_first = nn.Parameter(functional.one_hot(torch.tensor(WINDOWS // 2), WINDOWS).float()[:, None])
        self.features = nn.Linear(described, hidden)
        self.offset = nn.Linear(described, 2)

    @abstractmethod
    def describe(self, windows: Tensor) -> Tensor:
        """(n, 3, size, size) windows to (n, described)."""

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        slices = _standardised(pictures)
        windows = torch.stack([slices[:, start : start + WINDOW_SLICES] for start in range(WINDOWS)], 1).flatten(0, 1)
        described = self.describe(windows).reshape(-1, WINDOWS, self.features.in_features)
        shares = torch.softmax(self.attention(described) + self.middle_first, 1)
        chosen = self.dropout((shares * described).sum(1))
        return self.features(chosen), self.offset(chosen)


class CropEncoder(WindowReader):
    """The built-in reader: a small residual network. Pooling over the picture says what is there; a few channels kept in place say where,
    which matters for one-sided disease."""

    def __init__(self, size_px: int, widths: tuple[int, int, int, int], place_channels: int, hidden: int) -> None:
        first, second, third, last = widths
        cells = -(-size_px // STRIDE)
        super().__init__(2 * last + place_channels * cells * cells, hidden)
        self.trunk = nn.Sequential(
            _convolution(WINDOW_SLICES, first, 5, 2),
            _convolution(first, second, 3, 2),
            ResidualBlock(second),
            _convolution(second, third, 3, 2),
            ResidualBlock(third),
            _convolution(third, last, 3, 2),
            ResidualBlock(last),
        )
        self.place = nn.Conv2d(last, place_channels, 1)

    def describe(self, windows: Tensor) -> Tensor:
        maps = self.trunk(windows)
        placed = torch.relu(self.place(maps)).flatten(1)
        return torch.cat([maps.mean((2, 3)), maps.amax((2, 3)), placed], 1)


class TimmReader(WindowReader):
    """Any image network of the timm library as the reader of windows, at its own picture size."""

    def __init__(self, backbone: Backbone, hidden: int) -> None:
        trunk = timm_trunk(backbone)
        super().__init__(int(trunk.num_features), hidden)  # type: ignore[arg-type]
        self.trunk, self.size_px = trunk, backbone.size_px

    def describe(self, windows: Tensor) -> Tensor:
        larger = functional.interpolate(windows, size=(self.size_px, self.size_px), mode="bilinear", align_corners=False)
        described: Tensor = self.trunk(larger)
        return described


class Reading(NamedTuple):
    """(n, 3) logits; (n, measures) estimates and the logarithms of their variances, both in ``Scale`` units; and (n, pictures, 2) where
    the site lies from the middle of each picture, in ``OFFSET_UNIT_MM``."""

    logits: Tensor
    measures: Tensor
    log_variances: Tensor
    offsets: Tensor


class ReadingHead(nn.Module):
    """(n, hidden) features, and what is known of the offsets, to a ``Reading``."""

    def __init__(self, hidden: int, measures: int) -> None:
        super().__init__()
        self.shared = nn.Sequential(nn.ReLU(), SharedDropout(DROPOUT))
        self.grade = nn.Linear(hidden, len(SEVERITIES))
        self.measure = nn.Linear(hidden, 2 * measures)

    def forward(self, features: Tensor, offsets: Tensor) -> Reading:
        shared = self.shared(features)
        measures, log_variances = self.measure(shared).chunk(2, 1)
        return Reading(self.grade(shared), measures, log_variances.clamp(*LOG_VARIANCES), offsets)


class SingleViewGrader(nn.Module):
    """One picture to a ``Reading``: the foramen and the subarticular zone."""

    def __init__(self, encoder: WindowReader, measures: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = ReadingHead(HIDDEN, measures)

    def forward(self, pictures: Tensor) -> Reading:
        features, offset = self.encoder(pictures)
        reading: Reading = self.head(features, offset[:, None])
        return reading


class DoubleViewGrader(nn.Module):
    """Two pictures, either of which may be absent, to a ``Reading``: the canal.

    The features of an absent view are multiplied by 0, so its pixels cannot matter; the head is told which views it has.
    """

    def __init__(self, first: WindowReader, second: WindowReader, measures: int) -> None:
        super().__init__()
        self.first, self.second = first, second
        self.views = nn.Linear(2, HIDDEN)
        self.head = ReadingHead(HIDDEN, measures)

    def forward(self, first: Tensor, second: Tensor, present: Tensor) -> Reading:
        first_features, first_offset = self.first(first)
        second_features, second_offset = self.second(second)
        fused = first_features * present[:, :1] + second_features * present[:, 1:] + self.views(present)
        reading: Reading = self.head(fused, torch.stack([first_offset, second_offset], 1))
        return reading


class Scale(NamedTuple):
    """(measures,) means and standard deviations of what was measured of the training samples."""

    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]

    @classmethod
    def of(cls, measures: NDArray[np.float32]) -> "Scale | None":
        """Of the (n, measures) samples whose measures are known; None where there are too few."""
        known = measures[np.isfinite(measures).all(1)]
        return cls(known.mean(0), known.std(0) + 1e-6) if len(known) >= FEWEST_MEASURED else None


class _Measuring(nn.Module):
    """A trained network whose estimates and their deviations are in the measures' own units and in millimetres."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, network: nn.Module, scale: Scale) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.from_numpy(scale.mean))
        self.register_buffer("deviation", torch.from_numpy(scale.deviation))

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        reading = self.network(*inputs)
        measures, spread = reading.measures * self.deviation + self.mean, torch.exp(reading.log_variances / 2) * self.deviation
        return reading.logits, reading.offsets * OFFSET_UNIT_MM, measures, spread


class _Grading(nn.Module):
    """A trained network's logits and offsets alone."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        reading = self.network(*inputs)
        return reading.logits, reading.offsets * OFFSET_UNIT_MM


def read_grader(content: bytes, condition: Condition) -> tuple[nn.Module, Scale | None]:
    """The network of a file that ``export_grader`` wrote, to be trained on, and the scale of its measures, None if it estimates none.

    Raises:
        ModelFileError: another network's file.
    """
    network = build_grader(condition)
    rest = load_weights(network, content, inside="network.", elsewhere=("head.measure.weight", "head.measure.bias"))
    return network, Scale(rest["mean"].numpy(), rest["deviation"].numpy()) if "mean" in rest else None


def build_grader(condition: Condition, backbone: Backbone = BUILT_IN) -> nn.Module:
    """An untrained network for a condition; its inputs are those of the condition's recipes, in order.

    Raises:
        UsageError: a backbone that cannot be made here.
    """
    measures = len(MEASURES[condition])
    widths, places = (SINGLE_WIDTHS, 12) if len(RECIPES[condition]) == 1 else (DOUBLE_WIDTHS, 10)
    encoders = [
        CropEncoder(recipe.size_px, widths, places, HIDDEN) if backbone.timm_name is None else TimmReader(backbone, HIDDEN)
        for recipe in RECIPES[condition]
    ]
    return SingleViewGrader(encoders[0], measures) if len(encoders) == 1 else DoubleViewGrader(encoders[0], encoders[1], measures)


def export_grader(
    network: nn.Module, condition: Condition, path: Path, scale: Scale | None, compared_on: Iterable[Sequence[Tensor]] = ()
) -> None:
    """Write a condition's network as ONNX with the input and output names that ``grade`` uses; without a scale it estimates no measures.

    ``compared_on`` are batches of the network's inputs on which torch and ONNX Runtime are compared, beside noise.

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
    outputs = [LOGITS_OUTPUT, OFFSET_OUTPUT, *((MEASURES_OUTPUT, SPREAD_OUTPUT) if scale else ())]
    exported = _Measuring(network, scale) if scale else _Grading(network)
    axes = {name: {0: "findings"} for name in (*inputs, *outputs)}
    export_onnx(exported, path, inputs, outputs, axes, (dict(zip(inputs, batch, strict=True)) for batch in compared_on))


def _standardised(pictures: Tensor) -> Tensor:
    """Each picture to mean 0 and standard deviation 1 over its slices together; in float32 even under autocast."""
    pictures = pictures.float()
    centred = pictures - pictures.mean((1, 2, 3), keepdim=True)
    return centred / (centred.square().mean((1, 2, 3), keepdim=True) + 1e-6).sqrt()
