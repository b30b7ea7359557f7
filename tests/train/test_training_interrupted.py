"""Ctrl-C on a terminal reaches every process of the run."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

SECONDS = 60


def test_an_interrupted_run_ends_at_once_in_one_line_and_leaves_whole_files_only(blob_data: Path, tmp_path: Path) -> None:
    # A shell starts background jobs with interrupts ignored, and this test may be in one: the handler of a terminal is put back.
    terminal = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    script = f"{terminal}; import sys; from lumbargrade.cli import main; sys.exit(main(sys.argv[1:]))"
    options = ["--output", str(tmp_path), "--config", "smoke", "--folds", "1", "--workers", "2", "--quiet"]
    command = [sys.executable, "-c", script, "train", str(blob_data), *options]
    with subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + SECONDS
        while not list((tmp_path / "cache").glob("*.npz")) and time.monotonic() < deadline:
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 130
    assert errors == "lumbargrade train: interrupted\n"
    assert not list(tmp_path.rglob("*.partial"))
    prepared = list((tmp_path / "cache").glob("*.npz"))
    assert prepared
    for path in prepared:
        with np.load(path) as stored:
            assert all(stored[name].size for name in ("canal_severities", "localiser_slices"))
