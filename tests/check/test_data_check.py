"""``check`` finds every fault that is planted in a data set, where it was planted, and invents none; what it can decide it puts right."""

import csv
import json
import re
import shutil
import sys
from pathlib import Path

import pytest

from lumbargrade.check import KINDS, CheckOptions, CheckReport, check_data_set, corrected_coordinates
from lumbargrade.cli.main import main
from lumbargrade.competition import read_coordinates, write_coordinates
from lumbargrade.explore.counts import label_array, label_counts, together
from lumbargrade.synthesis import write_data_set
from lumbargrade.terms import FINDINGS, Condition, Laterality, Severity

sys.path.insert(0, str(Path(__file__).parents[2] / "validation"))
import planted_faults

SPARE = 3
TABLES = (planted_faults.LABELS, planted_faults.MARKS, planted_faults.SERIES)
OPTIONS = CheckOptions(workers=2)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One synthetic patient under so many names that every fault has a study of its own."""
    root = tmp_path_factory.mktemp("check")
    write_data_set(root / "one", 1, 1, "physics", 1, lambda done, count: None)
    (study,) = (root / "one" / "train_images").iterdir()
    target = root / "clean"
    target.mkdir()
    rows = {name: list(csv.DictReader((root / "one" / name).read_text().splitlines())) for name in TABLES}
    with_ids: dict[str, list[dict[str, str]]] = {name: [] for name in TABLES}
    for copy in range(1, len(planted_faults.PLANTS) + SPARE + 1):
        for series in study.iterdir():
            shutil.copytree(series, target / "train_images" / str(copy) / f"{series.name}{copy:02}")
        for name in TABLES:
            for row in rows[name]:
                ids = {"study_id": str(copy)} | ({"series_id": f"{row['series_id']}{copy:02}"} if "series_id" in row else {})
                with_ids[name].append(row | ids)
    for name, table in with_ids.items():
        with (target / name).open("w", newline="") as file:
            writer = csv.DictWriter(file, list(table[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(table)
    return target


@pytest.fixture(scope="module")
def before(clean: Path) -> CheckReport:
    return check_data_set(clean, CheckOptions(pictures=False))


@pytest.fixture(scope="module")
def planted(clean: Path, before: CheckReport) -> tuple[Path, dict[int, str]]:
    return clean.parent / "planted", planted_faults.plant(clean, clean.parent / "planted", before)


@pytest.fixture(scope="module")
def report(planted: tuple[Path, dict[int, str]]) -> CheckReport:
    return check_data_set(planted[0], OPTIONS)


def test_nothing_is_found_in_a_clean_data_set(before: CheckReport) -> None:
    assert before.contradictions == 0
    assert before.studies == len(planted_faults.PLANTS) + SPARE


def test_every_planted_fault_is_found_in_its_study_and_none_is_invented(
    before: CheckReport, report: CheckReport, planted: tuple[Path, dict[int, str]]
) -> None:
    missed, invented = planted_faults.judge(report, before, planted[1])
    assert missed == []
    assert invented == []
    assert len(planted[1]) >= 40


def test_every_kind_has_a_test() -> None:
    elsewhere = {"table_missing", "table_unreadable", "column_missing", "column_unknown", "submission_rows"}
    follow = {code for _, also in planted_faults.PLANTS.values() for code in also}
    seen = {"few_slices", "several_series", "labels_missing", "sides_in_two_series"}
    assert set(KINDS) == set(planted_faults.PLANTS) | elsewhere | follow | seen


def test_headers_alone_still_find_what_needs_no_pixels(planted: tuple[Path, dict[int, str]], before: CheckReport) -> None:
    quick = check_data_set(planted[0], CheckOptions(pictures=False))
    missed, invented = planted_faults.judge(quick, before, planted[1])
    assert {line.split(": ")[1] for line in missed} <= {"picture_repeated", "series_copied", "not_lumbar", "file_unreadable"}
    assert invented == []


def test_what_can_be_decided_is_put_right_in_a_copy(planted: tuple[Path, dict[int, str]], report: CheckReport, tmp_path: Path) -> None:
    source, by_study = planted
    studies = {code: study_id for study_id, code in by_study.items()}
    fixed = corrected_coordinates(report)
    path = tmp_path / "fixed.csv"
    write_coordinates(path, fixed.rows)
    again = tmp_path / "again"
    shutil.copytree(source, again)
    shutil.copyfile(path, again / planted_faults.MARKS)
    after = check_data_set(again, CheckOptions(pictures=False))
    left = {(fault.study_id, fault.code) for fault in after.faults}
    for code in ("sides_swapped", "side_off_by_level", "row_repeated", "coordinates_outside", "instance_missing"):
        assert (studies[code], code) not in left
    original = read_coordinates(source.parent / "clean" / planted_faults.MARKS)
    truth = {(row.study_id, row.finding): (row.column_px, row.row_px) for row in original}
    for row in read_coordinates(path):
        if row.study_id == studies["sides_swapped"] and row.finding.condition is Condition.SUBARTICULAR_STENOSIS:
            assert truth[row.study_id, row.finding] == (row.column_px, row.row_px)
        if row.study_id == studies["side_off_by_level"] and row.finding.laterality is Laterality.LEFT:
            assert truth[row.study_id, row.finding] == (row.column_px, row.row_px)
    untouched = [study_id for study_id in range(1, len(planted_faults.PLANTS) + SPARE + 1) if study_id not in by_study]
    assert {row.study_id for row in fixed.rows} >= set(untouched)
    assert all(truth[row.study_id, row.finding] == (row.column_px, row.row_px) for row in fixed.rows if row.study_id in untouched)


def test_tables_that_are_missing_or_no_tables_are_told_beside_what_is_wrong_in_the_others(clean: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "train_images").mkdir(parents=True)
    shutil.copytree(clean / "train_images" / "1", data / "train_images" / "1")
    (data / planted_faults.LABELS).write_bytes(b"\xff\xfe\x00\x01")
    lines = (clean / planted_faults.SERIES).read_text().splitlines()
    (data / planted_faults.SERIES).write_text("\n".join(["Study_ID,series,site", *lines[1:4]]))
    (data / "test_images").mkdir()
    (data / "sample_submission.csv").write_text("row_id,normal_mild,moderate,severe\n9_spinal_canal_stenosis_l1_l2,0.3,0.3,0.3\n")
    counts = check_data_set(data, CheckOptions(pictures=False)).counts
    for code in ("table_missing", "table_unreadable", "column_missing", "column_unknown", "spelling", "submission_rows"):
        assert counts[code], code


def test_a_split_that_is_not_there_is_not_missed(clean: Path, tmp_path: Path) -> None:
    shutil.copytree(clean / "train_images" / "1", tmp_path / "test_images" / "1")
    lines = (clean / planted_faults.SERIES).read_text().splitlines()
    own = [line for line in lines[1:] if line.startswith("1,")]
    (tmp_path / "test_series_descriptions.csv").write_text("\n".join([lines[0], *own]) + "\n")
    report = check_data_set(tmp_path, CheckOptions(pictures=False))
    assert report.studies == 1
    assert report.contradictions == 0


def test_the_command_tells_people_and_programs_and_leaves_the_original_alone(
    planted: tuple[Path, dict[int, str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = planted[0]
    before = {name: (source / name).read_bytes() for name in TABLES}
    fixed = tmp_path / "fixed.csv"
    assert main(["check", str(source), "--quick", "--json", "--quiet", "--fix-coordinates", str(fixed)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == "lumbargrade/check/1"
    assert sum(told["counts"].values()) == len(told["faults"]) > 40
    assert told["corrected"]["sides exchanged"] == 10
    assert fixed.is_file()
    assert {name: (source / name).read_bytes() for name in TABLES} == before
    assert main(["check", str(source), "--quick", "--quiet", "--fix-coordinates", str(fixed)]) == 2
    assert main(["check", str(source), "--quick", "--quiet"]) == 0
    text = capsys.readouterr().out
    assert "fault sides_swapped: 1 x left is marked on the patient's right" in text
    assert " faults of " in text.splitlines()[-1]


def test_the_page_shows_counts_examples_and_suspicious_cases_and_needs_no_other_file(
    planted: tuple[Path, dict[int, str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "pages" / "explore.html"
    assert main(["explore", str(planted[0]), "--output", str(page), "--quick", "--quiet", "--examples", "2"]) == 0
    text = page.read_text(encoding="utf-8")
    assert re.findall(r'(?:src|href)="(?!data:|#)[^"]*"', text) == []
    for code in planted[1].values():
        if code not in ("picture_repeated", "series_copied", "not_lumbar", "file_unreadable"):
            assert f"<b>{code}</b>" in text, code
    swapped = text[text.index("<b>sides_swapped</b>") :]
    assert "data:image/jpeg" in swapped[: swapped.index("</details>")]
    examples = text[text.index('id="examples"') : text.index('id="faults"')]
    assert examples.count("data:image/jpeg") >= 6
    for heading in ("Labels", "Grades that go together", "Missing labels", "Slices a series", "Tilt from the plane"):
        assert heading in text
    assert "Research use only" in text


def test_the_pages_counts_are_those_of_the_labels(planted: tuple[Path, dict[int, str]], report: CheckReport) -> None:
    severities = report.tables.labels or {}
    counts = label_counts(label_array(severities))
    assert [count.finding for count in counts] == list(FINDINGS)
    for count in counts:
        given = [each[count.finding] for each in severities.values()]
        assert count.counts == tuple(given.count(severity) for severity in Severity)
        assert count.missing == given.count(None)
    matrix = together(label_array(severities))
    assert matrix[1][2].correlation == matrix[2][1].correlation
    assert all(matrix[index][index].both >= matrix[index][other].both for index in range(5) for other in range(5))


def test_no_data_set_is_unusable_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path), "--quiet"]) == 3
    assert len(capsys.readouterr().err.splitlines()) == 1
