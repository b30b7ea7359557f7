"""``report.html``: one self-contained page for the radiologist who checks the grades against the pictures."""

from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined

from lumbargrade import __version__
from lumbargrade.report.drawing import Figure
from lumbargrade.report.figures import find_evidence, key_image
from lumbargrade.report.overview import overview_image
from lumbargrade.report.result import all_problems
from lumbargrade.report.wording import (
    ROLE_WORDS,
    SEVERITY_SIGNS,
    SEVERITY_WORDS,
    about_naming,
    column_heading,
    measurement_words,
    numbering_line,
    of_severity,
    opinion_words,
    patient_line,
    site_heading,
    site_words,
    summary_lines,
    upper_first,
    whole_percents,
)
from lumbargrade.study import Evidence, Grade, Probabilities, Series, Study, StudyGrades
from lumbargrade.terms import FINDING_INDEX, INTENDED_USE, LEVELS, SEVERITIES, Condition, Finding, Laterality, Level, SeriesRole, Severity

COLUMNS: tuple[tuple[Condition, Laterality | None], ...] = (
    (Condition.SPINAL_CANAL_STENOSIS, None),
    (Condition.NEURAL_FORAMINAL_NARROWING, Laterality.RIGHT),
    (Condition.NEURAL_FORAMINAL_NARROWING, Laterality.LEFT),
    (Condition.SUBARTICULAR_STENOSIS, Laterality.RIGHT),
    (Condition.SUBARTICULAR_STENOSIS, Laterality.LEFT),
)
"""The table's columns, the patient's right on the left, as radiologists view a patient."""


@dataclass(frozen=True, slots=True)
class GradeView:
    """A graded finding in words: name of the severity (also its CSS class), sign, and the probabilities in whole percent.

    ``others`` are the other severities of the prediction set.
    """

    severity: str
    words: str
    sign: str
    percents: tuple[int, ...]
    others: tuple[str, ...]

    @property
    def spelled_out(self) -> str:
        """``Normal/mild 7 %, moderate 15 %, severe 78 %``."""
        words = (SEVERITY_WORDS[severity] for severity in SEVERITIES)
        return ", ".join(f"{word} {percent} %" for word, percent in zip(words, self.percents, strict=True)).capitalize()

    @classmethod
    def of(cls, probabilities: Probabilities, prediction_set: tuple[Severity, ...]) -> "GradeView":
        severity = probabilities.severity
        others = tuple(SEVERITY_WORDS[other] for other in prediction_set if other is not severity)
        return cls(severity.label, SEVERITY_WORDS[severity], SEVERITY_SIGNS[severity], whole_percents(probabilities), others)


@dataclass(frozen=True, slots=True)
class Cell:
    """One finding in the table; ``view`` is None where it was not graded."""

    anchor: str
    title: str
    view: GradeView | None


@dataclass(frozen=True, slots=True)
class Row:
    """One level of the table; ``confidence`` in words."""

    level: str
    confidence: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class KeyImage:
    """One graded finding with its picture; ``figure`` is None where the slice is not in the study, ``explained`` where no one asked.

    ``details`` are lines of text, some of them empty.
    """

    anchor: str
    title: str
    view: GradeView
    source: str
    figure: Figure | None
    explained: Figure | None
    details: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SeriesView:
    """One series in the table of series."""

    role: str
    is_used: bool
    series: Series
    instances: int


def render_report(study: Study, grades: StudyGrades, seconds: float) -> str:
    """The page: inline styles, pictures as data URIs, no script, nothing fetched. Every text from the study is escaped.

    Args:
        seconds: how long the study took.
    """
    severe, moderate, mild = (
        tuple(_key_image(study, grade) for grade in of_severity(grades, severity))
        for severity in (Severity.SEVERE, Severity.MODERATE, Severity.NORMAL_MILD)
    )
    doubts, problems = about_naming(all_problems(study, grades))
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            intended_use=INTENDED_USE,
            study=study,
            patient=patient_line(study.identifiers) if study.identifiers else None,
            grades=grades,
            summary=summary_lines(grades),
            columns=[column_heading(*column) for column in COLUMNS],
            rows=[_row(grades, level) for level in LEVELS],
            legend=[(severity.label, SEVERITY_SIGNS[severity], SEVERITY_WORDS[severity]) for severity in SEVERITIES],
            overview=overview_image(study, grades),
            severe=severe,
            moderate=moderate,
            mild=mild,
            is_explained=any(image.explained for image in (*severe, *moderate, *mild)),
            not_graded=_reasons(grades),
            series=[_series_view(series) for series in study.series],
            numbering=numbering_line(grades.numbering) if grades.numbering else None,
            doubts=doubts,
            problems=problems,
            software_version=__version__,
            seconds=f"{seconds:.1f}",
        )
    )


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("lumbargrade.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["upper_first"] = upper_first
    return environment


def _row(grades: StudyGrades, level: Level) -> Row:
    confidence = {location.level: f"{location.confidence:.0%}" for location in grades.locations}
    findings = [Finding(condition, laterality, level) for condition, laterality in COLUMNS]
    return Row(
        level.value, confidence.get(level, "not located"), tuple(_cell(grades.grades[FINDING_INDEX[finding]]) for finding in findings)
    )


def _cell(grade: Grade) -> Cell:
    view = GradeView.of(grade.probabilities, grade.prediction_set) if grade.probabilities else None
    return Cell(_anchor(grade.finding), site_heading(grade.finding), view)


def _key_image(study: Study, grade: Grade) -> KeyImage:
    assert grade.probabilities is not None
    assert grade.evidence is not None
    return KeyImage(
        _anchor(grade.finding),
        site_heading(grade.finding),
        GradeView.of(grade.probabilities, grade.prediction_set),
        _source(study, grade.evidence),
        key_image(study, grade),
        key_image(study, grade, grade.saliency) if grade.saliency else None,
        (measurement_words(grade.measurements), opinion_words(grade.opinions)),
    )


def _source(study: Study, evidence: Evidence) -> str:
    found = find_evidence(study, evidence)
    series = f"{ROLE_WORDS[found[0].role]}, instance" if found else "Instance"
    return f"{series} {evidence.instance_number}, column {evidence.column_px:.0f}, row {evidence.row_px:.0f}"


def _reasons(grades: StudyGrades) -> dict[str, list[str]]:
    """What was not graded, by reason."""
    reasons: dict[str, list[str]] = {}
    for grade in grades.grades:
        if grade.reason is not None:
            reasons.setdefault(grade.reason, []).append(site_words(grade.finding))
    return reasons


def _series_view(series: Series) -> SeriesView:
    return SeriesView(ROLE_WORDS[series.role], series.role is not SeriesRole.OTHER, series, sum(1 for _ in series.instances))


def _anchor(finding: Finding) -> str:
    return f"finding-{FINDING_INDEX[finding]}"
