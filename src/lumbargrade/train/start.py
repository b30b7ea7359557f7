"""Training on from a network that was exported: its weights read back from the ONNX file, and batch normalisation given back.

Export folds batch normalisation into the convolution before it. A network that is read back first normalises by nothing, and so gives the
file's outputs; ``measuring_normalisation`` then splits each convolution again into one that normalises by what it meets now, with the same
outputs, so that training goes on as any other does.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import onnx
import torch
from google.protobuf.message import DecodeError
from onnx import NodeProto, numpy_helper
from torch import Tensor, nn

from lumbargrade.errors import ModelFileError

MEASURED_BATCHES = 8
"""On how many batches normalisation is measured before training goes on."""
MEASURING = 1000
"""The place of these batches' pieces: none of a training has it."""


def load_weights(network: nn.Module, content: bytes, inside: str = "", elsewhere: Sequence[str] = ()) -> dict[str, Tensor]:
    """Give a newly built network the weights of an exported one.

    Args:
        network: built as the one that was exported.
        content: the ONNX file.
        inside: what stands before the network's own names in the file, as ``network.``.
        elsewhere: weights that the file does not hold under their names; they stay as they are.

    Returns:
        The arrays of the file that are no weights of the network, by name.

    Raises:
        ModelFileError: the file is another network's.
    """
    try:
        arrays = {name.removeprefix(inside): array for name, array in _stored_arrays(content).items()}
        for name, layer in _normalisations(network).items():
            arrays[f"{name}.bias"] = arrays.pop(f"{_convolution_before(name)}.bias")
            arrays[f"{name}.weight"] = torch.ones(layer.num_features)
            arrays[f"{name}.running_mean"] = torch.zeros(layer.num_features)
            arrays[f"{name}.running_var"] = torch.full((layer.num_features,), 1 - layer.eps)
        state = network.state_dict()
        learnt = {name for name, _ in network.named_parameters()} - set(elsewhere)
        network.load_state_dict({name: arrays[name] if name in learnt else arrays.get(name, own) for name, own in state.items()})
        return {name: array for name, array in arrays.items() if name not in state}
    except (DecodeError, LookupError, ValueError, RuntimeError) as error:
        raise ModelFileError(f"the network to start from is not one that this version can train on ({type(error).__name__})") from error


@contextmanager
def measuring_normalisation(network: nn.Module) -> Iterator[None]:
    """While a network that ``load_weights`` filled is run on some batches, note what is to be normalised; then let it normalise by that.

    The network's outputs stay as they are in eval mode, and nearly so in training.
    """
    met: dict[str, list[tuple[Tensor, Tensor]]] = {name: [] for name in _normalisations(network)}

    def noting(name: str):  # type: ignore[no-untyped-def]
        return lambda layer, inputs: met[name].append(_mean_and_variance(inputs[0]))

    hooks = [layer.register_forward_pre_hook(noting(name)) for name, layer in _normalisations(network).items()]
    was_training = network.training
    network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        network.train(was_training)
        for hook in hooks:
            hook.remove()
    for name, layer in _normalisations(network).items():
        means, variances = (torch.stack(values) for values in zip(*met[name], strict=True))
        mean = means.mean(0)
        variance = variances.mean(0) + means.var(0, correction=0)
        assert layer.running_mean is not None
        assert layer.running_var is not None
        with torch.no_grad():
            layer.bias.add_(mean)
            layer.weight.copy_((variance + layer.eps).sqrt())
            layer.running_mean.copy_(mean)
            layer.running_var.copy_(variance)


def _mean_and_variance(values: Tensor) -> tuple[Tensor, Tensor]:
    values = values.float()
    return values.mean((0, 2, 3)), values.var((0, 2, 3), correction=0)


def _normalisations(network: nn.Module) -> dict[str, nn.BatchNorm2d]:
    return {name: layer for name, layer in network.named_modules() if isinstance(layer, nn.BatchNorm2d)}


def _convolution_before(normalisation: str) -> str:
    """The layer before one of an ``nn.Sequential``."""
    sequence, _, place = normalisation.rpartition(".")
    return f"{sequence}.{int(place) - 1}"


def _stored_arrays(content: bytes) -> dict[str, Tensor]:
    """The file's arrays by the names that they had in torch, where the exporter tells: of some layers only the node does."""
    graph = onnx.load_from_string(content).graph
    arrays = {each.name: torch.tensor(numpy_helper.to_array(each)) for each in graph.initializer}
    for node in graph.node:
        own = [name for name in node.input[1:] if name in arrays]
        if node.op_type == "Conv":
            arrays |= {f"{_layer(node)}.{part}": arrays[name] for part, name in zip(("weight", "bias"), own, strict=False)}
        elif node.op_type == "MatMul" and own:
            arrays[f"{_layer(node)}.weight"] = arrays[own[0]].T
    return arrays


def _layer(node: NodeProto) -> str:
    """The layer that a node was: ``/network/trunk/trunk.0/Conv``, whose parts repeat what is before a full stop, is ``network.trunk.0``."""
    parts: list[str] = []
    for part in node.name.split("/")[1:-1]:
        if parts and part.startswith(f"{parts[-1]}."):
            parts.pop()
        parts.append(part)
    return ".".join(parts)
