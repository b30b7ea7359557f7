import base64
import io
import itertools
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from lumbargrade.report.crop import cut_crop
from lumbargrade.report.overview import axial_key_slices, cut_line_px, label_rows, mid_sagittal, overview_image
from lumbargrade.study import Instance
from lumbargrade.terms import SeriesRole


def test_overview_slice_is_the_t2_slice_nearest_to_the_canal(case):
    chosen = mid_sagittal(case.study, case.grades.locations)
    canal = np.array([location.canal_lps_mm for location in case.grades.locations])
    distances = [np.abs(instance.affine.distances_mm(canal)).mean() for instance in case.study.series[0].instances]
    assert np.abs(chosen.affine.distances_mm(canal)).mean() == min(distances)
    assert chosen in list(case.study.series[0].instances)


def test_overview_falls_back_to_t1_and_then_to_nothing(case):
    without_t2 = replace(case.study, series=case.study.series[1:])
    assert mid_sagittal(without_t2, case.grades.locations) in list(case.study.series[1].instances)
    axial_only = replace(case.study, series=case.study.with_role(SeriesRole.AXIAL_T2))
    assert overview_image(axial_only, case.grades) is None
    assert overview_image(case.study, replace(case.grades, locations=())) is None


def test_axial_key_slices_are_each_named_once_from_head_to_feet(case):
    slices = axial_key_slices(case.study, case.grades)
    evidence = {grade.evidence.sop_instance_uid for grade in case.grades.grades[15:] if grade.evidence}
    assert {instance.sop_instance_uid for instance in slices} == evidence
    assert len(slices) == len(evidence)
    heights = [instance.affine.to_lps(np.array([[100.0, 100.0]]))[0, 2] for instance in slices]
    assert heights == sorted(heights, reverse=True)


def test_cut_line_lies_on_both_slices_and_ends_with_the_axial_picture(case):
    sagittal = mid_sagittal(case.study, case.grades.locations)
    axial = axial_key_slices(case.study, case.grades)[1]
    crop = cut_crop(sagittal, (160.0, 150.0), (220.0, 260.0), 0.5)
    line = cut_line_px(crop, axial)
    assert np.abs(axial.affine.distances_mm(crop.affine.to_lps(line))).max() < 1e-6
    assert line[0, 0] < line[1, 0]
    ends = axial.affine.to_px(crop.affine.to_lps(line))
    rows, columns = axial.shape
    assert ((ends > -0.6) & (ends < [columns - 0.4, rows - 0.4])).all()
    assert np.ptp(ends[:, 1]) > 0.97 * rows, "the line runs through the whole axial picture"


def test_slice_that_misses_the_crop_has_no_cut_line(case):
    sagittal = mid_sagittal(case.study, case.grades.locations)
    crop = cut_crop(sagittal, (160.0, 150.0), (100.0, 100.0), 0.5)
    axial = axial_key_slices(case.study, case.grades)[0]
    far = replace(axial.affine, origin_lps_mm=axial.affine.origin_lps_mm + np.array([0.0, 0.0, 500.0]))
    assert cut_line_px(crop, Instance("7", 1, far, axial.pixels)) is None


@pytest.mark.parametrize("index", range(5))
def test_every_canal_point_is_marked_where_it_projects(case, index):
    figure = overview_image(case.study, case.grades)
    content = base64.b64decode(figure.data_uri.removeprefix("data:image/jpeg;base64,"))
    pixels = np.asarray(Image.open(io.BytesIO(content)), np.float64)
    sagittal = mid_sagittal(case.study, case.grades.locations)
    canal = sagittal.affine.to_px(np.array([location.canal_lps_mm for location in case.grades.locations]))
    spacing = np.array([sagittal.affine.column_spacing_mm, sagittal.affine.row_spacing_mm])
    middle = np.array([(figure.width - 1) / 2, (figure.height - 1) / 2])
    column, row = np.round(middle + (canal[index] - (canal.min(0) + canal.max(0)) / 2) * spacing / 0.25).astype(int)
    red, green, blue = pixels[row, column]
    assert red > 200
    assert green > 160
    assert blue < 90


def test_labels_stay_apart_in_order_and_inside_the_picture():
    rows = label_rows([-30.0, 5.0, 95.0, 97.0, 99.0], gap=10.0, height=100.0)
    assert min(rows) >= 5
    assert max(rows) <= 90
    assert all(below - above >= 10 for above, below in itertools.pairwise(rows))
    assert label_rows([20.0, 60.0], gap=10.0, height=100.0) == [20.0, 60.0]
    assert label_rows([], gap=10.0, height=100.0) == []
