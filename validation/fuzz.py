"""Spoilt DICOM files, archives and tables given to the readers, in any number: none may crash, stall, fill the memory or make them chatter.

``python validation/fuzz.py --output out/fuzz [--inputs 50000] [--seed 0] [--workers 2] [--only INDEX]``

A finding is an exception that is not one of the project's own, a broken promise (``fuzzing/trial.py``), a process that ends, more than 30 s
or 1.5 GB for one input, and whatever is written to standard output or standard error beside the commands' own lines. Its input is kept in
``DIR/findings``; the same index with the same seed makes it again. Processes are watched through ``/proc``, so it runs on Linux alone.
"""

import argparse
import contextlib
import csv
import faulthandler
import json
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path

from fuzzing.corpus import Corpus, make_corpus
from fuzzing.inputs import FuzzInput, make_input
from fuzzing.trial import attempt
from tqdm import tqdm

from lumbargrade.pipeline import Pipeline

MOST_SECONDS, MOST_MEBIBYTES = 30.0, 1536.0
_GLANCE_SECONDS = 0.1
_STATUS = Path("/proc")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one input. ``complaint`` is None where nothing is to be said against it."""

    index: int
    kind: str
    is_read: bool
    complaint: str | None
    seconds: float
    mebibytes: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--inputs", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", type=int, metavar="INDEX", help="one input, as it was made before")
    options = parser.parse_args()
    start = time.perf_counter()
    corpus = make_corpus(with_spine=True)
    indices = range(options.inputs) if options.only is None else [options.only]
    findings = options.output / "findings"
    shutil.rmtree(findings, ignore_errors=True)
    outcomes = []
    for outcome in tqdm(run(corpus, options.seed, indices, options.workers), "fuzzing", len(indices), unit="input"):
        outcomes.append(outcome)
        if outcome.complaint is not None:
            keep(make_input(corpus, options.seed, outcome.index), outcome, findings)
    write_outcomes(outcomes, options.output / "outcomes.csv")
    for line in summary(outcomes):
        print(line)  # noqa: T201
    print(f"{len(outcomes)} inputs of seed {options.seed} in {time.perf_counter() - start:.0f} s")  # noqa: T201
    return int(any(outcome.complaint for outcome in outcomes))


def run(corpus: Corpus, seed: int, indices: Sequence[int], workers: int) -> Iterator[Outcome]:
    """The outcome of every input, in no order. A worker that ends or is ended takes its input along and is replaced."""
    left = iter(indices)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        crew = [stack.enter_context(contextlib.closing(Worker(corpus, seed, Path(folder) / str(number)))) for number in range(workers)]
        busy = [worker for worker in crew if worker.give(next(left, None))]
        while busy:
            wait([worker.connection for worker in busy], _GLANCE_SECONDS)
            for worker in busy:
                if (outcome := worker.outcome()) is not None:
                    yield outcome
                    worker.give(next(left, None))
            busy = [worker for worker in busy if worker.index is not None]


@dataclass(slots=True)
class Worker:
    """A process that tries one input after the other, as seen from the one that watches it."""

    corpus: Corpus
    seed: int
    folder: Path
    index: int | None = None
    begun: float = 0.0
    most: float = 0.0
    process: multiprocessing.process.BaseProcess | None = None
    connection: Connection = field(init=False)

    def give(self, index: int | None) -> bool:
        """Begin with an input; False where there is none."""
        self.index = index
        if index is None:
            return False
        if self.process is None:
            self._start()
        self.begun, self.most = time.monotonic(), 0.0
        self.connection.send(index)
        return True

    def outcome(self) -> Outcome | None:
        """That of the input it has, also where the process has ended or must be; None while it is at work."""
        assert self.process is not None
        assert self.index is not None
        if self.connection.poll():
            with contextlib.suppress(EOFError, OSError):
                return self.connection.recv()
        seconds = time.monotonic() - self.begun
        self.most = max(self.most, memory_of_family(self.process.pid, "VmRSS"))
        if not self.process.is_alive():
            return self._lost(f"{self._chatter()}\nthe process ended with {self.process.exitcode}", seconds)
        if seconds > MOST_SECONDS:
            return self._lost(f"more than {MOST_SECONDS:.0f} s", seconds)
        if self.most > MOST_MEBIBYTES:
            return self._lost(f"more than {MOST_MEBIBYTES:.0f} MiB", seconds)
        return None

    def close(self) -> None:
        """End the process: at once where it has an input, else by its own doing."""
        if self.process is None:
            return
        self.connection.close()
        self.process.join(0 if self.index is not None else 10)
        for child in children_of(self.process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        self.process.kill()
        self.process.join()
        self.process = None

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.folder.mkdir(exist_ok=True)
        self.connection, other = context.Pipe()
        self.process = context.Process(target=serve, args=(other, self.corpus, self.seed, self.folder), daemon=False)
        self.process.start()
        other.close()
        assert self.connection.recv() == "ready"

    def _lost(self, complaint: str, seconds: float) -> Outcome:
        assert self.index is not None
        self.close()
        kind = make_input(self.corpus, self.seed, self.index).kind.value
        return Outcome(self.index, kind, False, complaint, seconds, self.most)

    def _chatter(self) -> str:
        return (self.folder / "chatter").read_text(errors="replace")[-3000:]


def serve(connection: Connection, corpus: Corpus, seed: int, folder: Path) -> None:
    """The worker: answer indices with outcomes until there are no more. All that anything prints goes to a file, which must stay empty."""
    chatter = os.open(folder / "chatter", os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(chatter, stream)
    faulthandler.enable(2)
    for category in (RuntimeWarning, UserWarning):  # else each is told once
        warnings.simplefilter("always", category)
    Pipeline.load()
    connection.send("ready")
    with contextlib.suppress(EOFError):
        while True:
            os.truncate(folder / "chatter", 0)
            connection.send(tried(make_input(corpus, seed, connection.recv()), folder))


def tried(made: FuzzInput, folder: Path) -> Outcome:
    """One input given to the readers, with what it took."""
    place = folder / "input"
    shutil.rmtree(place, ignore_errors=True)
    forget_most_memory()
    start = time.perf_counter()
    is_read, complaint = False, None
    try:
        is_read = attempt(made, place)
    except BaseException:
        complaint = traceback.format_exc()
    seconds = time.perf_counter() - start
    mebibytes = memory_of_family(os.getpid(), "VmHWM")
    sys.stdout.flush()
    sys.stderr.flush()
    chatter = (folder / "chatter").read_text(errors="replace")
    if complaint is None and chatter:
        complaint = f"something was written: {chatter[:3000]}"
    if complaint is None and seconds > MOST_SECONDS:
        complaint = f"{seconds:.1f} s"
    if complaint is None and mebibytes > MOST_MEBIBYTES:
        complaint = f"{mebibytes:.0f} MiB"
    return Outcome(made.index, made.kind.value, is_read, complaint, seconds, mebibytes)


def children_of(pid: int | None) -> list[int]:
    try:
        return [int(child) for child in (_STATUS / f"{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def memory_of_family(pid: int | None, name: str) -> float:
    """MiB of a process and its children: as they are (VmRSS), or at most since they were told to forget (VmHWM)."""
    total = 0
    for each in (pid, *children_of(pid)):
        with contextlib.suppress(OSError):
            lines = (_STATUS / f"{each}/status").read_text().splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
    return total / 1024


def forget_most_memory() -> None:
    for each in (os.getpid(), *children_of(os.getpid())):
        with contextlib.suppress(OSError):
            (_STATUS / f"{each}/clear_refs").write_text("5")


def keep(made: FuzzInput, outcome: Outcome, findings: Path) -> None:
    """The input of a finding, and what is to be said of it."""
    folder = findings / str(made.index)
    made.write(folder / "input")
    told = {"kind": outcome.kind, "spoilt": list(made.spoilt), "seconds": outcome.seconds, "mebibytes": outcome.mebibytes}
    (folder / "finding.txt").write_text(f"{outcome.complaint}\n{json.dumps(told)}\n", errors="backslashreplace")


def write_outcomes(outcomes: Sequence[Outcome], path: Path) -> None:
    """What every input took, the slowest first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("index", "kind", "is_read", "is_finding", "seconds", "mebibytes"))
        for each in sorted(outcomes, key=lambda outcome: -outcome.seconds):
            row = (each.index, each.kind, each.is_read, each.complaint is not None, f"{each.seconds:.3f}", f"{each.mebibytes:.0f}")
            writer.writerow(row)


def summary(outcomes: Sequence[Outcome]) -> list[str]:
    """A table by kind of input, and findings that end in the same line together."""
    rows = ["| input | inputs | read | refused | slowest, s | most memory, MiB | findings |", "|---|---|---|---|---|---|---|"]
    by_kind: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_kind[outcome.kind].append(outcome)
    for kind, each in [*sorted(by_kind.items()), ("all", list(outcomes))]:
        read, found = sum(outcome.is_read for outcome in each), sum(outcome.complaint is not None for outcome in each)
        slowest, most = max(outcome.seconds for outcome in each), max(outcome.mebibytes for outcome in each)
        rows.append(f"| {kind} | {len(each)} | {read} | {len(each) - read - found} | {slowest:.1f} | {most:.0f} | {found} |")
    alike: dict[str, list[int]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.complaint is not None:
            alike[outcome.complaint.strip().splitlines()[-1][:200]].append(outcome.index)
    counts = Counter({line: len(indices) for line, indices in alike.items()})
    rows += [f"{count} x {line} (--only {', '.join(map(str, sorted(alike[line])[:5]))})" for line, count in counts.most_common()]
    return rows


if __name__ == "__main__":
    raise SystemExit(main())
