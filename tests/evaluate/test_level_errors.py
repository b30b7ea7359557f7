"""Distances, names and flags of located levels, against cases counted by hand."""

import numpy as np
import pytest

from lumbargrade.evaluate.levels import Estimate, FlagCounts, Naming, count_flags, naming_of, summarise_distances

TRUE = {place: np.array([3.0 * place, 2.0 * place, -30.0 * place]) for place in range(-1, 5)}


def located(moved_by: int, places: range = range(5)) -> dict[int, np.ndarray]:
    """Names one level too low for +1: the point of place 3 lies at the disc of place 2. Every point lies 2 mm off, far off sideways."""
    return {place: TRUE[place - moved_by] + np.array([40.0, 0.0, 2.0]) for place in places if place - moved_by in TRUE}


@pytest.mark.parametrize(
    ("points", "naming"),
    [
        (located(0), Naming.RIGHT),
        (located(1), Naming.LOWER),
        (located(2), Naming.LOWER),
        (located(-1), Naming.HIGHER),
        (located(0, range(4)), Naming.INCOMPLETE),
        (located(1, range(1, 3)), Naming.LOWER),
        ({}, Naming.NOTHING),
        ({**located(0), 2: TRUE[1]}, Naming.PARTLY),
        ({**located(0), 2: TRUE[2] + [0.0, 60.0, 0.0]}, Naming.PARTLY),
        ({place: TRUE[place] + [0.0, 60.0, 0.0] for place in range(5)}, Naming.PARTLY),
    ],
)
def test_a_patient_is_named_as_most_of_the_points_say(points: dict[int, np.ndarray], naming: Naming) -> None:
    assert naming_of(points, TRUE) is naming


def test_a_level_out_of_sight_is_not_asked_for() -> None:
    visible = {place: TRUE[place] for place in (-1, 0, 1)}
    assert naming_of(located(0), visible) is Naming.RIGHT
    assert naming_of(located(1), visible) is Naming.LOWER


def test_half_the_distance_between_discs_decides() -> None:
    assert naming_of({2: TRUE[2] + [0.0, 0.0, 13.0]}, {2: TRUE[2]}) is Naming.RIGHT
    assert naming_of({2: TRUE[2] + [0.0, 0.0, 15.5]}, {2: TRUE[2]}) is Naming.PARTLY


def test_shares_and_median_count_what_was_not_located_as_infinitely_far() -> None:
    found = summarise_distances([1.0, 3.0, 4.0, 9.0, None], ["a"] * 5, repeats=10)
    assert (found.patients, found.sites, found.located) == (1, 5, 4)
    assert [share.value for share in found.within] == [0.4, 0.6, 0.8]
    assert found.median_mm == Estimate(4.0)  # of one patient there is no interval


def test_a_median_beyond_what_was_located_is_no_number() -> None:
    found = summarise_distances([1.0, None, None], ["a", "a", "b"], repeats=50)
    assert found.median_mm.value is None
    assert found.within[1].value == pytest.approx(1 / 3)


def test_the_interval_is_over_patients_and_not_over_sites() -> None:
    """Four patients, one of them wrong at all of 100 sites: a resample holds it 0 to 4 times, and sites say nothing more."""
    distances = [1.0] * 300 + [20.0] * 100
    found = summarise_distances(distances, [name for name in "abcd" for _ in range(100)], repeats=4000)
    share = found.within[1]
    assert (share.value, share.low, share.high) == (0.75, 0.25, 1.0)
    single = summarise_distances(distances, [str(number) for number in range(400)], repeats=1000).within[1]
    assert single.low is not None
    assert single.low == pytest.approx(0.75 - 1.96 * np.sqrt(0.75 * 0.25 / 400), abs=0.012)


def test_patients_of_many_sites_weigh_more() -> None:
    found = summarise_distances([1.0] * 9 + [7.0], ["many"] * 9 + ["few"], repeats=2000)
    assert (found.within[0].low, found.within[0].high) == (0.0, 1.0)
    assert found.within[0].value == 0.9


def test_the_same_seed_gives_the_same_interval() -> None:
    distances = np.random.default_rng(3).gamma(2.0, 1.5, 60).tolist()
    patients = [str(number // 5) for number in range(60)]
    first, again = (summarise_distances(distances, patients, repeats=200, seed=4) for _ in range(2))
    assert first == again
    low, value, high = first.median_mm.low, first.median_mm.value, first.median_mm.high
    assert low is not None and high is not None and value is not None  # noqa: PT018
    assert low < value < high


def test_without_a_site_there_is_nothing_to_summarise() -> None:
    with pytest.raises(ValueError, match="at least one site"):
        summarise_distances([], [], repeats=10)


def test_flags_are_counted_apart_for_cases_and_others() -> None:
    assert count_flags([True, True, False, False, False], [True, False, True, False, False]) == FlagCounts(2, 1, 3, 1)
    assert count_flags([], []) == FlagCounts(0, 0, 0, 0)
