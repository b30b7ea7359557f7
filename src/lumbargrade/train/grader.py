"""Training one condition's network on crops, and its raw logits on crops it has not seen."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from lumbargrade.errors import InputError
from lumbargrade.grade.recipe import RECIPES
from lumbargrade.grade.site_crops import reflected_axes
from lumbargrade.terms import Condition
from lumbargrade.train.backbone import BUILT_IN, Backbone
from lumbargrade.train.config import Schedule
from lumbargrade.train.grader_augment import NO_JITTER, FramingJitter, frame, vary_appearance
from lumbargrade.train.grader_network import OFFSET_UNIT_MM, DoubleViewGrader, Reading, Scale, build_grader, read_grader
from lumbargrade.train.grader_samples import GraderSamples
from lumbargrade.train.loop import ALONE_AND_QUIET, Session, fit
from lumbargrade.train.parallel import Piece, mean_of
from lumbargrade.train.start import MEASURED_BATCHES, MEASURING, measuring_normalisation
from lumbargrade.train.stored_pictures import Pictures

DRAWN_WEIGHTS = torch.tensor([1.0, 2.0, 4.0])
"""How much more often a moderate and a severe sample is drawn than a normal one: the emphasis of the competition's metric."""
VIEW_DROPPED = 0.3
"""Probability that the first of two views is withheld, and as much for the second: either must do alone."""
MEASURES_WEIGHT = 0.3
"""How much the measures count beside the grades: they are there to teach what a grade rests on."""
OFFSETS_WEIGHT = 0.5
GRADED_WITHIN_MM = 8.0
"""A picture whose site lies farther from its middle teaches no grade."""
PREDICTED_AT_ONCE = 64
WATCHED = 256
"""Held-out samples that training looks at now and then."""


class GraderBatch(NamedTuple):
    """Pictures per recipe and (n, recipes, 2) where their sites lie, mm; (n, recipes) presence, (n, 3) targets, (n, 3) what to add to
    logits in the loss, and (n, measures) scaled measures with NaN where they are not known."""

    pictures: tuple[Tensor, ...]
    offsets_mm: Tensor
    present: Tensor
    targets: Tensor
    emphasis: Tensor
    measures: Tensor


class TrainedGrader(NamedTuple):
    """A network, and the scale of the measures that it was taught; None if it was taught none."""

    network: nn.Module
    scale: Scale | None


def train_grader(
    condition: Condition,
    samples: GraderSamples,
    schedule: Schedule,
    seed: int,
    session: Session = ALONE_AND_QUIET,
    start: bytes | None = None,
    backbone: Backbone = BUILT_IN,
    held_out: GraderSamples | None = None,
) -> TrainedGrader:
    """Train the network of a condition; its softmax estimates probabilities at the severities' true frequency.

    Rarer severities are drawn more often. Where a sample's label is all that is known, the log of that emphasis is added to the logits
    inside the loss (Menon et al., ICLR 2021), so the logits themselves stay those of patients as they come; where it is known how likely
    each label was, that is the target, and how often a sample is drawn does not bias it. ``start`` is the file
    of a grader to go on from, None to begin anew; ``backbone`` counts for one that begins anew; of ``held_out`` the metric is shown while
    the network is trained.

    Raises:
        InputError: fewer than two samples, or samples of another condition.
        ModelFileError: ``start`` cannot be trained on.
    """
    if samples.condition is not condition or len(samples) < 2:
        raise InputError(f"{condition.value}: {len(samples)} labelled samples of {samples.condition.value}; at least 2 are needed to train")
    known = Scale.of(samples.measures)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network, scale = (build_grader(condition, backbone), known) if start is None else read_grader(start, condition)
        scale = known and (scale or known)
        sampler = _PieceMaker(samples, scale)
        if start is not None:
            with measuring_normalisation(network):
                for step in range(MEASURED_BATCHES):
                    batch = sampler.make(Piece(seed, step, MEASURING, schedule.batch_size))
                    _forward(network, batch.pictures, batch.present)
        fit(network, sampler.make, _loss, schedule, seed, session, _worth_on(held_out))
    return TrainedGrader(network, scale)


def plain_inputs(samples: GraderSamples, rows: slice | NDArray[np.int64]) -> list[Tensor]:
    """A network's inputs of some samples as they are: neither framed anew nor varied."""
    generator = torch.Generator()
    pictures = [
        frame(torch.from_numpy(crops[rows]), recipe, NO_JITTER, generator).pictures
        for crops, recipe in zip(samples.crops, RECIPES[samples.condition], strict=True)
    ]
    return pictures if len(pictures) == 1 else [*pictures, torch.from_numpy(samples.present[rows]).float()]


def _worth_on(held_out: GraderSamples | None) -> Callable[[nn.Module], float] | None:
    """The competition's metric on some of the held-out samples, of probabilities tilted as they are submitted."""
    if not held_out:
        return None
    rows = np.unique(np.linspace(0, len(held_out) - 1, WATCHED).round().astype(np.int64))
    severities = held_out.severities[rows]

    def worth(network: nn.Module) -> float:
        device = next(network.parameters()).device
        parts = [rows[start : start + PREDICTED_AT_ONCE] for start in range(0, len(rows), PREDICTED_AT_ONCE)]
        read = [network(*(each.to(device) for each in plain_inputs(held_out, part))) for part in parts]
        logits = torch.cat([each.logits.float().cpu() for each in read])
        return float(functional.cross_entropy(logits + DRAWN_WEIGHTS.log(), torch.from_numpy(severities), DRAWN_WEIGHTS))

    return worth


