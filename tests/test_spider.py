"""The SPIDER selection as studies: against its own tables where it is here, and against a small folder made alike."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lumbargrade.errors import InputError
from lumbargrade.geometry.orientation import AnatomicalPlane
from lumbargrade.spider import is_spider_folder, midsagittal_patients, read_midsagittal_pair, read_spider_patient, spider_patients
from lumbargrade.terms import SeriesRole

REAL = Path(__file__).parents[1] / ".." / "shared" / "real" / "spider"
real = pytest.mark.skipif(not REAL.is_dir(), reason="the SPIDER selection is not here: ../shared/real/spider")
HEAD = (
    "patient,slice,file,disc_from_lowest,level,disc_area_px,disc_column_px,disc_row_px,"
    "edge_column_px,edge_row_px,canal_column_px,canal_row_px,pixel_spacing_mm,upside_down"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Patient 4 with three slices of 30 x 20 pixels, and a pair of pictures of different pixel sizes."""
    (tmp_path / "space" / "images").mkdir(parents=True)
    (tmp_path / "midsagittal").mkdir()
    lines = [HEAD]
    for number, canal in ((7, "12.0,20.0"), (10, "14.0,26.0"), (13, ",")):
        name = f"4_t2_SPACE_slice{number}.png"
        lines.append(f"4,{number},{name},2,L4/L5,500,5.0,{number}.0,8.0,20.0,{canal},0.5,0")
        Image.fromarray(np.full((30, 20), 10 * number, np.uint8)).save(tmp_path / "space" / "images" / name)
    (tmp_path / "levels.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "midsagittal.csv").write_text("file,patient,weighting,pixel_spacing_mm\n4_t1.png,4,T1,1.0\n4_t2.png,4,T2,0.5\n")
    (tmp_path / "radiological_gradings.csv").write_text("Patient,IVD label\n4,1\n4,2\n4,6\n5,3\n")
    for name, size in (("4_t1", 21), ("4_t2", 41)):
        picture = np.zeros((size, size), np.uint8)
        picture[size // 2 + size // 4, size // 2] = 200
        Image.fromarray(picture).save(tmp_path / "midsagittal" / f"{name}.png")
    return tmp_path


def test_points_lie_where_the_table_says(folder: Path) -> None:
    assert is_spider_folder(folder)
    assert spider_patients(folder) == (4,)
    patient = read_spider_patient(folder, 4)
    (series,) = patient.study.with_role(SeriesRole.SAGITTAL_T2)
    (stack,) = series.stacks
    assert stack.plane is AnatomicalPlane.SAGITTAL
    assert stack.spacing_mm == 3.0
    assert sorted(float(instance.pixels[0, 0]) for instance in stack.instances) == [70, 100, 130]
    median = patient.medians["L4/L5"]
    np.testing.assert_allclose(median.center_lps_mm, [10.0, 2.5, -5.0])
    assert median.canal_lps_mm is not None
    np.testing.assert_allclose(median.canal_lps_mm, [8.5, 6.5, -11.5])
    assert [disc.points.canal_lps_mm is None for disc in patient.discs] == [False, False, True]


def test_two_pictures_of_a_pair_lie_on_each_other(folder: Path) -> None:
    assert midsagittal_patients(folder) == (4,)
    pair = read_midsagittal_pair(folder, 4)
    assert pair.levels == ("L4/L5", "L5/S1")
    assert [series.role for series in pair.study.series] == [SeriesRole.SAGITTAL_T1, SeriesRole.SAGITTAL_T2]
    for series in pair.study.series:
        (instance,) = series.instances
        row, column = np.argwhere(instance.pixels == 200)[0].tolist()
        np.testing.assert_allclose(instance.affine.to_lps(np.array([[column, row]]))[0], [0.0, 0.0, -5.0])


def test_what_is_not_spiders_is_said_in_one_line(folder: Path, tmp_path: Path) -> None:
    assert not is_spider_folder(tmp_path / "space")
    with pytest.raises(InputError, match=r"levels\.csv"):
        spider_patients(tmp_path / "space")
    with pytest.raises(InputError, match="nothing of patient 9"):
        read_spider_patient(folder, 9)
    (folder / "space" / "images" / "4_t2_SPACE_slice7.png").write_bytes(b"junk")
    with pytest.raises(InputError, match="slice7") as raised:
        read_spider_patient(folder, 4)
    assert "\n" not in str(raised.value)
    (folder / "levels.csv").write_text("study,x\n1,2\n")
    with pytest.raises(InputError, match="not a table of the SPIDER selection"):
        spider_patients(folder)
    (folder / "levels.csv").write_text("patient,slice\n4,seven\n")
    with pytest.raises(InputError, match="not a table of the SPIDER selection"):
        read_spider_patient(folder, 4)


@real
def test_a_real_patients_points_agree_with_the_table() -> None:
    patient = read_spider_patient(REAL, 118)
    with (REAL / "levels.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["patient"] == "118"]
    assert len(patient.discs) == len(rows)
    for disc, row in zip(patient.discs, rows, strict=True):
        assert (disc.name, disc.instance.instance_number) == (row["level"], int(row["slice"]))
        column, row_px = disc.instance.affine.to_px(disc.points.center_lps_mm)[0]
        np.testing.assert_allclose([column, row_px], [float(row["disc_column_px"]), float(row["disc_row_px"])])
        assert disc.instance.affine.distances_mm(disc.points.center_lps_mm)[0] == pytest.approx(0)
        assert (disc.points.canal_lps_mm is None) == (row["canal_column_px"] == "")


@real
def test_real_canals_lie_behind_their_discs_and_are_bright() -> None:
    patient = read_spider_patient(REAL, 110)
    for name, points in patient.medians.items():
        assert points.canal_lps_mm is not None, name
        behind = points.canal_lps_mm - points.center_lps_mm
        assert 10 < behind[1] < 45, name
    for disc in patient.discs:
        if disc.name == "L3/L4" and disc.points.canal_lps_mm is not None:
            column, row = disc.instance.affine.to_px(disc.points.canal_lps_mm)[0].round().astype(int)
            assert disc.instance.pixels[row, column] > np.percentile(disc.instance.pixels, 90)  # spinal fluid on T2


@real
def test_all_real_patients_and_pairs_are_there() -> None:
    assert len(spider_patients(REAL)) == 18
    assert len(midsagittal_patients(REAL)) == 43
    pair = read_midsagittal_pair(REAL, 12)
    assert [series.role for series in pair.study.series] == [SeriesRole.SAGITTAL_T1, SeriesRole.SAGITTAL_T2]
    assert len(pair.levels) == 5
