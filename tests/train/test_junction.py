"""The network that looks at the lumbosacral junction: what it is shown, that it learns, and that nothing is said without it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from lumbargrade.errors import InputError
from lumbargrade.localise.channels import DISC
from lumbargrade.localise.junction import PATCH_CHANNELS, PATCH_SHAPE, transitional_probability
from lumbargrade.models import Network, load_bundle
from lumbargrade.synthesis import write_data_set
from lumbargrade.train.config import Schedule
from lumbargrade.train.data_set import LabelledStudy, open_labelled_data
from lumbargrade.train.junction import Junctions, export_junction, read_junctions, train_junction

CENTER = PATCH_SHAPE[0] // 2, PATCH_SHAPE[1] // 2


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Sequence[LabelledStudy]:
    """Four patients, the last with a lumbarised S1."""
    folder = tmp_path_factory.mktemp("junctions") / "data"
    write_data_set(folder, 4, 101, "levels", 1)
    return list(open_labelled_data(folder).studies.values())


@pytest.fixture(scope="module")
def localiser(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "localiser.onnx"
    path.write_bytes(load_bundle().members[0].contents["localiser"])
    return path


@pytest.fixture(scope="module")
def junctions(studies: Sequence[LabelledStudy], localiser: Path) -> Junctions:
    return read_junctions(studies, localiser, "junctions", 1, quiet=True)


def drawn(random: np.random.Generator, count: int) -> Junctions:
    """Noise with a disc in the middle, low in every second patch."""
    patches = random.normal(0, 0.1, (count, PATCH_CHANNELS, *PATCH_SHAPE))
    transitional = np.arange(count) % 2 == 0
    for patch, is_low in zip(patches, transitional, strict=True):
        half = 1 if is_low else 3
        patch[DISC, CENTER[0] - half : CENTER[0] + half, CENTER[1] - 9 : CENTER[1] + 9] = 1
    return Junctions(patches.astype(np.float16), transitional)


def test_patches_show_the_disc_above_the_sacrum_upright_in_every_series(junctions: Junctions) -> None:
    assert junctions.patches.shape[1:] == (PATCH_CHANNELS, *PATCH_SHAPE)
    assert len(junctions.patches) >= 7
    assert 0 < junctions.transitional.sum() <= 2
    disc = junctions.patches[:, DISC].astype(float)
    middle = disc[:, CENTER[0] - 2 : CENTER[0] + 3, CENTER[1] - 5 : CENTER[1] + 6].mean((1, 2))
    assert (middle > 2.5 * disc.mean((1, 2))).all()
    above, below = disc[:, : CENTER[0] - 10].mean((1, 2)), disc[:, CENTER[0] + 10 :].mean((1, 2))
    assert (above > below).mean() > 0.8  # L4/L5 is a disc, what lies below S1 mostly is not


def test_the_network_learns_and_its_file_gives_a_probability(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    network = train_junction(drawn(random, 60), Schedule(steps=60, batch_size=16, learning_rate=3e-3, average_decay=0.9), 0, quiet=True)
    export_junction(network, tmp_path / "junction.onnx")
    file = Network("junction", (tmp_path / "junction.onnx").read_bytes())
    fresh = drawn(random, 20)
    said = [transitional_probability(patch[None].astype(np.float32), [file]) for patch in fresh.patches]
    assert np.array_equal(np.array(said) > 0.5, fresh.transitional)


def test_without_a_picture_or_a_network_nothing_is_said() -> None:
    assert transitional_probability(np.zeros((0, PATCH_CHANNELS, *PATCH_SHAPE), np.float32), []) is None
    assert transitional_probability(np.zeros((1, PATCH_CHANNELS, *PATCH_SHAPE), np.float32), []) is None


def test_ordinary_spines_alone_cannot_be_learnt_from(studies: Sequence[LabelledStudy], localiser: Path) -> None:
    with pytest.raises(InputError, match="with and without transitional vertebrae"):
        read_junctions([study for study in studies if study.truth][:0], localiser, "junctions", 1, quiet=True)
