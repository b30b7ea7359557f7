"""The one training loop: AdamW, linear warm-up then cosine, gradient clipping, and a moving average of the weights.

What is learned is the caller's: it makes batches and measures the loss. The loop is deterministic for given batches, initial weights and
``torch.set_num_threads``.
"""

import math
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from lumbargrade.train.config import Schedule
from lumbargrade.train.progress import progress_bar

LARGEST_GRADIENT_NORM = 5.0
FINAL_RATE_FRACTION = 0.02
Batch = TypeVar("Batch")


def training_device() -> torch.device:
    """Where networks are trained: the first CUDA device if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def fit(
    network: nn.Module,
    next_batch: Callable[[int], Batch],
    loss: Callable[[nn.Module, Batch], Tensor],
    schedule: Schedule,
    label: str,
    quiet: bool = False,
    line: int = 0,
) -> None:
    """Train ``network`` in place; afterwards it lies on the CPU, in eval mode, with the averaged weights.

    Args:
        network: its convolutions run channels-last, forward passes in bfloat16 autocast.
        next_batch: step (0-based) to a batch. Tensors in it, also inside tuples, lists and dicts, are moved to the training device.
        loss: network and batch to a scalar; runs under autocast, so it should turn outputs to float32 before summing them.
        schedule: steps, rates and the decay of the average. ``batch_size`` is for ``next_batch`` to heed.
        label: what the progress bar on standard error is called.
        quiet: no progress bar.
        line: of the progress bar, where several processes train at once.

    Raises:
        FloatingPointError: the loss became infinite or NaN.
    """
    device = training_device()
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    network.train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay)
    rates = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate_fraction(step, schedule))
    average = AveragedModel(network, avg_fn=_moving_average(schedule.average_decay), use_buffers=True)
    running_loss = 0.0
    with progress_bar(schedule.steps, label, "step", line, quiet) as progress:
        for step in range(schedule.steps):
            batch = _on_device(next_batch(step), device)
            with torch.autocast(device.type, torch.bfloat16):
                value = loss(network, batch)
            optimiser.zero_grad()
            value.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), LARGEST_GRADIENT_NORM)
            optimiser.step()
            rates.step()
            average.update_parameters(network)
            running_loss = _running_mean(running_loss, float(value.detach()), step, label)
            progress.set_postfix(loss=f"{running_loss:.4f}", refresh=False)
            progress.update()
    network.load_state_dict(average.module.state_dict())
    network.to("cpu").eval()


def _rate_fraction(step: int, schedule: Schedule) -> float:
    """The learning rate of a step as a fraction of the schedule's: a linear rise, then half a cosine down to a small rest."""
    warmup_steps = max(1, round(schedule.steps * schedule.warmup_fraction))
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    done = min(1.0, (step - warmup_steps) / max(1, schedule.steps - warmup_steps))
    return FINAL_RATE_FRACTION + (1 - FINAL_RATE_FRACTION) * (1 + math.cos(math.pi * done)) / 2


def _moving_average(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """The exponential average, shorter at the start so that the random initial weights are forgotten soon."""

    def average(averaged: Tensor, current: Tensor, updates: Tensor | int) -> Tensor:
        if not averaged.is_floating_point():
            return current
        count = float(updates)
        return torch.lerp(current, averaged, min(decay, (1 + count) / (20 + count)))

    return average


def _running_mean(mean: float, value: float, step: int, label: str) -> float:
    if not math.isfinite(value):
        raise FloatingPointError(f"{label}: the loss became {value} at step {step}; a lower learning rate may help")
    weight = max(0.02, 1 / (step + 1))
    return mean + weight * (value - mean)


def _on_device(batch: Any, device: torch.device) -> Any:
    if isinstance(batch, Tensor):
        return batch.to(device, non_blocking=True)
    if isinstance(batch, dict):
        return {key: _on_device(value, device) for key, value in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(_on_device(value, device) for value in batch))
    if isinstance(batch, list | tuple):
        return type(batch)(_on_device(value, device) for value in batch)
    return batch
