"""Files made to crash, fill up or stall a reader, each given to the real command line: one line, the documented code, soon and small."""

import io
import os
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pydicom
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian

SECONDS, MEBIBYTES = 5.0, 500
ENDLESS = 0xFFFFFFF0
"""A length of 4 GB, which no file here has."""
SmallStudy = Callable[[Path, str], Path]


class Answer(NamedTuple):
    code: int
    out: str
    lines: list[str]
    mebibytes: float


MEASURE = """
import resource, subprocess, sys
try:
    code = subprocess.run(sys.argv[2:], timeout=float(sys.argv[1])).returncode
finally:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(code, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
"""
"""A small process in between, since a process counts the memory of the one that began it as its own until it has more."""


def answer(*arguments: str) -> Answer:
    """What the command line says, and the most memory it had; killed after four times the time that it may take, on a busy machine."""
    command = [sys.executable, "-m", "lumbargrade", *arguments, "--quiet"]
    measured = [sys.executable, "-c", MEASURE, str(4 * SECONDS), *command]
    done = subprocess.run(measured, capture_output=True, text=True, check=True)
    *out, (code, seconds, mebibytes) = [*done.stdout.splitlines()[:-1], done.stdout.splitlines()[-1].split()]
    assert float(seconds) < SECONDS
    return Answer(int(code), "\n".join(out), done.stderr.splitlines(), float(mebibytes))


def assert_refused(path: Path, tmp_path: Path, words: str) -> None:
    found = answer("grade", str(path), "--output", str(tmp_path / "results"))
    assert found.code == 3, found
    assert len(found.lines) == 1, found
    assert words in found.lines[0], found
    assert found.mebibytes < MEBIBYTES, found
    assert not list((tmp_path / "results").rglob("*.json"))


@pytest.fixture
def slice_bytes(tmp_path: Path, write_small_study: SmallStudy) -> bytes:
    """An axial slice as a scanner writes it."""
    return next(iter(sorted(write_small_study(tmp_path / "study", "1.2").rglob("*.dcm")))).read_bytes()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "hostile"
    folder.mkdir()
    return folder


def parts(content: bytes) -> tuple[bytes, bytes]:
    """Preamble with file meta information, and the data set."""
    start = 144 + struct.unpack("<I", content[140:144])[0]
    return content[:start], content[start:]


def element(tag: int, letters: bytes, length: int) -> bytes:
    """The head of an element whose length takes four bytes."""
    return struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, letters, 0, length)


def test_a_header_that_claims_terabytes_of_pixels(place: Path, tmp_path: Path, slice_bytes: bytes) -> None:
    dataset = pydicom.dcmread(io.BytesIO(slice_bytes))
    dataset.Rows = dataset.Columns = 65535
    dataset.NumberOfFrames = 1000
    dataset.save_as(place / "1.dcm")
    assert_refused(place, tmp_path, "65535 x 65535 x 1000 pixels")


def test_a_deflate_bomb(place: Path, tmp_path: Path, slice_bytes: bytes) -> None:
    """A gigabyte of zeros in one private element of a Deflated data set of half a megabyte."""
    dataset = pydicom.dcmread(io.BytesIO(slice_bytes))
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    stream = io.BytesIO()
    dataset.save_as(stream)
    meta, _ = parts(stream.getvalue())
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = [packer.compress(element(0x0009_1010, b"OB", 2**30))]
    packed += [packer.compress(bytes(2**20)) for _ in range(1024)]
    (place / "1.dcm").write_bytes(meta + b"".join(packed) + packer.flush())
    assert (place / "1.dcm").stat().st_size < 1.2e6
    assert_refused(place, tmp_path, "inflates to more than")


@pytest.mark.parametrize("tag", [0x0008_0005, 0x0008_0018, 0x0009_1010, 0x0028_9000], ids="{:08x}".format)
def test_an_element_that_claims_four_gigabytes(place: Path, tmp_path: Path, slice_bytes: bytes, tag: int) -> None:
    meta, body = parts(slice_bytes)
    before = next(
        at for at in range(0, len(body) - 8, 2) if struct.unpack("<HH", body[at : at + 4]) > (tag >> 16, tag & 0xFFFF) and is_head(body, at)
    )
    (place / "1.dcm").write_bytes(meta + body[:before] + element(tag, b"OB", ENDLESS) + body[before:])
    assert_refused(place, tmp_path, "none of 1 DICOM images can be used")


