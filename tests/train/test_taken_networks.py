"""A run that trains some networks takes the others from another model, and goes on from networks that are there."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from lumbargrade.errors import ModelFileError, UsageError
from lumbargrade.grade.crop import NETWORK_SLICES
from lumbargrade.grade.recipe import FORAMEN_SAGITTAL, LOGITS_OUTPUT, NETWORK_NAMES, PRESENT_INPUT, RECIPES
from lumbargrade.models import Network, load_bundle
from lumbargrade.terms import Condition
from lumbargrade.train.config import Schedule, TrainConfig, load_config
from lumbargrade.train.context import read_context
from lumbargrade.train.grader_network import read_grader
from lumbargrade.train.localiser_network import LocaliserNetwork, export_localiser, read_localiser
from lumbargrade.train.run import RunOptions, train_run
from lumbargrade.train.start import measuring_normalisation
from lumbargrade.train.taken import TakenNetworks

INSTANT = Schedule(steps=1, batch_size=2)
WHOLE = TrainConfig(name="whole", threads=1, localiser=INSTANT, canal=INSTANT, foramen=INSTANT, subarticular=INSTANT, context=INSTANT)
LEVELS_ALONE = TrainConfig(
    name="levels", seed=5, threads=1, networks=("localiser",), localiser=Schedule(steps=2, batch_size=4, learning_rate=1e-6)
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
    assert 0 < np.abs(heats[0] - heats[1]).max() < 0.05


def test_a_stored_localiser_is_read_back_as_it_was(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = LocaliserNetwork()
    with torch.no_grad():
        network.train()(torch.randn(4, 2, 64, 64))
    export_localiser(network, tmp_path / "small.onnx")
    content = (tmp_path / "small.onnx").read_bytes()
    slices = torch.randn(2, 2, 64, 96)
    with torch.no_grad():
        heat = read_localiser(content).eval()(slices).sigmoid().numpy()
    np.testing.assert_allclose(heat, Network("localiser", content).run(slices=slices.numpy())["heat"], atol=1e-5)


@pytest.mark.parametrize("condition", list(Condition))
def test_a_stored_grader_is_read_back_as_it_was_and_normalises_by_what_it_meets(condition: Condition) -> None:
    shipped = load_bundle(None).members[0]
    network, scale = read_grader(shipped.contents[NETWORK_NAMES[condition]], condition)
    assert scale is not None
    generator = torch.Generator().manual_seed(0)
    pictures = [torch.rand(6, NETWORK_SLICES, recipe.size_px, recipe.size_px, generator=generator) for recipe in RECIPES[condition]]
    inputs = {recipe.input_name: picture.numpy() for recipe, picture in zip(RECIPES[condition], pictures, strict=True)}
    present = [torch.ones(6, 2)] if len(pictures) > 1 else []
    inputs |= dict(zip([PRESENT_INPUT], [each.numpy() for each in present], strict=False))
    expected = shipped.networks[NETWORK_NAMES[condition]].run(**inputs)[LOGITS_OUTPUT]
    network.eval()
    with torch.no_grad():
        read = network(*pictures, *present).logits
        with measuring_normalisation(network):
            network(*pictures, *present)
        measured = network(*pictures, *present).logits
    np.testing.assert_allclose(read.numpy(), expected, atol=1e-4)
    np.testing.assert_allclose(measured.numpy(), expected, atol=1e-4)
    layers = [layer for layer in network.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
    assert all(layer.running_var is not None and float((layer.running_var - 1).abs().max()) > 0.01 for layer in layers)


def test_a_stored_context_is_read_back_as_it_was() -> None:
    shipped = load_bundle(None).members[0]
    read, graded = torch.randn(3, 25, 3), torch.ones(3, 25)
    with torch.no_grad():
        found = read_context(shipped.contents["context"]).eval()(read, graded)
    expected = shipped.networks["context"].run(read=read.numpy(), graded=graded.numpy())["logits"]
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-4)


def test_another_networks_file_cannot_be_gone_on_from() -> None:
    contents = load_bundle(None).members[0].contents
    readers = {
        "localiser": read_localiser,
        "canal": partial(read_grader, condition=Condition.SPINAL_CANAL_STENOSIS),
        "foramen": partial(read_grader, condition=Condition.NEURAL_FORAMINAL_NARROWING),
        "context": read_context,
    }
    for name, reader in readers.items():
        for content in (b"nothing", *(contents[other] for other in readers if other != name)):
            with pytest.raises(ModelFileError, match="start from"):
                reader(content)


def test_a_run_goes_on_from_the_model_that_ships_unless_it_is_to_begin_anew(blob_data: Path, whole: Path, tmp_path: Path) -> None:
    small = replace(WHOLE, name="small", networks=("foramen",), foramen=replace(INSTANT, learning_rate=1e-6))
    apart = {}
    for name, config in {"on": small, "anew": replace(small, from_scratch=True)}.items():
        train_run(blob_data, tmp_path / name, config, RunOptions(folds=1, cache=whole.parent / "cache", quiet=True), pytest.fail)
        size = FORAMEN_SAGITTAL.size_px
        picture = np.random.default_rng(0).random((4, NETWORK_SLICES, size, size)).astype(np.float32)
        logits = [load_bundle(folder).members[0].networks["foramen"].run(sagittal=picture)["logits"] for folder in (None, tmp_path / name)]
        apart[name] = np.abs(logits[0] - logits[1]).max()
    assert apart["on"] < apart["anew"] / 4
    assert json.loads((tmp_path / "anew" / "run.json").read_text())["taken"]["started_from"] is None


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
