"""The one training loop: AdamW, linear warm-up then cosine, gradient clipping, and a moving average of the weights.

What is learned is the caller's: it makes batches and measures the loss. The loop is deterministic for a given seed, initial weights and
``torch.set_num_threads``; killed and begun again, or dealt among processes, it comes to the same.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from lumbargrade.train.config import Schedule
from lumbargrade.train.parallel import (
    ALONE,
    Piece,
    World,
    joined,
    normalise_alone,
    normalise_together,
    pieces_of,
    prepare,
    share_gradients,
)
from lumbargrade.train.progress import progress_bar
from lumbargrade.train.record import write_json

LARGEST_GRADIENT_NORM = 5.0
FINAL_RATE_FRACTION = 0.02
SHOWN_STEPS = 50
"""The loss beside the progress bar is the mean of so many steps."""
KEPT_SECONDS = 60.0
"""How often the state is kept: at most so much work is lost when a run is killed."""
LOOKS = 12
"""How often in a training it is measured what the network is worth on studies that are held out."""
Batch = TypeVar("Batch")


@dataclass(frozen=True, slots=True)
class Session:
    """How a training is shown, kept and shared, which changes nothing of what is learnt but by rounding.

    Attributes:
        label: what the progress bar on standard error is called.
        quiet: no progress bar.
        line: of the progress bar, where several processes train at once.
        notes: the beginning of a path: the state is kept in ``<notes>.state`` now and then, and training goes on from it if it is there;
            the losses are left in ``<notes>.losses.json``. None keeps nothing.
        world: the processes that train together, each with the same arguments.
    """

    label: str
    quiet: bool = False
    line: int = 0
    notes: Path | None = None
    world: World = ALONE

    def remove_state(self) -> None:
        """Once what was trained is written."""
        if self.notes is not None:
            state_path(self.notes).unlink(missing_ok=True)


ALONE_AND_QUIET = Session("", quiet=True)


def training_device() -> torch.device:
    """Where networks are trained: this process's CUDA device if there is one, else the CPU."""
    return torch.device("cuda", torch.cuda.current_device()) if torch.cuda.is_available() else torch.device("cpu")


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 by itself; a CPU that does not takes seven times as long as with float32."""
    if device.type != "cpu":
        return True
    told: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()  # torch 2.10 cannot tell
    return any(bool(is_there) for name, is_there in told.items() if "bf16" in name)


def fit(
    network: nn.Module,
    next_piece: Callable[[Piece], Batch],
    loss: Callable[[nn.Module, Batch], Tensor],
    schedule: Schedule,
    seed: int,
    session: Session = ALONE_AND_QUIET,
    worth: Callable[[nn.Module], float] | None = None,
) -> list[float]:
    """Train ``network`` in place; afterwards it lies on the CPU, in eval mode, with the averaged weights. Returns the loss of each step.

    Args:
        network: its convolutions run channels-last, forward passes in bfloat16 where the device has it, unless the schedule says
            otherwise. Its dropout is ``parallel.SharedDropout``.
        next_piece: a piece of a batch (``parallel.Piece``) to a part of it with as many samples, which depends on nothing else. Tensors in
            it, also inside tuples, are moved to the training device.
        loss: network and batch to a scalar; runs under autocast, so it should turn outputs to float32 before summing them. Means over
            part of a batch are taken with ``parallel.mean_of``.
        schedule: steps, rates, the size of batches and the decay of the average.
        worth: what a network is worth on held-out studies, shown beside the loss and kept with it; it is called with the averaged weights
            now and then, and changes nothing.

    Raises:
        FloatingPointError: the loss became infinite or NaN.
        UsageError: the batch cannot be dealt among the processes.
    """
    device, world = training_device(), session.world
    is_mixed = schedule.mixed_precision and has_bfloat16(device)
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    network.train()
    normalise_together(network, world)
    optimiser = torch.optim.AdamW(network.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay)
    average = AveragedModel(network, avg_fn=_moving_average(schedule.average_decay), use_buffers=True)
    state = _State(network, optimiser, average, session)
    losses, worths = state.read(device)
    looks = {schedule.steps * (look + 1) // LOOKS for look in range(LOOKS)}
    with progress_bar(schedule.steps, session.label, "step", session.line, session.quiet or not world.is_first) as progress:
        progress.update(len(losses))
        for step in range(len(losses), schedule.steps):
            for group in optimiser.param_groups:
                group["lr"] = schedule.learning_rate * _rate_fraction(step, schedule)
            batch = _on_device(joined([next_piece(piece) for piece in pieces_of(schedule.batch_size, seed, step, world)]), device)
            prepare(network, seed, step, world)
            with torch.autocast(device.type, torch.bfloat16, enabled=is_mixed):
                value = loss(network, batch)
            optimiser.zero_grad()
            value.backward()  # type: ignore[no-untyped-call]
            share_gradients(network, world)
            nn.utils.clip_grad_norm_(network.parameters(), LARGEST_GRADIENT_NORM)
            optimiser.step()
            average.update_parameters(network)
            losses.append(_finite(float(world.total(value)) / world.size, step, session.label))
            if worth is not None and len(losses) in looks:
                with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=is_mixed):
                    worths.append((len(losses), worth(average.module.eval())))
            lately = losses[-SHOWN_STEPS:]
            shown = {"loss": f"{sum(lately) / len(lately):.4f}"} | ({"held out": f"{worths[-1][1]:.4f}"} if worths else {})
            progress.set_postfix(shown, refresh=False)
            progress.update()
            state.keep_now_and_then(losses, worths)
    network.load_state_dict(average.module.state_dict())
    normalise_alone(network)
    network.to("cpu").eval()
    state.conclude(losses, worths)
    return losses


class _State:
    """Everything that a training needs to go on, in one file that is there whole or not at all."""

    def __init__(self, network: nn.Module, optimiser: torch.optim.Optimizer, average: AveragedModel, session: Session) -> None:
        self._parts: dict[str, nn.Module | torch.optim.Optimizer] = {"network": network, "optimiser": optimiser, "average": average}
        self._notes, self._world = session.notes, session.world
        self._kept = time.monotonic()

    def read(self, device: torch.device) -> tuple[list[float], list[tuple[int, float]]]:
        """Take up what was kept; the losses and the worths so far, none if nothing was."""
        path = None if self._notes is None else state_path(self._notes)
        is_there = self._world.from_first(path is not None and path.is_file())
        if not is_there or path is None:
            return [], []
        stored = torch.load(path, map_location=device, weights_only=True)
        for name, part in self._parts.items():
            part.load_state_dict(stored[name])
        return list(stored["losses"]), [(step, value) for step, value in stored["worths"]]

    def keep_now_and_then(self, losses: list[float], worths: list[tuple[int, float]]) -> None:
        if self._notes is None or not self._world.is_first or time.monotonic() - self._kept < KEPT_SECONDS:
            return
        path = state_path(self._notes)
        partial = path.with_name(f"{path.name}.partial")
        torch.save({**{name: part.state_dict() for name, part in self._parts.items()}, "losses": losses, "worths": worths}, partial)
        partial.replace(path)
        self._kept = time.monotonic()

    def conclude(self, losses: list[float], worths: list[tuple[int, float]]) -> None:
        """Leave losses and worths; the state stays until what was trained is written."""
        if self._notes is not None and self._world.is_first:
            rounded = {"losses": [round(value, 6) for value in losses], "held_out": [(step, round(value, 6)) for step, value in worths]}
            write_json(losses_path(self._notes), rounded)


def state_path(notes: Path) -> Path:
    """Where the state of a training is kept."""
    return notes.with_name(f"{notes.name}.state")


def losses_path(notes: Path) -> Path:
    """Where the loss of each step is left."""
    return notes.with_name(f"{notes.name}.losses.json")


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


def _finite(value: float, step: int, label: str) -> float:
    if not math.isfinite(value):
        raise FloatingPointError(f"{label}: the loss became {value} at step {step}; a lower learning rate may help")
    return value


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
