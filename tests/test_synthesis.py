"""Data sets of synthetic patients."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from lumbargrade.competition import Split, open_data_set, read_coordinates, read_labels, read_series_roles
from lumbargrade.dicom import HeaderProfile, find_study, read_study
from lumbargrade.errors import UsageError
from lumbargrade.phantom.patient import CONFIGS, PhantomConfig
from lumbargrade.synthesis import StudyOrder, write_data_set, write_order
from lumbargrade.terms import FINDING_INDEX, FINDINGS, SEVERITIES

STUDIES, SEED = 2, 11


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made by two processes."""
    folder = tmp_path_factory.mktemp("phantoms") / "set"
    write_data_set(folder, STUDIES, SEED, "mixed", workers=2)
    return folder


@pytest.fixture(scope="module")
def hospital_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first two vendors' studies made by two processes, and the fifth, which is Enhanced, by this one."""
    folder = tmp_path_factory.mktemp("hospital") / "set"
    write_data_set(folder, STUDIES, SEED, "physics", workers=2, profile="mixed")
    write_order(StudyOrder(folder, SEED, 4, CONFIGS["physics"][0], HeaderProfile.ENHANCED))
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_competitions_readers_accept_it(root: Path) -> None:
    data_set = open_data_set(root)
    labels, roles = read_labels(data_set.labels_path), read_series_roles(data_set.series_path(Split.TRAIN))
    assert len(labels.study_ids) == STUDIES
    assert set(labels.study_ids) == set(roles) == {int(folder.name) for folder in data_set.train_images.iterdir()}
    for study_id, of_study in roles.items():
        study = read_study(find_study(data_set.study_folder(Split.TRAIN, study_id)))
        assert {int(series.folder): series.role for series in study.series}.keys() == of_study.keys()
        assert study.study_instance_uid == str(study_id)
        assert not [problem for series in study.series for problem in series.problems]


def test_a_label_is_there_exactly_where_a_picture_shows_the_site(root: Path) -> None:
    data_set = open_data_set(root)
    labels, coordinates = read_labels(data_set.labels_path), read_coordinates(data_set.coordinates_path)
    labelled = ~np.ma.getmaskarray(labels.severities)
    marked = np.zeros_like(labelled)
    for point in coordinates:
        marked[labels.study_ids.index(point.study_id), FINDING_INDEX[point.finding]] = True
    assert np.array_equal(labelled, marked)
    assert labelled.sum() == len(coordinates) > 15 * STUDIES
    for point in coordinates:
        file = data_set.study_folder(Split.TRAIN, point.study_id) / str(point.series_id) / f"{point.instance_number}.dcm"
        assert file.is_file()


def test_truth_says_what_the_tables_say_and_more(root: Path) -> None:
    labels = read_labels(open_data_set(root).labels_path)
    points = {(point.study_id, point.finding): point for point in read_coordinates(open_data_set(root).coordinates_path)}
    for row, study_id in enumerate(labels.study_ids):
        truth = json.loads((root / "truth" / str(study_id) / "truth.json").read_text())
        study = read_study(find_study(open_data_set(root).study_folder(Split.TRAIN, study_id)))
        affines = {(int(s.folder), i.instance_number): i.affine for s in study.series for i in s.instances}
        assert (truth["study_id"], truth["seed"]) == (study_id, SEED)
        assert len(truth["findings"]) == len(FINDINGS)
        assert len(truth["anatomy"]["bones"]["body_height"]) == 14
        for finding, index in FINDING_INDEX.items():
            entry = truth["findings"][index]
            assert np.isfinite(list(entry["measures"].values())).all()
            assert entry["severity"] in {severity.label for severity in SEVERITIES}
            if entry["label"] is None:
                assert (study_id, finding) not in points
                continue
            assert SEVERITIES[labels.severities[row, index]].label == entry["reader"]
            point = points[study_id, finding]
            affine = affines[point.series_id, point.instance_number]
            assert affine.to_px(np.array(entry["label"]["point_lps_mm"]))[0] == pytest.approx((point.column_px, point.row_px), abs=1e-4)


