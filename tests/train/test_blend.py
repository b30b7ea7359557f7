"""Blending: fitted weights favour the better model, gains are honest, and a blend is used on the models that it was fitted for."""

import json
from pathlib import Path

import numpy as np
import pytest

from lumbargrade.blend import Blend, ConditionBlend, raise_worst_canal, read_blend
from lumbargrade.cli.main import main
from lumbargrade.competition import StudyLabels, SubmissionScores, read_submission, tilt, write_labels, write_out_of_fold, write_submission
from lumbargrade.errors import InputError
from lumbargrade.evaluate import bootstrap_difference, score
from lumbargrade.models import load_bundle, write_manifest
from lumbargrade.terms import FINDINGS, Condition
from lumbargrade.train.blend import fit_blend, out_of_fold_scores

CANAL = np.array([finding.condition is Condition.SPINAL_CANAL_STENOSIS for finding in FINDINGS])


def patients(studies: int, seed: int) -> tuple[np.ma.MaskedArray, np.ndarray]:
    """Labels, and what a good and a bad model say of them: softmax of the truth with little and with much noise."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(3, (studies, len(FINDINGS)), p=[0.7, 0.2, 0.1])
    said = []
    for noise in (0.7, 3.0):
        logits = 2.0 * np.eye(3)[truth] + noise * rng.normal(size=(studies, len(FINDINGS), 3)) + np.log([0.7, 0.2, 0.1])
        said.append(np.exp(logits) / np.exp(logits).sum(-1, keepdims=True))
    mask = rng.random(truth.shape) < 0.05
    return np.ma.MaskedArray(truth.astype(np.int8), mask), np.array(said)


def test_the_better_model_is_heard_more_and_the_blend_is_better_on_studies_it_was_not_fitted_on() -> None:
    severities, said = patients(150, 1)
    blend = fit_blend(severities, said)
    assert all(each.weights[0] > 0.7 for each in blend.conditions.values())
    fresh, heard = patients(150, 2)
    assert score(fresh, blend.scores(heard)).total < score(fresh, Blend.even(2).scores(heard)).total - 0.02
    folds = np.arange(150) % 5
    honest = score(severities, out_of_fold_scores(severities, said, folds)).total
    assert score(severities, blend.scores(said)).total <= honest + 1e-3
    assert honest < score(severities, Blend.even(2).scores(said)).total


def test_models_that_agree_leave_the_metrics_own_tilt_nearly_alone() -> None:
    severities, _ = patients(400, 3)
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet([7, 2, 1], severities.shape)
    drawn = np.array([[rng.choice(3, p=each) for each in row] for row in probabilities]).astype(np.int8)
    blend = fit_blend(np.ma.MaskedArray(drawn, np.ma.getmaskarray(severities)), np.array([probabilities, probabilities]))
    for each in blend.conditions.values():
        np.testing.assert_allclose(each.weights, [0.5, 0.5], atol=0.02)
        np.testing.assert_allclose(np.array(each.tilt) / each.tilt[0], [1, 2, 4], rtol=0.25)
    assert 1 <= blend.any_severe < 1.4


def test_only_the_worst_canal_is_raised_and_rows_still_sum_to_one() -> None:
    _, said = patients(20, 4)
    scores = tilt(said[0])
    raised = raise_worst_canal(scores, 1.3)
    np.testing.assert_allclose(raised.sum(-1), 1)
    changed = np.abs(raised - scores).max(-1) > 1e-12
    assert (changed.sum(1) == 1).all()
    assert not changed[:, ~CANAL].any()
    assert (raised[:, CANAL, 2].max(1) >= scores[:, CANAL, 2].max(1)).all()
    assert raise_worst_canal(scores, 1.0) is scores
    assert (raise_worst_canal(scores, 100.0) < 1).all()


def test_a_blend_is_read_back_and_anything_else_is_refused(tmp_path: Path) -> None:
    parts = {condition: ConditionBlend((0.25, 0.75), (1.0, 2.2, 3.9)) for condition in Condition}
    Blend(("a", "b"), parts, 1.2).write(tmp_path / "blend.json")
    assert read_blend(tmp_path / "blend.json") == Blend(("a", "b"), parts, 1.2)
    (tmp_path / "odd.json").write_text(json.dumps({"schema": "lumbargrade/blend/1"}))
    for name in ("odd.json", "absent.json"):
        with pytest.raises(InputError, match="not a blend"):
            read_blend(tmp_path / name)
    with pytest.raises(ValueError, match="sum to one"):
        ConditionBlend((0.5, 0.6))


def test_a_paired_comparison_tells_a_difference_from_noise() -> None:
    severities, said = patients(120, 5)
    good, bad = tilt(said[0]), tilt(said[1])
    difference = bootstrap_difference(severities, bad, good, 200)
    assert difference.high < 0
    assert "beyond noise" in difference.words
    assert difference.mean == pytest.approx(score(severities, good).total - score(severities, bad).total)
    other = tilt(said[0] ** 1.001 / (said[0] ** 1.001).sum(-1, keepdims=True))
    assert bootstrap_difference(severities, good, good, 50).is_noise
    assert abs(bootstrap_difference(severities, good, other, 50).mean) < 1e-3


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs' out-of-fold predictions, and models beside them: the one that ships, and the same under another name."""
    root = tmp_path_factory.mktemp("runs")
    severities, said = patients(60, 6)
    ids = tuple(range(1, 61))
    write_labels(root / "train.csv", StudyLabels(ids, severities))
    shipped = load_bundle(None)
    for name, probabilities in zip(("good", "bad"), said, strict=True):
        weights = root / name / "weights"
        weights.mkdir(parents=True)
        scores = SubmissionScores(ids, tilt(probabilities))
        write_out_of_fold(root / name / "oof.csv", scores, np.arange(60) % 3)
        write_submission(root / f"{name}.csv", scores)
        for network, content in shipped.members[0].contents.items():
            (weights / f"{network}.onnx").write_bytes(content)
        files = {network: f"{network}.onnx" for network in shipped.members[0].contents}
        write_manifest(weights, name, "1", [{"networks": files, "calibration": shipped.members[0].calibration}])
    return root


