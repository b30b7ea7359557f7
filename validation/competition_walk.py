"""The competition's workflow on synthetic studies with the competition's quirks: four commands, timed, and the score of the submission.

``python validation/competition_walk.py DATA_DIR --output out/walk [--config finetune] [--folds 5]``

DATA_DIR is what ``lumbargrade phantom`` wrote, of another seed than the networks that ship learnt from. The last ``--test`` studies become
the test split, without labels; in the others every fault of ``planted_faults.py`` is planted. Then, as a user would: ``check
--fix-coordinates``, ``train`` on the corrected coordinates, ``predict`` the test split, ``score`` it against the labels put aside.
"""

import argparse
import csv
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

from planted_faults import LABELS, MARKS, SERIES, plant

from lumbargrade.check import CheckOptions, check_data_set
from lumbargrade.competition import DataSet, Split
from lumbargrade.competition.names import FINDING_COLUMNS


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--config", default="finetune")
    parser.add_argument("--folds", default="5")
    parser.add_argument("--test", type=int, default=40)
    options = parser.parse_args()
    clean, data, run = options.output / "clean", options.output / "data", options.output / "run"
    if not clean.is_dir():
        split_off_test(options.data, clean, options.test)
        planted = plant(clean, data, check_data_set(clean, CheckOptions(pictures=False)))
        (options.output / "planted.json").write_text(json.dumps(planted))
    fixed, submission = options.output / "coordinates.csv", options.output / "submission.csv"
    fixed.unlink(missing_ok=True)
    command("check", str(data), "--fix-coordinates", str(fixed))
    shutil.copyfile(fixed, data / MARKS)
    for name in (LABELS, SERIES):  # what stands twice is for a person to decide; here the first row stays
        keep_first_rows(data / name)
    command("train", str(data), "--output", str(run), "--config", options.config, "--folds", options.folds)
    command("predict", str(data), "--output", str(submission), "--models", str(run))
    command("score", str(options.output / "solution.csv"), str(submission), "--bootstrap", "300")
    train = [LABELS, "oof.csv"]
    command("score", str(data / train[0]), str(run / train[1]), "--subset", "--bootstrap", "300")
    located = options.output / "located.csv"
    command("predict", str(data), "--split", "train", "--locations", str(data / MARKS), "--output", str(located), "--models", str(run))
    return 0


def command(*arguments: str) -> None:
    """Run a command line as a user would, and say how long it took."""
    print(f"$ lumbargrade {' '.join(arguments)}", flush=True)  # noqa: T201
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "lumbargrade", *arguments, "--quiet"], check=False)
    print(f"exit code {done.returncode}, {time.perf_counter() - start:.0f} s\n", flush=True)  # noqa: T201
    if done.returncode not in (0, 4):
        raise SystemExit(done.returncode)


def split_off_test(source: Path, target: Path, count: int) -> None:
    """A data set whose last studies are the test split; their labels go to ``solution.csv`` beside it."""
    target.mkdir(parents=True)
    with (source / LABELS).open(newline="") as file:
        labels = list(csv.DictReader(file))
    held = {row["study_id"] for row in labels[-count:]}
    before, after = DataSet(source), DataSet(target)
    for row in labels:
        study_id = int(row["study_id"])
        split = Split.TEST if row["study_id"] in held else Split.TRAIN
        shutil.copytree(before.study_folder(Split.TRAIN, study_id), after.study_folder(split, study_id), copy_function=shutil.copyfile)
    for name in (LABELS, MARKS, SERIES):
        with (source / name).open(newline="") as file:
            rows = list(csv.DictReader(file))
        write_rows(target / name, [row for row in rows if row["study_id"] not in held])
        if name == SERIES:
            write_rows(after.series_path(Split.TEST), [row for row in rows if row["study_id"] in held])
    write_rows(target.parent / "solution.csv", labels[-count:])
    ids = sorted(f"{study_id}_{column}" for study_id in held for column in FINDING_COLUMNS)
    third = str(1 / 3)
    write_rows(after.sample_submission_path, [{"row_id": each, "normal_mild": third, "moderate": third, "severe": third} for each in ids])


def keep_first_rows(path: Path) -> None:
    """Drop rows that stand there again, and cells that mean nothing."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    key = "series_id" if path.name == SERIES else "study_id"
    write_rows(path, list({row[key]: row for row in reversed(rows)}.values())[::-1])


def write_rows(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    raise SystemExit(main())
