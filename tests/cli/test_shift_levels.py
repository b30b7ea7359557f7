"""``grade --shift-levels``: a person overrules how the levels were counted, and everything that is written says so."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lumbargrade.cli import main
from lumbargrade.phantom.patient import Patient
from lumbargrade.pipeline import Pipeline
from lumbargrade.study import Instance, Stack, Study, StudyGrades
from lumbargrade.terms import LEVELS, Level, SeriesRole

SHIFTS = {"+1": 1, "-1": -1}


def graded(output: Path, study: Path, *more: str) -> dict:
    assert main(["grade", str(study), "--output", str(output), "--quiet", *more]) == 0
    return json.loads((output / study.name / "result.json").read_text())


@pytest.fixture(scope="module")
def plain(patient_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    return graded(tmp_path_factory.mktemp("plain"), patient_folder)


@pytest.mark.parametrize("text", SHIFTS)
def test_every_disc_is_named_one_level_lower_or_higher_where_it_was_found(
    text: str, plain: dict, patient_folder: Path, tmp_path: Path
) -> None:
    shifted = graded(tmp_path, patient_folder, "--shift-levels", text)
    names = [level.value for level in LEVELS]
    before = {entry["level"]: entry["canal_point_lps_mm"] for entry in plain["levels"]}
    after = {entry["level"]: entry["canal_point_lps_mm"] for entry in shifted["levels"]}
    pairs = [(name, names[index + SHIFTS[text]]) for index, name in enumerate(names) if 0 <= index + SHIFTS[text] < len(names)]
    assert len(pairs) == 4
    for old, new in pairs:
        assert after[new] == pytest.approx(before[old], abs=0.02)
    assert shifted["numbering"]["shift"] == SHIFTS[text]
    assert plain["numbering"]["shift"] == 0


@pytest.mark.parametrize("text", SHIFTS)
def test_a_shift_is_told_to_programs_and_above_the_table(text: str, patient_folder: Path, tmp_path: Path) -> None:
    result = graded(tmp_path, patient_folder, f"--shift-levels={text}")
    (problem,) = [problem for problem in result["problems"] if problem["code"] == "levels_shifted"]
    page = (tmp_path / patient_folder.name / "report.html").read_text()
    assert page.index(problem["message"]) < page.index('<table class="grades">')


def without_what_lies_above(patient: Patient, disc: str) -> Study:
    """The sagittal series of the patient from 14 mm above the back of a disc downwards."""
    (top_mm,) = [float(each.back_lps_mm[2]) + 14 for each in patient.spine.discs if each.name == disc]

    def lower_part(whole: Instance) -> Instance:
        middle = (whole.shape[1] - 1) / 2
        first = next(row for row in range(whole.shape[0]) if whole.affine.to_lps(np.array([[middle, row]]))[0, 2] <= top_mm)
        corner = whole.affine.to_lps(np.array([[0.0, first]]))[0]
        return replace(whole, affine=replace(whole.affine, origin_lps_mm=corner), pixels=whole.pixels[first:])

    series = patient.study.with_role(SeriesRole.SAGITTAL_T1, SeriesRole.SAGITTAL_T2)
    return replace(
        patient.study,
        series=tuple(
            replace(one, stacks=tuple(Stack.ordered([lower_part(each) for each in stack.instances]) for stack in one.stacks))
            for one in series
        ),
    )


def test_a_name_that_no_disc_bears_any_more_is_not_graded_and_says_so(patient: Patient, pipeline: Pipeline) -> None:
    shifted = pipeline.grade(without_what_lies_above(patient, "L1/L2"), shift=1)
    assert [location.level for location in shifted.locations] == list(LEVELS[1:])
    assert {grade.reason for grade in shifted.grades if grade.finding.level is Level.L1_L2} == {"level L1/L2 was not found"}


def test_a_shift_counts_the_discs_above_anew(patient_study: Study, pipeline: Pipeline, patient_grades: StudyGrades) -> None:
    shifted = pipeline.grade(patient_study, shift=1)
    assert patient_grades.numbering is not None
    assert shifted.numbering is not None
    assert shifted.numbering.discs_above == patient_grades.numbering.discs_above - 1
    assert shifted.numbering.confidence == pytest.approx(patient_grades.numbering.confidence)
    assert "levels_shifted" not in {problem.code for problem in patient_grades.problems}


@pytest.mark.parametrize("text", ["0", "2", "-2", "one", "1.0", ""])
def test_any_other_shift_is_wrong_usage(text: str, patient_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["grade", str(patient_folder), "--output", str(tmp_path / "out"), f"--shift-levels={text}"])
    assert stop.value.code == 2
    assert "--shift-levels" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_help_says_what_plus_one_does(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["grade", "--help"])
    assert stop.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "--shift-levels +1 names every disc one level lower (the disc called L4/L5 becomes L5/S1)" in said


def test_a_study_without_levels_to_shift_says_why_in_one_line(
    tmp_path: Path, write_small_study: Callable[[Path, str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    study = write_small_study(tmp_path / "axial only", "1.2.3")
    result = graded(tmp_path / "out", study, "--shift-levels", "+1")
    why = "the study has no sagittal T1 or T2 series, so no level can be located"
    assert (result["numbering"], result["levels"]) == (None, [])
    assert {(entry["status"], entry["reason"]) for entry in result["findings"]} == {("not_graded", why)}
    assert len(result["findings"]) == 25
    assert {series["role"] for series in result["series"]} == {SeriesRole.AXIAL_T2.value}
    line = f"axial only: 0 of 25 graded: {why}; {tmp_path / 'out' / 'axial only' / 'report.html'}\n"
    assert capsys.readouterr().out == line
