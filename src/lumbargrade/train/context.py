"""Training of the network that hears the 25 findings together, on what graders say of crops that are framed and lit at random."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from lumbargrade.errors import InputError, ModelFileError
from lumbargrade.grade.context import CONTEXT_OUTPUT, GRADED_INPUT, READ_INPUT, centred
from lumbargrade.grade.recipe import LOGITS_OUTPUT, NETWORK_NAMES, PRESENT_INPUT, RECIPES
from lumbargrade.grade.site_crops import read_network
from lumbargrade.models import Network
from lumbargrade.terms import FINDINGS, LEVELS, SEVERITIES, Condition, Finding, SeriesRole
from lumbargrade.train.config import Schedule
from lumbargrade.train.export import export_onnx
from lumbargrade.train.grader_augment import FramingJitter, frame, vary_appearance
from lumbargrade.train.grader_samples import GraderSamples
from lumbargrade.train.loop import ALONE_AND_QUIET, Session, fit
from lumbargrade.train.parallel import Piece, SharedDropout
from lumbargrade.train.progress import progress_bar
from lumbargrade.train.start import load_weights
from lumbargrade.train.study_cache import StudyCache

WIDTH, HEADS, LAYERS = 48, 4, 2
DROPOUT = 0.1
PASSES = 3
"""How often each study is read, each time framed and lit otherwise."""
ROLE_DROPPED = 0.12
"""Probability that a study is read without its series of a role."""
JITTER = FramingJitter(lost=0.0)
COMPARED = 1000
"""Readings on which the exported network is compared with torch's."""
_RELATIONS = len(Condition) ** 2 * 3 * (2 * len(LEVELS) - 1)


class Heard(NamedTuple):
    """What was read of some studies, each several times.

    Attributes:
        read, graded: (n, 25, 3) and (n, 25) float32, as in ``grade.context``.
        targets: (n, 25, 3) float32, how likely a reader gives each severity; 0 where no label is known.
    """

    read: NDArray[np.float32]
    graded: NDArray[np.float32]
    targets: NDArray[np.float32]


class _Batch(NamedTuple):
    read: Tensor
    graded: Tensor
    targets: Tensor


class ContextNetwork(nn.Module):
    """What was read of the findings to their (n, 25, 3) logits: a small transformer over findings, 41,000 weights.

    Attention knows two findings by their conditions, how many levels apart they are, and whether they are on the same side. No finding
    knows its side, so a patient reflected left to right gets the same grades on the other sides. The canal is heard, but its own logits
    stay: on held-out synthetic studies the others' words made them no better.
    """

    relations: Tensor
    places: Tensor
    is_paired: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.hear = nn.Linear(len(SEVERITIES), WIDTH)
        self.place = nn.Embedding(len(Condition) * len(LEVELS), WIDTH)
        self.layers = nn.ModuleList(_Layer() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH)
        self.change = nn.Linear(WIDTH, len(SEVERITIES))
        nn.init.zeros_(self.change.weight)
        nn.init.zeros_(self.change.bias)
        self.register_buffer("relations", torch.tensor([[_relation(one, other) for other in FINDINGS] for one in FINDINGS]))
        self.register_buffer("places", torch.tensor([_place(finding) for finding in FINDINGS]))
        self.register_buffer("is_paired", torch.tensor([[float(finding.condition.is_paired)] for finding in FINDINGS]))

    def forward(self, read: Tensor, graded: Tensor) -> Tensor:
        features = self.hear(read) + self.place(self.places)
        unheard = (1 - graded)[:, None, None, :] * -1e4
        for layer in self.layers:
            features = layer(features, self.relations, unheard)
        logits: Tensor = read + self.change(self.norm(features)) * self.is_paired
        return logits


