"""How a zip archive is made odd, and spoilt with regard to what its bytes mean: names, methods, records."""

import io
import random
import struct
import warnings
import zipfile
from collections.abc import Iterator, Sequence

from fuzzing.octets import BYTES, Mutation, with_number

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
_NAMES = (
    *("1.dcm", "a/b/c/1.dcm", "../../evil.dcm", "/absolute/1.dcm", "..\\evil\\1.dcm", "C:\\1.dcm", "", "/", "a//b", ".", "..", "DICOMDIR"),
    *(
        "a/" * 500 + "x",
        "n" * 3000,
        "\u00e4\u00f6\u00fc/\u65e5\u672c.dcm",
        "a\nb.dcm",
        "\x1b[31m.dcm",
        "nul\0l.dcm",
        "study.zip",
        "con",
        "\U0001f600",
    ),
)
_LOCAL, _CENTRAL, _END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_FIELDS = {
    _LOCAL: (4, 6, 8, 10, 14, 18, 22, 26, 28),
    _CENTRAL: (4, 6, 8, 10, 12, 16, 20, 24, 28, 30, 32, 34, 36, 38, 42),
    _END: (4, 6, 8, 10, 12, 16, 20),
}
"""Where the fields of the records lie (APPNOTE.TXT 4.3.7, 4.3.12 and 4.3.16)."""
_MOST_MEMBERS = 300
"""Of the archives that repeat their directory: each is read, which takes its time."""


def packed_archive(rng: random.Random, contents: Sequence[bytes]) -> bytes:
    """An archive of files, stored or compressed, under good and odd names; sometimes another archive inside."""
    stream = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w") as archive:
        warnings.simplefilter("ignore")  # of names that are there before
        for number, content in enumerate(contents):
            name = f"series/{number}.dcm" if rng.random() < 0.7 else rng.choice(_NAMES)
            member = zipfile.ZipInfo(name)
            member.compress_type = rng.choice(_METHODS)
            archive.writestr(member, content)
        if rng.random() < 0.1:
            archive.writestr(zipfile.ZipInfo("inner.zip"), stream.getvalue())
        if rng.random() < 0.1:
            archive.writestr(zipfile.ZipInfo("black.dcm"), bytes(rng.choice((10**4, 10**6))), zipfile.ZIP_DEFLATED)
        archive.comment = rng.randbytes(rng.choice((0, 0, 0, 9)))
    return stream.getvalue()


def change_record(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """A field of a local header, of the central directory or of the end record."""
    mark = rng.choice((_LOCAL, _CENTRAL, _CENTRAL, _END))
    places = list(_places(content, mark))
    return with_number(rng, content, rng.choice(places) + rng.choice(_FIELDS[mark]), "<") if places else content


def change_method(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """A compression method, in both headers of all members, that is not the one that was used."""
    method = rng.choice((*_METHODS, 1, 9, 93, 99)).to_bytes(2, "little")
    for mark, field in ((_LOCAL, 8), (_CENTRAL, 10)):
        for at in _places(content, mark):
            content = content[: at + field] + method + content[at + field + 2 :]
    return content


def rename_member(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Bytes of a name in the central directory, so that it is another than that of the local header, or no text."""
    places = list(_places(content, _CENTRAL))
    if not places:
        return content
    at = rng.choice(places) + 46
    name = rng.choice((b"../../", b"\xff\xfe\xfd", b"a\0b", b"/etc/", b"\\\\x\\"))
    return content[:at] + name + content[at + len(name) :]


def repeat_directory(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Many names for the same bytes."""
    start, end = content.find(_CENTRAL), content.rfind(_END)
    count, present = rng.choice((2, 10, 40)), content.count(_CENTRAL)
    if not 0 <= start < end or count * present > _MOST_MEMBERS:
        return content
    size, members = count * (end - start), count * present
    tail = struct.pack("<4sHHHHIIH", _END, 0, 0, members, members, size, start, 0)
    return content[:start] + content[start:end] * count + tail


def _places(content: bytes, mark: bytes) -> Iterator[int]:
    at = content.find(mark)
    while at >= 0:
        yield at
        at = content.find(mark, at + 4)


ARCHIVE: tuple[Mutation, ...] = (*BYTES, *(change_record,) * 6, change_method, rename_member, repeat_directory)
