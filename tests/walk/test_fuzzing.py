"""Spoilt input in short: some hundred inputs of ``validation/fuzz.py``, any bytes and any tables, and what its long runs have found."""

import io
import struct
import sys
import time
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lumbargrade.cli import main
from lumbargrade.competition import read_coordinates, read_labels, read_series_roles, read_solution, read_submission, read_submission_rows
from lumbargrade.competition.coordinates import COLUMNS as COORDINATE_COLUMNS
from lumbargrade.competition.names import FINDING_COLUMNS, SCORE_COLUMNS, row_id
from lumbargrade.dicom import decoder, find_studies, limits, read_study
from lumbargrade.errors import DicomError, TableError
from lumbargrade.study import Study
from lumbargrade.terms import FINDINGS

sys.path.insert(0, str(Path(__file__).parents[2] / "validation"))

from fuzzing.corpus import Corpus, make_corpus
from fuzzing.inputs import make_input
from fuzzing.trial import attempt

INPUTS = 250
steadily = settings(max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
READERS = (read_labels, read_coordinates, read_series_roles, read_solution, read_submission, read_submission_rows)
HEADERS = (
    ("study_id", *FINDING_COLUMNS),
    COORDINATE_COLUMNS,
    ("study_id", "series_id", "series_description"),
    ("row_id", *SCORE_COLUMNS),
    ("row_id", *SCORE_COLUMNS, "sample_weight"),
)
CELLS = st.one_of(
    st.sampled_from(["", "7", "Severe", "Left Subarticular Stenosis", "L5/S1", "Axial T2", "1e999", "nan", "-1", row_id(7, FINDINGS[3])]),
    st.integers().map(str),
    st.floats().map(str),
    st.text(max_size=12),
)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return make_corpus(with_spine=False)


def test_some_hundred_spoilt_inputs_are_read_or_refused_in_silence(
    corpus: Corpus, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    outcomes = []
    for index in range(1, INPUTS + 1):
        outcomes.append(attempt(make_input(corpus, 1, index), tmp_path / str(index)))
        assert capfd.readouterr() == ("", ""), index
    assert INPUTS / 5 < sum(outcomes) < INPUTS * 4 / 5


def test_an_input_is_the_same_whenever_it_is_made(corpus: Corpus) -> None:
    again = make_corpus(with_spine=False)
    for index in range(60):
        assert make_input(corpus, 3, index) == make_input(again, 3, index)


def try_bytes(content: bytes, name: str) -> None:
    with TemporaryDirectory() as folder:
        (Path(folder) / name).write_bytes(content)
        with suppress(DicomError):
            for source in find_studies(Path(folder)):
                read_study(source)


@given(st.binary(max_size=400), st.sampled_from([b"", bytes(128) + b"DICM", b"PK\x03\x04", b"\x02\x00\x10\x00UI"]), st.sampled_from("az"))
@steadily
def test_any_bytes_are_read_or_refused(content: bytes, start: bytes, letter: str) -> None:
    try_bytes(start + content, f"{letter}.zip" if letter == "z" else "1.dcm")


@given(st.data())
@steadily
def test_any_bytes_in_place_of_a_value_are_read_or_refused(corpus: Corpus, data: st.DataObject) -> None:
    content = data.draw(st.sampled_from([files[0] for files in corpus.series]))
    at = data.draw(st.integers(130, len(content)))
    put = data.draw(st.binary(max_size=60))
    try_bytes(content[:at] + put + content[at + data.draw(st.integers(0, 60)) :], "1.dcm")


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")))
@steadily
def test_any_bytes_as_a_table_are_read_or_refused(content: bytes) -> None:
    try_table(content)


@given(st.sampled_from(HEADERS), st.lists(st.lists(CELLS, min_size=3, max_size=27), max_size=5), st.sampled_from(["\n", "\r\n", "\r"]))
@steadily
def test_any_cells_below_the_right_header_are_read_or_refused(header: tuple[str, ...], rows: list[list[str]], end: str) -> None:
    cells = [",".join((row * len(header))[: len(header)]) for row in rows]
    try_table(end.join([",".join(header), *cells]).encode("utf-8", "surrogatepass"))


def try_table(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        path.write_bytes(content)
        for read in READERS:
            with suppress(TableError):
                read(path)


# What the long runs have found.


@pytest.fixture
def good(corpus: Corpus) -> bytes:
    """A sagittal slice in explicit little endian, header as the competition's."""
    return corpus.series[0][0]


def written(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path.parent


def read_only_study(folder: Path) -> Study:
    (source,) = find_studies(folder)
    return read_study(source)


def refusal(folder: Path) -> str:
    with pytest.raises(DicomError) as caught:
        read_only_study(folder)
    return str(caught.value)


def edited(content: bytes, **values: Any) -> bytes:
    dataset = pydicom.dcmread(io.BytesIO(content))
    for name, value in values.items():
        setattr(dataset, name, value)
    stream = io.BytesIO()
    dataset.save_as(stream)
    return stream.getvalue()


def archive(path: Path, members: dict[str, bytes], method: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in members.items():
            file.writestr(name or zipfile.ZipInfo(name), content, method)
    return path


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("at", [-40, 0, 4])
def test_a_damaged_member_of_an_archive_costs_no_other(method: int, at: int, good: bytes, tmp_path: Path) -> None:
    path = archive(tmp_path / "study.zip", {"1.dcm": good, "2.dcm": good}, method)
    content = bytearray(path.read_bytes())
    start, size = 30 + len("1.dcm"), struct.unpack_from("<I", content, 18)[0]
    place = start + at if at >= 0 else start + size + at
    content[place : place + 8] = b"\xff" * 8
    path.write_bytes(content)
    (source,) = find_studies(path)
    assert read_study(source).study_instance_uid
    assert source.files[-1].member == "2.dcm"


def test_a_method_that_is_not_the_one_a_member_was_packed_with_counts_as_damage(good: bytes, tmp_path: Path) -> None:
    path = archive(tmp_path / "study.zip", {"1.dcm": good}, zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    for at in (8, content.index(b"PK\x01\x02") + 10):
        struct.pack_into("<H", content, at, zipfile.ZIP_LZMA)
    path.write_bytes(content)
    with pytest.raises(DicomError, match="no DICOM image among them"):
        find_studies(path)


def test_a_member_without_a_name_is_a_member(good: bytes, tmp_path: Path) -> None:
    path = archive(tmp_path / "study.zip", {"": good}, zipfile.ZIP_STORED)
    (source,) = find_studies(path)
    assert source.folder == "study"


@pytest.mark.parametrize(("slope", "intercept"), [("1e38", "0"), ("1", "3.5e38"), ("-1e308", "0"), ("1", "1e13")])
def test_pixels_rescaled_beyond_all_measure_are_refused(slope: str, intercept: str, good: bytes, tmp_path: Path) -> None:
    folder = written(tmp_path / "in" / "1.dcm", edited(good, RescaleSlope=slope, RescaleIntercept=intercept))
    assert "pixels beyond 1e+12" in refusal(folder)


def test_float_pixels_beyond_all_measure_are_refused(corpus: Corpus, tmp_path: Path) -> None:
    floats = next(files[0] for files in corpus.series if b"\xe0\x7f\x08\x00OF" in files[0])
    pixels = np.full(len(pydicom.dcmread(io.BytesIO(floats)).FloatPixelData) // 4, 1e30, "<f4")
    assert "pixels beyond 1e+12" in refusal(written(tmp_path / "in" / "1.dcm", edited(floats, FloatPixelData=pixels.tobytes())))


def test_frames_by_the_million_are_refused_before_their_headers_are_read(good: bytes, tmp_path: Path) -> None:
    start = time.process_time()
    folder = written(tmp_path / "in" / "1.dcm", edited(good, Rows=1, Columns=1, NumberOfFrames="100000000"))
    assert "100000000 frames; at most" in refusal(folder)
    assert time.process_time() - start < 2


def deflated(corpus: Corpus, elements: bytes) -> bytes:
    """A file of the Deflated transfer syntax that begins with these elements."""
    content = next(files[0] for files in corpus.series if b"1.2.840.10008.1.2.1.99" in files[0][:400])
    start = 144 + struct.unpack_from("<I", content, 140)[0]
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return content[:start] + packer.compress(elements + zlib.decompress(content[start:], -zlib.MAX_WBITS)) + packer.flush()


EMPTY_ELEMENTS = struct.pack("<HH2sH", 0x0009, 0x1010, b"LO", 0) * 60_000
EMPTY_ITEMS = (
    struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF)
    + struct.pack("<HHI", 0xFFFE, 0xE000, 0) * 20_000
    + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
)


@pytest.mark.parametrize("elements", [EMPTY_ELEMENTS, EMPTY_ITEMS], ids=["elements", "items"])
def test_more_empty_elements_than_the_bound_are_refused(
    elements: bytes, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = deflated(corpus, elements)
    assert len(content) < 4000
    assert read_only_study(written(tmp_path / "in" / "1.dcm", content)).series
    monkeypatch.setattr(limits, "MAX_READS", 50_000)
    message = refusal(written(tmp_path / "in" / "1.dcm", content))
    assert "more elements than a picture has" in message or "not readable" in message


def implicit(corpus: Corpus, tag: int, value: bytes) -> bytes:
    """A file in implicit little endian with another value of an element, whose length takes four bytes."""
    content = next(files[0] for files in corpus.series if b"1.2.840.10008.1.2\0" in files[0][:400])
    body = 144 + struct.unpack_from("<I", content, 140)[0]
    mark = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    at = content.index(mark, body)
    end = at + 8 + struct.unpack_from("<I", content, at + 4)[0]
    return content[:at] + mark + struct.pack("<I", len(value)) + value + content[end:]


def test_character_sets_by_the_million_are_refused_before_they_are_looked_up(corpus: Corpus, tmp_path: Path) -> None:
    start = time.process_time()
    message = refusal(written(tmp_path / "in" / "1.dcm", implicit(corpus, 0x0008_0005, b"1\\" * 1_000_000)))
    assert "2000000 bytes of character sets" in message
    assert time.process_time() - start < 2


def test_numbers_by_the_million_are_refused_before_they_are_read(corpus: Corpus, tmp_path: Path) -> None:
    start = time.process_time()
    message = refusal(written(tmp_path / "in" / "1.dcm", implicit(corpus, 0x0028_0030, b"1\\" * 1_000_000)))
    assert "an element of 2000000 bytes" in message
    assert time.process_time() - start < 2


def test_more_empty_items_than_the_bound_in_a_sequence_of_stated_length_are_refused(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pydicom reads such a sequence when it is asked for, not with the file."""
    items = struct.pack("<HHI", 0xFFFE, 0xE000, 0) * 10_000
    content = implicit(corpus, 0x7FE0_0010, b"")[:-8] + struct.pack("<HHI", 0x5200, 0x9229, len(items)) + items
    monkeypatch.setattr(limits, "MAX_READS", 50_000)
    assert "not readable" in refusal(written(tmp_path / "in" / "1.dcm", content))


def test_an_image_that_ends_inside_a_sequence_of_its_header_is_named_as_one(good: bytes, tmp_path: Path) -> None:
    """pydicom raises an OSError here, as a disk does that cannot be read."""
    body = 144 + struct.unpack_from("<I", good, 140)[0]
    folder = written(tmp_path / "in" / "1.dcm", good[:body] + struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF))
    assert refusal(folder).startswith("in: none of 1 DICOM images can be used (file 1 of 1: not readable (OSError))")


def test_a_deflated_file_without_preamble_is_inflated_within_the_bound(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = deflated(corpus, b"")[132:]
    assert read_only_study(written(tmp_path / "good" / "1.dcm", content)).series
    monkeypatch.setattr(limits, "MAX_INFLATED_BYTES", 1000)
    assert "no DICOM image among them" in refusal(written(tmp_path / "bad" / "1.dcm", content))


def test_after_two_pictures_that_take_too_long_the_others_of_their_study_are_not_tried(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def late(*arguments: Any) -> None:
        asked.append(arguments)
        raise decoder.LatePicture(5.0)

    monkeypatch.setattr(decoder._DECODER, "ask", late)
    compressed = [content for files in corpus.series for content in files if b"1.2.840.10008.1.2.4.80" in content[:400]]
    for number, content in enumerate(compressed[:6]):
        written(tmp_path / "in" / f"{number}.dcm", content)
    written(tmp_path / "in" / "plain.dcm", corpus.series[0][0])
    study = read_only_study(tmp_path / "in")
    assert len(asked) == 2
    assert [problem.message[13:] for problem in study.problems[:6]] == [
        *["its pixels take more than 5 s to decode"] * 2,
        *["not decoded, since others took too long"] * 4,
    ]


def test_a_series_of_more_directions_than_blocks_is_no_stack(good: bytes, tmp_path: Path) -> None:
    for number in range(40):
        turn = np.radians(2 * number)
        directions = [np.cos(turn), np.sin(turn), 0, 0, 0, -1]
        content = edited(
            good, ImageOrientationPatient=[f"{each:.8f}" for each in directions], InstanceNumber=number, SOPInstanceUID=f"1.2.{number}"
        )
        written(tmp_path / "in" / f"{number}.dcm", content)
    (series,) = read_only_study(tmp_path / "in").series
    assert series.role_reason == "40 orientations in 40 slices: no stack of parallel ones"


def scores_of(path: Path, *values: str) -> Path:
    """A complete submission of one study, every row with these values."""
    rows = [",".join((row_id(7, finding), *values)) for finding in FINDINGS]
    path.write_text("\n".join((",".join(("row_id", *SCORE_COLUMNS)), *rows)))
    return path


def test_scores_whose_sum_is_no_number_are_refused_in_silence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = scores_of(tmp_path / "submission.csv", "1.7e308", "1.7e308", "0")
    with pytest.raises(TableError, match=r"25 rows do not sum to one, such as .* \(inf\)"):
        read_submission(path)
    (tmp_path / "train.csv").write_text(",".join(HEADERS[0]) + "\n7" + ",Moderate" * 25)
    assert main(["evaluate", str(tmp_path / "train.csv"), str(path), "--bootstrap", "2"]) == 3
    assert capsys.readouterr() == ("", f"lumbargrade evaluate: {path}: every row needs values that are at least zero, and a sum above\n")


@pytest.mark.parametrize("weight", ["1e308", "1e10", "1e-10", "5e-324", "0"])
def test_a_sample_weight_that_no_metric_has_is_refused(weight: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(f"row_id,{','.join(SCORE_COLUMNS)},sample_weight\n{row_id(7, FINDINGS[0])},0,1,0,{weight}\n")
    with pytest.raises(TableError, match=r"line 2, column sample_weight: .* a number (above zero|from 1e-09 to 1e\+09) is needed"):
        read_solution(tmp_path / "t.csv")


@pytest.mark.parametrize("read", [read_submission, read_submission_rows, read_solution])
def test_a_study_id_of_thousands_of_digits_is_no_study_id(read: Callable[[Path], object], tmp_path: Path) -> None:
    name = row_id(0, FINDINGS[0]).replace("0", "9" * 4000, 1)
    (tmp_path / "t.csv").write_text(f"row_id,{','.join(SCORE_COLUMNS)}\n{name},1,0,0\n{name},1,0,0\n")
    with pytest.raises(TableError, match=r"line 2, column row_id: .* a row id such as") as caught:
        read(tmp_path / "t.csv")
    assert len(str(caught.value)) < 400
