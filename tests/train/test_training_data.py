"""Labelled data as training reads and stores it."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from lumbargrade.competition import LabelCoordinate, read_coordinates, write_coordinates
from lumbargrade.errors import InputError, UsageError
from lumbargrade.terms import FINDING_INDEX, FINDINGS, Condition, Laterality
from lumbargrade.train.config import NETWORKS
from lumbargrade.train.data_set import open_labelled_data, read_labelled_study
from lumbargrade.train.grader_samples import grader_samples
from lumbargrade.train.index import index_studies
from lumbargrade.train.localiser_samples import prepare_localiser_study
from lumbargrade.train.spine_marks import marks_of_labels
from lumbargrade.train.stored_pictures import StoredPictures
from lumbargrade.train.study_cache import StudyCache, open_cache

REAL = Path(__file__).parents[2] / ".." / "shared" / "real" / "rsna-study"


@pytest.fixture
def copied(blob_data: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(blob_data, tmp_path / "copied"))


def test_landmarks_lie_where_the_reader_clicked_and_bring_their_label(blob_data: Path) -> None:
    data = open_labelled_data(blob_data)
    study, landmarks = read_labelled_study(data.studies[101])
    assert set(landmarks) == set(FINDINGS)
    row = data.labels.study_ids.index(101)
    for finding, landmark in landmarks.items():
        label = data.labels.severities[row, FINDING_INDEX[finding]]
        assert landmark.severity == (None if label is np.ma.masked else label)
        assert abs(landmark.instance.affine.distances_mm(landmark.point_lps_mm)[0]) < 1e-6
    left, right = (
        np.mean([landmark.point_lps_mm[0] for finding, landmark in landmarks.items() if finding.laterality is side]) for side in Laterality
    )
    assert left > right + 20
    assert {series.role_reason for series in study.series} == {"given by the series table"}


def test_coordinates_of_pictures_that_are_not_there_are_left_out(copied: Path) -> None:
    path = copied / "train_label_coordinates.csv"
    points = [point for point in read_coordinates(path) if point.study_id == 101]
    first = points[0]
    points[0] = LabelCoordinate(101, first.series_id, 999, first.finding, first.column_px, first.row_px)
    write_coordinates(path, points)
    data = open_labelled_data(copied)
    assert list(data.studies) == [101]
    _, landmarks = read_labelled_study(data.studies[101])
    assert set(landmarks) == set(FINDINGS) - {first.finding}


def test_the_fingerprint_is_that_of_the_tables_and_of_the_files_sizes(blob_data: Path, copied: Path) -> None:
    fingerprint = open_labelled_data(blob_data).fingerprint
    assert open_labelled_data(copied).fingerprint == fingerprint
    picture = next((copied / "train_images").rglob("*.dcm"))
    picture.write_bytes(picture.read_bytes() + b"\0")
    grown = open_labelled_data(copied).fingerprint
    assert grown != fingerprint
    table = copied / "train.csv"
    table.write_text(table.read_text().replace("Severe", "Moderate", 1))
    assert open_labelled_data(copied).fingerprint not in (fingerprint, grown)


def test_coordinates_of_other_studies_only_are_refused(copied: Path) -> None:
    path = copied / "train_label_coordinates.csv"
    path.write_text(path.read_text().replace("\n1", "\n9"))
    with pytest.raises(InputError, match=r"no coordinate of any study of train\.csv"):
        open_labelled_data(copied)


def test_a_cached_study_is_the_one_prepared(blob_data: Path, tmp_path: Path) -> None:
    labelled = open_labelled_data(blob_data).studies[103]
    cache = open_cache(tmp_path / "cache", "f" * 64)
    assert index_studies([labelled], cache, 1, quiet=True) == []
    study, landmarks = read_labelled_study(labelled)
    expected, (stored,) = prepare_localiser_study(study, marks_of_labels(landmarks)), cache.localiser_samples([103])
    np.testing.assert_array_equal(stored.slices[:], expected.slices)
    np.testing.assert_array_equal(stored.slices[2], expected.slices[2])
    for name in ("points_px", "distances_mm", "labelled", "corners_px", "region_distances_mm", "complete"):
        np.testing.assert_array_equal(getattr(stored, name), getattr(expected, name))
    for condition, samples in grader_samples(study, landmarks, labelled.severities).items():
        back = cache.grader_samples(condition, [103, 103])
        assert len(back) == 2 * len(samples) > 0
        np.testing.assert_array_equal(back.severities[: len(samples)], samples.severities)
        np.testing.assert_array_equal(back.finding_indices[: len(samples)], samples.finding_indices)
        for first, second in zip(back.crops, samples.crops, strict=True):
            assert isinstance(first, StoredPictures)  # so that training's memory does not grow with the studies
            np.testing.assert_array_equal(first[: len(samples)], second)
            drawn = np.array([len(samples), 0, len(samples)])
            np.testing.assert_array_equal(first[drawn], second[np.array([0, 0, 0])])


def test_a_damaged_cache_is_said(blob_data: Path, tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache", "f" * 64)
    index_studies([open_labelled_data(blob_data).studies[103]], cache, 1, quiet=True)
    (stored,) = cache.localiser_samples([103])
    os.truncate(tmp_path / "cache" / "103.pictures", 100)
    with pytest.raises(InputError, match=r"103\.pictures of the cache is cut off; delete the cache"):
        stored.slices[len(stored.slices) - 1]
    (tmp_path / "cache" / "103.pictures").unlink()
    with pytest.raises(InputError, match=r"103\.pictures of the cache cannot be read"):
        stored.slices[0]


def test_a_cached_study_is_not_prepared_again(blob_data: Path, tmp_path: Path) -> None:
    labelled = open_labelled_data(blob_data).studies[103]
    cache = open_cache(tmp_path / "cache", "f" * 64)
    cache.path(103).write_bytes(b"prepared earlier")
    assert index_studies([labelled], cache, 1, quiet=True) == []
    assert cache.path(103).read_bytes() == b"prepared earlier"


def test_a_study_without_sagittal_series_teaches_the_axial_graders_only(copied: Path, tmp_path: Path) -> None:
    for series in ("11", "12"):
        shutil.rmtree(copied / "train_images" / "101" / series)
    cache = open_cache(tmp_path / "cache", "f" * 64)
    assert index_studies([open_labelled_data(copied).studies[101]], cache, 1, quiet=True) == []
    assert cache.localiser_samples([101]) == []
    assert len(cache.grader_samples(Condition.SUBARTICULAR_STENOSIS, [101])) == 10
    assert set(cache.lacking([101], NETWORKS)) == {"localiser", "foramen"}
    assert cache.lacking([101], ["canal", "subarticular"]) == {}


def test_a_study_without_a_folder_is_left_out_without_naming_the_place(copied: Path, tmp_path: Path) -> None:
    shutil.rmtree(copied / "train_images" / "104")
    (left_out,) = index_studies([open_labelled_data(copied).studies[104]], open_cache(tmp_path / "cache", "f" * 64), 1, quiet=True)
    assert left_out.study_id == 104
    assert "no such file or folder" in left_out.reason
    assert str(copied) not in left_out.reason


def test_a_cache_opens_for_its_own_data_only(tmp_path: Path) -> None:
    assert open_cache(tmp_path / "cache", "a" * 64) == StudyCache(tmp_path / "cache")
    assert open_cache(tmp_path / "cache", "a" * 64) == StudyCache(tmp_path / "cache")
    with pytest.raises(UsageError, match="prepared from other data"):
        open_cache(tmp_path / "cache", "b" * 64)


def test_the_labels_of_the_real_study_all_find_their_picture() -> None:
    if not REAL.is_dir():
        pytest.skip("the real study is not here: ../shared/real/rsna-study")
    (labelled,) = open_labelled_data(REAL).studies.values()
    study, landmarks = read_labelled_study(labelled)
    assert set(landmarks) == {point.finding for point in labelled.coordinates}
    samples = grader_samples(study, landmarks, labelled.severities)
    assert sum(map(len, samples.values())) == len(labelled.severities)
    assert prepare_localiser_study(study, marks_of_labels(landmarks)).labelled.sum() == 15
