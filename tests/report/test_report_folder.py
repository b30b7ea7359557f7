import json
from dataclasses import replace

import pytest

from lumbargrade.report import write_report
from lumbargrade.report.files import write_atomically


def test_folder_is_made_and_holds_the_three_files_only(case, tmp_path):
    folder = tmp_path / "out" / "case-7"
    write_report(folder, case.study, case.grades, 1.0)
    assert sorted(path.name for path in folder.iterdir()) == ["findings.csv", "report.html", "result.json"]
    assert json.loads((folder / "result.json").read_text("utf-8"))["study"]["folder"] == "case-7"


def test_second_run_replaces_the_first(case, tmp_path):
    write_report(tmp_path, case.study, case.grades, 1.0)
    write_report(tmp_path, replace(case.study, folder="renamed"), case.grades, 1.0)
    assert "renamed" in (tmp_path / "report.html").read_text("utf-8")
    assert json.loads((tmp_path / "result.json").read_text("utf-8"))["study"]["folder"] == "renamed"


def test_old_result_is_gone_when_a_later_file_cannot_be_written(case, tmp_path):
    write_report(tmp_path, case.study, case.grades, 1.0)
    (tmp_path / "report.html").unlink()
    (tmp_path / "report.html").mkdir()
    with pytest.raises(OSError, match=r"report\.html"):
        write_report(tmp_path, case.study, case.grades, 1.0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["findings.csv", "report.html"]


def test_answer_that_cannot_be_written_as_json_leaves_the_old_files(case, tmp_path):
    write_report(tmp_path, case.study, case.grades, 1.0)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ValueError, match="JSON"):
        write_report(tmp_path, case.study, case.grades, float("inf"))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_failed_write_leaves_neither_half_nor_partial_file(tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"):
        write_atomically(tmp_path / "taken", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_folder_name_that_is_not_unicode_is_written_escaped(make_case, tmp_path):
    case = make_case(folder=b"caf\xe9".decode("utf-8", "surrogateescape"))
    write_report(tmp_path, case.study, case.grades, 1.0)
    assert json.loads((tmp_path / "result.json").read_text("utf-8"))["study"]["folder"] == "caf\udce9"
    assert "caf\\udce9" in (tmp_path / "report.html").read_text("utf-8")


def test_same_input_gives_the_same_bytes(case, tmp_path):
    for name in ("first", "second"):
        write_report(tmp_path / name, case.study, case.grades, 1.0)
    for file in ("result.json", "findings.csv", "report.html"):
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()
