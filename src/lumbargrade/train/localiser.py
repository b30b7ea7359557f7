"""Training of the localiser: augmented crops of sagittal slices, and heat-maps of the labelled points as targets."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from lumbargrade.localise.channels import CANAL_CHANNELS, CHANNELS, DISC, FORAMEN_CHANNELS, TRANSITIONAL, VERTEBRA
from lumbargrade.localise.prepare import network_inputs
from lumbargrade.terms import LEVELS
from lumbargrade.train.augment import CropShape, photometric, sampling_positions, visible_field
from lumbargrade.train.config import Schedule
from lumbargrade.train.localiser_network import LocaliserNetwork, read_localiser
from lumbargrade.train.localiser_samples import SOURCE_MM, WHITE, LocaliserSample, prepare_localiser_study
from lumbargrade.train.loop import ALONE_AND_QUIET, Session, fit
from lumbargrade.train.parallel import Piece, mean_of
from lumbargrade.train.spine_marks import FINDING_SITES, REGION_CHANNELS, SITE_CHANNELS
from lumbargrade.train.start import MEASURED_BATCHES, MEASURING, measuring_normalisation

__all__ = ["LocaliserSample", "prepare_localiser_study", "train_localiser"]

IN_PLANE_SIGMA_MM = 4.5
CANAL_SIGMA_MM = 6.0
"""Through-plane: the canal is about 25 mm wide, its label lies on the middle slice."""
FORAMEN_SIGMA_MM = 4.0
ONE_SIDE_REACH_MM = 8.0
"""Where only one side's foramen is labelled, only slices this near to it teach that level's foramen channel."""
NEAR_LANDMARK_MM = 8.0
NEAR_LANDMARK_SHARE = 0.85
"""Share of training slices that hold a landmark; the rest, far lateral, teach where nothing is."""
CENTER_JITTER_MM = 22.0
OFF_CENTER = ((0.15, -130.0, -40.0), (0.05, 40.0, 90.0))
"""Shares of crops that lie so many millimetres lower than the labelled points: above them, and below. Without the sacrum in the picture,
or with little else, what is seen must be told by its looks, and what is not lumbar must not be called so."""
PEAK_WEIGHT = 15.0
"""How much more a pixel at a landmark counts than background."""
TRANSITIONAL_WEIGHT = 3.0
"""How much more the channel of transitional discs counts than others: few patients have one."""
TRANSITIONAL_SIGMA_MM = 15.0
"""Through-plane: lateral slices show the broad processes of a transitional vertebra."""
WHOLE_BODY_MM, NO_BODY_MM = 14.0, 26.0
"""Slices nearer to the vertebrae's middle show areas as they are there, slices farther off none; between, areas are not taught."""

WATCHING, WATCHED_BATCHES = 1001, 4
"""The place of the pieces of held-out slices that training looks at now and then, which no piece of a training has; and how many."""

_LEVELS = len(LEVELS)
_IS_FORAMEN = np.isin(SITE_CHANNELS, range(FORAMEN_CHANNELS.start, FORAMEN_CHANNELS.stop))
_SIGMA_MM = np.where(_IS_FORAMEN, FORAMEN_SIGMA_MM, np.where(SITE_CHANNELS == TRANSITIONAL, TRANSITIONAL_SIGMA_MM, CANAL_SIGMA_MM))
_THROUGH_SIGMA_MM = torch.from_numpy(_SIGMA_MM.astype(np.float32))
_AREAS = slice(VERTEBRA, DISC + 1)


class Batch(NamedTuple):
    """(n, 2, size, size) inputs, (n, 19, size / 2, size / 2) target heat, (n, 19, 1, 1) 1 where a channel is taught."""

    inputs: Tensor
    heat: Tensor
    taught: Tensor


class TrainingSlice(NamedTuple):
    """One slice of a ``LocaliserSample``."""

    pixels: NDArray[np.uint8]
    points_px: NDArray[np.float32]
    distances_mm: NDArray[np.float32]
    labelled: NDArray[np.bool_]
    corners_px: NDArray[np.float32]
    region_distances_mm: NDArray[np.float32]
    complete: NDArray[np.bool_]


