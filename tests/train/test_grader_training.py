from dataclasses import replace

import numpy as np
import pytest
import torch

from lumbargrade.errors import InputError
from lumbargrade.geometry.affine import SliceAffine
from lumbargrade.grade import Calibration
from lumbargrade.grade.crop import crop_site
from lumbargrade.grade.recipe import MEASURES, RECIPES, SUBARTICULAR_AXIAL
from lumbargrade.grade.site import Site
from lumbargrade.models import Network
from lumbargrade.study import Instance, Series, SeriesTiming, Stack, Study
from lumbargrade.terms import FINDING_INDEX, Condition, Finding, Laterality, Level, SeriesRole, Severity
from lumbargrade.train.calibrate import fit_calibration, fit_calibrations, fit_set_floor
from lumbargrade.train.config import Schedule
from lumbargrade.train.grader import sample_logits, train_grader
from lumbargrade.train.grader_augment import NO_JITTER, FramingJitter, frame
from lumbargrade.train.grader_network import Scale, build_grader, export_grader
from lumbargrade.train.grader_samples import GraderSamples, grader_samples
from lumbargrade.train.landmarks import Landmark

CANAL, RECESS = Condition.SPINAL_CANAL_STENOSIS, Condition.SUBARTICULAR_STENOSIS
LEFT = Finding(RECESS, Laterality.LEFT, Level.L2_L3)
RECESS_LANDMARKS = ((LEFT, 6.0, Severity.SEVERE), (LEFT.mirrored, -6.0, Severity.MODERATE))
LARGEST_BYTES = {CANAL: 1.6e6, Condition.NEURAL_FORAMINAL_NARROWING: 1.2e6, RECESS: 1.2e6}


def toy_samples(condition, count, seed):
    """Noise with a bright disc in the middle, the smaller the more severe; 60, 25 and 15 in a hundred."""
    rng = np.random.default_rng(seed)
    severities = rng.choice(3, count, p=[0.6, 0.25, 0.15]).astype(np.int64)
    crops = []
    for recipe in RECIPES[condition]:
        v, u = np.mgrid[: recipe.wide_px, : recipe.wide_px] - (recipe.wide_px - 1) / 2
        radius_px = (np.array([13.0, 9.0, 4.0])[severities] + rng.normal(0, 1.5, count))[:, None, None, None]
        disc = (u**2 + v**2)[None, None] < radius_px**2
        noisy = 60 + 130 * disc + rng.normal(0, 25, (count, 7, recipe.wide_px, recipe.wide_px))
        crops.append(np.clip(noisy, 0, 255).astype(np.uint8))
    sizes = (radius_px[:, 0, 0] * np.ones(len(MEASURES[condition]))).astype(np.float32)
    present, targets = np.ones((count, len(crops)), bool), np.eye(3, dtype=np.float32)[severities]
    return GraderSamples(condition, tuple(crops), present, severities, targets, sizes, np.zeros(count, np.int64))


def log_loss(probabilities, severities):
    return float(-np.log(probabilities[np.arange(len(severities)), severities]).mean())


def test_a_grader_learns_a_toy_difference_at_true_frequencies_and_its_onnx_file_agrees(tmp_path):
    torch.set_num_threads(1)
    schedule = Schedule(steps=100, batch_size=24, learning_rate=3e-3, average_decay=0.9)
    samples = toy_samples(RECESS, 200, 1)
    network = train_grader(RECESS, samples, schedule, seed=3).network
    held_out = toy_samples(RECESS, 200, 2)
    logits = sample_logits(network, held_out)
    probabilities = Calibration().probability_array(logits)
    frequencies = np.bincount(held_out.severities) / len(held_out)
    prior_loss = log_loss(np.tile(frequencies, (len(held_out), 1)), held_out.severities)
    assert log_loss(probabilities, held_out.severities) < 0.6 * prior_loss
    np.testing.assert_allclose(probabilities.mean(0), frequencies, atol=0.12)

    export_grader(network, RECESS, tmp_path / "toy.onnx", Scale.of(samples.measures))
    pictures = frame(torch.from_numpy(held_out.crops[0]), SUBARTICULAR_AXIAL, NO_JITTER, torch.Generator()).pictures.numpy()
    exported = Network("toy", (tmp_path / "toy.onnx").read_bytes()).run(axial=pictures)
    np.testing.assert_allclose(exported["logits"], logits, atol=1e-3)
    errors = exported["measures"] - held_out.measures
    assert errors.std() < 0.6 * held_out.measures.std()
    assert (np.abs(errors) < exported["spread"]).mean() > 0.6
    assert exported["spread"].mean() < held_out.measures.std()


