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
    executor = ProcessPoolExecutor(workers, context, initializer=begin_worker, initargs=(context.RLock(),))
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


def begin_worker(bars_lock: RLock) -> None:
    """Interrupts are left to the parent, and progress bars take turns on the terminal."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tqdm.set_lock(bars_lock)