def train_localiser(
    samples: Sequence[LocaliserSample],
    schedule: Schedule,
    seed: int,
    session: Session = ALONE_AND_QUIET,
    crop: CropShape | None = None,
    start: bytes | None = None,
    held_out: Sequence[LocaliserSample] = (),
) -> nn.Module:
    """A network trained on the samples; its weights depend on nothing but the arguments and the number of threads.

    ``start`` is the file of a localiser to go on from, None to begin anew; of ``held_out`` the loss is shown while the network is trained.

    Raises:
        ValueError: no samples.
        ModelFileError: ``start`` cannot be trained on.
    """
    if not samples:
        raise ValueError("no studies to train the localiser on; at least one is needed")
    shape = crop or CropShape()
    torch.manual_seed(seed)

    def make(piece: Piece, drawn_from: Sequence[LocaliserSample] = samples) -> Batch:
        with torch.random.fork_rng():
            torch.manual_seed(piece.torch_seed())
            return make_batch(drawn_from, piece.samples, shape, piece.random())

    def worth(network: nn.Module) -> float:
        device = next(network.parameters()).device
        batches = [make(Piece(seed, step, WATCHING, schedule.batch_size), held_out) for step in range(WATCHED_BATCHES)]
        return sum(float(localiser_loss(network, Batch(*(each.to(device) for each in batch)))) for batch in batches) / len(batches)

    network = LocaliserNetwork() if start is None else read_localiser(start)
    if start is not None:
        with measuring_normalisation(network):
            for step in range(MEASURED_BATCHES):
                network(make(Piece(seed, step, MEASURING, schedule.batch_size)).inputs)
    fit(network, make, localiser_loss, schedule, seed, session, worth if held_out else None)
    return network


def localiser_loss(network: nn.Module, batch: Batch) -> Tensor:
    """Cross-entropy of the heat, peaks weighted up, over the channels that are taught; areas count plainly."""
    logits = network(batch.inputs.contiguous(memory_format=torch.channels_last)).float()
    weights = 1 + PEAK_WEIGHT * batch.heat
    weights[:, _AREAS] = 1
    weights[:, TRANSITIONAL] *= TRANSITIONAL_WEIGHT
    losses = functional.binary_cross_entropy_with_logits(logits, batch.heat, reduction="none") * weights
    pixels = batch.heat.shape[2] * batch.heat.shape[3]
    return 3 * CHANNELS * mean_of((losses * batch.taught).sum(), batch.taught.sum() * pixels)


def make_batch(samples: Sequence[LocaliserSample], count: int, crop: CropShape, random: np.random.Generator) -> Batch:
    """Random slices of random studies, cropped near their landmarks and augmented."""
    slices = [_random_slice(samples[int(random.integers(len(samples)))], random) for _ in range(count)]
    centers = np.stack([_crop_center(each, random) for each in slices])
    positions = sampling_positions(torch.from_numpy(centers).float(), SOURCE_MM, crop)
    images = torch.cat([_sampled(each.pixels, place) for each, place in zip(slices, positions, strict=True)])
    field = visible_field(count, crop)
    changed = photometric(images, crop) * field
    inputs = torch.from_numpy(network_inputs(changed[:, 0].numpy(), crop.pixel_mm))
    places = (positions[:, ::2, ::2] + positions[:, 1::2, 1::2]) / 2
    heat = torch.cat([_target_heat(slices, places), _target_areas(slices, places)], 1) * functional.max_pool2d(field, 2)
    taught = torch.from_numpy(np.stack([taught_channels(each) for each in slices]))
    return Batch(inputs, heat, taught.float()[:, :, None, None])


def taught_channels(chosen: TrainingSlice) -> NDArray[np.bool_]:
    """(19,) which channels one slice teaches: what is unlabelled is unknown, not absent."""
    taught = chosen.complete.copy()
    canal, left, right = chosen.labelled[: len(FINDING_SITES)].reshape(3, _LEVELS)
    _, near_left, near_right = np.abs(chosen.distances_mm[: len(FINDING_SITES)]).reshape(3, _LEVELS) < ONE_SIDE_REACH_MM
    taught[CANAL_CHANNELS] = canal
    taught[FORAMEN_CHANNELS] = (left & right) | (left & near_left) | (right & near_right)
    off_middle = float(np.median(np.abs(chosen.region_distances_mm)))
    taught[_AREAS] &= not WHOLE_BODY_MM < off_middle < NO_BODY_MM
    return taught


