"""The page: counts, histograms, examples and suspicious cases through one template."""

from collections import Counter
from collections.abc import Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined

from lumbargrade import __version__
from lumbargrade.check import KINDS, CheckReport, SeriesFacts, Weight
from lumbargrade.competition import DataSet
from lumbargrade.explore.charts import histogram
from lumbargrade.explore.counts import SITES, label_array, label_counts, missing_by_level, percents, together
from lumbargrade.explore.pictures import fault_pictures, grade_examples
from lumbargrade.report.wording import ROLE_WORDS, SEVERITY_WORDS
from lumbargrade.terms import INTENDED_USE, LEVELS, SEVERITIES, Condition, Laterality, SeriesRole

CASES_SHOWN = 20
PICTURED_CASES = 24
_ROLES = (SeriesRole.SAGITTAL_T1, SeriesRole.SAGITTAL_T2, SeriesRole.AXIAL_T2)


def explore_page(data_set: DataSet, report: CheckReport, *, examples: int = 4, seed: int = 0) -> str:
    """The HTML page of a data set that ``check`` has looked at, with ``examples`` pictures of each condition and grade."""
    environment = Environment(
        loader=PackageLoader("lumbargrade.explore"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    values = label_array(report.tables.labels or {})
    counts = label_counts(values)
    return environment.get_template("explore.html.j2").render(
        report=report,
        labelled=len(values),
        sites=[_site_words(*site) for site in SITES],
        levels=LEVELS,
        severities=SEVERITIES,
        severity_words=SEVERITY_WORDS,
        counts={(count.finding.condition, count.finding.laterality, count.finding.level): count for count in counts},
        site_keys=SITES,
        percents=percents,
        together=together(values),
        missing=missing_by_level(values) if len(values) else [],
        series=[_series_rows(role, [each for each in report.stored if each.role is role]) for role in _ROLES],
        series_a_study=histogram([float(count) for count in Counter(each.study_id for each in report.stored).values()]),
        examples=grade_examples(data_set, report, examples, seed),
        condition_words={condition: condition.value.replace("_", " ").capitalize() for condition in Condition},
        kinds=[
            (KINDS[code], [fault for fault in report.faults if fault.code == code])
            for weight in Weight
            for code, _ in report.counts.most_common()
            if KINDS[code].weight is weight
        ],
        shown=CASES_SHOWN,
        pictures=fault_pictures(data_set, report.faults, report.tables.marks_by_study(), PICTURED_CASES),
        intended_use=INTENDED_USE,
        version=__version__,
    )


def _site_words(condition: Condition, side: Laterality | None) -> str:
    return f"{side.value + ' ' if side else ''}{condition.value.replace('_', ' ')}".capitalize()


def _series_rows(role: SeriesRole, stored: Sequence[SeriesFacts]) -> dict[str, object]:
    """How the series of a role are stored: histograms, and the commonest shapes and directions."""
    shapes = Counter(f"{each.shape[1]} x {each.shape[0]}" for each in stored).most_common(6)
    grows = Counter(each.grows or "neither way" for each in stored).most_common()
    return {
        "name": ROLE_WORDS[role],
        "count": len(stored),
        "studies": len({each.study_id for each in stored}),
        "histograms": [
            ("Slices a series", histogram([float(each.slices) for each in stored])),
            ("Pixel, mm", histogram([each.pixel_mm for each in stored])),
            ("From slice to slice, mm", histogram([each.step_mm for each in stored if each.step_mm is not None])),
            ("Tilt from the plane, degrees", histogram([each.tilt_deg for each in stored])),
            ("Directions in a series", histogram([float(each.directions) for each in stored])),
        ],
        "shapes": ", ".join(f"{shape} ({count})" for shape, count in shapes),
        "grows": ", ".join(f"{way} ({count})" for way, count in grows),
    }
