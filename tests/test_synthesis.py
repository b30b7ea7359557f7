"""Data sets of synthetic patients."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from lumbargrade.competition import Split, open_data_set, read_coordinates, read_labels, read_series_roles
from lumbargrade.dicom import find_study, read_study
from lumbargrade.errors import UsageError
from lumbargrade.phantom.patient import PhantomConfig
from lumbargrade.synthesis import StudyOrder, write_data_set
from lumbargrade.terms import FINDING_INDEX, FINDINGS, SEVERITIES

STUDIES, SEED = 2, 11


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made by two processes."""
    folder = tmp_path_factory.mktemp("phantoms") / "set"
    write_data_set(folder, STUDIES, SEED, "mixed", workers=2)
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
        assert len(truth["anatomy"]["body_height"]) == 14
        for finding, index in FINDING_INDEX.items():
            entry = truth["findings"][index]
            assert entry["measures"]["openness"] is not None
            assert entry["severity"] in {severity.label for severity in SEVERITIES}
            if entry["label"] is None:
                assert (study_id, finding) not in points
                continue
            assert SEVERITIES[labels.severities[row, index]].label == entry["severity"]
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
    with pytest.raises(UsageError, match="another configs"):
        write_data_set(root, STUDIES, SEED, "physics", 1)
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


def test_study_ids_of_a_seed_are_all_different(tmp_path: Path) -> None:
    orders = [StudyOrder(tmp_path, 4, index, PhantomConfig()) for index in range(3000)]
    assert len({order.study_id for order in orders}) == len({order.patient_seed for order in orders}) == len(orders)
    assert all(0 <= order.study_id < 10**10 for order in orders)
