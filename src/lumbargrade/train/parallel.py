"""One training over several processes with the result of one: each makes a part of every batch; statistics and gradients are shared.

A piece has random numbers of its own, drawn from the run's seed, the step and its place, so the batch of a step is the same however many
processes make it, and after an interruption too. ``torchrun`` starts the processes; without it there is one.
"""

import math
import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import torch
from torch import Tensor, distributed, nn

from lumbargrade.errors import UsageError

MOST_PIECES = 8
LONGEST_WAIT = timedelta(days=2)
"""The others wait while the first process reads a data set or predicts."""


@dataclass(frozen=True, slots=True)
class World:
    """The processes of a training: which of them this is, how many there are, and how many of them share this machine."""

    rank: int = 0
    size: int = 1
    on_this_machine: int = 1

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def wait(self) -> None:
        """Until every process has come here."""
        if self.size > 1:
            distributed.barrier()

    def from_first(self, value: Any) -> Any:
        """What the first process has, in every process."""
        if self.size == 1:
            return value
        box = [value]
        distributed.broadcast_object_list(box)
        return box[0]

    def total(self, values: Tensor) -> Tensor:
        """The sum over the processes, without a gradient."""
        values = values.detach().clone()
        if self.size > 1:
            distributed.all_reduce(values)
        return values


ALONE = World()


def open_world() -> World:
    """Join the processes that ``torchrun`` has started, if it has."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return ALONE
    if not distributed.is_initialized():
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo", timeout=LONGEST_WAIT)
    return World(distributed.get_rank(), distributed.get_world_size(), int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


def close_world(world: World) -> None:
    """Leave the others."""
    if world.size > 1 and distributed.is_initialized():
        distributed.destroy_process_group()


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a step's batch: how many samples, and random numbers that are its own."""

    seed: int
    step: int
    index: int
    samples: int

    def random(self) -> np.random.Generator:
        return np.random.default_rng([self.seed, self.step, self.index])

    def generator(self) -> torch.Generator:
        return torch.Generator().manual_seed(self.torch_seed())

    def torch_seed(self) -> int:
        """For ``torch``'s default generator."""
        return int(self.random().integers(2**62))


def pieces_of(batch_size: int, seed: int, step: int, world: World) -> list[Piece]:
    """This process's pieces of a step's batch.

    Raises:
        UsageError: the batch cannot be dealt among so many processes.
    """
    count = math.gcd(batch_size, MOST_PIECES)
    if count % world.size:
        raise UsageError(f"a batch of {batch_size} is made in {count} pieces, which {world.size} processes cannot share evenly")
    own = count // world.size
    return [Piece(seed, step, index, batch_size // count) for index in range(world.rank * own, (world.rank + 1) * own)]


def joined(batches: list[Any]) -> Any:
    """Batches of one structure (tensors in tuples) as one: along the first axis."""
    first = batches[0]
    if isinstance(first, Tensor):
        return torch.cat(batches)
    parts = [joined(list(each)) for each in zip(*batches, strict=True)]
    return type(first)(*parts) if hasattr(first, "_fields") else type(first)(parts)


def mean_of(total: Tensor, count: Tensor) -> Tensor:
    """A sum over this process's part of a batch as its share of the mean over the whole batch; 0 where there is nothing to count.

    Averaged over processes, as gradients are, it is the whole batch's mean.
    """
    size = distributed.get_world_size() if distributed.is_initialized() else 1
    whole = World(0, size).total(count.float()) / size
    return total / whole.clamp(min=1e-6)


def share_gradients(network: nn.Module, world: World) -> None:
    """Average the gradients over the processes."""
    if world.size == 1:
        return
    gradients = [weight.grad for weight in network.parameters() if weight.grad is not None]
    flat = torch.cat([each.reshape(-1) for each in gradients])
    distributed.all_reduce(flat)
    flat /= world.size
    for each, part in zip(gradients, torch.split(flat, [each.numel() for each in gradients]), strict=True):
        each.copy_(part.reshape(each.shape))


class SharedDropout(nn.Module):
    """Dropout whose mask is that of the whole batch: ``prepare`` seeds it anew for each step."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share, self.seed, self.world = share, 0, ALONE

    def forward(self, values: Tensor) -> Tensor:
        if not self.training:
            return values
        count = len(values)
        whole = torch.rand((self.world.size * count, *values.shape[1:]), generator=torch.Generator().manual_seed(self.seed))
        kept = whole[self.world.rank * count : (self.world.rank + 1) * count] >= self.share
        return values * kept.to(values.device, values.dtype) / (1 - self.share)


def prepare(network: nn.Module, seed: int, step: int, world: World) -> None:
    """Seed what is random inside a network for a step."""
    layers = [layer for layer in network.modules() if isinstance(layer, SharedDropout)]
    for index, layer in enumerate(layers):
        layer.seed, layer.world = Piece(seed, step, MOST_PIECES + index, 0).torch_seed(), world


class _SharedBatchNorm(nn.BatchNorm2d):
    """Batch normalisation by the whole batch's mean and variance."""

    def forward(self, values: Tensor) -> Tensor:
        if not self.training:
            return super().forward(values)
        size = distributed.get_world_size()
        exact = values.float()
        moments = (
            _TotalWithGradient.apply(  # type: ignore[no-untyped-call]
                torch.stack([exact.mean((0, 2, 3)), exact.square().mean((0, 2, 3))])
            )
            / size
        )
        mean, variance = moments[0], moments[1] - moments[0].square()
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        with torch.no_grad():
            count = size * values.numel() / values.shape[1]
            self.running_mean.lerp_(mean, self.momentum or 0.1)
            self.running_var.lerp_(variance * count / max(count - 1, 1), self.momentum or 0.1)
            self.num_batches_tracked += 1
        scale = self.weight * (variance + self.eps).rsqrt()
        normal: Tensor = (exact - mean[:, None, None]) * scale[:, None, None] + self.bias[:, None, None]
        return normal.to(values.dtype)


class _TotalWithGradient(torch.autograd.Function):
    """The sum over the processes; its gradient is summed over them too."""

    @staticmethod
    def forward(context: Any, values: Tensor) -> Tensor:
        total = values.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        (gradient,) = gradients
        total = gradient.clone()
        distributed.all_reduce(total)
        return total


def normalise_together(network: nn.Module, world: World) -> None:
    """Let batch normalisation see the whole batch, from now on."""
    if world.size > 1:
        _exchange(network, nn.BatchNorm2d, _SharedBatchNorm)


def normalise_alone(network: nn.Module) -> None:
    """Undo ``normalise_together``."""
    _exchange(network, _SharedBatchNorm, nn.BatchNorm2d)


def _exchange(network: nn.Module, before: type[nn.Module], after: type[nn.Module]) -> None:
    for layer in network.modules():
        if type(layer) is before:
            layer.__class__ = after
