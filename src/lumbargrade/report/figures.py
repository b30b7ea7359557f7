"""Key images: the slice a grade was read from, around the site, with the site marked."""

import math

import numpy as np
from numpy.typing import NDArray

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.geometry.resample import sample_bilinear
from lumbargrade.report.crop import Crop, cut_crop, edge_letters
from lumbargrade.report.drawing import SALIENCY_COLOR, SITE_COLOR, Canvas, Figure
from lumbargrade.report.wording import ROLE_WORDS, site_words
from lumbargrade.study import Evidence, Grade, Instance, Saliency, Series, Study
from lumbargrade.terms import Condition

SIZE_MM = 80.0
SPACING_MM = 0.25
SCALE_BAR_MM = 20.0
STRONGEST_TINT, LEAST_LOG_ODDS = 0.6, 0.5
"""Opacity of the place that matters most; of one that matters less than this, a share of it."""
RING_RADIUS_MM = {
    Condition.SPINAL_CANAL_STENOSIS: 9.0,
    Condition.NEURAL_FORAMINAL_NARROWING: 7.0,
    Condition.SUBARTICULAR_STENOSIS: 5.0,
}
"""A little more than the half width of a normal site, so that the ring lies around it and not on it."""
_TICK_MM = (0.8, 3.0)


def find_evidence(study: Study, evidence: Evidence) -> tuple[Series, Instance] | None:
    """The series and slice that the evidence names, or None where the study does not hold it.

    Frames of a multi-frame instance share its UID, so the instance number counts too.
    """
    for series in study.series:
        if series.series_instance_uid == evidence.series_instance_uid:
            for instance in series.instances:
                if (instance.sop_instance_uid, instance.instance_number) == (evidence.sop_instance_uid, evidence.instance_number):
                    return series, instance
    return None


def key_image(study: Study, grade: Grade, saliency: Saliency | None = None) -> Figure | None:
    """The marked crop for one grade: 80 x 80 mm, ring and ticks, side letters, scale bar. None where its slice is not in the study.

    With a saliency, what speaks for the grade is coloured.
    """
    source = find_evidence(study, grade.evidence) if grade.evidence else None
    if grade.evidence is None or source is None:
        return None
    center_px = (grade.evidence.column_px, grade.evidence.row_px)
    if not all(math.isfinite(value) for value in center_px):
        return None
    series, instance = source
    crop = cut_crop(instance, center_px, (SIZE_MM, SIZE_MM), SPACING_MM)
    canvas = Canvas(crop.grey)
    if saliency is not None:
        canvas.tint(_strength(saliency, crop), SALIENCY_COLOR)
    mark_site(canvas, crop, instance.affine.to_lps(np.array([center_px], np.float64))[0], RING_RADIUS_MM[grade.finding.condition])
    annotate(canvas, crop)
    coloured = ", coloured where the grade comes from" if saliency is not None else ""
    return canvas.figure(f"{ROLE_WORDS[series.role]}, slice {instance.instance_number}: {site_words(grade.finding)} ringed{coloured}")


def _strength(saliency: Saliency, crop: Crop) -> NDArray[np.float32]:
    """(rows, columns) 0 to ``STRONGEST_TINT``, of the strongest place; a picture in which no place matters stays grey."""
    rows, columns = crop.grey.shape
    places = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), -1).reshape(-1, 2).astype(np.float64)
    values = sample_bilinear(np.maximum(saliency.values, 0), saliency.affine.to_px(crop.affine.to_lps(places)))
    strongest = max(float(saliency.values.max()), LEAST_LOG_ODDS)
    return np.asarray(STRONGEST_TINT * values.reshape(rows, columns) / strongest, np.float32)


def mark_site(canvas: Canvas, crop: Crop, point_lps_mm: FloatArray, radius_mm: float) -> None:
    """A thin ring around the (3,) point with four ticks outside it that aim at the point; the inside stays free."""
    column, row = (float(value) for value in crop.affine.to_px(point_lps_mm)[0])
    pixels = 1 / crop.affine.column_spacing_mm
    canvas.ring((column, row), radius_mm * pixels, SITE_COLOR)
    near, far = ((radius_mm + tick) * pixels for tick in _TICK_MM)
    for across, down in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        canvas.line((column + across * near, row + down * near), (column + across * far, row + down * far), SITE_COLOR)


def annotate(canvas: Canvas, crop: Crop) -> None:
    """The letters of the left, right and top edges, and the scale bar."""
    letters = edge_letters(crop.affine)
    middle, center = (canvas.height - 1) / 2, (canvas.width - 1) / 2
    canvas.text((6, middle), letters.left, "lm", size=22)
    canvas.text((canvas.width - 7, middle), letters.right, "rm", size=22)
    canvas.text((center, 6), letters.top, "mt", size=22)
    canvas.scale_bar(SCALE_BAR_MM, crop.affine.column_spacing_mm)
