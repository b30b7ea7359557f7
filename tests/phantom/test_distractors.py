"""Series that nobody grades, made of the pictures of a study that is a smooth function of place."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lumbargrade.dicom import HOSPITAL_PROFILES, HeaderProfile, TransferSyntax, find_study, read_study, write_study
from lumbargrade.geometry.affine import FloatArray, SliceAffine
from lumbargrade.geometry.orientation import AnatomicalPlane
from lumbargrade.phantom.distractors import Distractor, DistractorKind, make_distractors, report_page
from lumbargrade.study import Instance, Series, SeriesTiming, Stack, Study
from lumbargrade.terms import SeriesRole

LEFT, BACK, FEET = np.eye(3) * (1, 1, -1)
TIMING = {
    SeriesRole.SAGITTAL_T1: SeriesTiming(10.0, 560.0),
    SeriesRole.SAGITTAL_T2: SeriesTiming(105.0, 3200.0),
    SeriesRole.AXIAL_T2: SeriesTiming(98.0, 4100.0),
}


def brightness(points: FloatArray, role: SeriesRole) -> FloatArray:
    """Brighter to the left, to the back and to the head, by different slopes."""
    return 600 + points @ np.array([4.0, 1.5, 1.0]) + (0 if role is SeriesRole.SAGITTAL_T1 else 150)


def make_series(role: SeriesRole, folder: str) -> Series:
    rows, columns = (150, 130) if role.is_sagittal else (100, 100)
    first, step, across, down = (LEFT * -26 - BACK * 60 - FEET * 110, LEFT * 4.0, BACK, FEET)
    if not role.is_sagittal:
        first, step, across, down = -LEFT * 50 - BACK * 50 - FEET * 20, FEET * 4.0, LEFT, BACK
    grid = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), -1).reshape(-1, 2).astype(np.float64)
    instances = []
    for number in range(1, 15):
        affine = SliceAffine(first + number * step, across, down, 1.0, 1.2)
        pixels = brightness(affine.to_lps(grid), role).reshape(rows, columns).astype(np.float32)
        instances.append(Instance(f"2.25.{folder}{number}", number, affine, pixels))
    return Series(f"2.25.{folder}", folder, f"{role.value} x", TIMING[role], role, "made", (Stack.ordered(instances),))


@pytest.fixture(scope="module")
def study() -> Study:
    return Study("2.25.77", "study", tuple(make_series(role, str(11 + n)) for n, role in enumerate(TIMING)))


@pytest.fixture(scope="module")
def distractors(study: Study) -> dict[DistractorKind, Distractor]:
    """One of each kind, from whichever seed makes it."""
    made = [each for seed in range(60) for each in make_distractors(study, np.random.default_rng(seed))]
    found = {each.kind: each for each in made}
    assert set(found) == set(DistractorKind)
    return found


def test_a_localiser_has_three_planes_few_slices_and_large_pixels(distractors: dict[DistractorKind, Distractor]) -> None:
    series = distractors[DistractorKind.LOCALISER].series
    assert {stack.plane for stack in series.stacks} == set(AnatomicalPlane)
    assert [len(stack.instances) for stack in series.stacks] == [3, 3, 3]
    assert sorted(instance.instance_number for instance in series.instances) == list(range(1, 10))
    assert all(instance.affine.column_spacing_mm >= 1.8 for instance in series.instances)


def test_a_reformat_shows_the_patient_where_the_patient_is(distractors: dict[DistractorKind, Distractor]) -> None:
    series = distractors[DistractorKind.REFORMAT].series
    (stack,) = series.stacks
    assert stack.plane is AnatomicalPlane.CORONAL
    seen = 0
    for instance in stack.instances:
        row, column = np.nonzero(instance.pixels)
        points = instance.affine.to_lps(np.stack([column, row], 1).astype(np.float64))
        inner = np.abs(points[:, 0]) < 20
        np.testing.assert_allclose(instance.pixels[row, column][inner], brightness(points[inner], SeriesRole.SAGITTAL_T2), atol=4)
        seen += int(inner.sum())
    assert seen > 1000


def test_a_subtraction_is_the_difference_of_the_contrasts(distractors: dict[DistractorKind, Distractor]) -> None:
    series = distractors[DistractorKind.SUBTRACTION].series
    assert all(np.allclose(instance.pixels, 150, atol=0.01) for instance in series.instances)


def test_a_short_repeat_is_the_beginning_of_a_series(study: Study, distractors: dict[DistractorKind, Distractor]) -> None:
    series = distractors[DistractorKind.SHORT_REPEAT].series
    assert sorted(instance.instance_number for instance in series.instances) == [1, 2, 3, 4]
    assert series.role in TIMING


def test_identifiers_are_the_distractors_own(study: Study, distractors: dict[DistractorKind, Distractor]) -> None:
    series = [*study.series, *(each.series for each in distractors.values())]
    uids = [uid for each in series for uid in (each.series_instance_uid, *(instance.sop_instance_uid for instance in each.instances))]
    assert len(set(uids)) == len(uids)
    assert len({each.folder for each in series}) == len(series)


def test_the_same_seed_makes_the_same_distractors(study: Study) -> None:
    one, two = (make_distractors(study, np.random.default_rng(5)) for _ in range(2))
    assert [each.kind for each in one] == [each.kind for each in two] != []
    for first, second in zip(one, two, strict=True):
        assert first.series.series_instance_uid == second.series.series_instance_uid
        pairs = zip(first.series.instances, second.series.instances, strict=True)
        assert all(np.array_equal(a.pixels, b.pixels) for a, b in pairs)


def test_what_a_study_lacks_makes_no_distractor(study: Study) -> None:
    axials = replace(study, series=study.with_role(SeriesRole.AXIAL_T2))
    kinds = {each.kind for seed in range(40) for each in make_distractors(axials, np.random.default_rng(seed))}
    assert kinds == {DistractorKind.COPY, DistractorKind.SHORT_REPEAT}


@pytest.mark.parametrize("profile", HOSPITAL_PROFILES)
def test_a_reader_finds_the_role_of_every_series(
    study: Study, distractors: dict[DistractorKind, Distractor], profile: HeaderProfile, tmp_path: Path
) -> None:
    whole = replace(study, series=(*study.series, *(each.series for each in distractors.values())))
    written = write_study(tmp_path, whole, profile, TransferSyntax.EXPLICIT_LITTLE_ENDIAN)
    found = {series.series_instance_uid: series for series in read_study(find_study(tmp_path)).series}
    assert set(found) == {each.series_instance_uid for each in written}
    for series, place in zip(whole.series, written, strict=True):
        read = found[place.series_instance_uid]
        assert read.role is series.role
        assert sorted(place.instance_numbers.values()) == sorted(instance.instance_number for instance in read.instances)
        assert (tmp_path / place.folder).is_dir()


def test_a_scanned_page_is_white_with_dark_words() -> None:
    page = report_page(np.random.default_rng(0))
    assert page.dtype == np.uint8
    assert 0.05 < (page < 128).mean() < 0.4
    assert page.max() == 245
