"""Configurations: every one that ships can be built, and a mistake in one's own is named."""

from dataclasses import fields
from importlib import resources
from pathlib import Path

import pytest

from lumbargrade.errors import UsageError
from lumbargrade.train.config import Schedule, TrainConfig, load_config
from lumbargrade.train.member import NETWORKS

SHIPPED = sorted(entry.name.removesuffix(".toml") for entry in (resources.files("lumbargrade.train") / "configs").iterdir())


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_configuration_is_built_under_its_name(name: str) -> None:
    config = load_config(name)
    assert config.name == name
    assert all(isinstance(getattr(config, network), Schedule) for network in NETWORKS)


def test_the_default_file_and_the_default_values_are_one() -> None:
    assert load_config("default") == TrainConfig()


OTHERS = {"name", "seed", "threads", "networks", "from_scratch", "started_rate", "backbone", "backbone_px", "backbone_weights"}


def test_every_network_has_a_schedule_of_its_own_name() -> None:
    assert set(NETWORKS) == {entry.name for entry in fields(TrainConfig)} - OTHERS


def test_a_file_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("seed = 4\n[canal]\nsteps = 12\nlearning_rate = 1e-2\n")
    config = load_config(str(path))
    assert (config.name, config.seed, config.canal.steps, config.canal.learning_rate) == ("mine", 4, 12, 0.01)
    assert config.canal.batch_size == TrainConfig().canal.batch_size
    assert config.foramen == TrainConfig().foramen


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("sedd = 1", "unknown key 'sedd'; there are name, seed"),
        ("[canal]\nepochs = 3", "canal: unknown key 'epochs'; there are steps"),
        ("canal = 3", "canal must be a table"),
        ("seed = 'one'", "seed must be int, not 'one'"),
        ("seed = true", "seed must be int, not True"),
        ("[canal]\nsteps = 0", "at least 1 step"),
        ("[canal]\nlearning_rate = 2", "learning_rate must lie between 0 and 1"),
        ("seed =", "not TOML"),
    ],
)
def test_a_mistake_is_named(text: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(UsageError, match=complaint):
        load_config(str(tmp_path / "mine.toml"))


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such configuration file"):
        load_config(str(tmp_path / "mine.toml"))
