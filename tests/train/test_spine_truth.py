"""What a synthetic data set tells of the spine reaches the localiser's targets where the pictures show it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from lumbargrade.competition.truth import SpineTruth, read_spine_truth
from lumbargrade.errors import InputError
from lumbargrade.localise.channels import CANAL_ABOVE, DISC, DISC_BACK, DISC_FRONT, FIRST_SACRAL, SACRUM, VERTEBRA
from lumbargrade.synthesis import write_data_set
from lumbargrade.terms import Condition
from lumbargrade.train.augment import CropShape
from lumbargrade.train.data_set import open_labelled_data, read_labelled_study
from lumbargrade.train.index import index_studies
from lumbargrade.train.localiser import make_batch
from lumbargrade.train.localiser_samples import LocaliserSample, prepare_localiser_study
from lumbargrade.train.spine_marks import SITE_CHANNELS, marks_of_truth
from lumbargrade.train.study_cache import open_cache


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("levels") / "data"
    write_data_set(folder, 1, 9, "levels", 1)
    return folder


@pytest.fixture(scope="module")
def truth(data_dir: Path) -> SpineTruth:
    (path,) = data_dir.glob("truth/*/truth.json")
    return read_spine_truth(path)


@pytest.fixture(scope="module")
def sample(data_dir: Path, truth: SpineTruth) -> LocaliserSample:
    (labelled,) = open_labelled_data(data_dir).studies.values()
    return prepare_localiser_study(read_labelled_study(labelled)[0], marks_of_truth(truth))


def test_discs_and_vertebrae_follow_each_other_down_the_spine(truth: SpineTruth) -> None:
    heights = [points[:, 2].mean() for points in truth.discs.values()]
    assert list(truth.discs)[3:9] == ["T12/L1", "L1/L2", "L2/L3", "L3/L4", "L4/L5", "L5/S1"]
    assert heights == sorted(heights, reverse=True)
    for (_, above), (_, below), disc in zip(list(truth.bodies.items()), list(truth.bodies.items())[1:], truth.discs.values(), strict=False):
        assert above[:, 2].mean() > disc[:2, 2].mean() > below[:, 2].mean()
    for front, back, canal in list(truth.discs.values())[:9]:
        assert front[1] < back[1] < canal[1]
        assert 25 < np.linalg.norm(back - front) < 50


def test_a_canal_point_lies_across_from_the_back_margin_of_its_disc(truth: SpineTruth) -> None:
    canals = np.array([points[2] for points in truth.discs.values()])
    backs = np.array([points[1] for points in truth.discs.values()])
    for index in range(4, 9):
        along = canals[index - 1] - canals[index + 1]
        across = backs[index] - canals[index]
        assert abs(along @ across) / np.linalg.norm(along) / np.linalg.norm(across) < 0.3


def test_findings_and_discs_agree_on_the_canal(truth: SpineTruth) -> None:
    canals = [finding for finding in truth.findings if finding.condition is Condition.SPINAL_CANAL_STENOSIS]
    assert canals
    for finding in canals:
        np.testing.assert_allclose(truth.findings[finding], truth.discs[finding.level.value][2], atol=1e-4)


def test_targets_follow_the_truth_through_every_change_of_the_picture(sample: LocaliserSample) -> None:
    torch.manual_seed(0)
    batch = make_batch([sample], 12, CropShape(), np.random.default_rng(0))
    hottest = batch.heat.amax((0, 2, 3))
    for channel in (CANAL_ABOVE, DISC_BACK, FIRST_SACRAL):
        assert hottest[channel] > 0.5
    areas = batch.heat[:, VERTEBRA : DISC + 1].sum((0, 2, 3))
    assert areas[VERTEBRA - VERTEBRA] > areas[SACRUM - VERTEBRA] > 0
    assert areas[VERTEBRA - VERTEBRA] > 2 * areas[DISC - VERTEBRA] > 0
    overlap = (batch.heat[:, VERTEBRA] * batch.heat[:, DISC]).sum() / areas[DISC - VERTEBRA]
    assert overlap < 0.1


def test_points_of_the_spine_are_in_every_slices_pixels(sample: LocaliserSample, truth: SpineTruth) -> None:
    backs = sample.points_px[:, SITE_CHANNELS == DISC_BACK]
    fronts = sample.points_px[:, SITE_CHANNELS == DISC_FRONT]
    assert (backs[..., 0] > fronts[..., 0]).all()
    assert (np.diff(backs[..., 1], axis=1) > 0).all()
    depth = np.linalg.norm(backs - fronts, axis=-1) * 1.3
    wanted = [np.linalg.norm((points[1] - points[0])[1:]) for points in list(truth.discs.values())[:9]]
    np.testing.assert_allclose(depth, np.broadcast_to(wanted, depth.shape), rtol=0.06)


def test_a_truth_of_an_older_version_leaves_the_study_out_and_says_why(data_dir: Path, tmp_path: Path) -> None:
    (path,) = data_dir.glob("truth/*/truth.json")
    content = json.loads(path.read_text())
    del content["spine"]
    old = tmp_path / "truth.json"
    old.write_text(json.dumps(content))
    with pytest.raises(InputError, match="nothing of the spine"):
        read_spine_truth(old)


def test_indexing_prepares_the_truth(data_dir: Path, tmp_path: Path) -> None:
    studies = list(open_labelled_data(data_dir).studies.values())
    cache = open_cache(tmp_path / "cache", "x")
    assert index_studies(studies, cache, 1, quiet=True) == []
    (sample,) = cache.localiser_samples([studies[0].study_id])
    assert sample.complete[CANAL_ABOVE:].all()
    assert not sample.complete[:CANAL_ABOVE].any()
