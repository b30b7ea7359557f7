"""The competition's spellings of findings, severities and series roles, and the way back.

Two spellings are in use for the same thing: ``Spinal Canal Stenosis`` with ``L1/L2`` in the coordinates file, and in column names and row
ids ``spinal_canal_stenosis_l1_l2``. Writing follows the official file in question; reading accepts either everywhere.
"""

import re

from lumbargrade.terms import FINDINGS, LEVELS, Condition, Finding, Laterality, Level, SeriesRole, Severity


def plain(text: str) -> str:
    """Lower case with underscores, the form in which every spelling of a name is the same: ``L1/L2`` is ``l1_l2``."""
    return re.sub(r"[\s/]+", "_", text.strip().lower())


def condition_title(finding: Finding) -> str:
    """The condition as the coordinates file spells it: ``Left Neural Foraminal Narrowing``."""
    side = f"{finding.laterality.value}_" if finding.laterality else ""
    return (side + finding.condition.value).replace("_", " ").title()


def column_name(finding: Finding) -> str:
    """The column of ``train.csv``: ``left_neural_foraminal_narrowing_l1_l2``."""
    return plain(f"{condition_title(finding)} {finding.level.value}")


FINDING_COLUMNS: tuple[str, ...] = tuple(column_name(finding) for finding in FINDINGS)
"""The 25 columns of ``train.csv`` after ``study_id``, in the file's order, which is that of ``FINDINGS``."""

SCORE_COLUMNS: tuple[str, ...] = tuple(severity.label for severity in Severity)
"""The three value columns of a submission."""

SEVERITY_TITLES: dict[Severity, str] = {
    Severity.NORMAL_MILD: "Normal/Mild",
    Severity.MODERATE: "Moderate",
    Severity.SEVERE: "Severe",
}
SERIES_DESCRIPTIONS: dict[SeriesRole, str] = {
    SeriesRole.SAGITTAL_T1: "Sagittal T1",
    SeriesRole.SAGITTAL_T2: "Sagittal T2/STIR",
    SeriesRole.AXIAL_T2: "Axial T2",
    SeriesRole.OTHER: "Other",
}

_FINDINGS = dict(zip(FINDING_COLUMNS, FINDINGS, strict=True))
_SITES = {plain(condition_title(finding)): (finding.condition, finding.laterality) for finding in FINDINGS}
_LEVELS = {plain(level.value): level for level in LEVELS}
_SEVERITIES = {plain(title): severity for severity, title in SEVERITY_TITLES.items()}
_ROLES = {plain(title): role for role, title in SERIES_DESCRIPTIONS.items()} | {role.value: role for role in SeriesRole}
_ROW_ID = re.compile(r"([0-9]{1,18})_(.+)", re.DOTALL)


def row_id(study_id: int, finding: Finding) -> str:
    """``44036939_left_neural_foraminal_narrowing_l1_l2``."""
    return f"{study_id}_{column_name(finding)}"


def parse_row_id(text: str) -> tuple[int, Finding]:
    """The study and the finding of a row id.

    Raises:
        ValueError: not of the form study, condition, level.
    """
    match = _ROW_ID.fullmatch(text.strip())
    finding = _FINDINGS.get(plain(match[2])) if match else None
    if match is None or finding is None:
        raise ValueError(f"a row id such as {row_id(44036939, FINDINGS[0])}")
    return int(match[1]), finding


def parse_site(text: str) -> tuple[Condition, Laterality | None]:
    """The condition and the side of ``Left Subarticular Stenosis`` or ``left_subarticular_stenosis``.

    Raises:
        ValueError: unknown.
    """
    if plain(text) not in _SITES:
        raise ValueError("one of " + ", ".join(dict.fromkeys(condition_title(finding) for finding in FINDINGS)))
    return _SITES[plain(text)]


def parse_level(text: str) -> Level:
    """The level of ``L1/L2`` or ``l1_l2``.

    Raises:
        ValueError: unknown.
    """
    if plain(text) not in _LEVELS:
        raise ValueError("one of " + ", ".join(level.value for level in LEVELS))
    return _LEVELS[plain(text)]


def parse_severity(text: str) -> Severity:
    """The severity of ``Normal/Mild`` or ``normal_mild``.

    Raises:
        ValueError: unknown.
    """
    if plain(text) not in _SEVERITIES:
        raise ValueError("one of " + ", ".join(SEVERITY_TITLES.values()) + ", or nothing")
    return _SEVERITIES[plain(text)]


def parse_series_role(text: str) -> SeriesRole:
    """The role of ``Sagittal T2/STIR`` or ``sagittal_t2``.

    Raises:
        ValueError: unknown.
    """
    if plain(text) not in _ROLES:
        raise ValueError("one of " + ", ".join(SERIES_DESCRIPTIONS.values()))
    return _ROLES[plain(text)]