def sample_logits(network: nn.Module, samples: GraderSamples) -> NDArray[np.float64]:
    """(n, 3) raw logits of crops as they are."""
    parts = []
    network.eval()
    with torch.inference_mode():
        for start in range(0, len(samples), PREDICTED_AT_ONCE):
            inputs = plain_inputs(samples, slice(start, start + PREDICTED_AT_ONCE))
            parts.append(network(*inputs).logits.double().numpy())
    return np.concatenate(parts) if parts else np.zeros((0, 3))


class _PieceMaker:
    """Draws, frames and varies samples; everything random comes from the piece's generator."""

    def __init__(self, samples: GraderSamples, scale: Scale | None) -> None:
        self.samples = samples
        self.present, self.targets = torch.from_numpy(samples.present).float(), torch.from_numpy(samples.targets)
        self.weights = DRAWN_WEIGHTS[torch.from_numpy(samples.severities)]
        self.is_label = (self.targets == 1).any(1, keepdim=True)
        scaled = (samples.measures - scale.mean) / scale.deviation if scale else np.full_like(samples.measures, np.nan)
        self.measures = torch.from_numpy(scaled)

    def make(self, piece: Piece) -> GraderBatch:
        generator = piece.generator()
        rows = torch.multinomial(self.weights, piece.samples, replacement=True, generator=generator)
        framed = [
            frame(_rows(crops, rows), recipe, FramingJitter(), generator)
            for crops, recipe in zip(self.samples.crops, RECIPES[self.samples.condition], strict=True)
        ]
        pictures = tuple(vary_appearance(each.pictures, generator) for each in framed)
        offsets = torch.stack([each.offsets_mm for each in framed], 1)
        present = self.present[rows]
        if len(pictures) > 1:
            pictures, offsets = _mirror_patients(pictures, offsets, generator)
            present = _withhold_views(present, generator)
        emphasis = self.is_label[rows] * DRAWN_WEIGHTS.log()
        return GraderBatch(pictures, offsets, present, self.targets[rows], emphasis, self.measures[rows])


def _rows(crops: Pictures, rows: Tensor) -> Tensor:
    return torch.from_numpy(crops[rows.numpy()])


def _mirror_patients(pictures: tuple[Tensor, ...], offsets: Tensor, generator: torch.Generator) -> tuple[tuple[Tensor, ...], Tensor]:
    """The canal has no side: every other patient is mirrored, which reverses sagittal slices and axial columns alike."""
    sagittal, axial = pictures
    mirrored = torch.rand(len(sagittal), 1, 1, 1, generator=generator) < 0.5
    reflected = offsets * torch.tensor(reflected_axes(Condition.SPINAL_CANAL_STENOSIS))
    chosen = torch.where(mirrored, sagittal.flip(1), sagittal), torch.where(mirrored, axial.flip(3), axial)
    return chosen, torch.where(mirrored[:, :, :, 0], reflected, offsets)


def _withhold_views(present: Tensor, generator: torch.Generator) -> Tensor:
    """Presence with one view of some samples withheld; never the only one."""
    draw = torch.rand(len(present), generator=generator)
    kept = torch.stack([draw >= VIEW_DROPPED, draw < 1 - VIEW_DROPPED], 1)
    both = present.all(1, keepdim=True)
    return torch.where(both, kept.float(), present)


def _forward(network: nn.Module, pictures: tuple[Tensor, ...], present: Tensor) -> Reading:
    reading = network(*pictures, present) if isinstance(network, DoubleViewGrader) else network(*pictures)
    return Reading(*(each.float() for each in reading))


def _loss(network: nn.Module, batch: GraderBatch) -> Tensor:
    """Cross-entropy of the grades, the negative log likelihood of the measures that are known, and the error of the offsets.

    What lies in a picture that is framed far off is neither to be graded nor measured.
    """
    reading = _forward(network, batch.pictures, batch.present)
    is_seen = ((batch.offsets_mm.norm(dim=2) <= GRADED_WITHIN_MM) | (batch.present == 0)).all(1)
    errors = functional.cross_entropy(reading.logits + batch.emphasis, batch.targets, reduction="none")
    grades = mean_of((errors * is_seen).sum(), is_seen.sum())
    misplaced = functional.smooth_l1_loss(reading.offsets, batch.offsets_mm / OFFSET_UNIT_MM, beta=0.2, reduction="none").mean(2)
    grades = grades + OFFSETS_WEIGHT * mean_of((misplaced * batch.present).sum(), batch.present.sum())
    known = batch.measures.isfinite() & is_seen[:, None]
    errors = (torch.where(known, batch.measures, 0) - reading.measures) ** 2
    likelihoods = (errors * torch.exp(-reading.log_variances) + reading.log_variances) / 2
    return grades + MEASURES_WEIGHT * mean_of((likelihoods * known).sum(), known.sum())
