"""The words and figures that a reader of the report sees."""

from collections.abc import Iterable, Mapping

from lumbargrade.study import Grade, Identifiers, Measurement, Numbering, Probabilities, Problem, StudyGrades
from lumbargrade.terms import Condition, Finding, Laterality, SeriesRole, Severity

SEVERITY_WORDS = {Severity.NORMAL_MILD: "Normal/mild", Severity.MODERATE: "Moderate", Severity.SEVERE: "Severe"}
_MEASURE_WORDS = {
    "sac_area_mm2": ("dural sac", "mm²"),
    "relative_sac_area": ("the sac", "% of its open size"),
    "csf_fraction": ("fluid", "% of the sac"),
    "foramen_area_mm2": ("foramen", "mm²"),
    "root_surroundings_free": ("root free on", "% of its round"),
    "recess_gap_mm": ("recess gap", "mm"),
    "recess_area_mm2": ("recess", "mm²"),
}
"""Before and after the number of each measurement."""
_OPINION_WORDS = {"network": "networks alone", "measured": "bright pixels alone"}
SEVERITY_SIGNS = {Severity.NORMAL_MILD: "○", Severity.MODERATE: "◐", Severity.SEVERE: "●"}
ROLE_WORDS = {
    SeriesRole.SAGITTAL_T1: "Sagittal T1",
    SeriesRole.SAGITTAL_T2: "Sagittal T2",
    SeriesRole.AXIAL_T2: "Axial T2",
    SeriesRole.OTHER: "Not used",
}
NAMING_DOUBTS = frozenset(
    {"levels_shifted", "transitional_vertebra", "levels_uncertain", "levels_disagree", "sacrum_not_seen", "no_levels", "no_sagittal"}
)
"""Codes of the problems that put the name of a level in question; they stand above the table."""
_SURENESS = (
    (0.95, "The names are very likely right"),
    (0.8, "The names are likely right"),
    (0.0, "The names may be one level off: check them on the overview picture"),
)
"""From this confidence on, these words; below 0.8 the localiser calls its own count uncertain."""
_SITE_WORDS = {
    Condition.SPINAL_CANAL_STENOSIS: "spinal canal",
    Condition.NEURAL_FORAMINAL_NARROWING: "neural foramen",
    Condition.SUBARTICULAR_STENOSIS: "subarticular zone",
}


def site_words(finding: Finding) -> str:
    """``left neural foramen L4/L5``."""
    side = f"{finding.laterality.value} " if finding.laterality else ""
    return f"{side}{_SITE_WORDS[finding.condition]} {finding.level.value}"


def site_heading(finding: Finding) -> str:
    """``Left neural foramen L4/L5``."""
    return upper_first(site_words(finding))


def upper_first(text: str) -> str:
    """The text with a capital, the rest as it is."""
    return text[:1].upper() + text[1:]


def column_heading(condition: Condition, laterality: Laterality | None) -> str:
    """``Right neural foramen``: the head of a column."""
    side = f"{laterality.value} " if laterality else ""
    return upper_first(f"{side}{_SITE_WORDS[condition]}")


def whole_percents(probabilities: Probabilities) -> tuple[int, ...]:
    """The three in whole percent that sum to 100: rounded down, the rest to the largest remainders."""
    total = sum(probabilities.values)
    exact = [100 * value / total for value in probabilities.values]
    whole = [int(value) for value in exact]
    for index in sorted(range(3), key=lambda index: whole[index] - exact[index])[: 100 - sum(whole)]:
        whole[index] += 1
    return tuple(whole)


def measurement_words(measurements: Mapping[str, Measurement]) -> str:
    """``Estimated: sac 112 ± 30 mm², fluid 40 ± 12 % of it``; empty where nothing was estimated."""
    parts = []
    for name, each in measurements.items():
        words, unit = _MEASURE_WORDS[name]
        scale = 100 if unit.startswith("%") else 1
        digits = 1 if unit == "mm" else 0
        parts.append(f"{words} {scale * each.value:.{digits}f} ± {scale * each.spread:.{digits}f} {unit}")
    return f"Estimated: {', '.join(parts)}" if parts else ""


def opinion_words(opinions: Mapping[str, Probabilities]) -> str:
    """``Network alone 30 · 60 · 10 %, bright pixels alone 50 · 40 · 10 %``; empty where they are not known."""
    parts = (f"{_OPINION_WORDS[name]} {' · '.join(map(str, whole_percents(each)))} %" for name, each in opinions.items())
    return upper_first(", ".join(parts))


def numbering_line(numbering: Numbering) -> str:
    """What the names of the levels rest on and how sure they are: the basis, then ``The names are very likely right (97 %).``"""
    sure = next(words for least, words in _SURENESS if numbering.confidence >= least)
    return f"{numbering.basis} {sure} ({100 * numbering.confidence:.0f} %)."


def patient_line(identifiers: Identifiers) -> str:
    """``Patient DOE^JANE, ID 123, born 19500131, study date 20240229, accession number 77``; what no file says is left out."""
    parts = (
        ("", identifiers.patient_name),
        ("ID ", identifiers.patient_id),
        ("born ", identifiers.birth_date),
        ("study date ", identifiers.study_date),
        ("accession number ", identifiers.accession_number),
    )
    known = [f"{word}{value}" for word, value in parts if value is not None]
    return f"Patient {', '.join(known)}" if known else "Patient not named in the files"


def about_naming(problems: Iterable[Problem]) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
    """The problems that put the levels' names in question, and the others."""
    every = tuple(problems)
    doubts = tuple(problem for problem in every if problem.code in NAMING_DOUBTS)
    return doubts, tuple(problem for problem in every if problem not in doubts)


def of_severity(grades: StudyGrades, severity: Severity) -> tuple[Grade, ...]:
    """The graded findings of one severity, the surest first."""
    found = [grade for grade in grades.grades if grade.probabilities and grade.probabilities.severity is severity]
    return tuple(sorted(found, key=lambda grade: -grade.probabilities.values[severity] if grade.probabilities else 0.0))


def summary_lines(grades: StudyGrades) -> tuple[str, ...]:
    """The severe findings, the moderate ones, and how many were not graded: one sentence each."""
    graded = sum(grade.is_graded for grade in grades.grades)
    if not graded:
        return (f"None of the {len(grades.grades)} findings was graded.",)
    severe, moderate = (
        ", ".join(site_words(grade.finding) for grade in of_severity(grades, severity)) for severity in (Severity.SEVERE, Severity.MODERATE)
    )
    parts = [f"Severe: {severe}." if severe else f"No {'' if moderate else 'moderate or '}severe finding among the {graded} graded."]
    if moderate:
        parts.append(f"Moderate: {moderate}.")
    if graded < len(grades.grades):
        parts.append(f"{len(grades.grades) - graded} of {len(grades.grades)} findings not graded.")
    return tuple(parts)
