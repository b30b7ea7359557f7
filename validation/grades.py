"""What the grades are worth on synthetic studies: beside the best that could be reached, without each series, by level, and how honest.

``python validation/grades.py NAME=DATA_DIR [NAME=DATA_DIR ...] [--models RUN_DIR] [--card docs/model-card.md]``

DATA_DIR is what ``lumbargrade phantom`` wrote. Each study is graded from end to end, whole and without the series of each role. The best
reachable score is that of the probabilities with which the synthetic readers gave their labels: no picture can tell more. With ``--card``
the tables replace what stands between the marks in that file, and the calibration plots are drawn beside it.
"""

import argparse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from synthetic import labelled_studies, scanner_of

from lumbargrade.competition import COLUMN_PRIOR, tilt
from lumbargrade.competition.truth import read_finding_truths
from lumbargrade.evaluate import Rows, best_constant_score, estimate, score
from lumbargrade.pipeline import Pipeline
from lumbargrade.side_by_side import run_side_by_side
from lumbargrade.study import Grade, Probabilities, Study
from lumbargrade.terms import FINDINGS, LEVELS, Condition, SeriesRole, Severity
from lumbargrade.train.data_set import LabelledStudy, read_labelled_study

WHOLE = "all series"
ROLES = {"no sagittal T1": SeriesRole.SAGITTAL_T1, "no sagittal T2": SeriesRole.SAGITTAL_T2, "no axial T2": SeriesRole.AXIAL_T2}
NETWORK, MEASURED, REACHABLE = "networks alone", "bright pixels alone", "reachable"
BINS = 10
BEGIN, END = "<!-- grades: made by validation/grades.py -->\n", "<!-- end of grades -->\n"
PLOT = "images/calibration.svg"

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Graded:
    """A data set: (study, 25) severities, masked; by the name of an answer (study, 25, 3) probabilities and (study, 25) which are graded;
    (study, 25, 3) which severities are in the prediction sets; and each study's vendor and field strength, where its files state them."""

    severities: np.ma.MaskedArray
    answers: dict[str, tuple[Array, NDArray[np.bool_]]]
    sets: NDArray[np.bool_]
    scanners: tuple[tuple[str, str] | None, ...]

    @classmethod
    def read(cls, path: Path) -> "Graded":
        """What ``write`` wrote."""
        with np.load(path, allow_pickle=False) as stored:
            names = [name.removeprefix("graded ") for name in stored.files if name.startswith("graded ")]
            answers = {name: (stored[f"values {name}"], stored[f"graded {name}"]) for name in names}
            scanners = tuple((vendor, field) if vendor else None for vendor, field in stored["scanners"].tolist())
            return cls(np.ma.MaskedArray(stored["severities"], stored["missing"]), answers, stored["sets"], scanners)

    def write(self, path: Path) -> None:
        """As arrays in one file."""
        named = {
            f"{part} {name}": array
            for name, arrays in self.answers.items()
            for part, array in zip(("values", "graded"), arrays, strict=True)
        }
        scanners = np.array([each or ("", "") for each in self.scanners])
        missing = np.ma.getmaskarray(self.severities)
        np.savez_compressed(path, severities=self.severities.data, missing=missing, sets=self.sets, scanners=scanners, **named)

    def rows(self, answer: str, condition: Condition | None, level: object = None) -> Rows:
        """The labelled and graded findings of a condition, at a level or at all."""
        probabilities, graded = self.answers[answer]
        columns = [condition in (None, finding.condition) and level in (None, finding.level) for finding in FINDINGS]
        studies, found = np.nonzero(graded & ~np.ma.getmaskarray(self.severities) & columns)
        return Rows(self.severities.data[studies, found].astype(np.intp), probabilities[studies, found], studies)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="+", help="name=folder")
    parser.add_argument("--models", type=Path)
    parser.add_argument("--card", type=Path)
    parser.add_argument("--keep", type=Path, help="a folder for what was graded, so that the command can be gone on with")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=300)
    options = parser.parse_args()
    named = [each.partition("=") for each in options.data]
    around = around_marks(options.card.read_text(), BEGIN, END) if options.card else ("", "")
    graded = {}
    for name, _, folder in named:
        kept = options.keep / f"{name}.npz" if options.keep else None
        graded[name] = Graded.read(kept) if kept and kept.is_file() else grade_data(Path(folder), options.models, options.workers)
        if kept and not kept.is_file():
            kept.parent.mkdir(parents=True, exist_ok=True)
            graded[name].write(kept)
    text = "\n\n".join(
        [
            "\n\n".join(overview(name, each, options.repeats) for name, each in graded.items()),
            missing_series(graded, options.repeats),
            by_level(graded, options.repeats),
            *by_scanner(graded, options.repeats),
        ]
    )
    print(text)  # noqa: T201
    if options.card:
        plot = options.card.parent / PLOT
        plot.write_text(calibration_plots(graded))
        before, after = around
        options.card.write_text(f"{before}{BEGIN}\n{text}\n\n![Calibration]({PLOT})\n\n{END}{after}")
    return 0


