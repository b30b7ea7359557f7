"""How a DICOM file is spoilt with regard to what its bytes mean: elements, lengths, sequences, sizes, transfer syntax."""

import random
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fuzzing.octets import BYTES, LARGEST_BYTES, NUMBERS, Mutation, with_number


@dataclass(frozen=True, slots=True)
class Element:
    """Where an element of an explicit little endian data set lies; those inside sequences too.

    Attributes:
        start, value, end: where it begins, where its value does, and where it ends.
        vr: its value representation.
        parents: where the lengths (of four bytes) of the sequences and items lie that hold it, as far as these state one.
    """

    start: int
    value: int
    end: int
    tag: int
    vr: bytes
    parents: tuple[int, ...]
    has_length: bool

    @property
    def length_at(self) -> int:
        return self.start + (8 if self.vr in _LONG else 6)


_LONG = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"))
_KNOWN = _LONG | frozenset(
    (
        b"AE",
        b"AS",
        b"AT",
        b"CS",
        b"DA",
        b"DS",
        b"DT",
        b"FL",
        b"FD",
        b"IS",
        b"LO",
        b"LT",
        b"PN",
        b"SH",
        b"SL",
        b"SS",
        b"ST",
        b"TM",
        b"UI",
        b"UL",
        b"US",
    )
)
_ENDLESS = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0", b"\xfe\xff\xdd\xe0"
_START = 132
_MOST_ELEMENTS = 3000
_IMAGE_TAGS = (
    *(0x0002_0010, 0x0008_0005, 0x0008_0008, 0x0008_0018, 0x0008_0060, 0x0008_103E, 0x0010_0030, 0x0010_1010, 0x0018_0022),
    *(0x0018_0080, 0x0018_0081, 0x0018_0082, 0x0018_9073, 0x0018_9079, 0x0018_9082, 0x0020_000D, 0x0020_000E, 0x0020_0013),
    *(0x0020_0032, 0x0020_0037, 0x0020_9113, 0x0020_9116, 0x0028_0002, 0x0028_0004, 0x0028_0006, 0x0028_0008, 0x0028_0010),
    *(0x0028_0011, 0x0028_0030, 0x0028_0100, 0x0028_0101, 0x0028_0102, 0x0028_0103, 0x0028_1052, 0x0028_1053, 0x0028_9110),
    *(0x0028_9145, 0x5200_9229, 0x5200_9230, 0x7FE0_0001, 0x7FE0_0002, 0x7FE0_0008, 0x7FE0_0010),
)
"""What the readers look at."""
_SYNTAXES = (
    *("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.98", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"),
    *(f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 57, 70, 80, 81, 90, 91, 92, 100, 102, 106, 110, 201, 203)),
    *("1.2.840.10008.1.2.5", "1.2.840.10008.1.2.8.1", "1.2.3", "", "nonsense"),
)
_DECIMALS = (
    *("", "0", "-0", "1e308", "-1e308", "1e-320", "1e400", "nan", "inf", "-inf", "abc", "1,5", " 1 ", "9" * 400, "9" * 5000, "0x10"),
    *("1e38", "3.5e38", "1e18", "1e10", "1000", "999.9", "-5", "0.5", "1e-5", "1e-40", "1_0", "\u0663", "1\0", "1\\", "\\", "\\\\"),
)
_WHOLE = ("", "0", "-1", "1.5", "1e10", "nan", "2147483647", "2147483648", "-2147483648", "99999999999999999999", "9" * 5000, "abc", "3\\4")
_TEXTS = (
    *("", " ", "\0", "\\", "\\" * 300, "A" * 65536, "9" * 5000, "../../x", "a\nb\r\n\tc", "\x1b[31m", "\x1b$B", "\x1b(J\x1b)I"),
    *(
        "\xff\xfe\xfa",
        "T1 T2 STIR",
        "MOSAIC",
        "LOCALIZER",
        "DERIVED",
        "000Y",
        "999Y",
        "00000000",
        "99999999",
        "MONOCHROME1",
        "PALETTE COLOR",
        "YBR_FULL",
    ),
    *(
        "ISO_IR 192",
        "punycode",
        "idna",
        "utf_7",
        "ISO 2022 IR 87",
        "ISO 2022 IR 149\\ISO 2022 IR 58",
        "GB18030",
        "YES",
        "1.2.840.10008.5.1.4.1.1.7",
        "1.2.840.10008.5.1.4.1.1.4.1",
    ),
)
_FLOATS = (0.0, -0.0, 1.0, -1.0, 1e308, -1e308, 5e-324, float("nan"), float("inf"), float("-inf"), 3.5e38, 1e18, 1e-40)


