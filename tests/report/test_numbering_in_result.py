"""How the levels got their names, as programs and people are told: result.json, and the lines above the report's table."""

import re
from dataclasses import replace

import numpy as np
import pytest

from lumbargrade.report import render_report
from lumbargrade.report.result import result_document, result_json
from lumbargrade.report.wording import NAMING_DOUBTS
from lumbargrade.study import Grade, Numbering, Problem
from lumbargrade.terms import FINDINGS

BASIS = "Levels counted up from the sacrum: 6 discs above it are seen, 1 of them above L1/L2."
NUMBERING = Numbering(BASIS, 0.96789, 1, np.array([3.14159, -20.0, -91.006]), 0.123456, -1)
DOUBTS = {
    "transitional_vertebra": "The lumbosacral junction looks transitional.",
    "levels_uncertain": "One level higher or lower would fit nearly as well.",
    "levels_shifted": "By request every disc is named 1 level higher than it was found to be.",
    "sacrum_not_seen": "The sacrum is not in the pictures.",
}


def page_text(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.split("<body>")[1]))


def test_result_says_what_was_counted_from_how_sure_and_what_a_person_changed(case):
    document = result_document(case.study, replace(case.grades, numbering=NUMBERING), 0.0)
    assert document["numbering"] == {
        "basis": BASIS,
        "confidence": 0.9679,
        "discs_above": 1,
        "sacrum_point_lps_mm": [3.14, -20.0, -91.01],
        "transitional": 0.1235,
        "shift": -1,
    }
    assert "sacrum_point_lps_mm" in result_json(document)


def test_a_sacrum_that_is_not_seen_is_null_and_so_is_a_numbering_that_there_is_not(case):
    unseen = replace(case.grades, numbering=replace(NUMBERING, sacrum_lps_mm=None))
    assert result_document(case.study, unseen, 0.0)["numbering"]["sacrum_point_lps_mm"] is None
    assert result_document(case.study, case.grades, 0.0)["numbering"] is None


@pytest.mark.parametrize(
    ("confidence", "words"),
    [
        (0.97, "The names are very likely right (97 %)."),
        (0.81, "The names are likely right (81 %)."),
        (0.52, "The names may be one level off: check them on the overview picture (52 %)."),
    ],
)
def test_the_report_says_in_words_above_the_table_what_the_names_rest_on(case, confidence, words):
    text = page_text(render_report(case.study, replace(case.grades, numbering=replace(NUMBERING, confidence=confidence)), 0.0))
    assert text.index("Grades Sides are") < text.index(f"{BASIS} {words}") < text.index("L1/L2 99")


@pytest.mark.parametrize("code", DOUBTS)
def test_what_puts_the_names_in_question_stands_above_the_table_and_once(case, code):
    problems = (*case.grades.problems, Problem(code, DOUBTS[code]))
    page = render_report(case.study, replace(case.grades, numbering=NUMBERING, problems=problems), 0.0)
    assert page.count(DOUBTS[code]) == 1
    assert page.index(BASIS) < page.index(DOUBTS[code]) < page.index('<table class="grades">') < page.index("far from every slice")


def test_every_problem_with_names_that_the_localiser_raises_is_one_the_report_lifts_up():
    from lumbargrade.localise import locate, numbering

    raised = set()
    for module in (locate, numbering):
        with open(module.__file__, encoding="utf-8") as source:
            raised |= set(re.findall(r'Problem\("(\w+)"', source.read()))
    assert raised >= NAMING_DOUBTS
    assert raised - NAMING_DOUBTS == {"sagittal_unusable", "levels_not_found"}


def test_a_study_without_any_named_level_says_why_where_the_table_is_empty(case):
    why = "no lumbar level could be named: 1 neighbouring disc was recognised, at least 3 are needed"
    grades = tuple(Grade(finding, None, None, why) for finding in FINDINGS)
    problems = (Problem("no_levels", f"{why.capitalize()}."),)
    nothing = replace(case.grades, locations=(), grades=grades, problems=problems)
    text = page_text(render_report(case.study, nothing, 0.0))
    assert text.index("None of the 25 findings was graded.") < text.index("at least 3 are needed. no_levels") < text.index("not located")
    assert "(25: spinal canal L1/L2," in text