class _Layer(nn.Module):
    """Attention with a bias for each kind of pair, then a small network for each finding (pre-norm)."""

    def __init__(self) -> None:
        super().__init__()
        self.first_norm, self.second_norm = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.mixed = nn.Linear(WIDTH, 3 * WIDTH)
        self.joined = nn.Linear(WIDTH, WIDTH)
        self.pair = nn.Embedding(_RELATIONS, HEADS)
        nn.init.zeros_(self.pair.weight)
        self.alone = nn.Sequential(nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), SharedDropout(DROPOUT), nn.Linear(2 * WIDTH, WIDTH))
        self.first_dropout, self.second_dropout = SharedDropout(DROPOUT), SharedDropout(DROPOUT)

    def forward(self, features: Tensor, relations: Tensor, unheard: Tensor) -> Tensor:
        mixed = self.mixed(self.first_norm(features)).reshape(*features.shape[:2], 3, HEADS, WIDTH // HEADS)
        queries, keys, values = (mixed[:, :, part].transpose(1, 2) for part in range(3))
        scores = queries @ keys.transpose(2, 3) / (WIDTH // HEADS) ** 0.5 + self.pair(relations).permute(2, 0, 1) + unheard
        heard = (torch.softmax(scores, -1) @ values).transpose(1, 2).flatten(2)
        features = features + self.first_dropout(self.joined(heard))
        return torch.as_tensor(features + self.second_dropout(self.alone(self.second_norm(features))))


def hear_studies(
    networks: Mapping[str, Path], cache: StudyCache, study_ids: Sequence[int], seed: int, label: str, threads: int, quiet: bool
) -> Heard:
    """What a member's graders say of studies, each read ``PASSES`` times.

    Args:
        networks: name to ONNX file, of the three graders.
        label: what the progress bar is called.

    Raises:
        ModelFileError: a network's file cannot be used.
        InputError: no finding can be read.
    """
    graders = {condition: Network(name, networks[name].read_bytes(), threads) for condition, name in NETWORK_NAMES.items()}
    generator = torch.Generator().manual_seed(seed)
    parts = []
    with progress_bar(len(study_ids), label, "study", quiet=quiet) as bar:
        for study_id in study_ids:
            samples = {condition: cache.grader_samples(condition, [study_id]) for condition in Condition}
            parts += [_hear(samples, graders, generator) for _ in range(PASSES)]
            bar.update()
    heard = Heard(*(np.stack(arrays) for arrays in zip(*parts, strict=True)))
    if not heard.graded.any():
        raise InputError("the context network needs labelled findings with pictures")
    return heard


def train_context(
    heard: Heard,
    schedule: Schedule,
    seed: int,
    session: Session = ALONE_AND_QUIET,
    start: bytes | None = None,
) -> ContextNetwork:
    """A network trained on what was heard; its weights depend on nothing but the arguments and the number of threads.

    Raises:
        ModelFileError: ``start``, the file of one to go on from, cannot be trained on.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = ContextNetwork() if start is None else read_context(start)
        fit(network, lambda piece: _make_piece(heard, piece), _loss, schedule, seed, session)
    return network


def export_context(network: nn.Module, path: Path, heard: Heard | None = None) -> None:
    """Write the trained network as the ONNX file that ``grade`` runs; ``heard`` is what torch and ONNX Runtime are compared on.

    Raises:
        ModelFileError: ONNX Runtime and torch disagree on an example.
    """
    generator = torch.Generator().manual_seed(0)
    shape = 2, len(FINDINGS)
    inputs = {READ_INPUT: torch.randn(*shape, len(SEVERITIES), generator=generator), GRADED_INPUT: torch.ones(shape)}
    compared_on = (
        [{READ_INPUT: torch.from_numpy(heard.read[:COMPARED]), GRADED_INPUT: torch.from_numpy(heard.graded[:COMPARED])}] if heard else []
    )
    export_onnx(network, path, inputs, [CONTEXT_OUTPUT], {name: {0: "studies"} for name in (*inputs, CONTEXT_OUTPUT)}, compared_on)


def read_context(content: bytes) -> ContextNetwork:
    """The network of a file that ``export_context`` wrote, to be trained on.

    Raises:
        ModelFileError: another network's file.
    """
    network = ContextNetwork()
    rest = load_weights(network, content, elsewhere=("place.weight",))
    rows = [array for array in rest.values() if array.shape == (len(FINDINGS), WIDTH)]
    if len(rows) != 1:
        raise ModelFileError("the context network to start from does not tell the findings' places as this version's does")
    with torch.no_grad():
        network.place.weight[network.places] = rows[0]
    return network


def _hear(
    samples: Mapping[Condition, GraderSamples],
    graders: Mapping[Condition, Network],
    generator: torch.Generator,
) -> Heard:
    """One study read once."""
    read, graded = np.zeros((len(FINDINGS), len(SEVERITIES)), np.float32), np.zeros(len(FINDINGS), np.float32)
    targets = np.zeros((len(FINDINGS), len(SEVERITIES)), np.float32)
    dropped = {role for role in SeriesRole if torch.rand((), generator=generator) < ROLE_DROPPED}
    for condition, each in samples.items():
        kept = np.array([recipe.role not in dropped for recipe in RECIPES[condition]])
        present = each.present & kept
        rows = np.flatnonzero(present.any(1))
        if not len(rows):
            continue
        inputs = {
            recipe.input_name: vary_appearance(frame(torch.from_numpy(crops[rows]), recipe, JITTER, generator).pictures, generator).numpy()
            for crops, recipe in zip(each.crops, RECIPES[condition], strict=True)
        }
        if len(inputs) > 1:
            inputs[PRESENT_INPUT] = present[rows].astype(np.float32)
        logits = read_network(graders[condition], condition, inputs)[LOGITS_OUTPUT]
        places = each.finding_indices[rows]
        read[places], graded[places], targets[places] = centred(logits), 1, each.targets[rows]
    return Heard(read, graded, targets)


def _make_piece(heard: Heard, piece: Piece) -> _Batch:
    chosen = piece.random().integers(len(heard.read), size=piece.samples)
    return _Batch(*(torch.from_numpy(array[chosen]) for array in heard))


def _loss(network: nn.Module, batch: _Batch) -> Tensor:
    logits = network(batch.read, batch.graded).float()
    losses = -(batch.targets * functional.log_softmax(logits, -1)).sum(-1)
    return torch.as_tensor((losses * batch.graded).sum() / batch.graded.sum().clamp(min=1))


def _place(finding: Finding) -> int:
    return list(Condition).index(finding.condition) * len(LEVELS) + LEVELS.index(finding.level)


def _relation(one: Finding, other: Finding) -> int:
    """Which kind of pair two findings are."""
    conditions = [list(Condition).index(each.condition) for each in (one, other)]
    sides = 0 if one.laterality is None or other.laterality is None else 1 if one.laterality is other.laterality else 2
    apart = LEVELS.index(other.level) - LEVELS.index(one.level) + len(LEVELS) - 1
    return ((conditions[0] * len(Condition) + conditions[1]) * 3 + sides) * (2 * len(LEVELS) - 1) + apart