def is_head(body: bytes, at: int) -> bool:
    """Whether an element of the groups that the slice has begins here."""
    return struct.unpack("<H", body[at : at + 2])[0] in (0x0008, 0x0010, 0x0018, 0x0020, 0x0028, 0x7FE0) and body[at + 4 : at + 6].isalpha()


def test_pixels_that_claim_four_gigabytes(place: Path, tmp_path: Path, slice_bytes: bytes) -> None:
    at = slice_bytes.index(b"\xe0\x7f\x10\x00")
    (place / "1.dcm").write_bytes(slice_bytes[:at] + element(0x7FE0_0010, b"OW", ENDLESS) + slice_bytes[at + 12 : at + 1000])
    assert_refused(place, tmp_path, "none of 1 DICOM images can be used")


def test_sequences_inside_sequences_without_end(place: Path, tmp_path: Path, slice_bytes: bytes) -> None:
    meta, body = parts(slice_bytes)
    nested = element(0x0008_1140, b"SQ", 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    (place / "1.dcm").write_bytes(meta + 30_000 * nested + body)
    assert_refused(place, tmp_path, "not readable")


def test_a_zip_bomb(place: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(place / "study.zip", "w", zipfile.ZIP_DEFLATED) as archive, archive.open("1.dcm", "w", force_zip64=True) as member:
        for _ in range(1024):
            member.write(bytes(2**20))
    for path in (place, place / "study.zip"):
        assert_refused(path, tmp_path, "inflates more than 100-fold")


def test_a_zip_inside_a_zip(place: Path, tmp_path: Path, slice_bytes: bytes) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("1.dcm", slice_bytes)
    with zipfile.ZipFile(place / "study.zip", "w") as archive:
        archive.writestr("inner.zip", inner.getvalue())
    assert_refused(place / "study.zip", tmp_path, "inside an archive, which are not opened")


def test_members_that_share_their_bytes(place: Path, tmp_path: Path) -> None:
    """Ten thousand names for one member of 16 MiB: each is within the ratio that small members may have, all together are not."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("1.dcm", bytes(16 * 2**20))
    content = stream.getvalue()
    at, end = content.index(b"PK\x01\x02"), content.index(b"PK\x05\x06")
    directory, count = content[at:end], 10_000
    tail = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, count, count, count * len(directory), at, 0)
    (place / "study.zip").write_bytes(content[:at] + count * directory + tail)
    assert_refused(place / "study.zip", tmp_path, "at most")


def test_names_that_lead_out_of_an_archive_write_nothing_there(place: Path, tmp_path: Path, slice_bytes: bytes) -> None:
    with zipfile.ZipFile(place / "study.zip", "w") as archive:
        for name in ("../../evil/1.dcm", str(tmp_path / "absolute" / "1.dcm"), "..\\evil\\1.dcm"):
            archive.writestr(name, slice_bytes)
    found = answer("grade", str(place / "study.zip"), "--output", str(tmp_path / "results"))
    assert found.code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hostile", "results", "study"]
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["study"]


def test_links_that_lead_round_in_circles(place: Path, tmp_path: Path) -> None:
    (place / "round").symlink_to(place)
    (place / "one").symlink_to(place / "other")
    (place / "other").symlink_to(place / "one")
    assert_refused(place, tmp_path, "empty")
    assert_refused(place / "one", tmp_path, "no such file or folder")


def test_pipes_and_devices_are_never_opened(place: Path, tmp_path: Path) -> None:
    os.mkfifo(place / "1.dcm")
    (place / "2.dcm").symlink_to("/dev/zero")
    assert_refused(place, tmp_path, "empty")
    for path in (place / "1.dcm", place / "2.dcm", Path("/dev/zero")):
        assert_refused(path, tmp_path, "neither a file nor a folder")


def test_other_commands_refuse_as_well(place: Path, tmp_path: Path) -> None:
    os.mkfifo(place / "pipe")
    table = place / "train.csv"
    table.write_text("study_id," + "x" * 2_000_000 + "\n1,2\n")
    for arguments in (
        ("inspect", str(place / "pipe")),
        ("score", str(table), str(table)),
        ("score", str(place / "pipe"), str(table)),
        ("evaluate", str(table), str(place / "pipe")),
        ("check", str(place / "pipe")),
    ):
        found = answer(*arguments)
        assert found.code == 3, (arguments, found)
        assert len(found.lines) == 1, (arguments, found)
        assert len(found.lines[0]) < 500, arguments
        assert found.mebibytes < MEBIBYTES
