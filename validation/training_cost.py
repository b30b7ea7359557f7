"""What training costs before it learns: seconds to index a data set, bytes of its cache, and the memory of all its processes.

``python validation/training_cost.py DATA_DIR [--studies 60 180] [--config smoke]``

For each number of studies a data set of the first so many is trained on with ``--config smoke``; memory is the sum of the processes'
proportional set sizes, looked at ten times a second (Linux only). The extrapolation is to the competition's 1,975 studies.
"""

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lumbargrade.competition import DataSet, Split

TABLES = ("train.csv", "train_label_coordinates.csv", "train_series_descriptions.csv")
COMPETITION_STUDIES = 1975
LOOK_SECONDS = 0.1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--studies", type=int, nargs="+", default=[60, 180])
    parser.add_argument("--config", default="smoke")
    options = parser.parse_args()
    print("| studies | index | a minute | cache | memory, index | memory, whole run |\n|---|---|---|---|---|---|")  # noqa: T201
    for count in options.studies:
        with tempfile.TemporaryDirectory(dir=options.data.parent) as folder:
            data, run = Path(folder) / "data", Path(folder) / "run"
            first_studies(options.data, data, count)
            most_mib = train(data, run, options.config)
            seconds = json.loads((run / "run.json").read_text())["seconds"]["index"]
            size = sum(path.stat().st_size for path in (run / "cache").iterdir())
        index_mib, run_mib = most_mib
        row = f"{count} | {seconds:.0f} s | {60 * count / seconds:.0f} | {size / 2**20:.0f} MiB | {index_mib:.0f} MiB | {run_mib:.0f} MiB"
        print(f"| {row} |", flush=True)  # noqa: T201
    scale = COMPETITION_STUDIES / count
    print(f"{COMPETITION_STUDIES} studies: {seconds * scale / 60:.0f} minutes, {size * scale / 2**30:.1f} GiB")  # noqa: T201
    return 0


def first_studies(source: Path, target: Path, count: int) -> None:
    """A data set of the first studies of another, whose pictures are linked."""
    target.mkdir()
    kept: set[str] = set()
    for name in TABLES:
        with (source / name).open(newline="") as file:
            rows = list(csv.DictReader(file))
        kept = kept or {row["study_id"] for row in rows[:count]}
        with (target / name).open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(row for row in rows if row["study_id"] in kept)
    for study_id in map(int, kept):
        folders = [DataSet(data_dir).study_folder(Split.TRAIN, study_id) for data_dir in (source, target)]
        shutil.copytree(*folders, copy_function=os.link)


def train(data: Path, run: Path, config: str) -> tuple[float, float]:
    """Train; the most memory (MiB) of all processes while the data set was indexed, and in the whole run."""
    arguments = ["train", str(data), "--output", str(run), "--config", config, "--folds", "1", "--quiet"]
    process = subprocess.Popen([sys.executable, "-m", "lumbargrade", *arguments], stdout=subprocess.DEVNULL)
    index_kib = run_kib = 0
    while process.poll() is None:
        now = sum(proportional_kib(pid) for pid in tree_of(process.pid))
        run_kib = max(run_kib, now)
        if not (run / "members.json").is_file():  # written once the studies are indexed
            index_kib = run_kib
        time.sleep(LOOK_SECONDS)
    if process.returncode:
        raise SystemExit(process.returncode)
    return index_kib / 1024, run_kib / 1024


def tree_of(pid: int) -> list[int]:
    """A process and those that it started."""
    found = [pid]
    for parent in found:
        for path in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += map(int, path.read_text().split())
            except OSError:
                continue
    return found


def proportional_kib(pid: int) -> int:
    """A process's memory, pages that several share counted in parts."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


if __name__ == "__main__":
    raise SystemExit(main())
