"""The slices of one series before they are stacked: what is there more than once is kept once, what lacks a number gets one."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.study import Instance, Problem

_SAME_PLACE = np.array([0.01] * 3 + [1e-3] * 6)  # millimetres of position, then direction cosines
_SAME_ECHO_MS = 5.0


@dataclass(slots=True)
class Slice:
    """An instance on its way, with the echo time that tells the echoes of one series apart.

    Attributes:
        is_frame: of a multi-frame instance, whose frames share its UID.
    """

    instance: Instance
    echo_time_ms: float | None
    has_number: bool
    is_frame: bool = False


def repaired(slices: Sequence[Slice]) -> tuple[list[Slice], list[Problem]]:
    """One slice for each place in the order of their numbers, and what had to be done for it. The order of the files decides nothing."""
    kept, problems = list(slices), []
    for repair in _REPAIRS:
        kept, problem = repair(kept)
        problems += [problem] if problem else []
    return kept, problems


def is_same_picture(first: Instance, second: Instance) -> bool:
    """Whether two instances show the same pixels in the same place."""
    return bool((np.abs(_place(first) - _place(second)) < _SAME_PLACE).all()) and np.array_equal(first.pixels, second.pixels)


def listed(numbers: Sequence[int]) -> str:
    """`` (instance numbers 3, 4)``, the first ten of them; empty where there are none."""
    shown = ", ".join(map(str, numbers[:10]))
    return f" (instance numbers {shown}{', ...' if len(numbers) > 10 else ''})" if numbers else ""


def _without_copies(slices: list[Slice]) -> tuple[list[Slice], Problem | None]:
    """Files that are there twice, as exports into one more folder leave them."""
    found: dict[tuple[str, int, bool], list[Slice]] = defaultdict(list)
    kept: list[Slice] = []
    dropped: list[int] = []
    for each in slices:
        earlier = found[each.instance.sop_instance_uid, each.instance.instance_number, each.has_number]
        if each.instance.sop_instance_uid and any(is_same_picture(each.instance, other.instance) for other in earlier):
            dropped.append(each.instance.instance_number)
        else:
            earlier.append(each)
            kept.append(each)
    if not dropped:
        return kept, None
    return kept, Problem("duplicate_instance", f"{len(dropped)} copies of instances that are there already, left out{_some(dropped)}")


def _number_the_unnumbered(slices: list[Slice]) -> tuple[list[Slice], Problem | None]:
    """Instances without a number get those after the largest, in the order of their files."""
    missing = sum(not each.has_number for each in slices)
    if not missing:
        return slices, None
    following = max((each.instance.instance_number for each in slices if each.has_number), default=0)
    numbered = []
    for each in slices:
        if not each.has_number:
            following += 1
            each = replace(each, instance=replace(each.instance, instance_number=following))
        numbered.append(each)
    return numbered, Problem("no_instance_number", f"{missing} without an instance number; numbered in the order of their files")


def _longest_echo(slices: list[Slice]) -> tuple[list[Slice], Problem | None]:
    """Of a dual-echo series the later echo, which shows fluid bright."""
    echoes = [each.echo_time_ms for each in slices if each.echo_time_ms is not None]
    if len(echoes) < len(slices) or max(echoes) - min(echoes) < _SAME_ECHO_MS:
        return slices, None
    kept = [each for each in slices if each.echo_time_ms is not None and max(echoes) - each.echo_time_ms < _SAME_ECHO_MS]
    return kept, Problem("several_echoes", f"echo times {min(echoes):g} to {max(echoes):g} ms in one series; the longest is used")


def _one_of_each_identity(slices: list[Slice]) -> tuple[list[Slice], Problem | None]:
    """Of different pictures with the same UID and number one, chosen by its content: a result could not say which of them it means."""
    groups: dict[object, list[Slice]] = defaultdict(list)
    for each in slices:
        groups[(each.instance.sop_instance_uid, each.instance.instance_number) if each.instance.sop_instance_uid else id(each)].append(each)
    kept = [min(group, key=lambda each: _digest(each.instance)) if len(group) > 1 else group[0] for group in groups.values()]
    numbers = [group[0].instance.instance_number for group in groups.values() for _ in group[1:]]
    if not numbers:
        return kept, None
    message = f"{len(numbers)} with the SOP Instance UID and number of another picture; which is right cannot be told, one of each is used"
    return kept, Problem("conflicting_instance", f"{message}{_some(numbers)}")


def _say_shared_uids(slices: list[Slice]) -> tuple[list[Slice], Problem | None]:
    """Instances of different numbers that share a UID, as faulty anonymising leaves them: their numbers still tell them apart."""
    groups: dict[str, list[int]] = defaultdict(list)
    for each in slices:
        if each.instance.sop_instance_uid and not each.is_frame:
            groups[each.instance.sop_instance_uid].append(each.instance.instance_number)
    shared = [number for numbers in groups.values() if len(numbers) > 1 for number in numbers]
    if not shared:
        return slices, None
    return slices, Problem("shared_instance_uid", f"{len(shared)} share a SOP Instance UID; told apart by their numbers{_some(shared)}")


def _first_at_each_place(slices: list[Slice]) -> tuple[list[Slice], Problem | None]:
    """Of instances in the same place the one with the lowest number."""
    kept: list[Slice] = []
    dropped: list[int] = []
    places = np.empty((len(slices), 9))
    for each in sorted(slices, key=lambda each: (each.instance.instance_number, each.instance.sop_instance_uid)):
        place = _place(each.instance)
        if (np.abs(places[: len(kept)] - place) < _SAME_PLACE).all(axis=1).any():
            dropped.append(each.instance.instance_number)
        else:
            places[len(kept)] = place
            kept.append(each)
    if not dropped:
        return kept, None
    return kept, Problem("duplicate_position", f"{len(dropped)} in the place of an earlier instance, left out{listed(dropped)}")


_REPAIRS: tuple[Callable[[list[Slice]], tuple[list[Slice], Problem | None]], ...] = (
    _without_copies,
    _number_the_unnumbered,
    _longest_echo,
    _one_of_each_identity,
    _say_shared_uids,
    _first_at_each_place,
)


def _place(instance: Instance) -> FloatArray:
    """(9,) origin and both directions."""
    affine = instance.affine
    return np.concatenate([affine.origin_lps_mm, affine.column_direction, affine.row_direction])


def _digest(instance: Instance) -> bytes:
    return hashlib.sha256(_place(instance).tobytes() + instance.pixels.tobytes()).digest()


def _some(numbers: Sequence[int]) -> str:
    """As ``listed``, without zeros that stand for no number, each once and in order."""
    return listed(sorted({number for number in numbers if number}))
