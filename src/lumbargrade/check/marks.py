"""What readers marked in one study, held against where the pictures lie: sides, levels, planes, and each other.

Everything is decided in the patient, in LPS millimetres. The order of instances, the columns of a picture and the sign of x say nothing of
sides by themselves: a picture may be stored mirrored, and the spine need not lie at x = 0.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from lumbargrade.check.faults import Fault
from lumbargrade.check.images import StudyFiles, shows
from lumbargrade.check.tables import MarkedRow
from lumbargrade.geometry.affine import FloatArray
from lumbargrade.geometry.orientation import AnatomicalPlane, anatomical_plane
from lumbargrade.terms import LEVELS, Condition, Finding, Laterality, Level, SeriesRole

CANAL, FORAMEN, RECESS = Condition
SHOWN_BY = {
    CANAL: (AnatomicalPlane.SAGITTAL, SeriesRole.SAGITTAL_T2),
    FORAMEN: (AnatomicalPlane.SAGITTAL, SeriesRole.SAGITTAL_T1),
    RECESS: (AnatomicalPlane.AXIAL, SeriesRole.AXIAL_T2),
}
SIDES_MM = 6.0
"""Left and right of one level nearer to each other than this, from side to side, are one place; foramina lie 30 mm apart, recesses 20."""
ORDER_MM = 2.0
LEVELS_MM = 8.0
"""Neighbouring discs lie 25 to 45 mm apart."""
OFF_LEVEL = 0.6
"""Of the distance to the next level, from where the point of a level is expected."""
EXPECTED_LEVEL = {CANAL: 0.0, FORAMEN: -0.15, RECESS: 0.0}
"""Foramina lie a little above their disc, in levels."""
FEWEST_OF_SIDE = 3
OFF_MIDDLE_MM = {FORAMEN: (5.0, 45.0), RECESS: (1.0, 35.0)}
"""How far to the side of the canal's middle such a point can be."""
FROM_OTHERS_MM = 14.0
"""Points of one side lie nearly one below the other, at these distances from the canal's middle: three slices off is another place."""

Track = tuple[Condition, Laterality | None]


@dataclass(frozen=True, slots=True, eq=False)
class PlacedMark:
    """A row of coordinates whose picture is known, and (3,) its point in the patient."""

    row: MarkedRow
    point_lps_mm: FloatArray

    @property
    def finding(self) -> Finding:
        return self.row.coordinate.finding


@dataclass(frozen=True, slots=True)
class OffByLevel:
    """The points of a track lie so many levels lower than their names say; negative is higher."""

    track: Track
    levels: int


@dataclass(frozen=True, slots=True, eq=False)
class JudgedMarks:
    """What was found, and of it what can be corrected.

    Attributes:
        swapped: (condition, level) pairs whose sides are to be exchanged.
        shifted: tracks whose levels are to be renamed.
        unusable: rows on pictures that are not there, or outside them.
    """

    faults: tuple[Fault, ...]
    swapped: tuple[tuple[Condition, Level], ...]
    shifted: tuple[OffByLevel, ...]
    unusable: tuple[MarkedRow, ...]


def judge_marks(rows: Sequence[MarkedRow], files: StudyFiles, roles: Mapping[int, SeriesRole | None] | None, table: str) -> JudgedMarks:
    """Everything that contradicts itself in the coordinates of one study; ``table`` is their file's name."""
    faults: list[Fault] = []
    placed, unusable = _placed(rows, files, roles, table, faults)
    swapped = list(_sides(placed, table, faults))
    tracks = _tracks(placed, swapped)
    in_order = {track: _is_in_order(points, table, faults) for track, points in tracks.items()}
    shifted: list[OffByLevel] = []
    canal = tracks.get((CANAL, None), {})
    if len(canal) >= FEWEST_OF_SIDE and in_order[CANAL, None]:
        shifted = list(_off_by_level(tracks, table, faults))
        _off_middle(tracks, {each.track for each in shifted}, table, faults)
    else:
        shifted = list(_sides_off_each_other(tracks, table, faults))
    return JudgedMarks(tuple(faults), tuple(swapped), tuple(each for each in shifted if each.levels), tuple(unusable))


def _fault(code: str, detail: str, mark: MarkedRow, table: str) -> Fault:
    at = mark.coordinate
    return Fault(code, detail, table, mark.line, at.study_id, at.series_id, at.instance_number, at.finding)


