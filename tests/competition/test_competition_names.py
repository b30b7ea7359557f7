"""The competition's spellings and the way back."""

import pytest

from lumbargrade.competition.names import (
    FINDING_COLUMNS,
    SERIES_DESCRIPTIONS,
    SEVERITY_TITLES,
    condition_title,
    parse_level,
    parse_row_id,
    parse_series_role,
    parse_severity,
    parse_site,
    row_id,
)
from lumbargrade.terms import FINDINGS, LEVELS, Condition, Finding, Laterality, Level, SeriesRole, Severity


def test_columns_are_those_of_the_official_file_in_its_order() -> None:
    levels = ("l1_l2", "l2_l3", "l3_l4", "l4_l5", "l5_s1")
    sites = (
        "spinal_canal_stenosis",
        "left_neural_foraminal_narrowing",
        "right_neural_foraminal_narrowing",
        "left_subarticular_stenosis",
        "right_subarticular_stenosis",
    )
    assert tuple(f"{site}_{level}" for site in sites for level in levels) == FINDING_COLUMNS


def test_row_id_is_spelled_as_in_the_sample_submission() -> None:
    finding = Finding(Condition.NEURAL_FORAMINAL_NARROWING, Laterality.LEFT, Level.L1_L2)
    assert row_id(44036939, finding) == "44036939_left_neural_foraminal_narrowing_l1_l2"


def test_every_row_id_is_read_back() -> None:
    assert [parse_row_id(row_id(7, finding)) for finding in FINDINGS] == [(7, finding) for finding in FINDINGS]


def test_a_row_id_in_the_titles_spelling_is_the_same_row() -> None:
    expected = (12, Finding(Condition.SUBARTICULAR_STENOSIS, Laterality.RIGHT, Level.L5_S1))
    assert parse_row_id("12_Right Subarticular Stenosis_L5/S1") == parse_row_id("12_right_subarticular_stenosis_l5_s1") == expected


@pytest.mark.parametrize(
    "text", ["", "12", "left_subarticular_stenosis_l1_l2", "x_spinal_canal_stenosis_l1_l2", "1_spinal_canal_stenosis_l6_s1"]
)
def test_a_text_that_is_no_row_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a row id such as"):
        parse_row_id(text)


def test_both_spellings_of_conditions_and_levels_are_read() -> None:
    for finding in FINDINGS:
        title = condition_title(finding)
        assert parse_site(title) == parse_site(title.lower().replace(" ", "_")) == (finding.condition, finding.laterality)
    for level in LEVELS:
        assert parse_level(level.value) == parse_level(level.value.lower().replace("/", "_")) == level


def test_the_left_stays_left() -> None:
    assert parse_site("Left Subarticular Stenosis")[1] is Laterality.LEFT
    assert parse_site("right_neural_foraminal_narrowing")[1] is Laterality.RIGHT


def test_severities_and_series_roles_are_read_in_both_spellings() -> None:
    assert [parse_severity(title) for title in SEVERITY_TITLES.values()] == list(Severity)
    assert [parse_severity(severity.label) for severity in Severity] == list(Severity)
    assert [parse_series_role(title) for title in SERIES_DESCRIPTIONS.values()] == list(SeriesRole)
    assert [parse_series_role(role.value) for role in SeriesRole] == list(SeriesRole)


def test_unknown_words_are_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="Normal/Mild, Moderate, Severe"):
        parse_severity("Mild")
    with pytest.raises(ValueError, match="Sagittal T2/STIR"):
        parse_series_role("Localizer")
    with pytest.raises(ValueError, match="Left Neural Foraminal Narrowing"):
        parse_site("Left Spinal Canal Stenosis")
    with pytest.raises(ValueError, match="L5/S1"):
        parse_level("T12/L1")
