"""Labels, coordinates and series roles: round trips, and one clear line for every way in which a file can be wrong."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lumbargrade.competition import (
    LabelCoordinate,
    StudyLabels,
    read_coordinates,
    read_labels,
    read_series_roles,
    write_coordinates,
    write_labels,
    write_series_roles,
)
from lumbargrade.competition.names import FINDING_COLUMNS
from lumbargrade.errors import TableError
from lumbargrade.terms import FINDINGS, Condition, Finding, Laterality, Level, SeriesRole, Severity

REAL = Path(__file__).parents[2] / ".." / "shared" / "real" / "rsna-study"
HEADER = ",".join(("study_id", *FINDING_COLUMNS))


def lopsided_labels() -> StudyLabels:
    rng = np.random.default_rng(3)
    values = rng.integers(0, 3, (7, 25)).astype(np.int8)
    return StudyLabels((30, 4, 4294967295, 5, 9, 11, 8), np.ma.MaskedArray(values, rng.random((7, 25)) < 0.3))


def test_labels_survive_a_round_trip_with_their_gaps(tmp_path: Path) -> None:
    labels = lopsided_labels()
    write_labels(tmp_path / "train.csv", labels)
    again = read_labels(tmp_path / "train.csv")
    assert again.study_ids == labels.study_ids
    assert again.severities.dtype == np.int8
    assert again.severities.mask.tolist() == labels.severities.mask.tolist()
    assert again.severities.tolist() == labels.severities.tolist()
    assert [path.name for path in tmp_path.iterdir()] == ["train.csv"]


def test_a_label_lands_at_its_finding_whatever_the_order_of_the_columns(tmp_path: Path) -> None:
    columns = list(reversed(FINDING_COLUMNS))
    cells = ["Severe" if column == "right_subarticular_stenosis_l4_l5" else "" for column in columns]
    (tmp_path / "t.csv").write_text(f"note,{','.join(columns)},study_id\nx,{','.join(cells)},77\n")
    labels = read_labels(tmp_path / "t.csv")
    where = FINDINGS.index(Finding(Condition.SUBARTICULAR_STENOSIS, Laterality.RIGHT, Level.L4_L5))
    assert labels.study_ids == (77,)
    assert labels.severities.count() == 1
    assert labels.severities[0, where] == Severity.SEVERE


def test_a_byte_order_mark_windows_lines_and_titled_columns_are_tolerated(tmp_path: Path) -> None:
    titled = ["Study ID", *(column.replace("_l", " L").replace("_s1", "/S1") for column in FINDING_COLUMNS)]
    text = ",".join(titled) + "\r\n" + ",".join(["5", *["normal_mild"] * 25]) + "\r\n\r\n"
    (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert read_labels(tmp_path / "t.csv").severities.tolist() == [[0] * 25]


def test_labels_cannot_be_changed_or_built_wrong() -> None:
    labels = lopsided_labels()
    with pytest.raises(ValueError, match="read-only"):
        labels.severities[0, 0] = 1
    with pytest.raises(ValueError, match="twice"):
        StudyLabels((1, 1), np.ma.zeros((2, 25), np.int8))
    with pytest.raises(ValueError, match="must be"):
        StudyLabels((1,), np.ma.zeros((1, 24), np.int8))
    with pytest.raises(ValueError, match="a missing one is masked"):
        StudyLabels((1,), np.ma.MaskedArray(np.full((1, 25), -1, np.int8)))


points = st.builds(
    LabelCoordinate,
    st.integers(0, 2**40),
    st.integers(0, 2**40),
    st.integers(0, 9999),
    st.sampled_from(FINDINGS),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(allow_nan=False, allow_infinity=False),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(points, min_size=1, max_size=8))
def test_coordinates_survive_a_round_trip_to_the_last_digit(
    tmp_path_factory: pytest.TempPathFactory, given_points: list[LabelCoordinate]
) -> None:
    path = tmp_path_factory.mktemp("coordinates") / "c.csv"
    write_coordinates(path, given_points)
    assert read_coordinates(path) == given_points


def test_coordinates_are_read_in_either_spelling(tmp_path: Path) -> None:
    header = "study_id,series_id,instance_number,condition,level,x,y,fix\n"
    (tmp_path / "a.csv").write_text(header + "1,2,3,Left Neural Foraminal Narrowing,L4/L5,10.5,20.25,0\n")
    (tmp_path / "b.csv").write_text(header + "1,2,3,left_neural_foraminal_narrowing,l4_l5,10.5,20.25,1\n")
    finding = Finding(Condition.NEURAL_FORAMINAL_NARROWING, Laterality.LEFT, Level.L4_L5)
    expected = [LabelCoordinate(1, 2, 3, finding, column_px=10.5, row_px=20.25)]
    assert read_coordinates(tmp_path / "a.csv") == read_coordinates(tmp_path / "b.csv") == expected


def test_series_roles_survive_a_round_trip(tmp_path: Path) -> None:
    roles = {5: {50: SeriesRole.SAGITTAL_T1, 49: SeriesRole.AXIAL_T2, 51: SeriesRole.AXIAL_T2}, 3: {7: SeriesRole.SAGITTAL_T2}}
    write_series_roles(tmp_path / "s.csv", roles)
    assert "5,50,Sagittal T1\n" in (tmp_path / "s.csv").read_text()
    assert "3,7,Sagittal T2/STIR\n" in (tmp_path / "s.csv").read_text()
    assert read_series_roles(tmp_path / "s.csv") == roles


def row(study: str = "1", first: str = "Severe") -> str:
    return ",".join([study, first, *["Moderate"] * 24])


@pytest.mark.parametrize(
    ("read", "content", "says"),
    [
        (read_labels, b"", ["empty"]),
        (read_labels, b"\n\n", ["empty"]),
        (read_labels, HEADER.encode(), ["only a header"]),
        (read_labels, b"PK\x03\x04\x9c\xff\x00\x01", ["not a text file"]),
        (read_labels, bytes(range(1, 128)) * 3, []),
        (read_labels, b"name,age\nx,1\n", ["study_id", "missing", "'name'"]),
        (read_labels, f"{HEADER},study_id\n{row()},1\n".encode(), ["'study_id' occurs more than once"]),
        (read_labels, f"{HEADER}\n{row()},extra\n".encode(), ["line 2", "27 cells", "26"]),
        (read_labels, f"{HEADER}\n{row()}\n1,Severe\n".encode(), ["line 3", "2 cells"]),
        (
            read_labels,
            f"{HEADER}\n{row()}\n\n{row('2', 'Terrible')}\n".encode(),
            ["line 4", "spinal_canal_stenosis_l1_l2", "'Terrible'", "Moderate"],
        ),
        (read_labels, f"{HEADER}\n{row()}\n{row()}\n".encode(), ["line 3", "study_id", "once"]),
        (read_labels, f"{HEADER}\n{row('1.0')}\n".encode(), ["line 2", "study_id", "'1.0'", "whole number"]),
        (read_labels, f"{HEADER}\n{row('-1')}\n".encode(), ["whole number"]),
        (read_labels, f'{HEADER}\n"{row()}\n'.encode(), ["not a CSV table"]),
        (read_series_roles, b"study_id,series_id,series_description\n1,2,Localizer\n", ["line 2", "'Localizer'", "Axial T2"]),
        (read_series_roles, b"study_id,series_id,series_description\n1,2,Axial T2\n1,2,Axial T2\n", ["line 3", "series_id", "once"]),
        (read_series_roles, b"study_id,series_description\n1,Axial T2\n", ["series_id missing"]),
        (
            read_coordinates,
            b"study_id,series_id,instance_number,condition,level,x,y\n1,2,3,Severe,L1/L2,1,1\n",
            ["column condition", "'Severe'"],
        ),
        (
            read_coordinates,
            b"study_id,series_id,instance_number,condition,level,x,y\n1,2,3,Spinal Canal Stenosis,L1/L2,1,nan\n",
            ["column y", "finite"],
        ),
        (
            read_coordinates,
            b"study_id,series_id,instance_number,condition,level,x,y\n1,2,,Spinal Canal Stenosis,L1/L2,1,1\n",
            ["column instance_number", "''"],
        ),
    ],
)
def test_a_bad_table_is_one_line_that_says_where_and_what(
    tmp_path: Path, read: Callable[[Path], object], content: bytes, says: list[str]
) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    with pytest.raises(TableError) as caught:
        read(path)
    message = str(caught.value)
    assert str(path) in message
    assert message.isprintable()
    assert len(message) < len(str(path)) + 300
    assert [part for part in says if part not in message] == []


def test_a_missing_file_is_an_os_error_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        read_labels(tmp_path / "train.csv")
    assert caught.value.filename == str(tmp_path / "train.csv")


def test_the_real_tables_are_written_back_as_they_were(tmp_path: Path) -> None:
    if not REAL.is_dir():
        pytest.skip("the real study is not here: ../shared/real/rsna-study")
    write_labels(tmp_path / "train.csv", read_labels(REAL / "train.csv"))
    write_series_roles(tmp_path / "train_series_descriptions.csv", read_series_roles(REAL / "train_series_descriptions.csv"))
    write_coordinates(tmp_path / "train_label_coordinates.csv", read_coordinates(REAL / "train_label_coordinates.csv"))
    for path in tmp_path.iterdir():
        assert path.read_text().split() == (REAL / path.name).read_text().split()