def test_training_twice_with_one_seed_gives_the_same_weights():
    torch.set_num_threads(1)
    samples, schedule = toy_samples(CANAL, 16, 1), Schedule(steps=2, batch_size=4)
    first, again, other = (train_grader(CANAL, samples, schedule, seed).network.state_dict() for seed in (5, 5, 6))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("condition", Condition, ids=lambda condition: condition.value)
def test_an_exported_grader_is_small_and_takes_any_number_of_findings(condition, tmp_path):
    export_grader(build_grader(condition), condition, tmp_path / "grader.onnx", None)
    content = (tmp_path / "grader.onnx").read_bytes()
    assert len(content) <= LARGEST_BYTES[condition]
    sizes = [(recipe.input_name, recipe.size_px) for recipe in RECIPES[condition]]
    for count in (1, 7):
        inputs = {name: np.zeros((count, 5, size, size), np.float32) for name, size in sizes}
        if condition is CANAL:
            inputs["present"] = np.ones((count, 2), np.float32)
        assert Network("grader", content).run(**inputs)["logits"].shape == (count, 3)


def test_the_pixels_of_an_absent_view_do_not_matter_to_the_canal():
    torch.manual_seed(0)
    network = build_grader(CANAL).eval()
    sagittal, axial = torch.rand(4, 5, 64, 64), torch.rand(4, 5, 80, 80)
    for view, present in ((0, [0.0, 1.0]), (1, [1.0, 0.0])):
        blanked = [sagittal, axial]
        blanked[view] = torch.zeros_like(blanked[view])
        flags = torch.tensor([present]).expand(4, 2)
        with torch.no_grad():
            assert torch.equal(network(sagittal, axial, flags).logits, network(*blanked, flags).logits)
            assert not torch.equal(network(sagittal, axial, torch.ones(4, 2)).logits, network(*blanked, torch.ones(4, 2)).logits)


def axial_study():
    rng = np.random.default_rng(0)
    instances = [
        Instance(
            f"1.{number}",
            number,
            SliceAffine(np.array([-40.0, -40.0, 4.0 * number]), np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), 0.5, 0.5),
            rng.uniform(0, 800, (160, 160)).astype(np.float32),
        )
        for number in range(6)
    ]
    series = Series("1", "", "", SeriesTiming(), SeriesRole.AXIAL_T2, "made so", (Stack.ordered(instances),))
    return Study("2", "made", (series,)), instances


def landmarks_on(instance, z):
    return {finding: Landmark(finding, np.array([x, 1.0, z]), instance, severity) for finding, x, severity in RECESS_LANDMARKS}


def test_samples_come_from_the_marked_slice_with_their_labels_and_give_the_crops_of_grading():
    study, instances = axial_study()
    samples = grader_samples(study, landmarks_on(instances[3], 12.0))
    recess = samples[RECESS]
    assert recess.crops[0].shape == (2, 7, 100, 100)
    assert recess.finding_indices.tolist() == [FINDING_INDEX[LEFT], FINDING_INDEX[LEFT.mirrored]]
    assert recess.severities.tolist() == [Severity.SEVERE, Severity.MODERATE]
    used = crop_site(study, Site(LEFT, np.array([6.0, 1.0, 12.0])), SUBARTICULAR_AXIAL).network_pixels
    framed = frame(torch.from_numpy(recess.crops[0]), SUBARTICULAR_AXIAL, NO_JITTER, torch.Generator()).pictures[0].numpy()
    np.testing.assert_allclose(framed, used, atol=0.003)
    assert len(samples[CANAL]) == 0


