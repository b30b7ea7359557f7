"""Training of the network that looks at the lumbosacral junction, on what a trained localiser shows there of synthetic patients."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from lumbargrade.competition.truth import read_spine_truth
from lumbargrade.errors import InputError
from lumbargrade.localise import LOCALISER
from lumbargrade.localise.decode import find_spine
from lumbargrade.localise.junction import INPUT_NAME, OUTPUT_NAME, PATCH_CHANNELS, PATCH_SHAPE, junction_patches
from lumbargrade.localise.locate import sagittal_views
from lumbargrade.models import Network
from lumbargrade.side_by_side import run_side_by_side
from lumbargrade.train.config import Schedule
from lumbargrade.train.data_set import LabelledStudy, read_labelled_study
from lumbargrade.train.export import export_onnx
from lumbargrade.train.loop import Session, fit
from lumbargrade.train.parallel import Piece, SharedDropout
from lumbargrade.train.progress import progress_bar

WIDTHS = (32, 48, 64)
DROPOUT = 0.5
STUDIES_A_TASK = 8
TURN_SD, ZOOM_SD, SHIFT_SD = 0.08, 0.06, 0.06
"""Of radians; of the logarithm of the scale, about; and of half a patch."""
MUTED_SHARE = 0.1
"""Of the channels of a patch: none is relied upon alone."""


class Junctions(NamedTuple):
    """(n, 20, 60, 33) float16 patches of some studies, as ``junction_patches`` has them, and (n,) whether each is transitional."""

    patches: NDArray[np.float16]
    transitional: NDArray[np.bool_]


class _Batch(NamedTuple):
    patches: Tensor
    transitional: Tensor


@dataclass(frozen=True, slots=True)
class _Task:
    studies: tuple[LabelledStudy, ...]
    localiser: Path


class JunctionNetwork(nn.Module):
    """(n, 20, 60, 33) patches to (n,) logits of being transitional; 51,000 weights."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in zip((PATCH_CHANNELS, *WIDTHS), WIDTHS, strict=False):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
        cells = (PATCH_SHAPE[0] >> len(WIDTHS)) * (PATCH_SHAPE[1] >> len(WIDTHS))
        self.layers = nn.Sequential(*layers, nn.Flatten(), SharedDropout(DROPOUT), nn.Linear(WIDTHS[-1] * cells, 1))

    def forward(self, patches: Tensor) -> Tensor:
        logits: Tensor = self.layers(patches)[:, 0]
        return logits


def read_junctions(studies: Sequence[LabelledStudy], localiser: Path, label: str, workers: int, quiet: bool) -> Junctions:
    """What a localiser shows at the junctions of the studies that have a truth.

    Raises:
        DicomError: a study cannot be read any more.
        InputError: no study has a truth, or none with a transitional vertebra shows its junction, or none without.
    """
    known = sorted((study for study in studies if study.truth is not None), key=lambda study: study.study_id)
    tasks = [_Task(tuple(known[first : first + STUDIES_A_TASK]), localiser) for first in range(0, len(known), STUDIES_A_TASK)]
    parts: dict[int, Junctions] = {}
    with progress_bar(len(known), label, "study", quiet=quiet) as bar:
        for task, part in run_side_by_side(_read_junctions, tasks, workers):
            parts[task.studies[0].study_id] = part
            bar.update(len(task.studies))
    joined = [parts[study_id] for study_id in sorted(parts)]
    transitional = np.concatenate([part.transitional for part in joined]) if joined else np.zeros(0, bool)
    if transitional.all() or not transitional.any():
        raise InputError("the junction's network needs synthetic studies, with and without transitional vertebrae, whose sacrum is seen")
    return Junctions(np.concatenate([part.patches for part in joined]), transitional)


def train_junction(junctions: Junctions, schedule: Schedule, seed: int, quiet: bool = False, label: str = "junction") -> JunctionNetwork:
    """A network trained on the patches; its weights depend on nothing but the arguments and the number of threads."""
    torch.manual_seed(seed)
    network = JunctionNetwork()
    fit(network, lambda piece: _make_piece(junctions, piece), _loss, schedule, seed, Session(label, quiet))
    return network


def export_junction(network: nn.Module, path: Path) -> None:
    """Write the trained network as the ONNX file that ``localise`` runs.

    Raises:
        ModelFileError: ONNX Runtime and torch disagree on an example.
    """
    example = torch.randn(2, PATCH_CHANNELS, *PATCH_SHAPE, generator=torch.Generator().manual_seed(0))
    export_onnx(network, path, {INPUT_NAME: example}, [OUTPUT_NAME], {INPUT_NAME: {0: "patches"}, OUTPUT_NAME: {0: "patches"}})


def _read_junctions(task: _Task) -> tuple[_Task, Junctions]:
    networks = [Network(LOCALISER, task.localiser.read_bytes(), threads=1)]
    patches, transitional = [np.zeros((0, PATCH_CHANNELS, *PATCH_SHAPE), np.float16)], [np.zeros(0, bool)]
    for labelled in task.studies:
        assert labelled.truth is not None
        views, _ = sagittal_views(read_labelled_study(labelled)[0], networks)
        spine = find_spine(views) if views else None
        if spine is not None:
            found = junction_patches(views, spine)
            patches.append(found.astype(np.float16))
            transitional.append(np.full(len(found), read_spine_truth(labelled.truth).transitional is not None))
    return task, Junctions(np.concatenate(patches), np.concatenate(transitional))


def _make_piece(junctions: Junctions, piece: Piece) -> _Batch:
    """Random patches, turned, zoomed and shifted a little, with some channels muted."""
    count, random = piece.samples, piece.random()
    chosen = random.integers(len(junctions.patches), size=count)
    patches = torch.from_numpy(junctions.patches[chosen].astype(np.float32))
    turn, zoom = random.normal(0, TURN_SD, count), 1 + random.normal(0, ZOOM_SD, count)
    places = np.zeros((count, 2, 3))
    places[:, 0, 0] = places[:, 1, 1] = zoom * np.cos(turn)
    places[:, 1, 0] = zoom * np.sin(turn)
    places[:, 0, 1] = -places[:, 1, 0]
    places[:, :, 2] = random.normal(0, SHIFT_SD, (count, 2))
    grid = functional.affine_grid(torch.from_numpy(places).float(), list(patches.shape), align_corners=False)
    moved = functional.grid_sample(patches, grid, align_corners=False, padding_mode="border")
    heard = torch.from_numpy(random.random((count, PATCH_CHANNELS, 1, 1)) >= MUTED_SHARE)
    return _Batch(moved * heard, torch.from_numpy(junctions.transitional[chosen]).float())


def _loss(network: nn.Module, batch: _Batch) -> Tensor:
    return functional.binary_cross_entropy_with_logits(network(batch.patches).float(), batch.transitional)
