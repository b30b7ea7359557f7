"""The summary as tables for people and as JSON."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from lumbargrade.evaluate.levels import WITHIN_MM, Estimate, Naming
from lumbargrade.level_evaluation.measured import MeasuredPatient
from lumbargrade.level_evaluation.summary import DistanceRow, LevelSummary
from lumbargrade.terms import LEVELS

MOST_NAMED = 30
_SHOWN_MM = 5.0


def as_text(summary: LevelSummary, patients: Sequence[MeasuredPatient]) -> list[str]:
    """Lines: tables in Markdown, columns aligned, then the patients that were not named rightly, by number."""
    lines = [f"{len(patients)} cases measured, {summary.median_seconds:.2f} s each to locate (median)", ""]
    lines += ["Distance from the truth, of sites that bear the right name; sites that were not located count as infinitely far.", ""]
    lines += _aligned(_distance_cells(summary))
    lines += ["", f"By level: share within {_SHOWN_MM:g} mm, and median.", ""]
    lines += _aligned(_level_cells(summary))
    if summary.slices:
        cells = [(row.kind, str(row.sites), _share(row.within_one, row.sites)) for row in summary.slices]
        lines += ["", "The slice chosen as evidence.", "", *_aligned([("site", "sites", "reader's slice or one beside it"), *cells])]
    if summary.naming:
        lines += ["", "Names of the levels, by patient. Warned: levels_uncertain, levels_disagree or transitional_vertebra.", ""]
        lines += _aligned(_naming_cells(summary))
    if summary.transitional:
        counts = summary.transitional
        cells = [
            ("transitional", str(counts.cases), _share(counts.cases_flagged, counts.cases)),
            ("ordinary", str(counts.others), _share(counts.others_flagged, counts.others)),
        ]
        lines += ["", "Spines flagged as transitional.", "", *_aligned([("truly", "patients", "flagged"), *cells])]
    return [*lines, *_not_right(patients)]


def as_json(summary: LevelSummary, patients: Sequence[MeasuredPatient]) -> dict[str, Any]:
    """The same and a line for each patient, in plain values."""
    return {
        "measured": len(patients),
        "median_seconds": summary.median_seconds,
        "distances": [_distance_json(row) for row in summary.distances],
        "slices": [asdict(row) for row in summary.slices],
        "naming": [
            {
                "anatomy": row.anatomy.value,
                **{naming.name.lower(): count for naming, count in row.counts.items()},
                "misnamed": row.warned.cases,
                "misnamed_warned": row.warned.cases_flagged,
                "others_warned": row.warned.others_flagged,
            }
            for row in summary.naming
        ],
        "transitional": summary.transitional
        and {
            "transitional": summary.transitional.cases,
            "transitional_flagged": summary.transitional.cases_flagged,
            "ordinary": summary.transitional.others,
            "ordinary_flagged": summary.transitional.others_flagged,
        },
        "patients": [
            {
                "name": each.name,
                "anatomy": each.anatomy.value,
                "naming": each.naming and each.naming.name.lower(),
                "sites": len(each.distances),
                "missing": each.missing,
                "worst_mm": each.worst_mm,
                "problems": each.problems,
                "seconds": each.seconds,
            }
            for each in patients
        ],
    }


def _distance_json(row: DistanceRow) -> dict[str, Any]:
    found = row.summary
    return {
        "anatomy": row.anatomy.value,
        "kind": row.kind,
        "level": row.level and row.level.value,
        "patients": found.patients,
        "sites": found.sites,
        "located": found.located,
        "within_mm": {f"{limit:g}": asdict(share) for limit, share in zip(WITHIN_MM, found.within, strict=True)},
        "median_mm": asdict(found.median_mm),
    }


def _distance_cells(summary: LevelSummary) -> Iterator[tuple[str, ...]]:
    yield ("patients", "site", "sites", "located", *(f"within {limit:g} mm (95 % interval)" for limit in WITHIN_MM), "median mm")
    for row in summary.distances:
        if row.level is None:
            found = row.summary
            shares = (_percent(share) for share in found.within)
            located = _share(found.located, found.sites)
            yield (f"{row.anatomy.value}, {found.patients}", row.kind, str(found.sites), located, *shares, _millimetres(found.median_mm))


def _level_cells(summary: LevelSummary) -> Iterator[tuple[str, ...]]:
    yield ("patients", "site", *(level.value for level in LEVELS))
    shown = WITHIN_MM.index(_SHOWN_MM)
    for anatomy, kind in dict.fromkeys((row.anatomy, row.kind) for row in summary.distances):
        found = {row.level: row.summary for row in summary.distances if (row.anatomy, row.kind) == (anatomy, kind)}
        cells = []
        for level in LEVELS:
            each = found.get(level)
            cells.append(f"{_number(each.within[shown].value, 100, 1)} %, {_number(each.median_mm.value, 1, 1)} mm" if each else "")
        yield (anatomy.value, kind, *cells)


def _naming_cells(summary: LevelSummary) -> Iterator[tuple[str, ...]]:
    yield ("patients", *(naming.value for naming in Naming), "misnamed and warned", "others warned")
    for row in summary.naming:
        counts = [_share(count, row.warned.cases + row.warned.others) for count in row.counts.values()]
        warned = _share(row.warned.cases_flagged, row.warned.cases), _share(row.warned.others_flagged, row.warned.others)
        yield (f"{row.anatomy.value}, {row.warned.cases + row.warned.others}", *counts, *warned)


def _not_right(patients: Sequence[MeasuredPatient]) -> list[str]:
    """A line for each patient with a wrong or missing level, the first ``MOST_NAMED``."""
    wrong = [each for each in patients if each.naming not in (None, Naming.RIGHT)]
    lines = [f"{each.name}: {each.naming.value} ({', '.join(each.problems) or 'no warning'})" for each in wrong if each.naming]
    more = [f"and {len(lines) - MOST_NAMED} more"] if len(lines) > MOST_NAMED else []
    return ["", "Not all right:", *lines[:MOST_NAMED], *more] if lines else []


def _aligned(rows: Sequence[tuple[str, ...]] | Iterator[tuple[str, ...]]) -> list[str]:
    """A Markdown table; the first row is the head."""
    head, *body = rows
    widths = [max(len(row[column]) for row in (head, *body)) for column in range(len(head))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in (head, *body)]
    return [lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]


def _share(part: int, whole: int) -> str:
    return f"{part} ({100 * part / whole:.1f} %)" if whole else "-"


def _percent(share: Estimate) -> str:
    return f"{_number(share.value, 100, 1)} %" + _between(share, 100, 1)


def _millimetres(median: Estimate) -> str:
    return _number(median.value, 1, 2) + _between(median, 1, 2)


def _between(estimate: Estimate, scale: float, digits: int) -> str:
    if estimate.low is None:
        return ""
    return f" ({_number(estimate.low, scale, digits)} to {_number(estimate.high, scale, digits)})"


def _number(value: float | None, scale: float, digits: int) -> str:
    return "-" if value is None else f"{value * scale:.{digits}f}"