def elements(content: bytes) -> list[Element]:
    """Those of a file with or without preamble, up to where it cannot be followed; few of another encoding than explicit little endian."""
    found: list[Element] = []
    try:
        for element in _walk(content, _START if content[128:_START] == b"DICM" else 0, len(content), ()):
            found.append(element)
            if len(found) == _MOST_ELEMENTS:
                break
    except (struct.error, RecursionError):
        return found
    return found


def _walk(content: bytes, at: int, end: int, parents: tuple[int, ...]) -> Iterator[Element]:
    """The elements from ``at`` on, each before those inside it, until ``end`` or the end of an item or sequence."""
    while at + 8 <= end:
        group, number, vr, length = struct.unpack_from("<HH2sH", content, at)
        if vr not in _KNOWN:
            return
        value = at + 8
        if vr in _LONG:
            (length,) = struct.unpack_from("<I", content, at + 8)
            value = at + 12
        inside: list[Element] = []
        if length == _ENDLESS or vr == b"SQ":
            own = parents if length == _ENDLESS else (*parents, at + 8)
            stop = _end_of_items(content, value, end if length == _ENDLESS else min(value + length, end), own, inside)
        else:
            stop = value + length
        if stop > end:
            return
        yield Element(at, value, stop, group << 16 | number, vr, parents, length != _ENDLESS)
        yield from inside
        at = stop


def _end_of_items(content: bytes, at: int, end: int, parents: tuple[int, ...], found: list[Element]) -> int:
    """Where a sequence ends; the elements inside its items are added to ``found``. Fragments of pixels are items without elements."""
    while at + 8 <= end:
        mark, length = struct.unpack_from("<4sI", content, at)
        if mark == _SEQUENCE_END:
            return at + 8
        if mark != _ITEM:
            return end
        if length != _ENDLESS:
            found += _walk(content, at + 8, min(at + 8 + length, end), (*parents, at + 4))
            at += 8 + length
            continue
        inside = list(_walk(content, at + 8, end, parents))
        found += inside
        at = max([at + 8, *(element.end for element in inside)])
        at += 8 * (content[at : at + 4] == _ITEM_END)
    return end


def _resized(content: bytes, parents: Sequence[int], difference: int) -> bytes:
    """With so much added to the lengths of what holds a changed element."""
    changed = bytearray(content)
    for at in parents:
        (length,) = struct.unpack_from("<I", changed, at)
        struct.pack_into("<I", changed, at, (length + difference) % 2**32)
    return bytes(changed)


def with_value(content: bytes, element: Element, value: bytes) -> bytes:
    """The file with another value of an element that has a length, which is put right, as those of what holds it are."""
    value += b"\0" * (len(value) % 2)
    size = 4 if element.vr in _LONG else 2
    head = content[: element.length_at] + (len(value) % 256**size).to_bytes(size, "little")
    changed = head + value + content[element.end :]
    return _resized(changed, element.parents, len(value) - (element.end - element.value))


def _chosen(rng: random.Random, content: bytes) -> Element | None:
    """An element, most often one that the readers look at."""
    found = elements(content)
    looked_at = [element for element in found if element.tag in _IMAGE_TAGS]
    return rng.choice(looked_at if looked_at and rng.random() < 0.8 else found) if found else None


