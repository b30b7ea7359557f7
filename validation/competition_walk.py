"""The competition's workflow on synthetic studies with the competition's quirks: four commands, timed, and the score of the submission.

``python validation/competition_walk.py DATA_DIR --output out/walk [--config finetune] [--folds 5]``

DATA_DIR is what ``lumbargrade phantom`` wrote, of another seed than the networks that ship learnt from. The last ``--test`` studies become
the test split, without labels; in the others every fault of ``planted_faults.py`` is planted. Then, as a user would: ``check
--fix-coordinates``, ``train`` on the corrected coordinates, ``predict`` the test split, ``score`` it against the labels put aside. Beside
it stand the frequencies of the training labels as a submission, and a prediction at the readers' own marks: what localising costs.
"""

import argparse
import csv
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from planted_faults import LABELS, MARKS, SERIES, plant

from lumbargrade.check import CheckOptions, check_data_set
from lumbargrade.competition import DataSet, Split, SubmissionScores, read_labels, tilt, write_submission
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
    for name in (LABELS, SERIES):  # what stands twice is for a person to decide; here the first row stays
        keep_first_rows(data / name)
    command("train", str(data), "--coordinates", str(fixed), "--output", str(run), "--config", options.config, "--folds", options.folds)
    command("predict", str(data), "--output", str(submission), "--models", str(run))
    command("score", str(options.output / "solution.csv"), str(submission), "--bootstrap", "300")
    prior = options.output / "prior.csv"
    write_prior(data / LABELS, [int(row["study_id"]) for row in read_rows(options.output / "solution.csv")], prior)
    command("score", str(options.output / "solution.csv"), str(prior))
    command("score", str(data / LABELS), str(run / "oof.csv"), "--subset", "--bootstrap", "300")
    located = options.output / "located.csv"
    command("predict", str(data), "--locations", str(options.data / MARKS), "--output", str(located), "--models", str(run))
    command("score", str(options.output / "solution.csv"), str(submission), "--against", str(located))
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
    labels = read_rows(source / LABELS)
    held = {row["study_id"] for row in labels[-count:]}
    before, after = DataSet(source), DataSet(target)
    for row in labels:
        study_id = int(row["study_id"])
        split = Split.TEST if row["study_id"] in held else Split.TRAIN
        shutil.copytree(before.study_folder(Split.TRAIN, study_id), after.study_folder(split, study_id), copy_function=shutil.copyfile)
    for name in (LABELS, MARKS, SERIES):
        rows = read_rows(source / name)
        write_rows(target / name, [row for row in rows if row["study_id"] not in held])
        if name == SERIES:
            write_rows(after.series_path(Split.TEST), [row for row in rows if row["study_id"] in held])
    write_rows(target.parent / "solution.csv", labels[-count:])
    ids = sorted(f"{study_id}_{column}" for study_id in held for column in FINDING_COLUMNS)
    third = str(1 / 3)
    write_rows(after.sample_submission_path, [{"row_id": each, "normal_mild": third, "moderate": third, "severe": third} for each in ids])


def write_prior(labels: Path, study_ids: list[int], path: Path) -> None:
    """What a submission without a look at any picture says: each column's frequencies among the training labels, tilted."""
    severities = read_labels(labels).severities
    frequencies = np.stack([(severities == severity).mean(0).filled(0) for severity in range(3)], 1)
    scores = np.tile(tilt(np.clip(frequencies, 1e-3, 1)), (len(study_ids), 1, 1))
    write_submission(path, SubmissionScores(tuple(sorted(study_ids)), scores))


def keep_first_rows(path: Path) -> None:
    """Drop rows that stand there again, and cells that mean nothing."""
    rows = read_rows(path)
    key = "series_id" if path.name == SERIES else "study_id"
    write_rows(path, list({row[key]: row for row in reversed(rows)}.values())[::-1])


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def write_rows(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    raise SystemExit(main())
