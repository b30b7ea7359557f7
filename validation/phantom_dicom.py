"""Each vendor profile passes dciodvfy without errors, except the deliberately stripped one of the competition.

Writes one synthetic study per profile as ``lumbargrade phantom --profile NAME`` does, plain, with its distractors and a scanned page, runs
dciodvfy on every file and counts what it says. dciodvfy holds a file against the information object definitions of DICOM PS3.3; it is part
of dicom3tools (David Clunie, https://www.dclunie.com/dicom3tools.html; Debian: apt-get install dicom3tools).

    python validation/phantom_dicom.py [--seed 1] [--details]
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lumbargrade.dicom import HeaderProfile, TransferSyntax, write_secondary_capture, write_series, write_study
from lumbargrade.phantom.distractors import DistractorKind, make_distractors, report_page
from lumbargrade.phantom.patient import PhantomConfig, make_patient
from lumbargrade.study import Study

CHECKER, LISTED = "dciodvfy", 12


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the checker said of the files of one profile: lines with the number of files they were said of."""

    files: int
    errors: Counter[str]
    warnings: Counter[str]


def check(paths: Sequence[Path]) -> Verdict:
    """Run the checker on each file."""
    errors: Counter[str] = Counter()
    warnings: Counter[str] = Counter()
    for path in paths:
        done = subprocess.run([CHECKER, str(path)], capture_output=True, text=True, errors="replace", check=False)
        lines = {line.strip() for line in (done.stdout + done.stderr).splitlines()}
        errors.update(line for line in lines if line.startswith("Error"))
        warnings.update(line for line in lines if line.startswith("Warning"))
    return Verdict(len(paths), errors, warnings)


def study_with_everything(seed: int) -> Study:
    """A synthetic patient's study with a distractor of every kind that it allows."""
    study = make_patient(seed, PhantomConfig()).study
    found = {each.kind: each.series for turn in range(60) for each in make_distractors(study, np.random.default_rng((seed, turn)))}
    return replace(study, series=(*study.series, *(found[kind] for kind in DistractorKind if kind in found)))


def write_profile(folder: Path, study: Study, profile: HeaderProfile, seed: int) -> list[Path]:
    """The files of the study in one profile."""
    if profile.is_hospital:
        write_study(folder, study, profile, TransferSyntax.EXPLICIT_LITTLE_ENDIAN)
        write_secondary_capture(folder / "SCAN" / "IM0001", study.study_instance_uid, report_page(np.random.default_rng(seed)))
    else:
        for series in study.series:
            write_series(folder / series.folder, study.folder, series, profile)
    return sorted(path for path in folder.rglob("*") if path.is_file())


def main() -> int:
    """Print the table; 1 where a hospital's profile has an error, 0 else."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1, help="of the synthetic patient (default: 1)")
    parser.add_argument("--details", action="store_true", help=f"list what was said, with the number of files; {LISTED} lines a profile")
    options = parser.parse_args()
    if shutil.which(CHECKER) is None:
        print(f"skipped: {CHECKER} is not on the PATH; apt-get install dicom3tools")  # noqa: T201
        return 0
    study = study_with_everything(options.seed)
    print("| profile | files | errors | target | warnings | |\n|---|---|---|---|---|---|")  # noqa: T201
    passed, said = True, []
    for profile in HeaderProfile:
        with tempfile.TemporaryDirectory() as folder:
            verdict = check(write_profile(Path(folder), study, profile, options.seed))
        errors, warnings = verdict.errors.total(), verdict.warnings.total()
        fails = profile.is_hospital and errors > 0
        passed &= not fails
        target, outcome = ("0", "FAIL" if fails else "pass") if profile.is_hospital else ("none: stripped as the real files are", "")
        print(f"| {profile.value} | {verdict.files} | {errors} | {target} | {warnings} | {outcome} |")  # noqa: T201
        said += [f"{profile.value}: {count} files: {line}" for line, count in (verdict.errors + verdict.warnings).most_common(LISTED)]
    if options.details:
        print("\n" + "\n".join(said))  # noqa: T201
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