def set_extreme(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    element = _chosen(rng, content)
    return with_value(content, element, _extreme(rng, element)) if element is not None and element.has_length else content


def _extreme(rng: random.Random, element: Element) -> bytes:
    """A value of the element's representation as no scanner writes it."""
    if element.tag == 0x0002_0010:
        return rng.choice(_SYNTAXES).encode()
    vr, count = element.vr, rng.choice((1, 1, 2, 3, 6, 0, 40))
    if vr in (b"US", b"SS", b"UL", b"SL", b"AT"):
        size = 2 if vr in (b"US", b"SS") else 4
        return b"".join((rng.choice(NUMBERS) % 256**size).to_bytes(size, "little") for _ in range(count))
    if vr in (b"FL", b"FD"):
        return b"".join(_packed(rng.choice(_FLOATS), "<f" if vr == b"FL" else "<d") for _ in range(count))
    if vr in (b"OB", b"OW", b"UN", b"SQ"):
        return rng.choice((b"", b"\0", rng.randbytes(rng.randint(1, 300)), b"\0" * 70_000))
    pool = {b"DS": _DECIMALS, b"IS": _WHOLE}.get(vr, _TEXTS)
    return "\\".join(rng.choice(pool) for _ in range(count)).encode("latin-1", "replace")


def _packed(number: float, form: str) -> bytes:
    try:
        return struct.pack(form, number)
    except OverflowError:
        return struct.pack(form, float("inf"))


def nudge_value(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """One of an element's bytes, so that what is read is nearly right."""
    element = _chosen(rng, content)
    if element is None or element.end == element.value:
        return content
    at = rng.randrange(element.value, element.end)
    octet = rng.choice(b"0123456789.-eE\\ \0") if element.vr in (b"DS", b"IS", b"UI", b"AS", b"DA") else rng.randrange(256)
    return content[:at] + bytes([octet]) + content[at + 1 :]


def remove_element(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    element = _chosen(rng, content)
    if element is None:
        return content
    return _resized(content[: element.start] + content[element.end :], element.parents, element.start - element.end)


def repeat_element(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """At its own place, or before another element, where it is out of order."""
    element = _chosen(rng, content)
    if element is None:
        return content
    place = rng.choice((element, rng.choice(elements(content))))
    copy = content[element.start : element.end] * rng.choice((1, 1, 1, 20))
    return _resized(content[: place.start] + copy + content[place.start :], place.parents, len(copy))


def graft_element(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Another file's element in place of one's own: its pixels, its size, its sequences."""
    other = rng.choice(others)
    graft, element = _chosen(rng, other), _chosen(rng, content)
    if graft is None or element is None:
        return content
    same = [each for each in elements(content) if each.tag == graft.tag]
    element = rng.choice(same) if same else element
    end = element.end if same else element.start
    difference = graft.end - graft.start - (end - element.start)
    return _resized(content[: element.start] + other[graft.start : graft.end] + content[end:], element.parents, difference)


def change_representation(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    element = _chosen(rng, content)
    if element is None:
        return content
    letters = rng.choice((*sorted(_KNOWN), b"??", b"\0\0"))
    return content[: element.start + 4] + letters + content[element.start + 6 :]


def change_length(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    element = _chosen(rng, content)
    if element is None:
        return content
    places = (element.length_at, *element.parents)
    return with_number(rng, content, rng.choice(places), "<")


def change_syntax(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """So that the wrong decoder reads the pixels, or the wrong encoding the elements."""
    found = [element for element in elements(content) if element.tag == 0x0002_0010]
    return with_value(content, found[0], rng.choice(_SYNTAXES).encode()) if found else content


def lengthen_text(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    element = _chosen(rng, content)
    if element is None or not element.has_length:
        return content
    return with_value(content, element, rng.choice((b"A", b"9", b"\\", b"1\\", b"\xe4", b"^=")) * rng.choice((100, 5000, 32_000)))


def nest_sequences(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Sequences inside sequences, closed or not, before some element."""
    element = _chosen(rng, content)
    if element is None:
        return content
    tag = rng.choice((0x0008_1140, 0x5200_9229, 0x5200_9230, 0x0020_9113, element.tag))
    depth = rng.choice((2, 20, 300, 3000))
    head = struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, b"SQ", 0, _ENDLESS) + _ITEM + struct.pack("<I", _ENDLESS)
    tail = (_ITEM_END + bytes(4) + _SEQUENCE_END + bytes(4)) * rng.choice((0, 1, depth))
    return content[: element.start] + head * depth + tail + content[element.start :]


def flood(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Empty elements, or empty items of a sequence, by the thousand; not into large files, of which there are many."""
    element = _chosen(rng, content)
    if element is None or len(content) > 20_000:
        return content
    count = rng.choice((100, 100, 1000, 10_000))
    head = content[element.start : element.start + 4]
    if rng.random() < 0.5:
        many = head + b"SQ" + bytes(2) + struct.pack("<I", _ENDLESS) + (_ITEM + bytes(4)) * count + _SEQUENCE_END + bytes(4)
    else:
        many = (head + b"LO" + bytes(2)) * count
    return content[: element.start] + many + content[element.start :]


def set_size(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Rows, columns and frames, as they may be and as they may not; the number of frames is put in where it is missing."""
    found = {element.tag: element for element in elements(content)}
    if 0x0028_0010 not in found:
        return content
    for tag in rng.sample((0x0028_0010, 0x0028_0011), rng.randint(0, 2)):
        if tag in found:
            at = found[tag].value
            content = content[:at] + rng.choice(NUMBERS[:12]).to_bytes(2, "little") + content[at + 2 :]
    frames = rng.choice(("0", "-1", "2", "3", "500", "65535", "1000000", "100000000", "2147483647", "99999999999", "1e3", ""))
    if rng.random() < 0.5:
        return content
    if 0x0028_0008 in found:
        return with_value(content, found[0x0028_0008], frames.encode())
    value = frames.encode() + b" " * (len(frames) % 2)
    element = struct.pack("<HH2sH", 0x0028, 0x0008, b"IS", len(value)) + value
    at = found[0x0028_0010].start
    return content[:at] + element + content[at:]


def damage_pixels(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """The pixel data alone, their beginning most often, where codestreams have their sizes and tables."""
    found = [element for element in elements(content) if element.tag in (0x7FE0_0008, 0x7FE0_0009, 0x7FE0_0010)]
    if not found:
        return content
    start = found[-1].value
    reach = rng.choice((80, 300, len(content)))
    damaged = rng.choice(BYTES)(rng, content[start : start + reach], others)
    return content[:start] + damaged + content[start + reach :]


_INSIDE: tuple[Mutation, ...] = (
    *(set_extreme, set_extreme, set_extreme, nudge_value, nudge_value, remove_element, repeat_element, graft_element, set_size),
    *(change_representation, change_length, lengthen_text, nest_sequences, flood, damage_pixels, damage_pixels),
)


def inside_dicom(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """A change to a data set, a deflated one inflated for it."""
    change = rng.choice(_INSIDE)
    if b"1.2.840.10008.1.2.1.99" not in content[:400]:
        return change(rng, content, others)
    start = _START + 12 + int.from_bytes(content[140:144], "little")
    try:
        body = zlib.decompressobj(-zlib.MAX_WBITS).decompress(content[start:], LARGEST_BYTES)
    except zlib.error:
        return change(rng, content, others)
    changed = change(rng, content[:start] + body, others)
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return changed[:start] + packer.compress(changed[start:]) + packer.flush()


DICOM: tuple[Mutation, ...] = (*BYTES, *(inside_dicom,) * 12, change_syntax)
