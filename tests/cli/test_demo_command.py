"""``lumbargrade demo`` from the outside."""

import json
import re
from pathlib import Path

import pytest

from lumbargrade.cli import main
from lumbargrade.phantom.patient import PhantomConfig, make_patient


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "new" / "folder"


def test_the_demo_draws_grades_and_reports(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--output", str(output), "--seed", "2"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    lines = captured.out.splitlines()
    drawn = make_patient(2, PhantomConfig(), workers=2).truth
    findings = json.loads((output / "result.json").read_text())["findings"]
    rows = {line.split()[0]: re.findall(r"([NMS]) / ([NMS-])", line) for line in lines if re.match(r"L\d/", line)}
    letters = {"normal_mild": "N", "moderate": "M", "severe": "S", None: "-"}
    for index, (truth, entry) in enumerate(zip(drawn, findings, strict=True)):
        assert rows[entry["level"]][index // 5] == (letters[truth.severity.label], letters[entry["severity"]])
    agreed = sum(truth.severity.label == entry["severity"] for truth, entry in zip(drawn, findings, strict=True))
    assert f"{agreed} of 25 agree" in lines
    assert f"report:   {output / 'report.html'}" in lines
    assert float(re.search(r"^([\d.]+) seconds in all", lines[-1])[1]) > 0


def test_its_pictures_are_a_study_like_any_other(output: Path, tmp_path: Path) -> None:
    assert main(["grade", str(output / "patient-2"), "--output", str(tmp_path), "--quiet"]) == 0
    first, second = (json.loads((folder / "result.json").read_text()) for folder in (output, tmp_path / "patient-2"))
    assert [entry["severity"] for entry in first["findings"]] == [entry["severity"] for entry in second["findings"]]


def test_a_negative_seed_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--output", str(tmp_path), "--seed", "-1"]) == 2
    assert capsys.readouterr().err == "lumbargrade demo: --seed -1: at least 0 is needed\n"
