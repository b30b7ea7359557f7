"""The folders and files of a data set."""

from pathlib import Path

import pytest

from lumbargrade.competition import Split, held_out_phantom, open_data_set, read_series_roles, write_series_roles
from lumbargrade.errors import InputError
from lumbargrade.terms import SeriesRole

REAL = Path(__file__).parents[2] / ".." / "shared" / "real" / "rsna-study"


def test_paths_are_the_competitions(tmp_path: Path) -> None:
    (tmp_path / "train_images").mkdir()
    data_set = open_data_set(tmp_path)
    assert data_set.labels_path == tmp_path / "train.csv"
    assert data_set.coordinates_path == tmp_path / "train_label_coordinates.csv"
    assert data_set.sample_submission_path == tmp_path / "sample_submission.csv"
    assert data_set.series_path(Split.TEST) == tmp_path / "test_series_descriptions.csv"
    assert data_set.train_images == tmp_path / "train_images"
    assert data_set.test_images == tmp_path / "test_images"
    assert data_set.study_folder(Split.TEST, 12) == tmp_path / "test_images" / "12"


def test_the_series_table_names_the_studies(tmp_path: Path) -> None:
    write_series_roles(tmp_path / "test_series_descriptions.csv", {9: {1: SeriesRole.AXIAL_T2}, 4: {2: SeriesRole.OTHER}})
    (tmp_path / "test_images" / "77").mkdir(parents=True)
    assert open_data_set(tmp_path).study_ids(Split.TEST) == (4, 9)


def test_without_a_series_table_the_folders_name_the_studies(tmp_path: Path) -> None:
    for name in ("10", "9", "007", "notes", "²"):
        (tmp_path / "train_images" / name).mkdir(parents=True)
    (tmp_path / "train_images" / "11").write_text("a file")
    assert open_data_set(tmp_path).study_ids(Split.TRAIN) == (9, 10)


def test_a_split_without_studies_says_what_is_needed(tmp_path: Path) -> None:
    (tmp_path / "train_images").mkdir()
    for split in Split:
        with pytest.raises(InputError, match=f"no {split.value} studies; {split.value}_series_descriptions.csv or numbered folders"):
            open_data_set(tmp_path).study_ids(split)


def test_a_path_that_is_no_data_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a data set in the competition's layout"):
        open_data_set(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        open_data_set(tmp_path / "absent")
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="not a folder"):
        open_data_set(tmp_path / "file")


def test_the_real_study_has_a_folder_for_every_series_of_its_table() -> None:
    if not REAL.is_dir():
        pytest.skip("the real study is not here: ../shared/real/rsna-study")
    data_set = open_data_set(REAL)
    roles = read_series_roles(data_set.series_path(Split.TRAIN))
    assert data_set.study_ids(Split.TRAIN) == tuple(roles)
    for study_id, of_study in roles.items():
        folders = {folder.name for folder in data_set.study_folder(Split.TRAIN, study_id).iterdir()}
        assert folders == {str(series_id) for series_id in of_study}


def test_only_a_phantom_of_a_held_out_configuration_is_held_out(tmp_path: Path) -> None:
    (tmp_path / "train_images").mkdir()
    data_set = open_data_set(tmp_path)
    assert held_out_phantom(data_set) is None
    data_set.phantom_mark.write_text('{"config": "physics"}')
    assert held_out_phantom(data_set) is None
    data_set.phantom_mark.write_text('{"config": "heldout-scanner"}')
    assert held_out_phantom(data_set) == "heldout-scanner"


@pytest.mark.parametrize("content", ["", "[1]"])
def test_a_mark_that_cannot_be_read_is_unusable_input(tmp_path: Path, content: str) -> None:
    (tmp_path / "train_images").mkdir()
    (tmp_path / "phantom.json").write_text(content)
    with pytest.raises(InputError, match="not the mark of a phantom"):
        held_out_phantom(open_data_set(tmp_path))
