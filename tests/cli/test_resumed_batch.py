"""A batch that is killed, met by another, or out of space: whole results stay, and the same command goes on."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "validation"))
import killed_batch

from lumbargrade.cli.main import main
from lumbargrade.report.files import write_together

SmallStudy = Callable[[Path, str], Path]
STUDIES, KILLS = 4, 6


@pytest.fixture
def studies(tmp_path: Path, write_small_study: SmallStudy) -> list[Path]:
    return [write_small_study(tmp_path / "studies" / f"study{number}", f"1.2.{number}") for number in range(STUDIES)]


def test_a_batch_that_is_killed_again_and_again_ends_with_the_undisturbed_outputs(
    patient_folder: Path, studies: list[Path], tmp_path: Path
) -> None:
    """One study of the batch is graded at length, the others are quickly done; ``validation/killed_batch.py`` does it at full size."""
    batch = [studies[0], Path(shutil.copytree(patient_folder, tmp_path / "studies" / "whole")), *studies[1:]]
    whole, killed = tmp_path / "undisturbed", tmp_path / "killed"
    assert killed_batch.grade(batch, whole).wait() == 0
    kills = killed_batch.kill_again_and_again(batch, killed, KILLS, 6.0, np.random.default_rng(1))
    assert kills == KILLS
    assert killed_batch.grade(batch, killed).wait() == 0
    assert killed_batch.compare(whole, killed) == []


def test_resume_passes_over_what_is_done_and_grades_what_is_not(
    studies: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "results"
    arguments = ["grade", *map(str, studies), "--output", str(output), "--quiet"]
    assert main(arguments) == 0
    capsys.readouterr()
    (output / "study1" / "result.json").unlink()
    (output / "study2" / "result.json").write_text('{"schema": "lumb')
    other = json.loads((output / "study3" / "result.json").read_text())
    other["model"]["sha256"] = "f" * 64
    (output / "study3" / "result.json").write_text(json.dumps(other))
    untouched = (output / "study0" / "result.json").stat().st_mtime_ns
    assert main([*arguments, "--resume"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "1 of 4 studies were graded before"
    assert [line.split(":")[0] for line in lines[1:]] == ["study1", "study2", "study3"]
    assert (output / "study0" / "result.json").stat().st_mtime_ns == untouched
    assert main([*arguments, "--resume", "--shift-levels", "+1"]) == 0


def test_without_resume_everything_is_graded_anew(studies: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["grade", *map(str, studies), "--output", str(tmp_path / "results"), "--quiet"]
    assert main(arguments) == main(arguments) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2 * STUDIES


def test_two_batches_into_one_folder_leave_whole_results(studies: list[Path], tmp_path: Path) -> None:
    output = tmp_path / "results"
    command = [sys.executable, "-m", "lumbargrade", "grade", *map(str, studies), "--output", str(output), "--quiet"]
    batches = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [batch.wait() for batch in batches] == [0, 0]
    killed_batch.check_whole(output)
    assert sorted(path.name for path in output.iterdir()) == [study.name for study in studies]
    assert not list(output.rglob("*.partial"))


WRITER = """
import sys
from pathlib import Path
from lumbargrade.report.files import write_together
for count in range(150):
    write_together(Path(sys.argv[1]), {name: sys.argv[2] * 3000 for name in ("a", "b", "sign")})
"""


def test_files_that_two_processes_write_together_belong_together(tmp_path: Path) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), letter]) for letter in "xy"]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert len({(tmp_path / name).read_text() for name in ("a", "b", "sign")}) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "sign"]


def test_what_a_killed_writer_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".result.json.123.partial").write_text("half")
    write_together(tmp_path, {"findings.csv": "1", "result.json": "2"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["findings.csv", "result.json"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB, where this user may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("a full disk is tried on a small file system, which this user may not mount")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_one_line_and_what_was_written_stays(
    patient_folder: Path, studies: list[Path], small_disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    batch = [*map(str, studies[:2]), str(patient_folder), *map(str, studies[2:])]
    arguments = ["grade", *batch, "--output", str(small_disk), "--quiet"]
    assert main(arguments) == 4
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"lumbargrade grade: {small_disk}: No space left on device; 2 of 5 studies are written, --resume goes on with the others"
    killed_batch.check_whole(small_disk)
    assert len(list(small_disk.glob("*/result.json"))) == 2
    before = (small_disk / "study0" / "result.json").read_bytes()
    (small_disk / "filler").write_bytes(bytes(os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_bsize))
    assert main(arguments) == 3
    assert (small_disk / "study0" / "result.json").read_bytes() == before