def _placed(
    rows: Sequence[MarkedRow], files: StudyFiles, roles: Mapping[int, SeriesRole | None] | None, table: str, faults: list[Fault]
) -> tuple[list[PlacedMark], list[MarkedRow]]:
    placed, unusable = [], []
    for row in rows:
        at = row.coordinate
        facts = files.facts.get(at.series_id, {}).get(at.instance_number)
        if facts is None:
            faults.append(_fault("instance_missing", "no usable image of that number", row, table))
            unusable.append(row)
            continue
        rows_px, columns_px = facts.shape or (0, 0)
        if not (-0.5 <= at.column_px <= columns_px - 0.5 and -0.5 <= at.row_px <= rows_px - 0.5):
            faults.append(_fault("coordinates_outside", f"x {at.column_px:.0f}, y {at.row_px:.0f} in {columns_px} x {rows_px}", row, table))
            unusable.append(row)
            continue
        if facts.affine is None:
            continue
        plane, role = SHOWN_BY[at.finding.condition]
        told = (roles or {}).get(at.series_id)
        if not shows(facts.affine.normal, plane):
            found = anatomical_plane(facts.affine.normal).value
            faults.append(_fault("wrong_plane_marked", f"on a picture that is {found}", row, table))
        else:
            if told is not None and told is not role:
                faults.append(_fault("wrong_plane_marked", f"on a series that is {told.value} by the table", row, table))
            point = facts.affine.to_lps(np.array([[at.column_px, at.row_px]]))[0]
            placed.append(PlacedMark(row, point))
    return placed, unusable


def _sides(placed: Sequence[PlacedMark], table: str, faults: list[Fault]) -> Iterator[tuple[Condition, Level]]:
    """Which pairs are swapped: the patient's left has the larger x, however the picture is stored."""
    by_finding = {mark.finding: mark for mark in placed}
    for condition in (FORAMEN, RECESS):
        swapped: list[Level] = []
        apart: list[Level] = []
        for level in LEVELS:
            left, right = (by_finding.get(Finding(condition, side, level)) for side in (Laterality.LEFT, Laterality.RIGHT))
            if left is None or right is None:
                continue
            if left.row.coordinate.series_id != right.row.coordinate.series_id:
                apart.append(level)
            across_mm = float(left.point_lps_mm[0] - right.point_lps_mm[0])
            if across_mm < -SIDES_MM:
                swapped.append(level)
            elif across_mm < SIDES_MM:
                faults.append(_fault("sides_overlap", f"{abs(across_mm):.0f} mm from side to side", left.row, table))
        study_id = placed[0].row.coordinate.study_id
        name = condition.value.replace("_", " ")
        if swapped:
            faults.append(Fault("sides_swapped", f"{name}: {', '.join(level.value for level in swapped)}", table, None, study_id))
        if apart:
            faults.append(Fault("sides_in_two_series", f"{name}: {', '.join(level.value for level in apart)}", table, None, study_id))
        yield from ((condition, level) for level in swapped)


def _tracks(placed: Sequence[PlacedMark], swapped: Sequence[tuple[Condition, Level]]) -> dict[Track, dict[int, PlacedMark]]:
    """The points of each condition and side by the index of their level, swapped sides exchanged."""
    tracks: dict[Track, dict[int, PlacedMark]] = defaultdict(dict)
    for mark in placed:
        finding = mark.finding
        side = finding.laterality
        if side is not None and (finding.condition, finding.level) in swapped:
            side = side.opposite
        tracks[finding.condition, side][LEVELS.index(finding.level)] = mark
    return tracks


def _is_in_order(points: Mapping[int, PlacedMark], table: str, faults: list[Fault]) -> bool:
    """Whether lower levels lie lower."""
    is_fine = True
    for upper, lower in pairwise(sorted(points)):
        first, second = points[upper], points[lower]
        if np.linalg.norm(first.point_lps_mm - second.point_lps_mm) < LEVELS_MM:
            faults.append(_fault("levels_overlap", f"at the place of {first.finding.level.value}", second.row, table))
            is_fine = False
        elif second.point_lps_mm[2] > first.point_lps_mm[2] + ORDER_MM:
            faults.append(_fault("levels_out_of_order", f"above {first.finding.level.value}", second.row, table))
            is_fine = False
    return is_fine


def level_along(point_lps_mm: FloatArray, line: Mapping[int, FloatArray]) -> float:
    """Which level a (3,) point lies at, by the nearest place on the line through the points of the levels, which goes on at its ends."""
    levels = sorted(line)
    best, found = np.inf, float(levels[0])
    for first, second in pairwise(levels):
        along = line[second] - line[first]
        share = float((point_lps_mm - line[first]) @ along / (along @ along))
        share = float(np.clip(share, -np.inf if first == levels[0] else 0, np.inf if second == levels[-1] else 1))
        distance = float(np.linalg.norm(point_lps_mm - line[first] - share * along))
        if distance < best:
            best, found = distance, first + share * (second - first)
    return found