def test_a_canal_without_coordinates_is_learnt_between_its_subarticular_points():
    study, instances = axial_study()
    canal = Finding(CANAL, None, Level.L2_L3)
    samples = grader_samples(study, landmarks_on(instances[3], 12.0), {canal: Severity.SEVERE})[CANAL]
    assert samples.severities.tolist() == [Severity.SEVERE]
    assert samples.present.tolist() == [[False, True]]
    assert not samples.crops[0].any()
    assert samples.crops[1].any()


def test_unlabelled_findings_are_absent_and_studies_join():
    study, instances = axial_study()
    landmarks = landmarks_on(instances[2], 8.0)
    landmarks[LEFT] = Landmark(LEFT, landmarks[LEFT].point_lps_mm, instances[2], None)
    parts = [grader_samples(study, landmarks)[RECESS], grader_samples(study, landmarks_on(instances[3], 12.0))[RECESS]]
    joined = GraderSamples.joined(parts)
    assert len(parts[0]) == 1
    assert joined.severities.tolist() == [Severity.MODERATE, Severity.SEVERE, Severity.MODERATE]
    with pytest.raises(InputError, match="at least 2"):
        train_grader(RECESS, parts[0], Schedule(steps=1), seed=0)


def test_a_jittered_picture_says_where_its_site_went():
    wide = np.zeros((200, 7, 100, 100), np.uint8)
    v, u = np.mgrid[:100, :100] - 49.5
    wide[:] = np.rint(250 * np.exp(-(u**2 + v**2) / 18))
    framed = frame(torch.from_numpy(wide), SUBARTICULAR_AXIAL, FramingJitter(cut=0.0, lost_mm=8.0), torch.Generator().manual_seed(0))
    place = (torch.arange(72) - 35.5) * SUBARTICULAR_AXIAL.spacing_mm
    weights = framed.pictures[:, 2] / framed.pictures[:, 2].sum((1, 2), keepdim=True)
    seen = torch.stack([(weights.sum(1) * place).sum(1), (weights.sum(2) * place).sum(1)], 1)
    np.testing.assert_allclose(seen, framed.offsets_mm, atol=0.1)
    assert framed.offsets_mm.norm(dim=1).max() > 8


def known_logits(count, seed):
    rng = np.random.default_rng(seed)
    honest = np.stack([np.full(count, 1.5), rng.normal(0, 1.5, count), rng.normal(-0.8, 2.0, count)], 1)
    probabilities = Calibration().probability_array(honest)
    severities = (rng.random(count)[:, None] > probabilities.cumsum(1)[:, :2]).sum(1)
    return honest, severities


def test_calibration_recovers_a_known_temperature_and_bias():
    honest, severities = known_logits(6000, 0)
    distorted = honest * 2.5 + np.array([0.0, 1.0, -0.75])
    fitted = fit_calibration(distorted, severities)
    assert fitted.temperature == pytest.approx(2.5, rel=0.08)
    assert (fitted.moderate_bias, fitted.severe_bias) == pytest.approx((-0.4, 0.3), abs=0.12)
    fresh, fresh_severities = known_logits(6000, 1)
    before, after = (one.probability_array(fresh * 2.5 + np.array([0.0, 1.0, -0.75])) for one in (Calibration(), fitted))
    assert log_loss(after, fresh_severities) < log_loss(before, fresh_severities) - 0.05
    assert log_loss(after, fresh_severities) == pytest.approx(log_loss(Calibration().probability_array(fresh), fresh_severities), abs=0.005)


def test_few_samples_leave_the_networks_probabilities_nearly_alone():
    honest, severities = known_logits(25, 3)
    assert fit_calibration(honest[:10], severities[:10]) == Calibration()
    assert fit_calibration(honest, np.zeros(25, int)) == Calibration()
    few = fit_calibration(honest, severities)
    assert 0.5 < few.temperature < 2
    never_severe = np.minimum(severities, 1)
    assert fit_calibration(honest, never_severe).severe_bias == 0.0