def _random_slice(sample: LocaliserSample, random: np.random.Generator) -> TrainingSlice:
    findings = sample.distances_mm[:, : len(FINDING_SITES)][:, sample.labelled[: len(FINDING_SITES)]]
    near = np.flatnonzero((np.abs(findings) < NEAR_LANDMARK_MM).any(1))
    pool = near if near.size and random.random() < NEAR_LANDMARK_SHARE else np.arange(len(sample.slices))
    index = int(random.choice(pool))
    return TrainingSlice(
        sample.slices[index],
        sample.points_px[index],
        sample.distances_mm[index],
        sample.labelled,
        sample.corners_px[index],
        sample.region_distances_mm[index],
        sample.complete,
    )


def _crop_center(chosen: TrainingSlice, random: np.random.Generator) -> NDArray[np.float64]:
    points = chosen.points_px[: len(FINDING_SITES)][chosen.labelled[: len(FINDING_SITES)]]
    center = points.mean(0) + random.normal(0, CENTER_JITTER_MM / SOURCE_MM, 2)
    chance = random.random()
    for share, least_mm, most_mm in OFF_CENTER:
        if 0 <= chance < share:
            center[1] += random.uniform(least_mm, most_mm) / SOURCE_MM
        chance -= share
    return np.asarray(center)


def _sampled(pixels: NDArray[np.uint8], positions: Tensor) -> Tensor:
    """(1, 1, size, size) values, 0 to about 1.3, of a slice at (size, size, 2) source pixels; 0 outside."""
    rows, columns = pixels.shape
    scale = torch.tensor([2.0 / (columns - 1), 2.0 / (rows - 1)])
    image = torch.from_numpy(pixels)[None, None].float() / WHITE
    return functional.grid_sample(image, (positions * scale - 1)[None], align_corners=True)


def _target_heat(slices: Sequence[TrainingSlice], places: Tensor) -> Tensor:
    """(n, 16, size / 2, size / 2) Gaussians about the labelled points, measured in the source so that bending moves them along."""
    points = torch.from_numpy(np.stack([each.points_px for each in slices]))
    distances = torch.from_numpy(np.stack([each.distances_mm for each in slices]))
    labelled = torch.from_numpy(np.stack([each.labelled for each in slices]))
    through = torch.where(labelled, (distances / _THROUGH_SIGMA_MM) ** 2 / 2, torch.inf)
    flat = places.flatten(1, 2)
    squared_px = (flat**2).sum(2, keepdim=True) - 2 * flat @ points.transpose(1, 2) + (points**2).sum(2)[:, None]
    exponents = (squared_px * (SOURCE_MM**2 / (2 * IN_PLANE_SIGMA_MM**2)) + through[:, None]).transpose(1, 2)
    heat = torch.exp(-torch.stack([exponents[:, channel == SITE_CHANNELS].amin(1) for channel in range(VERTEBRA)], 1))
    return heat.reshape(*heat.shape[:2], *places.shape[1:3])


def _target_areas(slices: Sequence[TrainingSlice], places: Tensor) -> Tensor:
    """(n, 3, size / 2, size / 2) 1 inside vertebrae, sacral bodies and discs, 0 outside and on slices that pass them by."""
    corners = torch.from_numpy(np.stack([each.corners_px for each in slices]))
    near = torch.from_numpy(np.stack([np.abs(each.region_distances_mm) < (WHOLE_BODY_MM + NO_BODY_MM) / 2 for each in slices]))
    along = corners.roll(-1, 2) - corners
    normals = torch.stack([-along[..., 1], along[..., 0]], -1)
    offsets = (normals * corners).sum(-1)
    flat = places.flatten(1, 2)
    inside = near[:, None].expand(-1, flat.shape[1], -1)
    for edge in range(4):
        inside = inside & (flat @ normals[:, :, edge].transpose(1, 2) > offsets[:, None, :, edge])
    areas = torch.stack([inside[:, :, channel == REGION_CHANNELS].any(2) for channel in range(VERTEBRA, DISC + 1)], 1)
    return areas.float().reshape(*areas.shape[:2], *places.shape[1:3])
