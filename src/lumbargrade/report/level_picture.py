"""Where levels truly are and where they were located, on the sagittal slice nearest to the canal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lumbargrade.geometry.affine import FloatArray
from lumbargrade.report.crop import cut_crop
from lumbargrade.report.drawing import Canvas, Color
from lumbargrade.report.figures import annotate
from lumbargrade.study import Instance, Study
from lumbargrade.terms import SeriesRole

TRUE_COLOR: Color = (80, 235, 90)
LOCATED_COLOR: Color = (255, 70, 60)
SPACING_MM = 0.4
_CROSS_PX, _RING_PX = 7.0, 9.0
_LABEL_PX = 16.0


@dataclass(frozen=True, slots=True, eq=False)
class LevelPicture:
    """A slice, and (3,) LPS points by the name of their disc: true ones and located ones."""

    instance: Instance
    true_lps_mm: Mapping[str, FloatArray]
    located_lps_mm: Mapping[str, FloatArray]

    @classmethod
    def of(cls, study: Study, true_lps_mm: Mapping[str, FloatArray], located_lps_mm: Mapping[str, FloatArray]) -> "LevelPicture | None":
        """On the sagittal slice nearest to the true points; None without one."""
        instance = nearest_sagittal(study, list(true_lps_mm.values()))
        return None if instance is None else cls(instance, true_lps_mm, located_lps_mm)


def nearest_sagittal(study: Study, points_lps_mm: Sequence[FloatArray]) -> Instance | None:
    """The sagittal slice (T2, else T1) with the smallest mean distance to (3,) points; None without slices or points."""
    series = study.with_role(SeriesRole.SAGITTAL_T2) or study.with_role(SeriesRole.SAGITTAL_T1)
    instances = [instance for each in series for instance in each.instances]
    if not instances or not points_lps_mm:
        return None
    points = np.stack(points_lps_mm)
    return min(instances, key=lambda instance: float(np.abs(instance.affine.distances_mm(points)).mean()))


def draw_level_picture(picture: LevelPicture) -> bytes:
    """The whole slice as a PNG file: true points as green crosses, named on the left, located ones as red circles, named on the right."""
    affine, (rows, columns) = picture.instance.affine, picture.instance.shape
    middle = (columns - 1) / 2, (rows - 1) / 2
    size_mm = columns * affine.column_spacing_mm, rows * affine.row_spacing_mm
    crop = cut_crop(picture.instance, middle, size_mm, SPACING_MM)
    canvas = Canvas(crop.grey)
    for name, point in picture.true_lps_mm.items():
        column, row = crop.affine.to_px(point)[0].tolist()
        canvas.line((column - _CROSS_PX, row), (column + _CROSS_PX, row), TRUE_COLOR)
        canvas.line((column, row - _CROSS_PX), (column, row + _CROSS_PX), TRUE_COLOR)
        canvas.text((column - _RING_PX - 4, row), name, "rm", TRUE_COLOR, size=_LABEL_PX)
    for name, point in picture.located_lps_mm.items():
        column, row = crop.affine.to_px(point)[0].tolist()
        canvas.ring((column, row), _RING_PX, LOCATED_COLOR)
        canvas.text((column + _RING_PX + 4, row), name, "lm", LOCATED_COLOR, size=_LABEL_PX)
    annotate(canvas, crop)
    return canvas.png()
