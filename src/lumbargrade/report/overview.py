"""The overview picture: a mid-sagittal slice with the five levels, and where the axial key images cut it."""

import numpy as np

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.geometry.orientation import AnatomicalPlane, anatomical_plane
from lumbargrade.report.crop import Crop, cut_crop
from lumbargrade.report.drawing import CUT_COLOR, SITE_COLOR, Canvas, Figure
from lumbargrade.report.figures import annotate, find_evidence
from lumbargrade.report.level_picture import nearest_sagittal
from lumbargrade.study import Instance, LevelLocation, Study, StudyGrades

MARGIN_MM = 45.0
SPACING_MM = 0.25
_LONGEST_MM = 400.0
_LABEL_GAP_PX = 19.0
_ALONG = np.linspace(0.0, 1.0, 401)


def overview_image(study: Study, grades: StudyGrades) -> Figure | None:
    """The sagittal slice (T2, else T1) nearest to the canal points, with points, level names and axial cuts.

    None where no level was located or the study has no sagittal series.
    """
    instance = mid_sagittal(study, grades.locations)
    if instance is None:
        return None
    canal_px = instance.affine.to_px(_canal_points(grades.locations))
    low, high = canal_px.min(0), canal_px.max(0)
    spacing = np.array([instance.affine.column_spacing_mm, instance.affine.row_spacing_mm])
    width_mm, height_mm = np.minimum((high - low) * spacing + 2 * MARGIN_MM, _LONGEST_MM)
    column, row = (low + high) / 2
    crop = cut_crop(instance, (float(column), float(row)), (float(width_mm), float(height_mm)), SPACING_MM)
    canvas = Canvas(crop.grey)
    _draw_cuts(canvas, crop, axial_key_slices(study, grades))
    _draw_levels(canvas, crop, grades.locations)
    annotate(canvas, crop)
    return canvas.figure(f"Sagittal slice {instance.instance_number} with the located levels and the axial key slices")


def mid_sagittal(study: Study, locations: tuple[LevelLocation, ...]) -> Instance | None:
    """The sagittal slice with the smallest mean distance to the canal points; T2 where there is one, else T1."""
    return nearest_sagittal(study, [location.canal_lps_mm for location in locations])


def axial_key_slices(study: Study, grades: StudyGrades) -> tuple[Instance, ...]:
    """Each axial slice that is the evidence of a graded finding, once, cranial to caudal."""
    found: dict[tuple[str, str, int], Instance] = {}
    for grade in grades.grades:
        source = find_evidence(study, grade.evidence) if grade.evidence and grade.is_graded else None
        if source and anatomical_plane(source[1].affine.normal) is AnatomicalPlane.AXIAL:
            series, instance = source
            found[series.series_instance_uid, instance.sop_instance_uid, instance.instance_number] = instance
    return tuple(sorted(found.values(), key=lambda instance: -float(_middle_lps_mm(instance)[2])))


def cut_line_px(crop: Crop, instance: Instance) -> FloatArray | None:
    """(2, 2) ends (column, row) of the line in which a slice cuts the crop, first the one on the crop's left or top; None if it does not.

    The line ends where the crop or the other slice's picture ends.
    """
    rows, columns = crop.grey.shape
    corners = np.array([[0, 0], [columns - 1, 0], [columns - 1, rows - 1], [0, rows - 1]], np.float64)
    distances = instance.affine.distances_mm(crop.affine.to_lps(corners))
    crossings = [
        corners[edge] + (corners[(edge + 1) % 4] - corners[edge]) * start / (start - end)
        for edge, (start, end) in enumerate(zip(distances, np.roll(distances, -1), strict=True))
        if (start < 0) != (end < 0)
    ]
    if len(crossings) != 2:
        return None
    first, last = sorted(crossings, key=lambda end: (round(float(end[0]), 6), float(end[1])))
    line = first + _ALONG[:, None] * (last - first)
    inside = _is_inside(instance, instance.affine.to_px(crop.affine.to_lps(line)))
    return line[inside][[0, -1]] if inside.sum() > 1 else None


def _is_inside(instance: Instance, points_px: FloatArray) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    rows, columns = instance.shape
    return np.asarray(((points_px >= -0.5) & (points_px <= [columns - 0.5, rows - 0.5])).all(1))


def _draw_cuts(canvas: Canvas, crop: Crop, instances: tuple[Instance, ...]) -> None:
    """Every cut as a thin line, its instance number above the line's left end."""
    cuts = [(instance, line) for instance in instances if (line := cut_line_px(crop, instance)) is not None]
    rows = label_rows([float(line[0, 1]) - _LABEL_GAP_PX / 2 for _, line in cuts], _LABEL_GAP_PX, canvas.height)
    for (instance, line), row in zip(cuts, rows, strict=True):
        (x, y), (end_x, end_y) = line.tolist()
        canvas.line((x, y), (end_x, end_y), CUT_COLOR, width=1.2, opacity=0.85)
        canvas.text((max(x, 0.0) + 26, row), str(instance.instance_number), "lm", CUT_COLOR, size=18)


def label_rows(wanted: list[float], gap: float, height: float) -> list[float]:
    """Where to write labels that are wanted at these rows, in this order: moved down until none covers the one above, and up where
    they would leave the picture."""
    rows: list[float] = []
    for row in wanted:
        rows.append(max(row, rows[-1] + gap if rows else gap / 2))
    below = height
    for index in reversed(range(len(rows))):
        rows[index] = min(rows[index], below - gap)
        below = rows[index]
    return rows


def _draw_levels(canvas: Canvas, crop: Crop, locations: tuple[LevelLocation, ...]) -> None:
    for location, (column, row) in zip(locations, crop.affine.to_px(_canal_points(locations)), strict=True):
        canvas.dot((float(column), float(row)), 3.0, SITE_COLOR)
        canvas.text((float(column) + 10, float(row) - 9), location.level.value, "lm", SITE_COLOR, size=20)


def _canal_points(locations: tuple[LevelLocation, ...]) -> FloatArray:
    return np.array([location.canal_lps_mm for location in locations], np.float64).reshape(-1, 3)


def _middle_lps_mm(instance: Instance) -> FloatArray:
    rows, columns = instance.shape
    return np.asarray(instance.affine.to_lps(np.array([[(columns - 1) / 2, (rows - 1) / 2]]))[0])