def test_the_command_fits_a_blend_on_out_of_fold_predictions(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = runs / "blend.json"
    assert main(["blend", str(runs / "train.csv"), str(runs / "good"), str(runs / "bad"), "--output", str(output), "--quiet"]) == 0
    text = capsys.readouterr().out
    assert "all alike" in text
    assert "fitted against alike" in text
    blend = read_blend(output)
    assert blend.models == tuple(load_bundle(runs / name).sha256 for name in ("good", "bad"))
    assert blend.conditions[Condition.SUBARTICULAR_STENOSIS].weights[0] > 0.6


def test_score_compares_two_submissions(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(runs / name) for name in ("train.csv", "bad.csv")]
    assert main(["score", *files, "--against", str(runs / "good.csv"), "--bootstrap", "100"]) == 0
    assert "the second is better, beyond noise" in capsys.readouterr().out
    assert main(["score", *files, "--against", str(runs / "good.csv"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["against"]["is_noise"] is False
    assert told["against"]["mean"] < 0


def test_predict_averages_models_and_heeds_a_blend(runs: Path, blob_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["predict", str(blob_data), "--split", "train", "--locations", str(blob_data / "train_label_coordinates.csv"), "--quiet"]
    good, bad = str(runs / "good"), str(runs / "bad")
    written = {}
    for name, models in {"one": [good], "both": [good, bad]}.items():
        assert main([*command, "--output", str(tmp_path / f"{name}.csv"), "--models", *models, "--workers", "2"]) == 0
        written[name] = read_submission(tmp_path / f"{name}.csv")
    np.testing.assert_allclose(written["both"].scores, written["one"].scores, atol=1e-9)
    parts = {condition: ConditionBlend((0.5, 0.5), (1.0, 1.0, 8.0)) for condition in Condition}
    blend = Blend(tuple(load_bundle(Path(model)).sha256 for model in (good, bad)), parts)
    blend.write(tmp_path / "blend.json")
    options = ["--models", good, bad, "--blend", str(tmp_path / "blend.json"), "--workers", "1"]
    assert main([*command, "--output", str(tmp_path / "blended.csv"), *options]) == 0
    blended = read_submission(tmp_path / "blended.csv").scores
    graded = np.abs(blended - written["both"].scores).max(-1) > 1e-6
    assert graded.mean() > 0.5
    assert (blended[graded][:, 2] > written["both"].scores[graded][:, 2]).all()
    options = ["--models", bad, good, "--blend", str(tmp_path / "blend.json")]
    assert main([*command, "--output", str(tmp_path / "never.csv"), *options]) == 2
    assert "another order" in capsys.readouterr().err
