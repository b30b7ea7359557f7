"""From a trained network to the ONNX file that the product runs, checked against torch."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from lumbargrade.errors import ModelFileError
from lumbargrade.grade.recipe import LOGITS_OUTPUT
from lumbargrade.models import Network

OPSET = 17
LARGEST_DIFFERENCE = 1e-4
LOGITS_SHARE = 4
"""How much more logits may differ: a probability differs by at most a quarter as much."""


def export_onnx(
    network: nn.Module,
    path: Path,
    example_inputs: Mapping[str, Tensor],
    output_names: Sequence[str],
    dynamic_axes: Mapping[str, Mapping[int, str]],
    compared_on: Iterable[Mapping[str, Tensor]] = (),
) -> None:
    """Write ``network`` as ONNX and check that ONNX Runtime gives torch's outputs.

    Args:
        network: takes the inputs by position, in the order of ``example_inputs``; returns one tensor or a tuple of them.
        path: the file to write; replaced only once the new one passed the check.
        example_inputs: name to float32 example.
        output_names: one name per output.
        dynamic_axes: input or output name to its axes of free size, as ``{axis: name}``.
        compared_on: batches of inputs on which the two are compared, beside the example.

    Raises:
        ModelFileError: an output differs from torch's by more than 1e-4, or a ten thousandth of its largest value where that is above 1,
            as millimetres are; logits by four times that.
    """
    network = network.to("cpu", memory_format=torch.contiguous_format).eval()  # type: ignore[call-overload]
    inputs = tuple(tensor.detach().cpu().contiguous() for tensor in example_inputs.values())
    partial = path.with_name(path.name + ".partial")
    with warnings.catch_warnings(), torch.no_grad():
        # the exporter that needs no further package announces its deprecation, and traces shape checks as constants
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # type: ignore[attr-defined]
        torch.onnx.export(
            network,
            inputs,
            str(partial),
            dynamo=False,
            opset_version=OPSET,
            input_names=list(example_inputs),
            output_names=list(output_names),
            dynamic_axes={name: dict(axes) for name, axes in dynamic_axes.items()},
        )
    try:
        onnx.checker.check_model(str(partial))
        _check_parity(network, partial, chain([dict(zip(example_inputs, inputs, strict=True))], compared_on), output_names)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _check_parity(network: nn.Module, path: Path, batches: Iterable[Mapping[str, Tensor]], output_names: Sequence[str]) -> None:
    exported = Network(path.name, path.read_bytes())
    for batch in batches:
        with torch.no_grad():
            outputs = network(*batch.values())
        expected = outputs if isinstance(outputs, tuple) else (outputs,)
        found = exported.run(**{name: tensor.numpy() for name, tensor in batch.items()})
        for name, tensor in zip(output_names, expected, strict=True):
            values = tensor.numpy()
            allowed = LARGEST_DIFFERENCE * (LOGITS_SHARE if name == LOGITS_OUTPUT else 1)
            difference = float(np.abs(found[name] - values).max() / max(np.abs(values).max(), 1))
            if not difference <= allowed:
                raise ModelFileError(f"{path.name}: output {name} differs from torch by {difference:.2g}, at most {allowed:.2g} is allowed")
