"""A whole run on patients made of blobs: index, two processes of training, held-out grading, calibration, files."""

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from lumbargrade.cli.main import main
from lumbargrade.competition import StudyLabels, SubmissionScores, read_coordinates, read_labels, read_submission, tilt, write_coordinates
from lumbargrade.competition.names import FINDING_COLUMNS, SEVERITY_TITLES
from lumbargrade.errors import InputError, ModelFileError, UsageError
from lumbargrade.grade import Calibration
from lumbargrade.models import load_bundle
from lumbargrade.terms import Condition, Severity
from lumbargrade.train.config import Schedule, TrainConfig
from lumbargrade.train.doubtful import UNLIKELY, doubtful_labels
from lumbargrade.train.run import RunOptions, train_run
from lumbargrade.train.site import calibrate_run

GRADER = Schedule(steps=8, batch_size=8, average_decay=0.8)
CONFIG = TrainConfig(
    name="blobs",
    seed=3,
    localiser=Schedule(steps=160, batch_size=4, learning_rate=5e-3, average_decay=0.9),
    canal=GRADER,
    foramen=GRADER,
    subarticular=GRADER,
    context=GRADER,
)
INSTANT = Schedule(steps=1, batch_size=2)
INSTANT_CONFIG = TrainConfig(
    name="instant", threads=1, localiser=INSTANT, canal=INSTANT, foramen=INSTANT, subarticular=INSTANT, context=INSTANT
)
NETWORKS = ("localiser", "canal", "foramen", "subarticular", "context", "junction")
"""The last is taken from the model that ships."""


class Run(NamedTuple):
    data: Path
    folder: Path
    record: dict
    warnings: list[str]


