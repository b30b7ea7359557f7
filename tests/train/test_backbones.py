"""Backbones of the timm library, where it can be imported; elsewhere that the reason is told."""

import importlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lumbargrade.errors import UsageError
from lumbargrade.grade.recipe import RECIPES
from lumbargrade.models import load_bundle
from lumbargrade.terms import Condition
from lumbargrade.train.backbone import BUILT_IN, Backbone
from lumbargrade.train.config import Schedule, TrainConfig, load_config
from lumbargrade.train.grader_network import build_grader, export_grader
from lumbargrade.train.run import RunOptions, train_run

INSTANT = Schedule(steps=2, batch_size=2)
SMALL = TrainConfig(
    name="small", threads=1, networks=("foramen", "context"), foramen=INSTANT, context=INSTANT, backbone="timm:resnet18", backbone_px=64
)


def why_no_timm() -> str:
    """Empty where timm can be imported: a torchvision that does not fit torch fails with a RuntimeError."""
    try:
        importlib.import_module("timm")
    except (ImportError, RuntimeError) as error:
        return f"timm cannot be imported here: {str(error).splitlines()[0]}"
    return ""


with_timm = pytest.mark.skipif(bool(why_no_timm()), reason=why_no_timm() or "timm is there")


def test_a_backbone_is_the_built_in_one_or_one_of_timm_by_name() -> None:
    assert Backbone().timm_name is None
    assert Backbone("timm:convnext_small").timm_name == "convnext_small"
    for name, size in (("convnext_small", 128), ("timm:", 128), ("timm:resnet18", 100), ("timm:resnet18", 32)):
        with pytest.raises(UsageError):
            Backbone(name, size)
    with pytest.raises(UsageError, match="backbone"):
        TrainConfig(backbone="resnet18")


@pytest.mark.parametrize("name", ["ninth", "ensemble-convnext", "ensemble-effnet"])
def test_the_recipes_with_larger_backbones_are_complete(name: str) -> None:
    config = load_config(name)
    assert config.reader != BUILT_IN
    assert {"localiser", "canal", "foramen", "subarticular", "context"} == set(config.networks)


@pytest.mark.skipif(not why_no_timm(), reason="timm is there")
def test_without_timm_one_line_says_what_to_install(blob_data: Path, tmp_path: Path) -> None:
    options = RunOptions(folds=1, quiet=True)
    with pytest.raises(UsageError, match="pip install timm"):
        train_run(blob_data, tmp_path / "run", SMALL, options, pytest.fail)


@with_timm
@pytest.mark.parametrize("condition", list(Condition))
def test_a_timm_network_reads_crops_and_is_exported_as_it_is(condition: Condition, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = build_grader(condition, Backbone("timm:convnext_atto", 64)).eval()
    pictures = [torch.rand(3, 5, recipe.size_px, recipe.size_px) for recipe in RECIPES[condition]]
    present = [torch.ones(3, 2)] if len(pictures) > 1 else []
    with torch.no_grad():
        assert network(*pictures, *present).logits.shape == (3, 3)
    export_grader(network, condition, tmp_path / "network.onnx", None)


@with_timm
def test_a_run_with_a_timm_backbone_leaves_a_model(blob_data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train_run(blob_data, run, SMALL, RunOptions(folds=1, quiet=True), pytest.fail)
    assert load_bundle(run).members[0].networks["foramen"]
    record = json.loads((run / "run.json").read_text())
    assert record["config"]["backbone"] == "timm:resnet18"
    again = replace(SMALL, backbone="built-in")
    with pytest.raises(UsageError, match="backbone"):
        train_run(blob_data, run, again, RunOptions(folds=1, quiet=True), pytest.fail)
