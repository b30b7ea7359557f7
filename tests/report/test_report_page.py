import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from lumbargrade.report import render_report
from lumbargrade.report.html import COLUMNS
from lumbargrade.report.wording import summary_lines, whole_percents
from lumbargrade.study import Grade, Probabilities, Problem, Saliency, Study
from lumbargrade.terms import FINDINGS, Laterality

HOSTILE = '<script>alert("x")</script><img src=//evil.example/a.png onerror=x>'
VOID = {"meta", "img", "br", "link", "input", "hr"}


class _Page(HTMLParser):
    """Tags, attributes and text of a page; complains about tags that do not close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def page(case) -> str:
    return render_report(case.study, case.grades, 1.94)


def test_page_is_well_formed_and_links_lead_somewhere(page):
    parsed = _Page(page)
    assert parsed.open == []
    anchors = [attributes["id"] for _, attributes in parsed.tags if "id" in attributes]
    links = [attributes["href"] for tag, attributes in parsed.tags if tag == "a"]
    assert len(anchors) == len(set(anchors)) == len(links) == 24
    assert {f"#{anchor}" for anchor in anchors} == set(links)


def test_page_fetches_nothing_and_runs_nothing(page):
    parsed = _Page(page)
    assert not {"script", "link", "iframe", "object", "base", "form"} & {tag for tag, _ in parsed.tags}
    for _, attributes in parsed.tags:
        assert attributes.get("src", "data:image/jpeg;base64,").startswith("data:image/jpeg;base64,")
        assert not [name for name in attributes if name.startswith("on")]
    without_pictures = re.sub(r"data:image/jpeg;base64,[A-Za-z0-9+/=]+", "", page)
    assert "://" not in without_pictures
    assert "url(" not in without_pictures
    assert "default-src 'none'" in without_pictures


def test_page_says_what_it_is_for_and_what_made_it(page):
    text = _Page(page).text
    assert text.count("Research use only. Not for diagnostic use.") == 2
    assert "test-model 3.1" in text
    assert "sha256 ab12cd34ef56" in text
    assert "1.9 s" in text


def test_page_stays_small(page):
    assert len(page) < 2_500_000


def test_page_shows_a_picture_for_every_graded_finding_and_an_overview(page):
    images = [attributes for tag, attributes in _Page(page).tags if tag == "img"]
    assert len(images) == 25
    assert all(image["alt"] for image in images)


def test_severe_pictures_come_before_the_collapsed_rest(page):
    details = page.index("<details>")
    severities = re.findall(r'<figure id="finding-\d+" class="(\w+)"', page[:details])
    assert severities
    assert set(severities) == {"severe"}
    assert set(re.findall(r'<figure id="finding-\d+" class="(\w+)"', page[details:])) == {"normal_mild"}


def test_table_has_the_patients_right_before_the_left(page):
    assert [side for _, side in COLUMNS] == [None, Laterality.RIGHT, Laterality.LEFT, Laterality.RIGHT, Laterality.LEFT]
    headings = ("Spinal canal", "Right neural foramen", "Left neural foramen", "Right subarticular zone", "Left subarticular zone")
    places = [page.index(f'<th scope="col">{heading}</th>') for heading in headings]
    assert places == sorted(places)


def test_every_table_cell_shows_the_probabilities_of_its_own_finding(case, page):
    cells = re.findall(r'href="#finding-(\d+)" title="([^"]+)".*?<div class="percents" title="[^"]+">([^<]+)</div>', page, re.DOTALL)
    assert len(cells) == 24
    for index, title, percents in cells:
        grade = case.grades.grades[int(index)]
        assert title.endswith(FINDINGS[int(index)].level.value)
        assert (FINDINGS[int(index)].laterality is Laterality.LEFT) == title.startswith("Left")
        assert percents == " · ".join(map(str, whole_percents(grade.probabilities))) + " %"


def test_not_graded_is_said_with_its_reason(page, ungraded):
    text = " ".join(_Page(page).text.split())
    assert "Not graded" in text
    assert f"{ungraded[1].capitalize()} (1: left subarticular zone L1/L2)" in text
    assert "1 of 25 findings not graded." in text


def test_hostile_names_are_shown_as_text_only(make_case):
    case = make_case(folder=HOSTILE, description="T2 JANE DOE")
    grades = replace(
        case.grades,
        grades=(Grade(FINDINGS[0], None, None, HOSTILE), *case.grades.grades[1:]),
        problems=(Problem(HOSTILE, HOSTILE),),
        model_name=HOSTILE,
    )
    page = render_report(case.study, grades, 1.0)
    parsed = _Page(page)
    assert "script" not in {tag for tag, _ in parsed.tags}
    assert all("onerror" not in attributes for _, attributes in parsed.tags)
    assert parsed.text.count(HOSTILE) >= 6
    assert "JANE DOE" not in page


def test_series_are_listed_with_role_reason_and_problems(page):
    assert '<th scope="row">Sagittal T2</th><td>looks like sagittal_t2' in page
    assert '<th scope="row">Axial T2</th><td>looks like axial_t2' in page
    assert page.count('<div class="problem">Slice distances vary. <code>uneven_spacing</code></div>') == 3


def test_study_in_which_nothing_was_graded_still_has_a_page(case):
    grades = replace(case.grades, locations=(), grades=tuple(Grade(f, None, None, "no usable series") for f in FINDINGS))
    text = " ".join(_Page(render_report(Study("1", "empty", ()), grades, 0.1)).text.split())
    assert "None of the 25 findings was graded." in text
    assert "No usable series (25:" in text
    assert "No overview" in text


def test_evidence_missing_from_the_study_is_said_and_not_hidden(case):
    page = render_report(replace(case.study, series=case.study.series[:2]), case.grades, 0.1)
    assert page.count("Picture not available") == 9


def test_summary_names_the_severe_findings_surest_first(case):
    severe, not_graded = summary_lines(case.grades)
    assert severe.startswith("Severe: right subarticular zone L5/S1, right subarticular zone L4/L5,")
    assert not_graded == "1 of 25 findings not graded."


def test_summary_of_a_quiet_study_says_so(case):
    quiet = tuple(Grade(g.finding, Probabilities(0.8, 0.1, 0.1), case.grades.grades[0].evidence) for g in case.grades.grades)
    assert summary_lines(replace(case.grades, grades=quiet)) == ("No moderate or severe finding among the 25 graded.",)


def test_summary_without_a_severe_finding_says_that_first(case):
    moderate = Grade(FINDINGS[0], Probabilities(0.2, 0.7, 0.1), case.grades.grades[0].evidence)
    mild = tuple(Grade(g.finding, Probabilities(0.8, 0.1, 0.1), moderate.evidence) for g in case.grades.grades[1:])
    lines = summary_lines(replace(case.grades, grades=(moderate, *mild)))
    assert lines == ("No severe finding among the 25 graded.", "Moderate: spinal canal L1/L2.")


@pytest.mark.parametrize(
    "values", [(1 / 3, 1 / 3, 1 / 3), (0.005, 0.005, 0.99), (0.996, 0.004, 0.0), (0.0, 1.0, 0.0), (0.425, 0.325, 0.25)]
)
def test_whole_percents_sum_to_a_hundred_and_are_less_than_one_off(values):
    percents = whole_percents(Probabilities(*values))
    assert sum(percents) == 100
    assert all(abs(percent - 100 * value) < 1 for percent, value in zip(percents, values, strict=True))


def test_page_tells_estimates_and_the_other_grades_that_are_possible(page):
    text = _Page(page).text
    assert "Estimated: dural sac 112 ± 30 mm², fluid 40 ± 12 % of the sac" in text
    assert "Networks alone 25 · 65 · 10 %, bright pixels alone 50 · 40 · 10 %" in text
    assert re.search(r"\bor (moderate|normal/mild)\b", text)


def test_a_page_with_explanations_lets_them_be_switched_on(case, page):
    assert 'id="explain"' not in page
    affine = case.study.series[0].stacks[0].instances[0].affine
    grades = tuple(replace(g, saliency=Saliency(np.eye(9, dtype=np.float32), affine)) if g.is_graded else g for g in case.grades.grades)
    explained = render_report(case.study, replace(case.grades, grades=grades), 1.94)
    assert _Page(explained).open == []
    assert explained.count('class="explained"') == explained.count('class="plain"') == 24
    assert '<input type="checkbox" id="explain">' in explained
    assert len(explained) < 5_000_000