def test_calibrations_for_a_manifest_name_every_condition():
    logits, severities = known_logits(200, 4)
    fitted = fit_calibrations({CANAL: (logits, np.ones(200), severities)})
    parts = {f"{CANAL.value}:network", f"{CANAL.value}:measured"}
    assert set(fitted) == {condition.value for condition in Condition} | parts
    assert Calibration.from_parameters(fitted[RECESS.value]) == Calibration()
    assert Calibration.from_parameters(fitted[CANAL.value]) != Calibration()


def test_prediction_sets_hold_nine_of_ten_fresh_findings():
    logits, severities = known_logits(2000, 7)
    fitted = fit_calibration(logits, severities)
    fresh, truth = known_logits(20000, 8)
    probabilities = fitted.probability_array(fresh)
    in_set = (probabilities >= fitted.set_floor) | (probabilities == probabilities.max(1, keepdims=True))
    assert in_set[np.arange(len(truth)), truth].mean() == pytest.approx(0.9, abs=0.02)
    assert 1 < in_set.sum(1).mean() < 2


def test_too_few_findings_make_no_prediction_sets():
    assert fit_set_floor(np.full((8, 3), 1 / 3), np.zeros(8, int)) == 0.0
    assert fit_set_floor(np.full((9, 3), 1 / 3), np.zeros(9, int)) == pytest.approx(1 / 3)


def test_targets_that_are_known_are_learnt_as_they_are_though_severe_samples_are_drawn_more_often():
    torch.set_num_threads(1)
    samples = toy_samples(RECESS, 120, 1)
    known = replace(samples, targets=np.tile(np.array([[0.7, 0.2, 0.1]], np.float32), (len(samples), 1)))
    schedule = Schedule(steps=60, batch_size=24, learning_rate=3e-3, average_decay=0.9)
    network = train_grader(RECESS, known, schedule, seed=3).network
    probabilities = Calibration().probability_array(sample_logits(network, known))
    np.testing.assert_allclose(probabilities.mean(0), [0.7, 0.2, 0.1], atol=0.04)


def test_measures_that_are_not_known_are_not_learnt_and_not_exported(tmp_path):
    samples = toy_samples(RECESS, 40, 1)
    unknown = replace(samples, measures=np.full_like(samples.measures, np.nan))
    assert Scale.of(unknown.measures) is None
    network = train_grader(RECESS, unknown, Schedule(steps=2, batch_size=8), seed=3).network
    export_grader(network, RECESS, tmp_path / "toy.onnx", None)
    size = SUBARTICULAR_AXIAL.size_px
    outputs = Network("toy", (tmp_path / "toy.onnx").read_bytes()).run(axial=np.zeros((1, 5, size, size), np.float32))
    assert set(outputs) == {"logits", "offset_mm"}


def test_openness_is_given_the_say_that_it_deserves():
    logits, severities = known_logits(4000, 9)
    rng = np.random.default_rng(0)
    telling = 1 - 0.3 * severities + rng.normal(0, 0.2, 4000)
    idle = rng.normal(1, 0.3, 4000)
    plain, told, untold = (fit_calibration(logits, severities, openness) for openness in (None, telling, idle))
    assert (plain.moderate_openness, plain.severe_openness) == (0.0, 0.0)
    assert told.severe_openness < told.moderate_openness < -1
    assert -0.5 < untold.moderate_openness <= 0
    assert log_loss(told.probability_array(logits, telling), severities) < log_loss(plain.probability_array(logits), severities) - 0.1
    alone = fit_calibrations({CANAL: (logits, telling, severities)})[f"{CANAL.value}:measured"]
    by_counting = Calibration.from_parameters(alone)
    np.testing.assert_allclose(
        by_counting.probability_array(logits, telling), by_counting.probability_array(0 * logits, telling), atol=1e-6
    )
