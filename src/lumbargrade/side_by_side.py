"""Tasks in processes of their own, in any number, ended together when one fails or the user interrupts."""

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.synchronize import RLock
from typing import TypeVar

from tqdm import tqdm

from lumbargrade.errors import UsageError

Task = TypeVar("Task")
Result = TypeVar("Result")


def run_side_by_side(function: Callable[[Task], Result], tasks: Sequence[Task], workers: int) -> Iterator[Result]:
    """The results as they become ready, in no order; one worker runs them here, one after the other.

    Processes are spawned and not forked, because forking after a thread pool has started (numpy, torch) can hang.

    Raises:
        UsageError: a process died without an exception, which memory running out makes it do.
    """
    workers = min(workers, len(tasks))
    if workers <= 1:
        yield from map(function, tasks)
        return
    earlier = set(multiprocessing.active_children())
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(workers, context, initializer=_begin_worker, initargs=(context.RLock(),))
    try:
        for future in as_completed([executor.submit(function, task) for task in tasks]):
            yield future.result()
        executor.shutdown()
    except BaseException as error:
        executor.shutdown(wait=False, cancel_futures=True)
        started = set(multiprocessing.active_children()) - earlier
        for process in started:
            process.terminate()
        for process in started:
            process.join()
        if isinstance(error, BrokenProcessPool):
            raise UsageError("a worker process ended unexpectedly, most often for lack of memory; try fewer --workers") from error
        raise


def run_despite_deaths(function: Callable[[Task], Result], tasks: Sequence[Task], workers: int) -> Iterator[tuple[Task, Result | None]]:
    """Each task with its result, in no order, always in other processes; None for a task whose process dies.

    A process that dies takes its pool along, so the tasks that were left are tried again, each in a process of its own.
    """
    left = []
    for task, result, is_left in _run_once(function, tasks, workers):
        if is_left:
            left.append(task)
        else:
            yield task, result
    for task in left:
        yield from ((task, result) for task, result, _ in _run_once(function, [task], 1))


def _run_once(function: Callable[[Task], Result], tasks: Sequence[Task], workers: int) -> Iterator[tuple[Task, Result | None, bool]]:
    """Task, result, and whether it was left without one because a process died."""
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, initializer=_begin_worker, initargs=(context.RLock(),))
    try:
        pending = {pool.submit(function, task): task for task in tasks}
        for future in as_completed(pending):
            is_left = isinstance(future.exception(), BrokenProcessPool)
            yield pending[future], None if is_left else future.result(), is_left
    finally:
        pool.shutdown(cancel_futures=True)


def _begin_worker(bars_lock: RLock) -> None:
    """Interrupts are left to the parent, and progress bars take turns on the terminal."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tqdm.set_lock(bars_lock)