@pytest.fixture(scope="module")
def run(blob_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run on the twelve patients, the files of one of whom are cut short."""
    root = tmp_path_factory.mktemp("run")
    data, folder, warnings = Path(shutil.copytree(blob_data, root / "data")), root / "run", []
    for file in (data / "train_images" / "105").rglob("*.dcm"):
        file.write_bytes(file.read_bytes()[:300])
    record = train_run(data, folder, CONFIG, RunOptions(folds=1, workers=2, quiet=True), warnings.append)
    return Run(data, folder, record, warnings)


def test_a_run_leaves_a_model_that_is_loaded_by_the_runs_folder(run: Run) -> None:
    bundle = load_bundle(run.folder)
    assert bundle == load_bundle(run.folder / "weights")
    assert bundle.name == "lumbargrade-blobs"
    assert [tuple(sorted(member.contents)) for member in bundle.members] == [tuple(sorted(NETWORKS))]
    assert set(bundle.members[0].calibration) >= {condition.value for condition in Condition}


def test_a_changed_weight_file_of_a_run_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    for file in (run.folder / "weights").iterdir():
        (tmp_path / "weights" / file.name).write_bytes(file.read_bytes() + b"x" * (file.name == "canal.onnx"))
    with pytest.raises(ModelFileError, match=r"canal\.onnx: sha256"):
        load_bundle(tmp_path)


def test_the_held_out_file_has_a_sixth_of_the_studies_and_their_fold(run: Run) -> None:
    scores = read_submission(run.folder / "oof.csv")
    assert len(scores.study_ids) == 2
    assert set(scores.study_ids) < set(read_labels(run.data / "train.csv").study_ids)
    lines = (run.folder / "oof.csv").read_text().splitlines()
    assert lines[0] == "row_id,normal_mild,moderate,severe,fold"
    assert {line.rsplit(",", 1)[1] for line in lines[1:]} == {"0"}


def test_the_networks_learnt_where_the_foramina_are(run: Run) -> None:
    held_out = run.record["held_out"]
    errors = held_out["localisation_mm"]["neural_foraminal_narrowing"]
    assert errors["marked_sites"] == 20
    assert errors["found_sites"] >= 10
    assert errors["median"] < 6
    assert held_out["graded_findings"] > 10
    assert 0 < held_out["score"] < 5


def test_the_record_says_what_the_run_was_made_of(run: Run) -> None:
    record = json.loads((run.folder / "run.json").read_text())
    assert record == run.record
    assert record["config"] == json.loads(json.dumps(CONFIG.as_dict()))
    assert (record["seed"], record["folds"]) == (3, 1)
    assert record["data"]["used_studies"] == 11
    assert len(record["data"]["fingerprint"]) == 64
    assert set(record["seconds"]) == {"index", "train", "held_out", "calibration"}
    assert {"lumbargrade", "torch", "onnxruntime", "git_commit"} <= set(record["software"])
    assert record["machine"]["workers"] == 2
    assert str(run.folder.parent) not in json.dumps(record)


def test_a_damaged_study_is_one_warning_without_its_place_and_the_rest_is_used(run: Run) -> None:
    (warning,) = run.warnings
    assert warning.startswith("study 105 is left out: none of ")
    assert str(run.data) not in warning
    assert [each["study_id"] for each in run.record["data"]["left_out"]] == [105]
    assert not (run.folder / "cache" / "105.npz").exists()


def test_only_whole_files_are_left(run: Run) -> None:
    assert not list(run.folder.rglob("*.partial"))
    assert {path.name for path in (run.folder / "weights").iterdir()} == {"manifest.json", *(f"{name}.onnx" for name in NETWORKS)}


def test_the_same_run_again_repeats_no_stage_and_changes_no_weight(run: Run) -> None:
    products = [*(run.folder / "weights").glob("*.onnx"), *(run.folder / "cache").iterdir(), *(run.folder / "held_out").iterdir()]
    before = {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in products}
    out_of_fold = (run.folder / "oof.csv").read_bytes()
    again = train_run(run.data, run.folder, CONFIG, RunOptions(folds=1, workers=1, quiet=True), [].append)
    assert {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in products} == before
    assert (run.folder / "oof.csv").read_bytes() == out_of_fold
    assert again["held_out"] == run.record["held_out"]


def test_the_calibration_is_fitted_on_the_studies_that_are_given_for_it(
    run: Run, make_data_set: Callable[[Path, int], Path], tmp_path: Path
) -> None:
    other, folder = make_data_set(tmp_path / "other", 6), tmp_path / "run"
    (other / "phantom.json").write_text(json.dumps({"config": "heldout-scanner"}))
    for file in (other / "train_images" / "103").rglob("*.dcm"):
        file.write_bytes(file.read_bytes()[:300])
    shutil.copytree(run.folder, folder)
    (folder / "plan.json").unlink()
    warnings: list[str] = []
    record = train_run(run.data, folder, CONFIG, RunOptions(folds=1, calibrate_on=(other,), quiet=True), warnings.append)
    assert "study 103 is left out of the calibration: it cannot be read or graded" in warnings
    assert record["data"]["calibration_studies"] == 5
    assert run.record["data"]["calibration_studies"] == 2
    assert record["calibration"] != run.record["calibration"]
    assert record["held_out"]["score_uncalibrated"] == run.record["held_out"]["score_uncalibrated"]
    with pytest.raises(InputError, match="held out to measure models"):
        train_run(other, tmp_path / "more", CONFIG, RunOptions(folds=1, quiet=True), [].append)


def test_another_configuration_in_the_same_folder_is_refused_and_named(run: Run) -> None:
    with pytest.raises(UsageError, match=r"config\.canal\.average_decay 0\.8 there and 0\.99 now.*choose another --output or delete"):
        train_run(run.data, run.folder, INSTANT_CONFIG, RunOptions(folds=1, quiet=True), pytest.fail)
    with pytest.raises(UsageError, match="folds 1 there and 2 now"):
        train_run(run.data, run.folder, CONFIG, RunOptions(folds=2, quiet=True), pytest.fail)


def test_a_run_does_not_go_on_with_other_studies_than_it_was_begun_with(run: Run, tmp_path: Path) -> None:
    data, folder = (Path(shutil.copytree(source, tmp_path / source.name)) for source in (run.data, run.folder))
    for file in (data / "train_images" / "107").rglob("*.dcm"):
        file.write_bytes(bytes(file.stat().st_size))  # unreadable now, with nothing changed in name and size
    (folder / "cache" / "107.npz").unlink()
    with pytest.raises(UsageError, match="begun with other usable studies"):
        train_run(data, folder, CONFIG, RunOptions(folds=1, quiet=True), [].append)


def test_a_cache_of_other_data_is_refused(run: Run, make_data_set: Callable[[Path, int], Path], tmp_path: Path) -> None:
    data = make_data_set(tmp_path / "data", 2)
    options = RunOptions(folds=1, cache=run.folder / "cache", quiet=True)
    with pytest.raises(UsageError, match="prepared from other data"):
        train_run(data, tmp_path / "run", INSTANT_CONFIG, options, pytest.fail)


@pytest.mark.slow
def test_two_folds_hold_every_study_out_once_and_share_a_cache(run: Run, tmp_path: Path) -> None:
    options = RunOptions(folds=2, cache=run.folder / "cache", quiet=True)
    record = train_run(run.data, tmp_path / "two", INSTANT_CONFIG, options, [].append)
    assert record["held_out"]["studies"] == 11
    assert len(read_submission(tmp_path / "two" / "oof.csv").study_ids) == 11
    folds = {line.rsplit(",", 1)[1] for line in (tmp_path / "two" / "oof.csv").read_text().splitlines()[1:]}
    assert folds == {"0", "1"}
    members = load_bundle(tmp_path / "two").members
    assert len(members) == 2
    assert members[0].contents["canal"] != members[1].contents["canal"]
    assert not (tmp_path / "two" / "cache").exists()


def test_too_few_usable_studies_for_the_folds_are_refused(run: Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"11 usable studies for 7 folds.*fewer --folds"):
        train_run(run.data, tmp_path / "run", INSTANT_CONFIG, RunOptions(folds=7, cache=run.folder / "cache", quiet=True), [].append)


@pytest.mark.parametrize("table", ["train.csv", "train_label_coordinates.csv", "train_series_descriptions.csv"])
def test_a_missing_table_is_named(table: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "data" / "train_images").mkdir(parents=True)
    for name in {"train.csv", "train_label_coordinates.csv", "train_series_descriptions.csv"} - {table}:
        (tmp_path / "data" / name).write_bytes((run.data / name).read_bytes())
    with pytest.raises(InputError, match=rf"{table}: no such table; training needs train\.csv"):
        train_run(tmp_path / "data", tmp_path / "run", INSTANT_CONFIG, RunOptions(quiet=True), pytest.fail)
    assert not (tmp_path / "run").exists()


def test_a_network_without_any_sample_is_taken_as_it_is_and_a_run_without_any_network_is_refused(
    make_data_set: Callable[[Path, int], Path], tmp_path: Path
) -> None:
    data = make_data_set(tmp_path / "data", 2)
    path = data / "train_label_coordinates.csv"
    points = [point for point in read_coordinates(path) if point.finding.condition is not Condition.NEURAL_FORAMINAL_NARROWING]
    write_coordinates(path, points)
    options, warnings = RunOptions(folds=1, cache=tmp_path / "cache", quiet=True), list[str]()
    with pytest.raises(InputError, match=r"nothing to train: foramen needs 2 labelled sites of neural_foraminal_narrowing"):
        train_run(data, tmp_path / "none", replace(INSTANT_CONFIG, networks=("foramen", "context")), options, warnings.append)
    assert not (tmp_path / "none" / "weights").exists()
    assert warnings == []
    train_run(data, tmp_path / "run", INSTANT_CONFIG, options, warnings.append)
    assert any(warning.startswith("foramen is not trained, for want of 2 labelled sites") for warning in warnings)
    shipped = load_bundle(None).members[0]
    assert load_bundle(tmp_path / "run").members[0].contents["foramen"] == shipped.contents["foramen"]


def test_the_error_of_a_located_site_is_its_distance_from_the_label(run: Run) -> None:
    with np.load(run.folder / "held_out" / "fold-0.npz") as stored:
        assert stored["errors_mm"].shape == (2, 25)
        assert stored["has_coordinate"].all()
        found = ~stored["no_errors"]
    assert found.sum() == sum(each["found_sites"] for each in run.record["held_out"]["localisation_mm"].values())


def test_a_model_is_calibrated_on_other_labels_and_its_networks_stay(run: Run, tmp_path: Path) -> None:
    warnings: list[str] = []
    record = calibrate_run(run.data, tmp_path / "site", run.folder, 1, quiet=True, warn=warnings.append)
    before, after = load_bundle(run.folder), load_bundle(tmp_path / "site")
    assert after.members[0].contents == before.members[0].contents
    assert (after.name, record["calibrated_from"]) == ("lumbargrade-blobs-calibrated", before.sha256)
    assert len(warnings) == 1  # the patient whose files are cut short
    for condition in Condition:
        facts = record["conditions"][condition.value]
        change = Calibration.from_parameters(facts["change"])
        then = Calibration.from_parameters(before.members[0].calibration[condition.value]).then(change)
        if facts["findings"] >= 20:
            assert Calibration.from_parameters(after.members[0].calibration[condition.value]) == then
            assert change != Calibration()
            assert facts["after"]["weighted_log_loss"] > 0
    assert record["conditions"][Condition.NEURAL_FORAMINAL_NARROWING.value]["findings"] >= 20
    with pytest.raises(UsageError, match="new or empty folder"):
        calibrate_run(run.data, tmp_path / "site", run.folder, 1, quiet=True, warn=pytest.fail)


def test_a_run_is_told_on_one_page_with_the_losses_of_each_network(run: Run) -> None:
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    for name in ("localiser", "canal", "foramen", "subarticular", "context"):
        assert f"<figcaption>{name}: loss</figcaption><svg" in page
        losses = json.loads((run.folder / "training" / f"{name}.losses.json").read_text())["losses"]
        assert len(losses) == getattr(CONFIG, name).steps
    for caption in ("localiser: loss", "canal: metric", "foramen: metric", "subarticular: metric"):
        assert f"<figcaption>{caption} on held-out studies</figcaption><svg" in page
    assert f"{run.record['held_out']['score']:.4f}" in page
    assert "<li>105: " in page
    assert "src=" not in page
    assert "href=" not in page
    assert not list((run.folder / "training").glob("*.state"))


def test_the_labels_that_were_thought_least_likely_are_listed(run: Run) -> None:
    with (run.folder / "doubtful_labels.csv").open(newline="") as file:
        listed = list(csv.DictReader(file))
    given = [float(row[row["label"].lower().replace("/", "_")]) for row in listed]
    assert given == sorted(given)
    assert all(value <= UNLIKELY for value in given)
    labels = read_labels(run.data / "train.csv")
    for row in listed:
        finding = FINDING_COLUMNS.index(row["finding"])
        severity = labels.severities[labels.study_ids.index(int(row["study_id"])), finding]
        assert row["label"] == SEVERITY_TITLES[Severity(severity)]


def test_a_wrong_label_is_the_first_to_be_looked_at_again() -> None:
    severities = np.ma.masked_array(np.zeros((2, 25), np.int8), False)
    severities[1, 7] = 2
    severities[0, 3] = np.ma.masked
    scores = np.tile(tilt([0.96, 0.035, 0.005]), (2, 25, 1))
    scores[0, 3] = scores[0, 4] = scores[1, 9] = tilt([0.001, 0.049, 0.95])
    graded = np.ones((2, 25), bool)
    graded[1, 9] = False
    predicted = SubmissionScores((11, 12), scores)
    wrong, unlikely = doubtful_labels(StudyLabels((11, 12), severities), predicted, graded, np.array([0, 1]))
    assert (wrong.study_id, wrong.finding, wrong.label, wrong.fold) == (11, FINDING_COLUMNS[4], "Normal/Mild", 0)
    assert (unlikely.study_id, unlikely.finding, unlikely.label, unlikely.severe) == (12, FINDING_COLUMNS[7], "Severe", 0.005)


def test_coordinates_of_another_file_are_learnt_from(run: Run, tmp_path: Path) -> None:
    """As after ``check --fix-coordinates``: the data set stays as it is."""
    marks = read_coordinates(run.data / "train_label_coordinates.csv")
    other = tmp_path / "corrected.csv"
    write_coordinates(other, [point for point in marks if point.study_id != 101])
    config = replace(INSTANT_CONFIG, networks=("foramen", "canal"))
    options = RunOptions(folds=1, quiet=True, coordinates=other)
    record = train_run(run.data, tmp_path / "run", config, options, lambda _: None)
    assert record is not None
    assert record["data"]["used_studies"] == run.record["data"]["used_studies"] - 1
    with pytest.raises(UsageError, match="another"):
        train_run(run.data, tmp_path / "run", config, replace(options, coordinates=None), lambda _: None)


ONE_KIND = {"axial": (("11", "12"), ("spinal_canal", "neural_foraminal")), "sagittal": (("13",), ("subarticular",))}
"""Series that are taken away, and the columns that then have no labels."""


@pytest.mark.parametrize("kind", ONE_KIND)
def test_a_data_set_with_series_of_one_kind_is_trained_on_predicted_and_evaluated(
    blob_data: Path, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    series, columns = ONE_KIND[kind]
    data, run = Path(shutil.copytree(blob_data, tmp_path / "data")), tmp_path / "run"
    for folder in (data / "train_images").iterdir():
        for name in series:
            shutil.rmtree(folder / name)
    for name in ("train_series_descriptions.csv", "train_label_coordinates.csv"):
        header, *rows = (data / name).read_text().splitlines()
        place = header.split(",").index("series_id")
        (data / name).write_text("\n".join([header, *(row for row in rows if row.split(",")[place] not in series)]) + "\n")
    header, *rows = (data / "train.csv").read_text().splitlines()
    empty = [any(column in name for column in columns) for name in header.split(",")]
    rows = [",".join("" if is_empty else cell for cell, is_empty in zip(row.split(","), empty, strict=True)) for row in rows]
    (data / "train.csv").write_text("\n".join([header, *rows]) + "\n")
    warnings: list[str] = []
    record = train_run(data, run, INSTANT_CONFIG, RunOptions(folds=2, quiet=True), warnings.append)
    assert record is not None
    assert any("is not trained, for want of" in warning for warning in warnings)
    trained = {"axial": {"subarticular", "context"}, "sagittal": {"localiser", "canal", "foramen", "context"}}[kind]
    assert {path.name.split("-")[0] for path in (run / "training").glob("*-0.losses.json")} == trained
    if kind == "axial":
        assert record["held_out"]["graded_findings"] > 100
        assert record["held_out"]["localisation_mm"]["subarticular_stenosis"]["marked_sites"] == 0
    labels = str(data / "train.csv")
    assert main(["evaluate", labels, str(run / "oof.csv"), "--bootstrap", "0"]) == 0
    options = ["--output", str(tmp_path / "submission.csv"), "--models", str(run), "--quiet", "--workers", "1"]
    assert main(["predict", str(data), "--split", "train", *options]) in (0, 4)
    assert main(["evaluate", labels, str(tmp_path / "submission.csv"), "--bootstrap", "0"]) == 0
    told = capsys.readouterr().out
    assert ("subarticular stenosis" if kind == "axial" else "neural foraminal narrowing") in told
