"""The localiser learns, in seconds, on a spine of blobs."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lumbargrade.geometry.affine import SliceAffine
from lumbargrade.localise.channels import CHANNELS, VERTEBRA
from lumbargrade.localise.prepare import network_inputs, prepare_stack
from lumbargrade.models import Network
from lumbargrade.study import Instance, Series, SeriesTiming, Stack, Study
from lumbargrade.terms import FINDINGS, Condition, Finding, Laterality, Level, SeriesRole, Severity
from lumbargrade.train.augment import CropShape, photometric, sampling_positions, visible_field
from lumbargrade.train.config import Schedule
from lumbargrade.train.landmarks import Landmark
from lumbargrade.train.localiser import TrainingSlice, make_batch, prepare_localiser_study, taught_channels, train_localiser
from lumbargrade.train.localiser_network import LocaliserNetwork, export_localiser
from lumbargrade.train.localiser_samples import LocaliserSample
from lumbargrade.train.loop import fit
from lumbargrade.train.spine_marks import FINDING_SITES, REGIONS, SITES, marks_of_labels

SMALL_CROP = CropShape(size_px=96)


def blob_study(seed: int) -> tuple[Study, dict[Finding, Landmark]]:
    """A bright canal blob a level on the middle slices, dark foramina on the lateral ones; brightness grows to the sacrum."""
    random = np.random.default_rng(seed)
    start = np.array([0.0, random.uniform(50, 60), random.uniform(150, 160)])
    steps = np.array([[0.0, random.uniform(-3, 3), -random.uniform(24, 27)] for _ in range(5)])
    canal = start + np.cumsum(steps, 0)
    points = {}
    for finding in FINDINGS:
        if finding.condition is Condition.SUBARTICULAR_STENOSIS:
            continue
        lateral = finding.laterality.lps_sign * 16.0 if finding.laterality else 0.0
        points[finding] = canal[list(Level).index(finding.level)] + [lateral, -8.0 if finding.laterality else 0.0, 0.0]
    instances = []
    for number in range(11):
        affine = SliceAffine(np.array([-20.0 + 4 * number, 0, 180]), np.array([0.0, 1, 0]), np.array([0.0, 0, -1]), 1.3, 1.3)
        columns, rows = np.meshgrid(np.arange(100.0), np.arange(140.0))
        image = 100 + 0.3 * rows + random.normal(0, 6, rows.shape)
        for finding, point in points.items():
            if abs(affine.distances_mm(point[None])[0]) < (8 if finding.laterality is None else 5):
                column, row = affine.to_px(point[None])[0]
                size = 3 + list(Level).index(finding.level)
                image[np.hypot(columns - column, rows - row) * 1.3 < size] = 20 if finding.laterality else 260
        instances.append(Instance(f"1.{number}", number + 1, affine, image.astype(np.float32)))
    series = Series("1.5", "5", "", SeriesTiming(), SeriesRole.SAGITTAL_T2, "made so", (Stack.ordered(instances),))
    landmarks = {f: Landmark(f, p, instances[round((p[0] + 20) / 4)], Severity.NORMAL_MILD) for f, p in points.items()}
    return Study(f"1.2.{seed}", f"blobs-{seed}", (series,)), landmarks


def prepare_blobs(study: Study, landmarks: dict[Finding, Landmark]) -> LocaliserSample:
    return prepare_localiser_study(study, marks_of_labels(landmarks))


@pytest.fixture(scope="module")
def samples():
    return [prepare_blobs(*blob_study(seed)) for seed in range(12)]


@pytest.fixture(scope="module")
def trained(samples):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield train_localiser(samples, Schedule(steps=140, batch_size=8, learning_rate=4e-3, average_decay=0.97), 0, crop=SMALL_CROP)
    torch.set_num_threads(threads)


def test_a_trained_network_finds_the_canal_of_a_new_patient(trained):
    study, landmarks = blob_study(99)
    prepared = prepare_stack(study.series[0].stacks[0])
    with torch.no_grad():
        heat = trained(torch.from_numpy(network_inputs(prepared.pixels)))[:, :5].sigmoid().numpy()
    errors = []
    for index, level in enumerate(Level):
        row, column = np.unravel_index(heat[5, index].argmax(), heat.shape[2:])
        point = prepared.affines[5].to_lps(np.array([[2 * column + 0.5, 2 * row + 0.5]]))[0]
        errors.append(np.linalg.norm(point - landmarks[Finding(Condition.SPINAL_CANAL_STENOSIS, None, level)].point_lps_mm))
    assert np.median(errors) < 4
    assert heat[5].max() > 1.5 * heat[0].max()


def test_the_exported_network_takes_any_size_and_agrees_with_torch(trained, tmp_path):
    path = tmp_path / "localiser.onnx"
    export_localiser(trained, path)
    assert path.stat().st_size < 5_000_000
    network = Network("localiser", path.read_bytes())
    for shape in ((1, 2, 128, 96), (3, 2, 64, 160)):
        slices = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        with torch.no_grad():
            expected = trained(torch.from_numpy(slices)).sigmoid().numpy()
        np.testing.assert_allclose(network.run(slices=slices)["heat"], expected, atol=1e-4)


def test_the_same_seed_gives_the_same_weights_and_another_does_not(samples):
    schedule = Schedule(steps=2, batch_size=2)
    weights = [train_localiser(samples[:2], schedule, seed, crop=CropShape(64)).head.weight for seed in (1, 1, 2)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_targets_lie_on_the_labelled_points_of_the_augmented_picture(samples):
    """The canal blobs are the brightest spots: where the target is hot, the picture is bright, whatever bent it."""
    torch.manual_seed(4)
    random = np.random.default_rng(4)
    contrasts = []
    for _ in range(12):
        batch = make_batch(samples, 8, SMALL_CROP, random)
        picture = torch.nn.functional.avg_pool2d(batch.inputs[:, :1], 2)
        hot = batch.heat[:, :5].amax(1, keepdim=True) > 0.7
        for image, mask in zip(picture, hot, strict=True):
            if mask.any():
                contrasts.append(float(image[mask].mean() - image.mean()))
    assert len(contrasts) > 10
    assert np.mean(np.array(contrasts) > 0) > 0.75  # the rest are inverted


def test_sides_and_distances_are_those_of_the_patient(samples):
    sample = samples[0]
    left = FINDING_SITES.index(Finding(Condition.NEURAL_FORAMINAL_NARROWING, Laterality.LEFT, Level.L3_L4))
    right = FINDING_SITES.index(Finding(Condition.NEURAL_FORAMINAL_NARROWING, Laterality.RIGHT, Level.L3_L4))
    np.testing.assert_allclose(sample.distances_mm[:, left], 16 + 20 - 4 * np.arange(11), atol=1e-4)
    np.testing.assert_allclose(sample.distances_mm[:, right], -16 + 20 - 4 * np.arange(11), atol=1e-4)


def slice_of(labelled, distances_mm, is_synthetic=False, off_middle_mm=0.0):
    pad = SITES - len(FINDING_SITES)
    return TrainingSlice(
        np.zeros((4, 4), np.uint8),
        np.zeros((SITES, 2), np.float32),
        np.pad(distances_mm, (0, pad)),
        np.pad(labelled, (0, pad)),
        np.zeros((REGIONS, 4, 2), np.float32),
        np.full(REGIONS, off_middle_mm, np.float32),
        np.arange(CHANNELS) >= 2 * len(Level) if is_synthetic else np.zeros(CHANNELS, bool),
    )


def test_unlabelled_sites_are_not_taught_as_background():
    labelled = np.ones(15, bool)
    labelled[0] = labelled[5 + 2] = labelled[5 + 4] = labelled[10 + 4] = False
    far = np.full(15, 30.0, np.float32)
    taught = taught_channels(slice_of(labelled, far))
    assert not taught[[0, 5 + 2, 5 + 4]].any()
    assert taught[[1, 2, 3, 4, 5, 6, 8]].all()
    near_the_right_side = far.copy()
    near_the_right_side[10 + 2] = 2.0
    assert taught_channels(slice_of(labelled, near_the_right_side))[5 + 2]


def test_what_only_a_synthetic_patients_truth_tells_is_not_taught_without_it():
    labelled, near = np.ones(15, bool), np.zeros(15, np.float32)
    assert not taught_channels(slice_of(labelled, near))[10:].any()
    assert taught_channels(slice_of(labelled, near, is_synthetic=True)).all()
    beside = taught_channels(slice_of(labelled, near, is_synthetic=True, off_middle_mm=20.0))
    assert beside[:VERTEBRA].all()
    assert not beside[VERTEBRA:].any()


def test_a_study_without_labels_is_refused_by_name():
    study, _ = blob_study(1)
    with pytest.raises(ValueError, match=r"blobs-1.*0 labelled sites"):
        prepare_blobs(study, {})
    with pytest.raises(ValueError, match="0 sagittal stacks"):
        prepare_blobs(replace(study, series=()), blob_study(1)[1])


def test_augmentation_keeps_pictures_finite_and_changes_each_differently():
    torch.manual_seed(0)
    images = torch.rand(1, 1, 64, 64).expand(12, 1, 64, 64).clone()
    changed = photometric(images, CropShape(64))
    assert torch.isfinite(changed).all()
    assert (changed >= 0).all()
    assert changed.std(0).mean() > 0.02
    positions = sampling_positions(torch.full((12, 2), 50.0), 1.3, CropShape(64))
    assert positions[:, 31:33, 31:33].mean((1, 2)).sub(50).abs().max() < 15
    assert 0.4 < float(visible_field(200, CropShape(160)).mean()) < 0.98


def test_a_loss_that_is_not_finite_stops_the_training():
    network = LocaliserNetwork(widths=(4, 4, 4, 4, 4))
    with pytest.raises(FloatingPointError, match="step 0"):
        fit(network, lambda _: torch.rand(2, 2, 32, 32), lambda n, x: n(x).sum() * torch.inf, Schedule(steps=3), seed=0)
