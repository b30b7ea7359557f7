"""A run that trains some networks takes the others from another model, and may go on from a localiser that is there."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from lumbargrade.errors import ModelFileError, UsageError
from lumbargrade.models import Network, load_bundle
from lumbargrade.terms import Condition
from lumbargrade.train.config import Schedule, TrainConfig, load_config
from lumbargrade.train.localiser_network import LocaliserNetwork, export_localiser, read_localiser
from lumbargrade.train.run import RunOptions, train_run
from lumbargrade.train.taken import TakenNetworks

INSTANT = Schedule(steps=1, batch_size=2)
WHOLE = TrainConfig(name="whole", threads=1, localiser=INSTANT, canal=INSTANT, foramen=INSTANT, subarticular=INSTANT, context=INSTANT)
LEVELS_ALONE = TrainConfig(
    name="levels", seed=5, threads=1, networks=("localiser",), localiser=Schedule(steps=2, batch_size=2, learning_rate=1e-6)
)


@pytest.fixture(scope="module")
def whole(blob_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    train_run(blob_data, folder, WHOLE, RunOptions(folds=1, cache=folder.parent / "cache", quiet=True), pytest.fail)
    return folder


@pytest.fixture(scope="module")
def levels_alone(blob_data: Path, whole: Path) -> Path:
    folder = whole.parent / "levels"
    options = RunOptions(folds=1, cache=whole.parent / "cache", models=whole, start_from=whole, quiet=True)
    train_run(blob_data, folder, LEVELS_ALONE, options, pytest.fail)
    return folder


def test_graders_and_their_calibration_are_those_of_the_other_model(whole: Path, levels_alone: Path) -> None:
    (before,), (after,) = load_bundle(whole).members, load_bundle(levels_alone).members
    for name in ("canal", "context", "foramen", "junction", "subarticular"):
        assert after.contents[name] == before.contents[name]
    assert after.contents["localiser"] != before.contents["localiser"]
    assert after.calibration == before.calibration
    record = json.loads((levels_alone / "run.json").read_text())
    sha256 = load_bundle(whole).sha256
    kept = ["canal", "context", "foramen", "junction", "subarticular"]
    assert record["taken"] == {"networks": kept, "kept_from": sha256, "started_from": sha256}


def test_a_localiser_that_goes_on_in_small_steps_stays_near_where_it_began(whole: Path, levels_alone: Path) -> None:
    slices = np.random.default_rng(0).normal(size=(1, 2, 64, 64)).astype(np.float32)
    heats = [load_bundle(folder).members[0].networks["localiser"].run(slices=slices)["heat"] for folder in (whole, levels_alone)]
    assert 0 < np.abs(heats[0] - heats[1]).max() < 1e-3


def test_a_stored_localiser_is_read_back_as_it_was(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = LocaliserNetwork((4, 6, 8, 10, 12))
    with torch.no_grad():
        network.train()(torch.randn(4, 2, 64, 64))
    export_localiser(network, tmp_path / "small.onnx")
    content = (tmp_path / "small.onnx").read_bytes()
    slices = torch.randn(2, 2, 64, 96)
    with torch.no_grad():
        heat = read_localiser(content).eval()(slices).sigmoid().numpy()
    np.testing.assert_allclose(heat, Network("localiser", content).run(slices=slices.numpy())["heat"], atol=1e-5)


def test_what_is_no_localiser_cannot_be_gone_on_from(whole: Path) -> None:
    for content in (b"nothing", load_bundle(whole).members[0].contents["canal"]):
        with pytest.raises(ModelFileError, match="start from"):
            read_localiser(content)


def test_another_plan_is_refused_when_another_model_is_taken_from(blob_data: Path, whole: Path, levels_alone: Path) -> None:
    options = RunOptions(folds=1, cache=whole.parent / "cache", models=levels_alone, start_from=whole, quiet=True)
    with pytest.raises(UsageError, match="kept_from"):
        train_run(blob_data, levels_alone, LEVELS_ALONE, options, pytest.fail)


def test_networks_of_a_configuration_are_known_ones(tmp_path: Path) -> None:
    assert load_config("levels").kept == ("canal", "foramen", "subarticular", "context")
    assert load_config("grades").kept == ("localiser", "junction")
    assert TrainConfig(networks=("canal",)).kept == ("localiser", "foramen", "subarticular", "junction")
    (tmp_path / "odd.toml").write_text('networks = ["localizer"]')
    with pytest.raises(UsageError, match="localizer"):
        load_config(str(tmp_path / "odd.toml"))


def test_kept_graders_keep_no_calibration_for_logits_that_were_heard_otherwise(whole: Path) -> None:
    kept = {
        networks: TakenNetworks.read(whole, TrainConfig(networks=networks), None) for networks in (("localiser",), ("canal",), ("context",))
    }
    assert set(kept["localiser",].calibrations) >= {condition.value for condition in Condition}
    assert kept["canal",].calibrations == kept["context",].calibrations == {}
    assert "context" in kept["localiser",].contents
    assert "context" not in kept["canal",].contents
