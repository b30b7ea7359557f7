"""A corrected copy of the coordinates: what the pictures' places decide, and nothing else."""

from collections import Counter
from dataclasses import dataclass, replace

from lumbargrade.check.data_set import CheckReport
from lumbargrade.check.marks import JudgedMarks
from lumbargrade.competition import LabelCoordinate
from lumbargrade.terms import LEVELS


@dataclass(frozen=True, slots=True)
class CorrectedCoordinates:
    """The rows to write, in the file's order, and how many were changed or left out, by what was done to them."""

    rows: tuple[LabelCoordinate, ...]
    done: Counter[str]


def corrected_coordinates(report: CheckReport) -> CorrectedCoordinates:
    """Sides that are swapped are exchanged, the levels of a side that lies one off are renamed, rows that stand there twice, that cannot be
    read or that lie on no picture are left out, and every name is spelled as the competition does."""
    rows: list[LabelCoordinate] = []
    done: Counter[str] = Counter()
    for row in report.tables.coordinates or ():
        judged = report.judged.get(row.coordinate.study_id)
        if judged is None:
            rows.append(row.coordinate)
        elif row in judged.unusable:
            done["left out, on no picture"] += 1
        else:
            corrected = _corrected(row.coordinate, judged, done)
            rows += [corrected] if corrected else []
    if report.tables.dropped_coordinates:
        done["left out, repeated or unreadable"] = report.tables.dropped_coordinates
    return CorrectedCoordinates(tuple(rows), done)


def _corrected(coordinate: LabelCoordinate, judged: JudgedMarks, done: Counter[str]) -> LabelCoordinate | None:
    finding = coordinate.finding
    if finding.laterality is not None and (finding.condition, finding.level) in judged.swapped:
        finding = replace(finding, laterality=finding.laterality.opposite)
        done["sides exchanged"] += 1
    for shift in judged.shifted:
        if shift.track == (finding.condition, finding.laterality):
            index = LEVELS.index(finding.level) + shift.levels
            if not 0 <= index < len(LEVELS):
                done["left out, at no lumbar level"] += 1
                return None
            finding = replace(finding, level=LEVELS[index])
            done["levels renamed"] += 1
            break
    return replace(coordinate, finding=finding)