def test_a_stopped_run_goes_on_and_ends_with_the_same_files(root: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    lost = StudyOrder(copy, SEED, 0, PhantomConfig())
    shutil.rmtree(lost.truth_path.parent)
    (copy / "train.csv").unlink()
    leftover = copy / "unfinished" / str(lost.study_id)
    leftover.mkdir(parents=True)
    (leftover / "half.dcm").write_bytes(b"half")
    steps: list[tuple[int, int]] = []
    write_data_set(copy, STUDIES, SEED, "mixed", 1, lambda done, of: steps.append((done, of)))
    assert steps == [(1, 2), (2, 2)]
    assert contents(copy) == contents(root)


def test_a_folder_of_another_seed_or_configuration_is_refused(root: Path) -> None:
    before = contents(root)
    with pytest.raises(UsageError, match="another seed"):
        write_data_set(root, STUDIES, SEED + 1, "mixed", 1)
    with pytest.raises(UsageError, match="another config"):
        write_data_set(root, STUDIES, SEED, "physics", 1)
    with pytest.raises(UsageError, match="another profile"):
        write_data_set(root, STUDIES, SEED, "mixed", 1, profile="ge")
    assert contents(root) == before


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="new or empty folder"):
        write_data_set(tmp_path, 1, 0, "physics", 1)
    assert contents(tmp_path) == {"notes.txt": b"mine"}


@pytest.mark.parametrize(
    ("studies", "seed", "config", "workers", "says"),
    [(0, 0, "physics", 1, "studies 0"), (1, -1, "physics", 1, "seed -1"), (1, 0, "physics", 0, "workers 0"), (1, 0, "odd", 1, "mixed")],
)
def test_senseless_orders_are_refused(tmp_path: Path, studies: int, seed: int, config: str, workers: int, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        write_data_set(tmp_path / "set", studies, seed, config, workers)
    assert not (tmp_path / "set").exists()


def test_an_unknown_profile_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no profile is called 'odd'; there are competition, siemens"):
        write_data_set(tmp_path / "set", 1, 0, "physics", 1, profile="odd")
    assert not (tmp_path / "set").exists()


def test_the_mark_says_which_configuration_and_profile_made_the_set(root: Path, hospital_root: Path) -> None:
    marks = [json.loads((folder / "phantom.json").read_text()) for folder in (root, hospital_root)]
    assert [(mark["seed"], mark["config"], mark["profile"]) for mark in marks] == [
        (SEED, "mixed", "competition"),
        (SEED, "physics", "mixed"),
    ]


def test_a_hospitals_studies_are_written_by_vendors_in_turn(hospital_root: Path) -> None:
    truths = [json.loads(path.read_text()) for path in sorted(hospital_root.glob("truth/*/truth.json"))]
    assert {truth["index"]: truth["profile"] for truth in truths} == {0: "siemens", 1: "philips", 4: "enhanced"}
    assert not (hospital_root / "train_images").exists()
    assert not list(hospital_root.rglob("*.partial"))


def test_a_reader_finds_in_a_hospitals_study_what_the_truth_says(hospital_root: Path) -> None:
    for path in sorted(hospital_root.glob("truth/*/truth.json")):
        truth = json.loads(path.read_text())
        folder = hospital_root / "studies" / str(truth["study_id"])
        study = read_study(find_study(folder))
        assert study.study_instance_uid == truth["study_instance_uid"]
        found = {series.series_instance_uid: series for series in study.series}
        listed = [*truth["series"], *truth["distractors"]]
        assert set(found) == {series["series_instance_uid"] for series in listed}
        for series in listed:
            assert found[series["series_instance_uid"]].role.value == series["role"]
            assert any((folder / series["folder"]).iterdir())
        uids = {series["series_id"]: series["series_instance_uid"] for series in truth["series"]}
        labels = [finding["label"] for finding in truth["findings"] if finding["label"]]
        assert len(labels) >= 15
        for label in labels:
            instances = {each.instance_number: each for each in found[uids[label["series_id"]]].instances}
            affine = instances[label["instance_number"]].affine
            assert affine.to_px(np.array(label["point_lps_mm"]))[0] == pytest.approx((label["column_px"], label["row_px"]), abs=1e-3)
            assert abs(affine.distances_mm(np.array(label["point_lps_mm"]))[0]) < 4


def test_a_hospitals_study_is_the_same_whoever_writes_it(hospital_root: Path, tmp_path: Path) -> None:
    order = StudyOrder(tmp_path, SEED, 1, CONFIGS["physics"][0], HeaderProfile.PHILIPS)
    write_order(order)
    assert contents(order.images) == contents(hospital_root / "studies" / str(order.study_id))


def test_study_ids_of_a_seed_are_all_different(tmp_path: Path) -> None:
    orders = [StudyOrder(tmp_path, 4, index, PhantomConfig()) for index in range(3000)]
    assert len({order.study_id for order in orders}) == len({order.patient_seed for order in orders}) == len(orders)
    assert all(0 <= order.study_id < 10**10 for order in orders)
