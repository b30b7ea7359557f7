"""A batch of ``grade`` that is killed again and again and gone on with: whether its outputs are those of an undisturbed one.

``python validation/killed_batch.py STUDIES_DIR --output out/killed [--studies 20] [--kills 50] [--seed 0]``

STUDIES_DIR is a folder of studies. One batch runs through; another is killed with SIGKILL at random moments, so many times, and after each
time every result that is there must be whole; at last it runs to its end. Seconds are left out of the comparison.
"""

import argparse
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

FILES = ("findings.csv", "report.html", "result.json")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("studies_dir", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--studies", type=int, default=20)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    studies = sorted(path for path in options.studies_dir.iterdir() if path.is_dir())[: options.studies]
    whole, killed = options.output / "whole", options.output / "killed"
    for folder in (whole, killed):
        shutil.rmtree(folder, ignore_errors=True)
    start = time.perf_counter()
    assert grade(studies, whole).wait() == 0
    seconds = time.perf_counter() - start
    kills = kill_again_and_again(studies, killed, options.kills, seconds, np.random.default_rng(options.seed))
    assert grade(studies, killed).wait() == 0
    differing = compare(whole, killed)
    for name in differing:
        print(f"differs: {name}")  # noqa: T201
    print(f"{len(studies)} studies in {seconds:.0f} s undisturbed; {kills} kills; {len(differing)} files differ")  # noqa: T201
    return 1 if differing or kills < options.kills else 0


def grade(studies: list[Path], output: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "lumbargrade", "grade", *map(str, studies), "--output", str(output), "--resume", "--quiet"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def kill_again_and_again(studies: list[Path], output: Path, kills: int, seconds: float, random: np.random.Generator) -> int:
    """The number of kills; where the batch ends before, a finished study is removed so that there is something left to do."""
    done = 0
    with tqdm(total=kills, desc="killing", unit="kill") as bar:
        while done < kills:
            process = grade(studies, output)
            deadline = time.monotonic() + random.uniform(0.3, max(3.0, 3 * seconds / len(studies)))
            while process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.005)
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                process.wait()
                done += 1
                bar.update()
            check_whole(output)
            results = sorted(output.glob("*/result.json"))
            if len(results) == len(studies):
                shutil.rmtree(results[int(random.integers(len(results)))].parent)
    return done


def check_whole(output: Path) -> None:
    """Every result that is there can be read, with 25 findings and the files beside it.

    Raises:
        AssertionError: one is not whole.
    """
    for result in output.glob("*/result.json"):
        assert len(json.loads(result.read_bytes())["findings"]) == 25, result
        assert (result.parent / "findings.csv").read_text().count("\n") == 26, result
        assert (result.parent / "report.html").read_text().rstrip().endswith("</html>"), result


def compare(one: Path, other: Path) -> list[str]:
    """Names of the files, below two folders, that are not there in both with the same content."""
    names = sorted({str(path.relative_to(folder)) for folder in (one, other) for path in folder.rglob("*") if path.is_file()})
    return [name for name in names if timeless(one / name) != timeless(other / name)]


def timeless(path: Path) -> str | None:
    """A file's text without the seconds that grading took; None where there is none."""
    if not path.is_file():
        return None
    return re.sub(r'"seconds": [0-9.]+|[0-9.]+ (s|seconds)\b', "", path.read_text())


if __name__ == "__main__":
    raise SystemExit(main())
