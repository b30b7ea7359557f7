"""dciodvfy, an independent checker of DICOM's information object definitions, finds no error in what hospitals' profiles write."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lumbargrade.dicom import HOSPITAL_PROFILES, HeaderProfile, TransferSyntax, write_secondary_capture, write_study
from lumbargrade.dicom.profiles import HABITS
from lumbargrade.study import Series, SeriesTiming, Study

WITH_BODY_PART, MOVED_AND_WITHOUT = "2.25.6", "2.25.71"
"""Studies with BodyPartExamined and one frame of reference, and with neither."""

needs_checker = pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy is not on the PATH (Debian: dicom3tools)")


def errors_in(path: Path) -> list[str]:
    done = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, errors="replace", check=False)
    assert "Image" in done.stdout + done.stderr
    return [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")]


@needs_checker
@pytest.mark.parametrize("syntax", [TransferSyntax.EXPLICIT_LITTLE_ENDIAN, TransferSyntax.JPEG_LS])
@pytest.mark.parametrize("profile", HOSPITAL_PROFILES)
def test_a_hospitals_files_have_no_errors(
    whole_study: list[Series], tmp_path: Path, profile: HeaderProfile, syntax: TransferSyntax
) -> None:
    _, t2, axial = whole_study
    stir = replace(t2, timing=SeriesTiming(60.0, 4000.0, 160.0), series_instance_uid="2.25.8", description="STIR")
    usual = HABITS[profile].settings_of(t2)
    gradient_echo = replace(t2, settings=replace(usual, scanning_sequence=("GR",)), series_instance_uid="2.25.10")
    untimed = replace(t2, timing=SeriesTiming(), series_instance_uid="2.25.9", is_derived=True)
    for number in (WITH_BODY_PART, MOVED_AND_WITHOUT):
        study = Study(number, "study", (axial, stir, untimed, gradient_echo))
        write_study(tmp_path / number, study, profile, syntax)
    errors = [error for path in sorted(tmp_path.rglob("*")) if path.is_file() for error in errors_in(path)]
    assert errors == []


@needs_checker
def test_a_scanned_page_has_no_errors(tmp_path: Path) -> None:
    assert errors_in(write_secondary_capture(tmp_path / "page", "2.25.6", np.zeros((40, 30), np.uint8))) == []