def _off_by_level(tracks: Mapping[Track, Mapping[int, PlacedMark]], table: str, faults: list[Fault]) -> Iterator[OffByLevel]:
    """Sides, and single points, at another level than the canal's points of their name; the canal itself, if all others say so."""
    line = {level: mark.point_lps_mm for level, mark in tracks[CANAL, None].items()}
    shifts: dict[Track, int] = {}
    offsets: dict[Track, dict[int, float]] = {}
    for track, points in tracks.items():
        if track[0] is CANAL:
            continue
        offsets[track] = {level: level_along(mark.point_lps_mm, line) - level - EXPECTED_LEVEL[track[0]] for level, mark in points.items()}
        middle = float(np.median(list(offsets[track].values())))
        shifts[track] = round(middle) if abs(middle) > OFF_LEVEL and len(points) >= FEWEST_OF_SIDE else 0
    known = [shift for track, shift in shifts.items() if len(tracks[track]) >= FEWEST_OF_SIDE]
    if len(known) >= FEWEST_OF_SIDE and len(set(known)) == 1 and known[0]:
        shifts = dict.fromkeys(shifts, 0)
        offsets = {track: {level: offset - known[0] for level, offset in each.items()} for track, each in offsets.items()}
        yield _told_off((CANAL, None), -known[0], tracks[CANAL, None], table, faults)
    for track, shift in shifts.items():
        if shift:
            yield _told_off(track, shift, tracks[track], table, faults)
        for level, offset in offsets[track].items():
            if abs(offset - shift) > OFF_LEVEL:
                detail = f"{abs(offset):.1f} of a level too {'low' if offset > 0 else 'high'}"
                faults.append(_fault("level_off", detail, tracks[track][level].row, table))


def _sides_off_each_other(tracks: Mapping[Track, Mapping[int, PlacedMark]], table: str, faults: list[Fault]) -> Iterator[OffByLevel]:
    """Without the canal's points: whether one side lies a level off the other; which of the two is wrong cannot be told."""
    for condition in (FORAMEN, RECESS):
        left, right = (tracks.get((condition, side), {}) for side in (Laterality.LEFT, Laterality.RIGHT))
        if min(len(left), len(right)) < FEWEST_OF_SIDE:
            continue
        line = {level: mark.point_lps_mm for level, mark in right.items()}
        middle = float(np.median([level_along(mark.point_lps_mm, line) - level for level, mark in left.items()]))
        if abs(middle) > OFF_LEVEL:
            _told_off((condition, Laterality.LEFT), round(middle), left, table, faults)
            yield OffByLevel((condition, Laterality.LEFT), 0)


def _told_off(track: Track, levels: int, points: Mapping[int, PlacedMark], table: str, faults: list[Fault]) -> OffByLevel:
    condition, side = track
    name = f"{side.value + ' ' if side else ''}{condition.value.replace('_', ' ')}"
    study_id = next(iter(points.values())).row.coordinate.study_id
    way = "lower" if levels > 0 else "higher"
    faults.append(Fault("side_off_by_level", f"{name}: {len(points)} points {abs(levels)} level {way} than named", table, None, study_id))
    return OffByLevel(track, levels)


def _off_middle(tracks: Mapping[Track, Mapping[int, PlacedMark]], shifted: set[Track], table: str, faults: list[Fault]) -> None:
    """Points too near to the canal's middle or too far to the side, or not below the others of their side."""
    canal = tracks[CANAL, None]
    names = sorted(canal)
    across = np.array([canal[level].point_lps_mm[0] for level in names])
    for (condition, side), points in tracks.items():
        if side is None or (condition, side) in shifted or (CANAL, None) in shifted:
            continue
        aside = {level: side.lps_sign * float(mark.point_lps_mm[0] - np.interp(level, names, across)) for level, mark in points.items()}
        usual = float(np.median(list(aside.values())))
        least, most = OFF_MIDDLE_MM[condition]
        for level, distance in aside.items():
            is_apart = len(points) >= FEWEST_OF_SIDE and abs(distance - usual) > FROM_OTHERS_MM
            if is_apart or not least <= distance <= most:
                detail = f"{distance:.0f} mm to the {side.value} of the canal's middle, the others of its side {usual:.0f}"
                faults.append(_fault("off_middle", detail, points[level].row, table))
