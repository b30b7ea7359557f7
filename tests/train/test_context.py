"""The network that hears the findings of a patient together: what it may and may not know, and that it learns from neighbours."""

from pathlib import Path

import numpy as np
import pytest
import torch

from lumbargrade.grade import Logits
from lumbargrade.grade.context import CONTEXT, in_context
from lumbargrade.models import Network
from lumbargrade.terms import FINDING_INDEX, FINDINGS, LEVELS, Condition, Finding
from lumbargrade.train.config import Schedule
from lumbargrade.train.context import ContextNetwork, Heard, export_context, train_context

PAIRED = [index for index, finding in enumerate(FINDINGS) if finding.condition.is_paired]
MIRRORED = [FINDING_INDEX[finding.mirrored] for finding in FINDINGS]


def stirred() -> ContextNetwork:
    """Untrained, but with every weight at random: a new network changes nothing."""
    torch.manual_seed(0)
    network = ContextNetwork().eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    return network


def test_a_new_network_leaves_the_logits_as_they_were_read() -> None:
    read = torch.randn(3, 25, 3)
    assert torch.equal(ContextNetwork().eval()(read, torch.ones(3, 25)), read)


def test_a_patient_reflected_left_to_right_gets_the_same_logits_on_the_other_sides() -> None:
    network, read = stirred(), torch.randn(4, 25, 3)
    graded = (torch.rand(4, 25) < 0.8).float()
    with torch.no_grad():
        straight, reflected = network(read, graded), network(read[:, MIRRORED], graded[:, MIRRORED])
    unpaired = [index for index in range(25) if index not in PAIRED]
    assert torch.equal(straight[:, unpaired], read[:, unpaired])
    torch.testing.assert_close(reflected, straight[:, MIRRORED], atol=1e-5, rtol=1e-5)
    assert (straight - straight[:, MIRRORED]).abs().max() > 0.1


def test_what_was_not_read_does_not_matter_and_what_was_does() -> None:
    network, read, graded = stirred(), torch.randn(1, 25, 3), torch.ones(1, 25)
    other = read.clone()
    other[0, 7] += 3.0
    others = [index for index in range(25) if index != 7]
    with torch.no_grad():
        heard = [network(each, graded)[0, others] for each in (read, other)]
        graded[0, 7] = 0
        unheard = [network(each, graded)[0, others] for each in (read, other)]
    torch.testing.assert_close(unheard[0], unheard[1], atol=1e-5, rtol=1e-5)
    assert (heard[0] - heard[1]).abs().max() > 1e-3


def patients(count: int, seed: int) -> Heard:
    """Each patient is bad or well; what is read of a single finding says little of it, what is read of all says much."""
    rng = np.random.default_rng(seed)
    is_bad = rng.random(count) < 0.5
    read = np.zeros((count, 25, 3), np.float32)
    read[..., 2] = rng.normal(0, 1, (count, 25)) + is_bad[:, None]
    targets = np.eye(3, dtype=np.float32)[np.where(is_bad, 2, 0)][:, None].repeat(25, 1)
    return Heard(read, np.ones((count, 25), np.float32), targets)


def log_loss(logits: torch.Tensor, heard: Heard) -> float:
    losses = -(torch.from_numpy(heard.targets) * torch.log_softmax(logits, -1)).sum(-1)
    return float(losses[:, PAIRED].mean())


def test_it_learns_of_one_finding_from_the_others() -> None:
    torch.set_num_threads(1)
    network = train_context(patients(400, 1), Schedule(steps=150, batch_size=64, average_decay=0.9), seed=2)
    fresh = patients(400, 3)
    with torch.no_grad():
        assert log_loss(network(torch.from_numpy(fresh.read), torch.from_numpy(fresh.graded)), fresh) < 0.15
    assert log_loss(torch.from_numpy(fresh.read), fresh) > 0.8


@pytest.mark.parametrize("count", [1, 25])
def test_the_exported_network_hears_as_many_findings_as_were_read(count: int, tmp_path: Path) -> None:
    network = stirred()
    export_context(network, tmp_path / "context.onnx")
    content = (tmp_path / "context.onnx").read_bytes()
    assert len(content) < 300_000
    rng = np.random.default_rng(5)
    read = {finding: Logits(*rng.normal(size=3).tolist()) for finding in FINDINGS[:count]}
    heard = in_context(Network(CONTEXT, content), read)
    assert set(heard) == set(read)
    numbers, graded = torch.zeros(1, 25, 3), torch.zeros(1, 25)
    for finding, logits in read.items():
        numbers[0, FINDING_INDEX[finding]] = torch.tensor(logits.values) - sum(logits.values) / 3
        graded[0, FINDING_INDEX[finding]] = 1
    with torch.no_grad():
        expected = network(numbers, graded)[0]
    for finding in read:
        np.testing.assert_allclose(heard[finding].values, expected[FINDING_INDEX[finding]], atol=1e-4)


def test_pairs_of_findings_are_told_apart_by_condition_level_and_side() -> None:
    relations = ContextNetwork().relations.numpy()

    def pair(one: Finding, other: Finding) -> int:
        return int(relations[FINDING_INDEX[one], FINDING_INDEX[other]])

    foramina = [finding for finding in FINDINGS if finding.condition is Condition.NEURAL_FORAMINAL_NARROWING]
    recesses = [finding for finding in FINDINGS if finding.condition is Condition.SUBARTICULAR_STENOSIS]
    left = [[each for each in some if each.laterality is foramina[0].laterality] for some in (foramina, recesses)]
    assert pair(left[0][0], left[0][1]) == pair(left[0][1], left[0][2]) == pair(left[0][0].mirrored, left[0][1].mirrored)
    above, same, below = left[0][:3]
    assert len({pair(same, other) for other in (above, same, below, same.mirrored, left[1][1], left[1][1].mirrored)}) == 6
    assert [finding.level for finding in left[0]] == list(LEVELS)