def around_marks(card: str, begin: str, end: str) -> tuple[str, str]:
    """What stands before and after the marked place of the card."""
    if card.count(begin) != 1 or card.count(end) != 1:
        raise SystemExit(f"the card needs the two lines {begin.strip()} and {end.strip()}, once each")
    return card.partition(begin)[0], card.partition(end)[2]


def grade_data(folder: Path, models: Path | None, workers: int) -> Graded:
    """Grade every study of a synthetic data set in every way."""
    studies, labels = labelled_studies(folder)
    chunks = [studies[first : first + 5] for first in range(0, len(studies), 5)]
    parts = {}
    for chunk, part in run_side_by_side(partial(_grade_chunk, models), chunks, workers):
        parts[chunk[0].study_id] = (chunk, part)
    ordered = [pair for chunk in chunks for pair in zip(*parts[chunk[0].study_id], strict=True)]
    names = ordered[0][1]
    answers = {
        name: (np.stack([part[name][0] for _, part in ordered]), np.stack([part[name][1] for _, part in ordered]))
        for name in names
        if name != "sets"
    }
    scanners = tuple(scanner_of(study.folder) for study in studies)
    return Graded(labels.severities, answers, np.stack([part["sets"][0] for _, part in ordered]).astype(bool), scanners)


def _grade_chunk(models: Path | None, chunk: Sequence[LabelledStudy]):  # type: ignore[no-untyped-def]
    return chunk, [_grade_study(_pipeline(models), labelled) for labelled in chunk]


@cache
def _pipeline(models: Path | None) -> Pipeline:
    return Pipeline.load(models, threads=1)


def _grade_study(pipeline: Pipeline, labelled: LabelledStudy) -> dict[str, tuple[Array, NDArray[np.bool_]]]:
    study, _ = read_labelled_study(labelled)
    assert labelled.truth is not None
    truths = read_finding_truths(labelled.truth)
    grades = pipeline.grade(study).grades
    found = {WHOLE: _told(grades, lambda grade: grade.probabilities)}
    found[NETWORK] = _told(grades, lambda grade: grade.opinions.get("network"))
    found[MEASURED] = _told(grades, lambda grade: grade.opinions.get("measured"))
    found[REACHABLE] = np.array([truths[finding].probabilities for finding in FINDINGS]), np.ones(len(FINDINGS), bool)
    for name, role in ROLES.items():
        found[name] = _told(pipeline.grade(_without(study, role)).grades, lambda grade: grade.probabilities)
    sets = np.array([[severity in grade.prediction_set for severity in Severity] for grade in grades])
    return {**found, "sets": (sets, sets.any(1))}


def _without(study: Study, role: SeriesRole) -> Study:
    return replace(study, series=tuple(series for series in study.series if series.role is not role))


def _told(grades: Iterable[Grade], which: Callable[[Grade], Probabilities | None]) -> tuple[Array, NDArray[np.bool_]]:
    values, graded = COLUMN_PRIOR.copy(), np.zeros(len(FINDINGS), bool)
    for index, grade in enumerate(grades):
        told = which(grade)
        if told is not None:
            values[index], graded[index] = told.values, True
    return values, graded


