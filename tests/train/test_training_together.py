"""A training that is killed and begun again, or dealt among processes, comes to the same as one that was not."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from lumbargrade.errors import UsageError
from lumbargrade.train.config import Schedule
from lumbargrade.train.loop import Session, fit, losses_path, state_path
from lumbargrade.train.parallel import ALONE, Piece, SharedDropout, World, joined, mean_of, pieces_of

SECONDS = 240
KILLS = 5
CONFIG = """
threads = 1
networks = ["localiser", "canal", "foramen"]
from_scratch = true
[localiser]
steps = 12
batch_size = 8
mixed_precision = false
learning_rate = 3e-5
[canal]
steps = 24
batch_size = 16
mixed_precision = false
learning_rate = 3e-5
[foramen]
steps = 24
batch_size = 16
mixed_precision = false
learning_rate = 3e-5
"""


def started(arguments: list[str], before: str = "") -> "subprocess.Popen[str]":
    script = f"import sys; {before}from lumbargrade.cli import main; sys.exit(main(sys.argv[1:]))"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments], start_new_session=True, env=environment, stderr=subprocess.PIPE, text=True
    )


def finished(process: "subprocess.Popen[str]") -> None:
    _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, errors


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("config") / "short.toml"
    path.write_text(CONFIG)
    return path


@pytest.fixture(scope="module")
def undisturbed(blob_data: Path, config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("undisturbed") / "run"
    finished(started(["train", str(blob_data), "--output", str(run), "--config", str(config), "--folds", "1", "--workers", "1", "--quiet"]))
    return run


def test_a_run_that_is_killed_again_and_again_comes_to_the_same_weights(
    blob_data: Path, config: Path, undisturbed: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    options = ["--output", str(run), "--config", str(config), "--folds", "1", "--workers", "1", "--quiet", "--resume"]
    arguments = ["train", str(blob_data), *options]
    often = "import lumbargrade.train.loop as loop; loop.KEPT_SECONDS = 0.0; "
    random = np.random.default_rng(0)
    kills = 0
    while kills < KILLS:
        process = started(arguments, often)
        deadline = time.monotonic() + random.uniform(1.5, 6.0)
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        if process.poll() is not None:
            finished(process)
            break
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        kills += 1
    finished(started(arguments, often))
    assert kills
    for name in ("localiser", "canal", "foramen"):
        assert (run / "weights" / f"{name}.onnx").read_bytes() == (undisturbed / "weights" / f"{name}.onnx").read_bytes(), name
    assert json.loads((run / "run.json").read_text())["held_out"] == json.loads((undisturbed / "run.json").read_text())["held_out"]
    for name in ("localiser", "canal", "foramen"):
        noted, again = (json.loads(losses_path(each / "training" / name).read_text()) for each in (undisturbed, run))
        assert noted == again
        assert [step for step, _ in noted["held_out"]][-1] == len(noted["losses"])
    assert not list(run.rglob("*.state"))
    assert not list(run.rglob("*.partial"))


def test_two_processes_have_the_losses_of_one(blob_data: Path, config: Path, undisturbed: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "lumbargrade"]
    arguments = ["train", str(blob_data), "--output", str(run), "--config", str(config), "--folds", "1", "--workers", "1", "--quiet"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    for name in ("localiser", "canal", "foramen"):
        one, two = (json.loads(losses_path(each / "training" / name).read_text()) for each in (undisturbed, run))
        assert len(one["losses"]) == len(two["losses"]) >= 12
        np.testing.assert_allclose(two["losses"], one["losses"], rtol=1e-3, err_msg=name)
        assert len(one["held_out"]) == 12
        np.testing.assert_allclose(two["held_out"], one["held_out"], rtol=2e-3, err_msg=name)
    assert (run / "run.json").is_file()


class Toy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), SharedDropout(0.3), nn.Linear(144, 1))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(self.layers(values))


def fitted(notes: Path | None, steps: int = 8) -> tuple[list[float], nn.Module]:
    torch.manual_seed(0)
    network = Toy()

    def piece(part: Piece) -> tuple[torch.Tensor]:
        return (torch.randn(part.samples, 1, 8, 8, generator=part.generator()),)

    def loss(network: nn.Module, batch: tuple[torch.Tensor]) -> torch.Tensor:
        return (network(batch[0]).float()[:, 0] - batch[0].mean((1, 2, 3))).square().mean()

    return fit(network, piece, loss, Schedule(steps=steps, batch_size=8), 3, Session("toy", quiet=True, notes=notes)), network


def test_a_state_that_was_kept_in_the_middle_leads_to_the_same_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    losses, network = fitted(None)
    monkeypatch.setattr("lumbargrade.train.loop.KEPT_SECONDS", 0.0)
    fitted(tmp_path / "toy")
    kept = torch.load(state_path(tmp_path / "toy"), weights_only=True)
    assert len(kept["losses"]) == 8
    (tmp_path / "toy.state").unlink()
    monkeypatch.setattr("lumbargrade.train.loop._finite", stopping_at(5))
    with pytest.raises(KeyboardInterrupt):
        fitted(tmp_path / "toy")
    monkeypatch.undo()
    assert state_path(tmp_path / "toy").is_file()
    again, other = fitted(tmp_path / "toy")
    assert again == losses
    assert all(torch.equal(one, two) for one, two in zip(network.state_dict().values(), other.state_dict().values(), strict=True))


def stopping_at(stop: int):  # type: ignore[no-untyped-def]
    def finite(value: float, step: int, label: str) -> float:
        if step == stop:
            raise KeyboardInterrupt
        return value

    return finite


def test_pieces_are_dealt_evenly_and_are_the_same_wherever_they_are_made() -> None:
    whole = pieces_of(64, 5, 7, ALONE)
    parts = [pieces_of(64, 5, 7, World(rank, 4)) for rank in range(4)]
    assert [piece for part in parts for piece in part] == whole
    assert sum(piece.samples for piece in whole) == 64
    assert len({piece.torch_seed() for piece in whole} | {piece.torch_seed() for piece in pieces_of(64, 5, 8, ALONE)}) == 16
    with pytest.raises(UsageError, match="evenly"):
        pieces_of(64, 5, 7, World(0, 3))
    batch = joined([(torch.ones(2, 3), (torch.zeros(2),)), (torch.ones(1, 3), (torch.zeros(1),))])
    assert batch[0].shape == (3, 3)
    assert batch[1][0].shape == (3,)
    assert float(mean_of(torch.tensor(0.0), torch.tensor(0))) == 0.0
