"""Pictures of single rows of coordinates: the slice that a reader marked, around the mark."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from lumbargrade.check import CheckReport, Fault, MarkedRow
from lumbargrade.competition import DataSet, LabelCoordinate, Split, marked_points
from lumbargrade.dicom import find_study, read_study
from lumbargrade.errors import InputError
from lumbargrade.report.crop import cut_crop
from lumbargrade.report.drawing import Canvas, Figure
from lumbargrade.report.figures import RING_RADIUS_MM, annotate, mark_site
from lumbargrade.terms import SEVERITIES, Condition, Severity

SIZE_MM = 70.0
SPACING_MM = 0.35
PICTURED = {"sides_swapped", "sides_overlap", "level_off", "off_middle", "levels_overlap", "levels_out_of_order", "side_off_by_level"}
"""Kinds of fault that a picture of the marks makes plain."""
DOUBTFUL = {"sides_swapped", "side_off_by_level", "not_lumbar", "series_apart", "several_patients", "plane_contradicts_table"}
"""Studies with these show no example of any grade."""


@dataclass(frozen=True, slots=True)
class Example:
    """A labelled site with its picture."""

    study_id: int
    words: str
    figure: Figure


def grade_examples(data_set: DataSet, report: CheckReport, each: int, seed: int) -> dict[Condition, dict[Severity, list[Example]]]:
    """Sites of each condition and grade at random, at most one of each kind from a study, whose coordinates have no fault."""
    suspicious = {(fault.study_id, fault.finding) for fault in report.faults if fault.finding is not None}
    doubtful = {fault.study_id for fault in report.faults if fault.code in DOUBTFUL}
    rows: dict[tuple[Condition, Severity], list[MarkedRow]] = defaultdict(list)
    for row in report.tables.coordinates or ():
        mark = row.coordinate
        severity = (report.tables.labels or {}).get(mark.study_id, {}).get(mark.finding)
        if severity is not None and mark.study_id not in doubtful and (mark.study_id, mark.finding) not in suspicious:
            rows[mark.finding.condition, severity].append(row)
    random = np.random.default_rng(seed)
    return {
        condition: {severity: _draw(data_set, rows[condition, severity], each, random) for severity in SEVERITIES}
        for condition in Condition
    }


def _draw(data_set: DataSet, rows: list[MarkedRow], count: int, random: np.random.Generator) -> list[Example]:
    examples: list[Example] = []
    seen: set[int] = set()
    for index in random.permutation(len(rows)).tolist():
        if len(examples) == count:
            break
        mark = rows[index].coordinate
        if mark.study_id not in seen and (figure := mark_picture(data_set, mark)) is not None:
            seen.add(mark.study_id)
            examples.append(Example(mark.study_id, str(mark.finding), figure))
    return examples


def mark_picture(data_set: DataSet, mark: LabelCoordinate) -> Figure | None:
    """The surroundings of one mark, ringed; None where its slice cannot be read."""
    folder = data_set.study_folder(Split.TRAIN, mark.study_id) / str(mark.series_id)
    try:
        study = read_study(find_study(folder), {})
    except InputError:
        return None
    for marked in marked_points(study, [mark]):
        crop = cut_crop(marked.instance, (mark.column_px, mark.row_px), (SIZE_MM, SIZE_MM), SPACING_MM)
        canvas = Canvas(crop.grey)
        mark_site(canvas, crop, marked.point_lps_mm, RING_RADIUS_MM[mark.finding.condition])
        annotate(canvas, crop)
        return canvas.figure(f"study {mark.study_id}, instance {mark.instance_number}: {mark.finding} as marked")
    return None


def fault_pictures(
    data_set: DataSet, faults: Iterable[Fault], marks: Mapping[int, tuple[MarkedRow, ...]], most: int
) -> dict[Fault, list[Figure]]:
    """Pictures of what readers marked in suspicious cases: the marks that a fault names, or two of its condition."""
    found: dict[Fault, list[Figure]] = {}
    for fault in faults:
        if len(found) == most:
            break
        if fault.code not in PICTURED or fault.study_id is None:
            continue
        rows = [row.coordinate for row in marks.get(fault.study_id, ())]
        if fault.finding is not None:
            named = [fault.finding, *([fault.finding.mirrored] if fault.finding.laterality else [])]
        else:
            named = [row.finding for row in rows if fault.detail.startswith(_site(row))][:2]
            named += [finding.mirrored for finding in named[:1] if finding.laterality]
        chosen = [row for finding in dict.fromkeys(named) for row in rows if row.finding == finding][:2]
        figures = [figure for row in chosen if (figure := mark_picture(data_set, row)) is not None]
        if figures:
            found[fault] = figures
    return found


def _site(row: LabelCoordinate) -> str:
    """The condition as faults about a whole side begin their detail."""
    return row.finding.condition.value.replace("_", " ")