def overview(name: str, graded: Graded, repeats: int) -> str:
    """Score and, for each condition, what each answer is worth."""
    totals = {each: score(graded.severities, tilt(graded.answers[each][0])).total for each in (WHOLE, REACHABLE)}
    constant = best_constant_score(graded.severities).total
    labelled = ~np.ma.getmaskarray(graded.severities)
    share = float((graded.answers[WHOLE][1] & labelled).sum() / labelled.sum())
    ratio = totals[WHOLE] / totals[REACHABLE]
    lines = [
        f"**{name}**, {len(graded.severities)} synthetic studies: competition score {totals[WHOLE]:.3f}; best reachable "
        f"{totals[REACHABLE]:.3f} (ratio {ratio:.2f}), best constant {constant:.3f} (ratio {totals[WHOLE] / constant:.2f}). "
        f"{100 * share:.1f} % of the labelled findings graded.",
        "",
        "| | weighted log loss | reachable | constant | networks alone | bright pixels alone | AUC severe | AUC at least moderate | "
        "calibration error, severe | prediction sets hold | their mean size |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for condition in Condition:
        rows = graded.rows(WHOLE, condition)
        found = estimate(rows, repeats)
        same = {each: estimate(_as_in(graded, each, condition), 0)["weighted_log_loss"].value for each in (REACHABLE, NETWORK, MEASURED)}
        inside, size = _sets(graded, condition)
        cells = [
            _interval(found["weighted_log_loss"]),
            _number(same[REACHABLE]),
            _number(found["constant_log_loss"].value),
            _number(same[NETWORK]),
            _number(same[MEASURED]),
            _interval(found["auc_severe"]),
            _interval(found["auc_moderate"]),
            _interval(found["calibration_error_severe"]),
            f"{100 * inside:.1f} %",
            f"{size:.2f}",
        ]
        lines.append(f"| {condition.value.replace('_', ' ')} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _as_in(graded: Graded, answer: str, condition: Condition) -> Rows:
    """An answer's rows where the whole study was graded, so that answers are compared on the same findings."""
    both = replace(graded, answers={answer: (graded.answers[answer][0], graded.answers[WHOLE][1] & graded.answers[answer][1])})
    return both.rows(answer, condition)


def _sets(graded: Graded, condition: Condition) -> tuple[float, float]:
    """How often the prediction sets hold the label, and how many severities are in them."""
    columns = np.array([finding.condition is condition for finding in FINDINGS])
    studies, found = np.nonzero(graded.sets.any(2) & ~np.ma.getmaskarray(graded.severities) & columns)
    if not len(studies):
        return float("nan"), float("nan")
    sets = graded.sets[studies, found]
    return float(sets[np.arange(len(sets)), graded.severities.data[studies, found].astype(int)].mean()), float(sets.sum(1).mean())


def missing_series(graded: dict[str, Graded], repeats: int) -> str:
    """Each way of missing a series: the log loss on what remains gradable, over that of the best constant; means over conditions."""
    lines = [
        "**Without the series of a role**, on what remains gradable: weighted log loss over that of the best constant on the same "
        "findings, and calibration error (severe).",
        "",
        "| | " + " | ".join(f"{name}: {kind}" for name in graded for kind in ("ratio", "calibration error", "findings graded")) + " |",
        "|---|" + "---|---|---|" * len(graded),
    ]
    for answer in (WHOLE, *ROLES):
        cells = []
        for each in graded.values():
            rows = [each.rows(answer, condition) for condition in Condition]
            found = [estimate(part, 0) for part in rows if len(part.truth)]
            if not found:
                cells += ["–", "–", "0"]
                continue
            ratio = sum(one["weighted_log_loss"].value or 0 for one in found) / sum(one["constant_log_loss"].value or 0 for one in found)
            error = estimate(each.rows(answer, None), repeats)["calibration_error_severe"]
            cells += [f"{ratio:.2f}", _interval(error), str(sum(len(part.truth) for part in rows))]
        lines.append(f"| {answer} | {' | '.join(cells)} |")
    return "\n".join(lines)


def by_level(graded: dict[str, Graded], repeats: int) -> str:
    """Each condition and level: log loss over the best constant's, and the AUC of severe, of all data sets together."""
    lines = [
        "**By level**, all these data sets together: weighted log loss (best constant) and AUC of severe.",
        "",
        "| | " + " | ".join(level.value for level in LEVELS) + " |",
        "|---|" + "---|" * len(LEVELS),
    ]
    for condition in Condition:
        cells = []
        for level in LEVELS:
            parts = [each.rows(WHOLE, condition, level) for each in graded.values()]
            first = np.cumsum([0, *(len(each.severities) for each in graded.values())])
            rows = Rows(
                np.concatenate([part.truth for part in parts]),
                np.concatenate([part.probabilities for part in parts]),
                np.concatenate([part.studies + start for part, start in zip(parts, first, strict=False)]),
            )
            found = estimate(rows, repeats)
            loss, constant = found["weighted_log_loss"].value, found["constant_log_loss"].value
            cells.append(f"{_number(loss)} ({_number(constant)}); {_number(found['auc_severe'].value)}")
        lines.append(f"| {condition.value.replace('_', ' ')} | {' | '.join(cells)} |")
    return "\n".join(lines)


def by_scanner(graded: dict[str, Graded], repeats: int) -> list[str]:
    """Log loss over the best constant's, and calibration error, by vendor and by field strength, of the studies whose files state them."""
    groups: dict[str, list[tuple[Graded, NDArray[np.intp]]]] = {}
    for each in graded.values():
        for place in range(2):
            for name in sorted({scanner[place] for scanner in each.scanners if scanner}):
                chosen = np.flatnonzero([scanner is not None and scanner[place] == name for scanner in each.scanners])
                groups.setdefault(name, []).append((each, chosen))
    if not groups:
        return []
    lines = ["**By scanner**, of the studies that are written as hospitals' scanners do.", ""]
    lines += [
        "| | studies | weighted log loss over the best constant's | calibration error, severe | AUC severe |",
        "|---|---|---|---|---|",
    ]
    for name, members in groups.items():
        parts = [_some(each, chosen).rows(WHOLE, None) for each, chosen in members]
        first = np.cumsum([0, *(len(chosen) for _, chosen in members)])
        rows = Rows(
            np.concatenate([part.truth for part in parts]),
            np.concatenate([part.probabilities for part in parts]),
            np.concatenate([part.studies + start for part, start in zip(parts, first, strict=False)]),
        )
        found = estimate(rows, repeats)
        ratio = (found["weighted_log_loss"].value or 0) / (found["constant_log_loss"].value or 1)
        lines.append(
            f"| {name} | {first[-1]} | {ratio:.2f} | {_interval(found['calibration_error_severe'])} | {_interval(found['auc_severe'])} |"
        )
    return ["\n".join(lines)]


def _some(graded: Graded, chosen: NDArray[np.intp]) -> Graded:
    answers = {name: (values[chosen], is_graded[chosen]) for name, (values, is_graded) in graded.answers.items()}
    return replace(graded, severities=graded.severities[chosen], answers=answers)


def calibration_plots(graded: dict[str, Graded]) -> str:
    """An SVG: for each data set and condition, how often a finding was labelled severe, or at least moderate, by the probability given."""
    side, gap, left, top = 180, 46, 60, 46
    width, height = left + len(Condition) * (side + gap), top + len(graded) * (side + gap)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="{left}" y="16"><tspan fill="#b3261e">●</tspan> severe  <tspan fill="#1f5fa8">●</tspan> at least moderate; '
        "across: probability given, up: share so labelled; areas grow with the number of findings</text>",
    ]
    for row, (name, each) in enumerate(graded.items()):
        for column, condition in enumerate(Condition):
            x, y = left + column * (side + gap), top + row * (side + gap)
            parts.append(f'<g transform="translate({x} {y})"><rect width="{side}" height="{side}" fill="none" stroke="#888888"/>')
            parts.append(f'<line x1="0" y1="{side}" x2="{side}" y2="0" stroke="#bbbbbb"/>')
            parts.append(f'<text x="0" y="-6">{name}: {condition.value.replace("_", " ")}</text>')
            rows = each.rows(WHOLE, condition)
            for severity, color in ((Severity.MODERATE, "#1f5fa8"), (Severity.SEVERE, "#b3261e")):
                positive, given = rows.at_least(severity)
                bins = np.minimum((given * BINS).astype(int), BINS - 1)
                for index in np.unique(bins):
                    chosen = bins == index
                    u, v = side * given[chosen].mean(), side * (1 - positive[chosen].mean())
                    radius = 1.5 + 10 * (chosen.sum() / len(given)) ** 0.5
                    parts.append(f'<circle cx="{u:.1f}" cy="{v:.1f}" r="{radius:.1f}" fill="{color}" fill-opacity="0.6"/>')
            for tick in (0, 0.5, 1):
                parts.append(f'<text x="{side * tick:.0f}" y="{side + 14}" text-anchor="middle">{tick:g}</text>')
                parts.append(f'<text x="-6" y="{side * (1 - tick) + 4:.0f}" text-anchor="end">{tick:g}</text>')
            parts.append("</g>")
    return "\n".join([*parts, "</svg>", ""])


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _interval(found) -> str:  # type: ignore[no-untyped-def]
    if found.value is None or found.low is None:
        return _number(found.value)
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"


if __name__ == "__main__":
    raise SystemExit(main())
