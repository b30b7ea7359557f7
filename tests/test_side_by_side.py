"""Processes side by side."""

import multiprocessing
import os
import time

import pytest

from lumbargrade.errors import UsageError
from lumbargrade.side_by_side import run_despite_deaths, run_side_by_side


def everybody_has_gone() -> bool:
    """The pool's own thread may collect a process that has ended, and note it a moment after it let us go."""
    deadline = time.monotonic() + 5
    while multiprocessing.active_children() and time.monotonic() < deadline:
        time.sleep(0.01)
    return multiprocessing.active_children() == []


def test_one_worker_works_here_and_in_order() -> None:
    assert list(run_side_by_side(os.path.basename, ["a/x", "b/y"], 1)) == ["x", "y"]
    assert list(run_side_by_side(lambda _: os.getpid(), [1, 2], 1)) == [os.getpid()] * 2


def test_several_workers_are_other_processes() -> None:
    assert sorted(run_side_by_side(abs, [-3, -1, -2], 2)) == [1, 2, 3]
    assert everybody_has_gone()


def test_an_error_in_a_worker_arrives_here_and_ends_the_others() -> None:
    with pytest.raises(ValueError, match="x"):
        list(run_side_by_side(int, ["x", "1", "2"], 2))
    assert everybody_has_gone()


def test_a_worker_that_dies_is_said_in_one_line() -> None:
    with pytest.raises(UsageError, match="fewer --workers"):
        list(run_side_by_side(os._exit, [9, 9], 2))


def test_a_task_that_kills_its_process_costs_no_other_task_its_result() -> None:
    deadly = "__import__('os')._exit(9)"
    results = dict(run_despite_deaths(eval, ["1 + 1", "2 + 2", deadly, "3 + 3", "4 + 4"], 2))
    assert results == {"1 + 1": 2, "2 + 2": 4, deadly: None, "3 + 3": 6, "4 + 4": 8}
    assert everybody_has_gone()
